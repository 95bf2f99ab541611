"""Damaged files of each format end in one line of the project's, never in a traceback: mutated by lot, and by kind."""

import json
import math
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
from legible.ctc.beam import Candidate
from legible.ctc.lexicon import Lexicon
from legible.data.sources import listed
from legible.drift.quality import Quality
from legible.drift.reference import Reference, rank
from legible.drift.signatures import Signatures
from legible.errors import BundleError, LegibleError
from legible.files import sha256_of
from legible.packing.measured import SPEED, speed_of
from legible.pages.shipped import open_reader
from legible.pages.trust import LineTrust
from legible.recognition.bundle import load_bundle, read_manifest
from legible.recognition.calibration import Calibration
from legible.recognition.recognizer import Recognizer

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


def use_reference(folder: Path) -> float:
    """What a drift check and a service compute of a reference, as one number."""
    reference = Reference.load(folder)
    rules = [rule.threshold(200, bunching=reference.bunching, tests=3) for rule in reference.rules.values()]
    assert reference.unusual
    ranked = np.full((5, len(reference.known["image"].quantiles)), 0.3)
    unusual = reference.unusual.threshold(200, tests=2) + reference.unusual.is_unusual(ranked).sum()
    ranks = sum(rank(reference, name, 0.5, uniform=0.5) for name in reference.quantiles)
    return float(sum(rules) + unusual + ranks + reference.smallest_window * reference.block)


def use_signatures(folder: Path) -> float:
    signals = tuple(Reference.load(PROJECT / "models/bundle").quantiles)
    signatures = Signatures.load(folder, signals=signals)
    assert signatures
    cause = signatures.cause(signatures.shifts[0].reshape(len(signals), -1))
    return cause.fraction + cause.explained if cause else 0.0


def use_quality(folder: Path) -> float:
    quality = Quality.load(folder)
    assert quality
    return math.hypot(quality.spread, *quality.gaps.values())


def use_confidence(folder: Path) -> float:
    calibration = Calibration.load(folder / "confidence.json")
    candidates = [Candidate((1, 2), -0.1, 0.0), Candidate((1, 3), -3.0, -0.2)]
    found = 0.0
    for mode in (calibration.plain, calibration.lexicon):
        sure = mode.reading.confidence(candidates, [0.9, 0.8], "ab")
        found += sure + sum(mode.reading.alternative_confidences(sure, candidates, candidates[1:]))
        found += mode.character.confidence(0.7)
    return found


def use_page_confidence(folder: Path) -> float:
    trust = LineTrust.load(folder / "page-confidence.json")
    assert trust.text
    assert trust.right
    inputs = tuple(np.linspace(-2, 2, len(trust.text.weights)).tolist())
    return trust.text.probability(inputs) + trust.right.probability(inputs)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("confidence.json", use_confidence),
        ("page-confidence.json", use_page_confidence),
        ("drift.json", use_reference),
        ("reference.json", use_reference),
        ("quality.json", use_quality),
        ("signatures.json", use_signatures),
    ],
)
def test_a_number_of_another_kind_is_refused_or_computed_with(
    name: str, use: Callable[[Path], float], tmp_path: Path
) -> None:
    for other in ("drift.json", "reference.json"):
        shutil.copyfile(PROJECT / "models/bundle" / other, tmp_path / other)
    content = json.loads((PROJECT / "models/bundle" / name).read_text(encoding="utf-8"))
    content.pop("errors", None)  # of the card alone
    content = {**content, "signatures": content["signatures"][:2]} if "signatures" in content else content
    refused: list[str] = []
    for path in places(content):
        for value in (*VALUES, float("nan"), -1e300, 1e300, 0, 10**400):
            (tmp_path / name).write_text(json.dumps(with_value(content, path, value)), encoding="utf-8")
            try:
                assert math.isfinite(use(tmp_path)), (path, value)
            except BundleError as error:
                refused.append(str(error))
    assert refused
    assert not any("\n" in line for line in refused)


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


def repacked(folder: Path, **changes: bytes) -> Path:
    """The shipped bundle with files of another content, and sums that fit."""
    shutil.copytree(PROJECT / "models/bundle", folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, content in changes.items():
        file = f"{name}.json" if name == "charset" else f"{name}.tflite"
        (folder / file).write_bytes(content)
        manifest["files"][file] = sha256_of(folder / file)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.mark.parametrize("model", ["none", "half", "detector"])
def test_what_is_no_model_that_reads_text_is_one_line(model: str, tmp_path: Path) -> None:
    shipped = PROJECT / "models/bundle"
    content = {
        "none": b"no model",
        "half": (shipped / "model.tflite").read_bytes()[:600_000],
        "detector": (shipped / "detector.tflite").read_bytes(),
    }[model]
    with pytest.raises(BundleError, match=r"model\.tflite: damaged, or no model that reads text"):
        Recognizer.open(repacked(tmp_path / "bundle", model=content))


def test_a_charset_of_another_length_than_the_models_labels_is_refused(tmp_path: Path) -> None:
    content = json.loads((PROJECT / "models/bundle/charset.json").read_text(encoding="utf-8"))
    shorter = json.dumps({**content, "characters": content["characters"][1:]}).encode()
    with pytest.raises(BundleError, match=r"model\.tflite has \d+ labels, and charset\.json \d+"):
        Recognizer.open(repacked(tmp_path / "bundle", charset=shorter))


@pytest.mark.parametrize("model", ["none", "model"])
def test_what_is_no_model_that_finds_lines_is_one_line(model: str, tmp_path: Path) -> None:
    content = b"no model" if model == "none" else (PROJECT / "models/bundle/model.tflite").read_bytes()
    bundle = load_bundle(repacked(tmp_path / "bundle", detector=content))
    for path in (None, bundle.detector):
        with pytest.raises(BundleError, match="damaged, or no model that finds lines"):
            open_reader(bundle, detector=path)


def test_a_bundle_that_is_replaced_after_it_was_checked_is_not_mixed_with_the_new_one(tmp_path: Path) -> None:
    shipped = PROJECT / "models/bundle"
    bundle = load_bundle(repacked(tmp_path / "bundle"))
    for name in ("model.tflite", "detector.tflite"):
        (tmp_path / "bundle" / name).write_bytes((shipped / name).read_bytes() + b"\0")
    with pytest.raises(BundleError, match="is not here any more"):
        Recognizer.from_bundle(bundle)
    shutil.copyfile(shipped / "model.tflite", tmp_path / "bundle/model.tflite")
    with pytest.raises(BundleError, match="is not here any more"):
        open_reader(bundle)


@pytest.mark.parametrize("name", ["charset.json", "confidence.json"])
def test_a_bundle_that_is_replaced_while_it_is_checked_is_not_mixed_with_the_new_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repacked(tmp_path / "bundle")
    checked: list[str] = []

    def replaced_after_the_last(path: Path) -> str:
        digest = sha256_of(path)
        checked.append(path.name)
        if len(checked) == len(list(folder.iterdir())) - 1:  # all but the manifest
            (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        return digest

    monkeypatch.setattr("legible.recognition.bundle.sha256_of", replaced_after_the_last)
    with pytest.raises(BundleError, match=rf"{name} is not as packed; bundle .* is not here any more"):
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
