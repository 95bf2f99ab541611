"""Packing: a bundle is replaced as a whole, or not at all."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from conftest import PROJECT, drawn_word
from kills import KilledError, killed_after

from legible.config import Params, load_params
from legible.data.dataset import Sample, write_dataset
from legible.errors import BundleError, DataError
from legible.evaluation.results import PACKED_RESULTS, RESULTS, read_results, results_path, write_results
from legible.gate.decide import gate
from legible.packing.add_pages import add_pages
from legible.packing.card import real_first
from legible.packing.pack import PAGE_PARTS, PARTS, pack
from legible.recognition.bundle import DETECTOR, find_bundle, load_bundle


@pytest.fixture
def params() -> Params:
    return load_params(PROJECT / "params.yaml")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path, print_face: Path) -> Path:
    """The outputs of the stages before `pack`: the parts of the shipped bundle, and a small data set."""
    folder = tmp_path_factory.mktemp("outputs")
    places = {**PARTS, "lexicon-english.gz": "training/lexicon.gz"}
    for name, place in places.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if name != PACKED_RESULTS:
            shutil.copyfile(bundle_folder / name, folder / place)
    write_results(folder / f"evaluation/{RESULTS}", read_results(results_path(bundle_folder)))
    sample = Sample("drawn/0", drawn_word("word", print_face), "word", "w", "drawn", "train", "word")
    write_dataset(folder / "data/dataset", [sample], present=["drawn"])
    (folder / "models/weights").mkdir(parents=True)
    trained = {"version": 1, "size": "base", "height": 32, "backend": "tensorflow", "device": "cpu"}
    (folder / "models/weights/description.json").write_text(json.dumps(trained))
    return folder


@pytest.fixture
def root(tmp_path: Path, outputs: Path) -> Path:
    """A project whose stages before `pack` have run."""
    shutil.copytree(outputs, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_it_makes_a_bundle_that_loads(root: Path, params: Params) -> None:
    pack(params, root=root)
    bundle = load_bundle(root / "models/bundle")
    assert bundle.lexicons == ("english",)
    assert "# Model card" in bundle.card


def test_a_small_bundle_goes_without_what_judging_and_reports_need(root: Path, params: Params) -> None:
    small = dataclasses.replace(params.pack, leave_out=("results.jsonl.gz", "reference.parquet", "signatures.json"))
    pack(dataclasses.replace(params, pack=small), root=root)
    bundle = load_bundle(root / "models/bundle")
    assert set(PARTS) - set(bundle.manifest.files) == set(small.leave_out)
    with pytest.raises(DataError, match=r"results\.jsonl\.gz: no recorded results \(pack\.leave_out\)"):
        gate(bundle.folder, bundle.folder, floors={})


def test_results_are_compressed_and_read_as_they_were(root: Path, params: Params) -> None:
    pack(params, root=root)
    packed, older = root / "models/bundle", root / "older"
    older.mkdir()
    shutil.copy(root / "evaluation/results.jsonl", older)
    assert not (packed / "results.jsonl").exists()
    assert read_results(results_path(packed)) == read_results(results_path(older))
    first = (packed / "results.jsonl.gz").read_bytes()
    pack(params, root=root)
    assert (packed / "results.jsonl.gz").read_bytes() == first


def test_a_bundle_without_a_lexicon_has_none_and_its_card_says_so(root: Path, params: Params) -> None:
    (root / "training/lexicon.gz").write_bytes(b"")
    path = root / "evaluation/evaluation.json"
    evaluation = json.loads(path.read_text())
    path.write_text(json.dumps({n: v for n, v in evaluation.items() if n not in ("with_lexicon", "lexicon_coverage")}))
    pack(dataclasses.replace(params, lexicon=dataclasses.replace(params.lexicon, words=0)), root=root)
    bundle = load_bundle(root / "models/bundle")
    assert bundle.lexicons == ()
    assert "there is no lexicon" in bundle.card
    assert "| slice | by best path | CER |\n" in bundle.card
    assert "ith the lexicon" not in bundle.card


def test_a_bundle_beyond_its_own_limit_is_refused(root: Path, params: Params) -> None:
    with pytest.raises(BundleError, match=r"at most 300000 may be; model\.tflite is the largest part"):
        pack(dataclasses.replace(params, pack=dataclasses.replace(params.pack, max_bytes=300_000)), root=root)


@pytest.mark.parametrize("step", range(3))
def test_after_a_kill_at_any_step_the_former_bundle_or_the_new_one_is_whole(
    root: Path, params: Params, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(params, root=root)
    former = load_bundle(root / "models/bundle").id
    quality = root / "drift/quality.json"
    quality.write_text(quality.read_text() + "\n")
    with killed_after(step), pytest.raises(KilledError):
        pack(params, root=root)
    monkeypatch.delenv("LEGIBLE_BUNDLE", raising=False)
    found = find_bundle(working_folder=root)
    assert (load_bundle(found).id == former) == (step == 0)
    assert load_bundle(root / "models/bundle").id == load_bundle(found).id
    pack(params, root=root)
    assert load_bundle(root / "models/bundle").id != former
    assert sorted(path.name for path in (root / "models").iterdir()) == ["bundle", "weights"]


def test_its_card_shows_the_figures_as_the_shipped_card_does(root: Path, params: Params, bundle_folder: Path) -> None:
    pack(params, root=root)
    card = (root / "models/bundle/card.md").read_text().partition("## How well it reads")[2]
    shipped = (bundle_folder / "card.md").read_text().partition("## How well it reads")[2]
    before, _, pages = shipped.partition("## Whole pages")  # of which this bundle reads none
    shipped = before + pages[pages.find("\n## ") :]
    rows, shown = ([line for line in text.splitlines() if line.startswith("|")] for text in (shipped, card))
    assert len(rows) > 50
    assert sorted(shown) == sorted(rows)  # the shipped card was made when slices still stood by name


def test_its_card_begins_with_other_peoples_pictures_and_ends_with_drawn_ones() -> None:
    named = {name: {} for name in ("generated-print/word", "iam/word", "print-2/scene", "print", "sroie/line")}
    assert [name for name, _ in real_first(named)] == [
        "sroie/line", "iam/word", "print", "print-2/scene", "generated-print/word",
    ]  # fmt: skip


def with_detector(root: Path) -> None:
    """The outputs of the stages that a detector comes with."""
    for folder in ("models/detector", "models/pages"):
        (root / folder).mkdir(exist_ok=True)
    (root / PAGE_PARTS[DETECTOR]).write_bytes(b"detector")
    (root / PAGE_PARTS["page-confidence.json"]).write_text("{}")
    described = {"size": "base", "pieces": 57600, "drawn": 0.6, "sources": {"own": "CC BY 4.0"}}
    (root / "models/detector/description.json").write_text(json.dumps(described))
    groups = {"drawn/book": {"pages": 12, "cer": 0.025, "seconds": 0.5}, "own": {"pages": 3, "line_recall": 0.96}}
    (root / PAGE_PARTS["pages.json"]).write_text(json.dumps({"version": 1, "groups": groups}))
    (root / PAGE_PARTS["pages.jsonl"]).write_text("")


def test_a_detector_brings_the_figures_of_pages_with_it(root: Path, params: Params) -> None:
    for place in PAGE_PARTS.values():
        assert not (root / place).exists()
    (root / "models/detector").mkdir()
    (root / PAGE_PARTS[DETECTOR]).write_bytes(b"detector")
    with pytest.raises(BundleError, match=r"without models/pages/page-confidence\.json, models/pages/pages"):
        pack(params, root=root)
    with_detector(root)
    pack(params, root=root)
    bundle = load_bundle(root / "models/bundle")
    assert bundle.detector.read_bytes() == b"detector"
    assert "trained on 57600 pieces of pages,\n60% of them drawn, the others from:" in bundle.card
    assert "| own | CC BY 4.0 |" in bundle.card
    assert "| own | 3 | - | 96.0% | - |" in bundle.card
    assert "| drawn/book | 12 | 2.5% | - | 0.50 |" in bundle.card
    assert "it does not find lines" not in bundle.card


def test_pages_added_to_a_bundle_make_the_one_that_is_packed_with_them(root: Path, params: Params) -> None:
    pack(params, root=root)
    alone = load_bundle(root / "models/bundle")
    with pytest.raises(BundleError, match=r"cannot add pages without models/detector/detector\.tflite"):
        add_pages(params, root=root)
    with_detector(root)
    add_pages(params, root=root)
    added = load_bundle(root / "models/bundle")
    added_card = added.card
    pack(params, root=root)
    packed = load_bundle(root / "models/bundle")
    assert added_card.splitlines() == packed.card.splitlines()
    assert added.manifest == packed.manifest
    assert added.id not in (alone.id, "")
    add_pages(params, root=root)
    assert load_bundle(root / "models/bundle").manifest == packed.manifest


def test_pages_are_added_to_a_bundle_that_a_kill_left_beside_its_place(root: Path, params: Params) -> None:
    pack(params, root=root)
    with_detector(root)
    with killed_after(1), pytest.raises(KilledError):
        pack(dataclasses.replace(params, lexicon=dataclasses.replace(params.lexicon, words=0)), root=root)
    assert not (root / "models/bundle").exists()
    add_pages(params, root=root)
    assert "detector.tflite" in load_bundle(root / "models/bundle").manifest.files
