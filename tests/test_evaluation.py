"""Calibration, figures by slice, and the gate, on results made for the case."""

import dataclasses
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PROJECT, drawn_word

from legible.charset import Charset
from legible.config import load_params
from legible.data.dataset import Sample
from legible.errors import BundleError, DataError
from legible.evaluation.evaluate import Case, case_of, result_of
from legible.evaluation.results import (
    RESULTS,
    Result,
    WriterFigures,
    by_writer,
    figures,
    read_results,
    results_path,
    thresholds,
    write_results,
)
from legible.files import sha256_of
from legible.gate.comparison import compare_all
from legible.gate.decide import GateVerdict, _slower, gate
from legible.gate.figures_table import figures_beside
from legible.image.normalize import normalize
from legible.reading import Reading
from legible.recognition.bundle import MANIFEST, find_bundle, load_bundle
from legible.recognition.recognizer import Recognizer
from legible.scores import calibration_error, cross_entropy


def result(
    number: int, *, right: bool, writer: str = "", confidence: float = 0.5, slices: tuple[str, ...] = ("a",)
) -> Result:
    return Result(f"s{number}", writer or f"w{number % 10}", slices, int(not right), 4, int(not right), 1, confidence)


def test_calibration_error_is_the_mean_gap_over_bins_of_equal_mass() -> None:
    given = np.array([0.2] * 10 + [0.8] * 10)
    right = np.array([0.0] * 8 + [1.0] * 2 + [1.0] * 8 + [0.0] * 2)
    assert calibration_error(given, right) <= 0.5
    assert calibration_error(np.full(100, 0.9), np.array([1.0] * 90 + [0.0] * 10)) == pytest.approx(0.18, abs=0.001)


def test_a_chance_that_comes_true_costs_little() -> None:
    sure, unsure = (cross_entropy(np.array([p]), np.array([1.0])) for p in (0.99, 0.5))
    assert sure < unsure


def test_figures_of_a_slice() -> None:
    found = figures([result(n, right=n % 4 != 0) for n in range(100)])
    assert found.exact_match == 0.75
    assert found.low <= 0.75 <= found.high
    assert found.cer == pytest.approx(0.25 / 4)
    assert found.writers == 10


def test_one_writer_has_no_width_of_interval_by_writer() -> None:
    found = figures([result(n, right=n % 2 == 0, writer="one") for n in range(50)])
    assert found.low == found.high == 0.5


def test_thresholds_say_what_is_accepted_and_right() -> None:
    results = [result(n, right=n >= 5, confidence=0.95 if n >= 4 else 0.1) for n in range(10)]
    row = next(row for row in thresholds(results) if row.confidence == 0.9)
    assert row.accepted == pytest.approx(0.6)
    assert row.right == pytest.approx(5 / 6)


def test_nothing_accepted_is_not_called_right() -> None:
    row = thresholds([result(0, right=False, confidence=0.1)])[-1]
    assert (row.accepted, row.right) == (0, None)


def test_each_writer_has_figures() -> None:
    results = [result(0, right=True, writer="b"), result(1, right=False, writer="a"), result(2, right=True, writer="a")]
    assert by_writer(results) == [WriterFigures("a", 2, 0.5, 1 / 8), WriterFigures("b", 1, 1.0, 0.0)]


def test_results_survive_their_file(tmp_path: Path) -> None:
    results = [result(n, right=n % 2 == 0, slices=("a", "a/long")) for n in range(5)]
    write_results(tmp_path / "results.jsonl", results)
    assert read_results(tmp_path / "results.jsonl") == results


@pytest.mark.parametrize(
    "changes",
    [
        {"confidence": None},
        {"confidence": float("nan")},
        {"confidence": 2.0},
        {"slices": [[]]},
        {"writer": 7},
        {"distance": -1},
        {"length": "4"},
        {"glitter": 1},
    ],
    ids=str,
)
def test_a_damaged_row_of_results_is_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    row = {**dataclasses.asdict(result(0, right=True)), **changes}
    (tmp_path / "results.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"results\.jsonl: damaged results"):
        read_results(tmp_path / "results.jsonl")


def test_packed_results_that_would_fill_the_memory_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legible.evaluation.results.MAX_RESULTS_BYTES", 1000)
    (tmp_path / "results.jsonl.gz").write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        read_results(tmp_path / "results.jsonl.gz")
    (tmp_path / "results.jsonl.gz").write_bytes(gzip.compress(os.urandom(900))[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "results.jsonl.gz")


Bundles = Callable[[str, list[Result]], Path]


@pytest.fixture
def make_bundle(tmp_path: Path, bundle_folder: Path) -> Bundles:
    """The shipped bundle with other results, packed anew."""

    def make(name: str, results: list[Result]) -> Path:
        folder = tmp_path / name
        shutil.copytree(bundle_folder, folder)
        results_path(folder).unlink()
        write_results(folder / RESULTS, results)
        names = sorted({s for one in results for s in one.slices})
        slices = {n: dataclasses.asdict(figures([r for r in results if n in r.slices])) for n in names}
        (folder / "evaluation.json").write_text(json.dumps({"slices": slices}))
        return resummed(folder)

    return make


def resummed(folder: Path) -> Path:
    """With the sums of its files as they are now."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def judged(make: Bundles, new: list[Result], old: list[Result] | None, **floors: float) -> GateVerdict:
    return gate(make("new", new), make("old", old) if old is not None else None, floors=floors)


def many(wrong: int, *, count: int = 1000, slices: tuple[str, ...] = ("a",)) -> list[Result]:
    """Every so-many-eth of the readings is wrong, spread over the writers."""
    return [result(n, right=n >= wrong, slices=slices) for n in range(count)]


def test_an_identical_bundle_passes(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(100), many(100))
    assert verdict.passed
    assert verdict.recorded
    assert "recorded results. passed" in verdict.table()


def test_a_better_bundle_passes(make_bundle: Bundles) -> None:
    assert judged(make_bundle, many(50), many(100)).passed


def test_a_loss_of_more_than_a_point_is_refused_with_the_reason(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(120), many(100))
    assert not verdict.passed
    assert "all: exact match fell by 2.0%, more than 1%" in verdict.table()


def test_a_small_but_sure_loss_is_refused(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(108), many(100))
    assert "all: exact match fell by 0.80%, and surely fell" in verdict.reasons


def test_a_loss_in_one_slice_is_refused_though_all_is_well(make_bundle: Bundles) -> None:
    old = many(100) + [dataclasses.replace(r, sample=f"b{r.sample}", slices=("b",)) for r in many(0, count=400)]
    new = many(50) + [dataclasses.replace(r, sample=f"b{r.sample}", slices=("b",)) for r in many(20, count=400)]
    verdict = judged(make_bundle, new, old)
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["b"]


def test_a_fall_over_all_images_is_refused_however_few_they_are(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(299, count=299), many(0, count=299))
    assert verdict.reasons == ("all: exact match fell by 100.0%, more than 1%",)


def test_a_single_image_lost_of_many_is_not_yet_a_fall(make_bundle: Bundles) -> None:
    assert judged(make_bundle, many(11, count=200), many(10, count=200)).passed


def test_a_slice_of_few_images_is_listed_and_not_judged(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(10) + few(20), many(40) + few(0))
    assert verdict.passed
    assert ("few", 100, -0.2) in listed(verdict)


def test_luck_on_few_images_is_listed_and_makes_up_for_no_fall(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(30) + few(0), many(10) + few(40))
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["a"]
    assert ("few", 100, 0.4) in listed(verdict)


def few(wrong: int) -> list[Result]:
    """100 images of a slice of their own."""
    return [dataclasses.replace(r, sample=f"f{r.sample}", slices=("few",)) for r in many(wrong, count=100)]


def listed(verdict: GateVerdict) -> list[tuple[str, int, float]]:
    return [(row.name, row.count, round(row.difference, 3)) for row in verdict.comparisons]


@pytest.mark.slow
def test_many_slices_and_few_writers_are_not_each_a_chance_to_be_refused() -> None:
    """Two bundles equally good, whose errors differ: of 40 such pairs of 20 slices one is refused by rights."""
    refused = 0
    for seed in range(40):
        state = np.random.default_rng(seed)
        pairs = [
            tuple(result(1000 * s + n, right=bool(state.random() < 0.9), slices=(f"s{s:02}",)) for _ in range(2))
            for s in range(20)
            for n in range(300)
        ]
        refused += any(row.surely_fell for row in compare_all(pairs)[1:])
    assert refused <= 3  # more by chance: 2 in 100


def test_an_interval_stays_among_differences_that_can_be(make_bundle: Bundles) -> None:
    of_one = [dataclasses.replace(r, writer="w0") for r in many(10)]
    row, *_ = judged(make_bundle, of_one, of_one).comparisons
    assert (row.low, row.high) == (-1.0, 1.0)


def test_better_overall_and_worse_for_one_writer_passes_and_names_the_writer(make_bundle: Bundles) -> None:
    old = many(200)
    new = [dataclasses.replace(r, distance=int(r.writer == "w3")) for r in old]
    verdict = judged(make_bundle, new, old)
    assert verdict.passed
    assert any(note.startswith("writer w3 fell: of 100 images 80 went wrong") for note in verdict.notes)


def test_a_bundle_that_says_more_than_it_knows_is_refused(make_bundle: Bundles) -> None:
    old = [result(n, right=n % 10 > 0, writer=f"w{n % 7}", confidence=0.9) for n in range(1000)]
    new = [dataclasses.replace(r, confidence=0.99) for r in old]
    (reason,) = judged(make_bundle, new, old).reasons
    assert reason == "the calibration error grew from 0.000 to 0.090, by more than 0.02"


def test_a_bundle_that_grew_too_much_is_refused(make_bundle: Bundles) -> None:
    old, new = make_bundle("old", many(10)), make_bundle("new", many(10))
    with (new / "evaluation.json").open("a", encoding="utf-8") as file:
        file.write(" " * 4_000_000)
    resummed(new)
    (reason,) = gate(new, old, floors={}).reasons
    assert "the bundle grew from" in reason


def test_a_bundle_that_cries_wolf_more_often_is_refused(make_bundle: Bundles) -> None:
    old, new = make_bundle("old", many(10)), make_bundle("new", many(10))
    said = json.loads((new / "drift.json").read_text())
    (new / "drift.json").write_text(json.dumps({**said, "false_alarms_per_window": 0.05}))
    resummed(new)
    assert gate(new, old, floors={}).reasons == ("its drift check states 0.05 false alarms a window in place of 0.001",)


def with_rules(folder: Path, **constants: float) -> Path:
    """The same constants times these in the rule of either kind."""
    said = json.loads((folder / "drift.json").read_text())
    for rule in said["rules"].values():
        rule.update({name: rule[name] * times for name, times in constants.items()})
    (folder / "drift.json").write_text(json.dumps(said))
    return resummed(folder)


@pytest.mark.parametrize(
    ("constants", "reason"),
    [
        ({"c": 0.01}, "its image rule calls 100.00% of windows of its own images drift, more than 5 times the 0.05%"),
        ({"c": 0.8}, "its prediction rule calls "),
        ({"m": 1000.0}, "the threshold of its image rule for 5000 images fell from "),  # as if writers were all alike
    ],
    ids=["alarms on every window", "a fifth too low", "too low for large windows"],
)
def test_a_bundle_whose_rules_cry_wolf_is_refused_whatever_it_states(
    make_bundle: Bundles, constants: dict[str, float], reason: str
) -> None:
    old = with_rules(make_bundle("old", many(10)), m=0.4)  # of fewer writers
    new = with_rules(make_bundle("new", many(10)), **constants)
    reasons = gate(new, old, floors={}).reasons
    assert any(one.startswith(reason) for one in reasons), reasons


def test_rules_a_little_lower_or_higher_pass(make_bundle: Bundles) -> None:
    old = make_bundle("old", many(10))
    for times in (0.95, 2.0):
        new = with_rules(make_bundle(f"new{times}", many(10)), c=times)
        assert gate(new, old, floors={}).passed


def test_what_was_not_read_again_was_not_judged_by_its_speed(make_bundle: Bundles) -> None:
    assert "note: speed was not judged: nothing was read" in judged(make_bundle, many(10), many(10)).table()


def test_a_slower_bundle_is_refused() -> None:
    assert _slower(1.4) == []
    assert _slower(2.0) == ["an image takes 2.00 times as long as before, more than 1.5"]


def drawn_cases(face: Path) -> list[Case]:
    words = ("Hamburg", "reading", "station", "letters", "margins", "quickly", "another", "printed")
    return [
        Case(drawn_word(f"{word}{n}", face), f"{word}{n}", f"w{n}", ("drawn",)) for n in range(40) for word in words
    ]


@pytest.mark.slow
def test_a_poisoned_bundle_is_found_out_when_it_reads_again(make_bundle: Bundles, print_face: Path) -> None:
    """Its records are the champion's, its characters are mixed up."""
    old, new = make_bundle("old", many(10)), make_bundle("new", many(10))
    known = json.loads((new / "charset.json").read_text())
    characters = known["characters"]
    with_charset(new, characters[0] + characters[2:] + characters[1])
    assert gate(new, old, floors={}).passed
    verdict = gate(new, old, floors={}, cases=drawn_cases(print_face))
    assert not verdict.recorded
    assert any(reason.startswith("all: exact match fell by") for reason in verdict.reasons)


@pytest.mark.slow
def test_reading_again_gives_an_identical_bundle_its_due(make_bundle: Bundles, print_face: Path) -> None:
    bundle = make_bundle("same", many(0, count=320, slices=("drawn",)))
    verdict = gate(bundle, bundle, floors={"drawn": 0.5}, cases=drawn_cases(print_face))
    assert verdict.passed
    images, pages = verdict.comparisons[:2], verdict.comparisons[2:]
    assert [(row.name, row.count, row.difference) for row in images] == [("all", 320, 0.0), ("drawn", 320, 0.0)]
    assert {row.difference for row in pages} == {0.0}
    assert "**Gate: read again. passed**" in verdict.markdown()
    assert json.loads(verdict.json())["passed"]
    assert verdict.for_deploy().passed


def test_a_pull_request_sees_each_figure_of_both_by_slice(make_bundle: Bundles) -> None:
    old, new = make_bundle("old", many(100)), make_bundle("new", many(50, slices=("a", "b")))
    table = figures_beside(new, old)
    assert "| a | 1000 | 90.00% to 95.00% | 2.50% to 1.25% | 10.00% to 5.00% |" in table
    assert "| b | - to 1000 | - to 95.00% |" in table


def test_a_deploy_needs_more_than_records(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(100), many(100)).for_deploy()
    assert verdict.reasons == ("a deploy needs the images to be read again; get the data",)


def test_the_first_deploy_has_no_champion_and_reads_for_its_floors(make_bundle: Bundles, print_face: Path) -> None:
    bundle, cases = make_bundle("first", many(0, count=320, slices=("drawn",))), drawn_cases(print_face)
    verdict = gate(bundle, None, floors={"drawn": 0.5}, cases=cases).for_deploy()
    assert verdict.passed
    assert verdict.notes == ("no champion: floors alone were judged",)
    assert not gate(bundle, None, floors={"drawn": 1.01}, cases=cases).passed
    assert not gate(bundle, None, floors={}).for_deploy().passed
    (reason,) = gate(bundle, None, floors={}, cases=cases[:20]).for_deploy().reasons
    assert reason.endswith("was evaluated on were read again: drawn 20 of 320")


def test_a_deploy_on_a_part_of_the_images_is_refused_and_says_what_is_missing(
    make_bundle: Bundles, print_face: Path
) -> None:
    recorded = many(0, count=320, slices=("drawn",)) + few(0)
    bundle = make_bundle("same", recorded)
    verdict = gate(bundle, bundle, floors={}, cases=drawn_cases(print_face)[:20])
    assert verdict.passed
    assert "note: not all images that the candidate was evaluated on were read again: drawn 20 of 320" in (
        verdict.table()
    )
    reasons = verdict.for_deploy().reasons
    assert "drawn 20 of 320, few 0 of 100" in reasons[0]
    assert reasons[1] == (
        "far fewer images were read again than the champion was judged on: drawn 20 for 320, few 0 for 100"
    )


@pytest.mark.slow
def test_a_deploy_may_have_other_images_than_the_champion_if_not_far_fewer(
    make_bundle: Bundles, print_face: Path
) -> None:
    new = make_bundle("new", recut(many(0, count=320, slices=("drawn",))))
    old = make_bundle("old", many(0, count=400, slices=("drawn",)))
    assert gate(new, old, floors={}, cases=drawn_cases(print_face)).for_deploy().passed


def test_a_missing_slice_is_refused(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(10), many(10, slices=("a", "b")))
    assert "slice b of the champion is missing" in verdict.reasons


def with_others(results: list[Result]) -> list[Result]:
    """And 400 images of a slice `kept`, all of them right."""
    return results + [dataclasses.replace(r, sample=f"k{r.sample}", slices=("kept",)) for r in many(0, count=400)]


def recut(results: list[Result]) -> list[Result]:
    """The same readings of images that were cut out otherwise, so that their hashes are others."""
    return [dataclasses.replace(r, sample=f"x{r.sample}") for r in results]


def test_a_slice_with_a_floor_that_cannot_be_compared_is_refused(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, with_others(recut(many(500))), with_others(many(100)), a=0.2)
    (reason,) = verdict.reasons
    assert reason.startswith("a: 0 of the champion's 1000 images are recorded in both, too few to compare; evaluate")


def test_another_slice_that_cannot_be_compared_is_named(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, with_others(recut(many(500))), with_others(many(100)), kept=0.9)
    assert verdict.passed
    assert "note: a: 0 of the champion's 1000 images are recorded in both" in verdict.table()


def test_no_common_image_is_refused_with_the_way_out(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, recut(many(10)), many(10))
    assert "no image is recorded in both bundles" in verdict.reasons[0]
    assert "--champion none" in verdict.reasons[0]


def with_charset(folder: Path, characters: str) -> Path:
    Charset("other", characters).save(folder / "charset.json")
    return resummed(folder)


def test_a_character_that_is_no_longer_read_is_refused(make_bundle: Bundles) -> None:
    old, new = (with_charset(make_bundle(name, many(10)), c) for name, c in (("old", "abc"), ("new", "ac")))
    assert gate(new, old, floors={}).reasons == ("the charset lost b",)


def test_a_character_more_is_said_and_passes(make_bundle: Bundles) -> None:
    old, new = (with_charset(make_bundle(name, many(10)), c) for name, c in (("old", "abc"), ("new", "abcé")))
    verdict = gate(new, old, floors={})
    assert verdict.passed
    assert "note: the charset gained é" in verdict.table()


def test_without_a_champion_floors_are_judged(make_bundle: Bundles) -> None:
    verdict = judged(make_bundle, many(100), None, a=0.95, c=0.5)
    assert verdict.reasons == (
        "a: exact match 90.0% is below its floor of 95.0%",
        "slice c has a floor of 50.0% and no result",
    )


def test_a_bundle_that_is_not_as_packed_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    (folder / "model.tflite").write_bytes(b"poisoned")
    with pytest.raises(BundleError, match=r"model\.tflite is not as packed"):
        load_bundle(folder)


def test_a_newer_bundle_is_refused_by_name(tmp_path: Path, bundle_folder: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format_version": 2}))
    with pytest.raises(BundleError, match="bundle format 2 is not 1"):
        load_bundle(folder)


def with_normalization(tmp_path: Path, bundle_folder: Path, version: int | None) -> Path:
    folder = tmp_path / str(version)
    shutil.copytree(bundle_folder, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.pop("normalization", None)
    stated = {} if version is None else {"normalization": version}
    (folder / MANIFEST).write_text(json.dumps({**manifest, **stated}))
    return folder


def test_a_bundle_reads_images_as_it_was_trained_on_them(tmp_path: Path, bundle_folder: Path, print_face: Path) -> None:
    image = drawn_word("Hamburg", print_face)
    for stated, version in ((None, 1), (2, 2), (3, 3)):
        bundle = load_bundle(with_normalization(tmp_path, bundle_folder, stated))
        recognizer = Recognizer.from_bundle(bundle)
        wanted = normalize(image, height=recognizer.height, stride=recognizer.stride, version=version)
        assert np.array_equal(recognizer.preprocess(image), wanted)


def test_images_are_prepared_on_the_thread_of_their_worker(bundle_folder: Path) -> None:
    cv2.setNumThreads(2)
    Recognizer.from_bundle(load_bundle(bundle_folder))
    assert cv2.getNumThreads() == 1


def test_a_bundle_of_a_newer_normalization_is_refused_by_name(tmp_path: Path, bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match="normalisation 9, newer than the 3 that legible"):
        load_bundle(with_normalization(tmp_path, bundle_folder, 9))


def test_the_environment_names_the_bundle() -> None:
    assert find_bundle({"LEGIBLE_BUNDLE": "/some/where"}) == Path("/some/where")


def test_no_bundle_anywhere_is_an_error_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legible.__file__", str(tmp_path / "site-packages/legible/__init__.py"))
    with pytest.raises(BundleError, match="set LEGIBLE_BUNDLE or run dvc repro"):
        find_bundle({}, working_folder=tmp_path)


def test_the_shipped_bundle_is_sound_and_small(bundle_folder: Path) -> None:
    load_bundle(bundle_folder)
    assert sum(path.stat().st_size for path in bundle_folder.iterdir()) <= 5_000_000
    assert gate(bundle_folder, None, floors=load_params(PROJECT / "params.yaml").pack.floors).passed


def test_a_sample_is_judged_by_what_its_text_tells() -> None:
    told = Sample("a/1", np.zeros((8, 8), np.uint8), "NO. 5", "w", "a", "validation", "line")
    untold = dataclasses.replace(told, untold=("case", "spaces"))
    right, wrong = (result_of(case_of(untold), Reading(text, 0.9, ())) for text in ("No.5", "No.6"))
    assert (right.distance, right.length, right.word_distance) == (0, 4, 0)
    assert (wrong.distance, wrong.word_distance) == (1, 1)
    strict = result_of(case_of(told), Reading("No.5", 0.9, ()))
    assert (strict.distance, strict.length) == (2, 5)
