"""The house stands: a module imports only from floors below its own, and each heavy library stays at home."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src/legible"
FLOORS = (
    (
        "errors",
        "untrusted_files",
        "extras",
        "arrays",
        "batched",
        "image_input",
        "files",
        "config",
        "charset",
        "reading",
        "sampling",
        "scores",
        "tables",
    ),
    ("image", "ctc"),
    ("recognition", "detection", "data"),
    ("observations", "synth", "network", "pages"),
    ("training", "drift"),
    ("evaluation", "labelling"),
    ("packing", "gate", "service"),
    ("monitoring", "client"),
    ("scale",),
    ("drill",),
    ("cli",),
)
HOMES = {
    "keras": ("network/", "training/"),
    "tensorflow": ("network/", "training/"),
    "ai_edge_litert": ("recognition/recognizer.py", "detection/detector.py"),
    "bentoml": ("service/",),
    "prometheus_client": (
        "service/metrics.py",
        "service/internals/of_prometheus.py",
        "monitoring/",
        "drill/detectors.py",
    ),
    "evidently": ("monitoring/report.py",),
    "ray": ("scale/",),
    "pypdfium2": ("pages/",),
    "typer": ("cli/",),
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    others = {name.split(".")[1] for name in imported(path) if name.startswith("legible.")} - {room, "__version__"}
    too_high = {other for other in others if floor_of(other) >= floor_of(room) and floor_of(room) > 0}
    assert not too_high


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavy_library_stays_at_home(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    strays = {
        name
        for name in (imported_name.split(".")[0] for imported_name in imported(path))
        if name in HOMES and not place.startswith(HOMES[name])
    }
    assert not strays
