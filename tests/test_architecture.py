"""The house stands: a module imports only from floors below its own, and each heavy library stays at home."""

import ast
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/legible"
FLOORS = (
    (
        "errors",
        "untrusted_files",
        "extras",
        "arrays",
        "batched",
        "image_input",
        "remote_pages",
        "files",
        "file_numbers",
        "locks",
        "pool_processes",
        "config",
        "charset",
        "reading",
        "typography",
        "sampling",
        "scores",
        "stores",
        "tables",
    ),
    ("image", "ctc"),
    ("recognition", "detection", "data"),
    ("observations", "synth", "network", "pages"),
    ("training", "drift"),
    ("evaluation", "labelling"),
    ("packing", "gate", "service"),
    ("monitoring", "client"),
    ("scale", "respond"),
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
    "evidently": ("monitoring/report.py", "monitoring/accuracy_runs.py", "monitoring/workspace.py"),
    "ray": ("scale/",),
    "pypdfium2": ("pages/",),
    "typer": ("cli/",),
}
MODULES = sorted(PACKAGE.rglob("*.py"))


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def place_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def found_in(look: Callable[[Path], Collection[object]]) -> dict[str, Collection[object]]:
    """What a look at each module finds, of those where it finds anything."""
    return {place_of(path): found for path in MODULES if (found := look(path))}


def imported_from_above(path: Path) -> set[str]:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return set()
    others = {name.split(".")[1] for name in imported(path) if name.startswith("legible.")} - {room, "__version__"}
    return {other for other in others if floor_of(other) >= floor_of(room) and floor_of(room) > 0}


def test_a_module_imports_only_from_floors_below() -> None:
    assert found_in(imported_from_above) == {}


def away_from_home(path: Path) -> set[str]:
    libraries = {name.split(".")[0] for name in imported(path)}
    return {name for name in libraries if name in HOMES and not place_of(path).startswith(HOMES[name])}


def test_a_heavy_library_stays_at_home() -> None:
    assert found_in(away_from_home) == {}


MAX_LINES = 300
MAX_MEDIAN, MAX_90TH = 6, 16
"""Lines of a function, from its def to its end."""


def module_name(path: Path) -> str:
    parts = ("legible", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


NAMES = {module_name(path): path for path in MODULES}


def imported_as_it_is_loaded(path: Path) -> set[str]:
    """The modules of the package that a module needs before it is there: not those that a function imports."""
    found = set()
    for node in TREES[path].body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & NAMES.keys()


def circles() -> list[list[str]]:
    """Import circles, also inside packages: what is left when modules that need nothing any more are taken away."""
    needs = {name: imported_as_it_is_loaded(path) - {name} for name, path in NAMES.items()}
    while free := {name for name, wanted in needs.items() if not wanted & needs.keys()}:
        needs = {name: wanted for name, wanted in needs.items() if name not in free}
    return [sorted(needs)] if needs else []


def test_no_module_needs_itself_by_way_of_others() -> None:
    assert circles() == []


def test_a_class_has_a_name_of_its_own() -> None:
    names = [node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert {name for name in names if names.count(name) > 1} == set()


def test_a_file_is_one_room() -> None:
    lengths = {place_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {place: lines for place, lines in lengths.items() if lines > MAX_LINES} == {}


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] <= MAX_MEDIAN
    assert lengths[len(lengths) * 9 // 10] <= MAX_90TH


def without_subject(path: Path) -> list[str]:
    """The docstrings without one: `Of the height` says nothing; `The fraction of the height` does."""
    texts = [node.value.value for node in ast.walk(TREES[path]) if isinstance(node, ast.Expr) and is_text(node)]
    return [text for text in texts if text.startswith(("Of ", "So many "))]


def test_a_docstring_has_a_subject() -> None:
    assert found_in(without_subject) == {}


def is_text(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_an_array_type_has_one_name_and_one_place() -> None:
    """Two modules that define a type of arrays under one name mean the same, or confuse."""
    places: dict[str, list[str]] = {}
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("npt.NDArray["):
                places.setdefault(ast.unparse(node.targets[0]), []).append(module_name(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
