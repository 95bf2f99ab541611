"""Damaged files of each format end in one line of the project's, never in a traceback: mutated by lot, and by kind."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT

from legible.charset import Charset
from legible.config import load_params
from legible.ctc.lexicon import Lexicon
from legible.data.sources import listed
from legible.errors import BundleError, LegibleError
from legible.files import sha256_of
from legible.packing.measured import SPEED, speed_of
from legible.recognition.bundle import load_bundle, read_manifest
from legible.recognition.calibration import Calibration

MUTATIONS = 60
VALUES = (None, True, -1, 1e999, "", "x", [], {}, [[]], {"version": 2})
"""What stands in the place of a value."""


def read_sources(path: Path) -> object:
    root = path.parent / "root"
    (root / "data").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, root / "data/sources.json")
    return listed(root)


def read_speed(path: Path) -> object:
    root = path.parent / "root"
    (root / SPEED).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, root / SPEED)
    return speed_of("c6f4d5052e28", root=root)


def read_bundle_manifest(path: Path) -> object:
    (path.parent / "bundle").mkdir(exist_ok=True)
    shutil.copyfile(path, path.parent / "bundle/manifest.json")
    return read_manifest(path.parent / "bundle")


FORMATS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "charset": ("models/bundle/charset.json", Charset.load),
    "confidence": ("models/bundle/confidence.json", Calibration.load),
    "manifest": ("models/bundle/manifest.json", read_bundle_manifest),
    "lexicon": ("models/bundle/lexicon-english.gz", Lexicon.load),
    "sources": ("data/sources.json", read_sources),
    "measured": ("models/measured/speed.json", read_speed),
    "params": ("params/tiny.yaml", lambda path: load_params(PROJECT / "params.yaml", path)),
}


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, or with a few bytes changed, or with a piece of itself twice."""
    kind, place = rng.integers(0, 3), int(rng.integers(0, len(content)))
    if kind == 0:
        return content[:place]
    if kind == 1:
        changed = bytearray(content)
        for at in rng.integers(0, len(content), 3):
            changed[at] = int(rng.integers(0, 256))
        return bytes(changed)
    return content[:place] + content[place // 2 :]


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_mutated_by_lot_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    source, read = FORMATS[name]
    content = (PROJECT / source).read_bytes()
    lines = []
    for number in range(MUTATIONS if len(content) < 100_000 else MUTATIONS // 10):
        (tmp_path / "file").write_bytes(mutated(content, np.random.default_rng([7, number])))
        lines.append(refusal(read, tmp_path / "file"))
    assert any(lines)
    assert not any("\n" in line for line in lines)


def refusal(read: Callable[[Path], object], path: Path) -> str:
    """What a reader says of a file that it refuses; nothing where it reads it. Any other error is the test's."""
    try:
        read(path)
    except LegibleError as error:
        return str(error)
    return ""


def places(content: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where values stand in a JSON document; of long lists and objects the first three."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, value in [*inside][:3] for place in places(value, (*path, key)))]


def with_value(content: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = content.copy()
    copy[path[0]] = with_value(content[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", ["charset", "confidence", "manifest", "sources", "measured"])
def test_a_value_of_another_kind_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    source, read = FORMATS[name]
    content = json.loads((PROJECT / source).read_text(encoding="utf-8"))
    for path in places(content):
        for value in VALUES:
            (tmp_path / "file").write_text(json.dumps(with_value(content, path, value)), encoding="utf-8")
            assert "\n" not in refusal(read, tmp_path / "file"), (path, value)


@pytest.mark.parametrize(
    "files",
    [
        None, [], [1], {"model.tflite": 5}, {"x\0y": "0"}, {"x" * 300: "0"}, {"../x": "0"}, {"": "0"}, {".": "0"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bundle_whose_manifest_names_odd_files_is_refused(files: object, tmp_path: Path) -> None:
    folder = shutil.copytree(PROJECT / "models/bundle", tmp_path / "bundle")
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    more = {**content["files"], **files} if isinstance(files, dict) else files
    (folder / "manifest.json").write_text(json.dumps({**content, "files": more}), encoding="utf-8")
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["card.md", "manifest.json"])
def test_a_file_of_a_bundle_that_is_all_holes_is_not_read(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(PROJECT / "models/bundle", tmp_path / "bundle")
    os.truncate(folder / name, 2**40)
    with pytest.raises(LegibleError, match="has more than 200000000 bytes"):
        load_bundle(folder)


def test_a_file_that_goes_while_a_bundle_is_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(PROJECT / "models/bundle", tmp_path / "bundle")

    def gone(path: Path) -> str:
        path.unlink()
        return sha256_of(path)

    monkeypatch.setattr("legible.recognition.bundle.sha256_of", gone)
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(folder)
