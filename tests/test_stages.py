"""From artefact to bundle: the stages lexicon to pack, with the shipped model on drawn words."""

import dataclasses
import json
import os
import re
import shutil
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, drawn_word

from legible.config import Params, load_params
from legible.ctc.lexicon import Lexicon
from legible.data.dataset import Dataset, Sample, write_dataset
from legible.errors import BundleError, DataError
from legible.evaluation.evaluate import evaluate
from legible.evaluation.results import read_results
from legible.files import sha256_of
from legible.gate.decide import gate
from legible.packing import pack as packing
from legible.packing.confidence import calibrate, confidence
from legible.packing.lexicon import lexicon
from legible.packing.measured import GeneratedOnly, Speed, record
from legible.packing.pack import pack
from legible.packing.reference import reference
from legible.recognition.bundle import load_bundle
from legible.recognition.calibration import FORMAT, Calibration, ModeWeights, ReadingWeights
from legible.recognition.recognizer import Recognizer, artefact_recognizer
from legible.sampling import evenly_by_group
from legible.scores import characters_right
from legible.synth.corrupt import CORRUPTIONS, SEVERITIES

WORDS = ("the", "river", "London", "garden", "42", "question", "morning", "Paris", "seven", "table")
LEXICON = "training/lexicon.gz"
pytestmark = pytest.mark.slow

TUNE = 90
EACH = 60
"""Validation samples."""
WRITERS = 6
MISLABELLED = 7
"""Every so-many-eth sample says its letters in the other case, so that any model has errors."""


def sample(number: int, split: str, face: Path) -> Sample:
    drawn = WORDS[number % len(WORDS)] + str(number)
    text = drawn if number % MISLABELLED else drawn.swapcase()
    image = drawn_word(drawn, face, size=24 + number % 20)
    noise = np.random.default_rng(number).normal(0, 12, image.shape)
    noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
    segmentation = "err" if number % 10 == 0 else "ok"
    return Sample(f"{split}{number}", noisy, text, f"w{number % WRITERS}", "drawn", split, "word", segmentation)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, params: Params, bundle_folder: Path, print_face: Path) -> Path:
    """A root in which all five stages ran."""
    root = tmp_path_factory.mktemp("stages")
    samples = [
        sample(n, split, print_face) for split, count in (("tune", TUNE), ("validation", EACH)) for n in range(count)
    ]
    write_dataset(root / "data/dataset", samples, present=["drawn"], absent=["iam"])
    (root / "data/sources.json").write_text('{"version": 1, "sources": []}')
    (root / "training/artefact").mkdir(parents=True)
    for name in ("model.tflite", "charset.json"):
        shutil.copyfile(bundle_folder / name, root / "training/artefact" / name)
    (root / "models/weights").mkdir(parents=True)
    description = {"version": 1, "size": "base", "height": 32, "backend": "tensorflow", "device": "cpu"}
    (root / "models/weights/description.json").write_text(json.dumps(description))
    lexicon(params, root=root)
    confidence(params, root=root)
    evaluate(params, root=root)
    reference(params, root=root)
    pack(params, root=root)
    return root


def test_they_end_in_a_bundle_that_loads_and_reads(made: Path, print_face: Path) -> None:
    bundle = load_bundle(made / "models/bundle")
    assert bundle.calibration == Calibration.load(made / "training/confidence.json")
    assert bundle.lexicons == ("english",)
    assert "the" in bundle.lexicon("english")
    assert Recognizer.from_bundle(bundle).read([drawn_word("garden", print_face)])[0].text == "garden"


def test_figures_are_those_of_what_is_served(made: Path) -> None:
    validation = list(Dataset.open(made / "data/dataset").samples(split="validation"))
    readings = Recognizer.from_bundle(load_bundle(made / "models/bundle")).read([one.image for one in validation])
    right = [reading.text == one.text for reading, one in zip(readings, validation, strict=True)]
    results = read_results(made / "evaluation/results.jsonl")[:EACH]
    assert [result.right for result in results] == right
    assert [result.confidence for result in results] == pytest.approx([r.confidence for r in readings], abs=1e-4)
    row = evaluation(made)["slices"]["drawn/word"]
    assert (row["count"], row["exact_match"]) == (EACH, pytest.approx(sum(right) / EACH))
    assert 0 < sum(right) < EACH


def evaluation(root: Path) -> dict[str, dict[str, dict[str, float]]]:
    content: dict[str, dict[str, dict[str, float]]] = json.loads((root / "evaluation/evaluation.json").read_text())
    return content


def test_slices_are_groups_lengths_segmentation_and_print(made: Path, params: Params) -> None:
    slices = evaluation(made)["slices"]
    assert {"drawn/word/middling", "drawn/word/long", "drawn/word/err", "print/plain", "print/noisy"} <= slices.keys()
    assert slices["print"]["count"] == params.evaluate.print.words
    assert slices["drawn/word/err"]["count"] == EACH // 10


def test_every_writer_is_counted(made: Path) -> None:
    writers = {row["writer"]: row["count"] for row in evaluation(made)["writers"]}  # type: ignore[index]
    assert {f"drawn/w{n}": EACH // WRITERS for n in range(WRITERS)}.items() <= writers.items()


def test_results_and_observations_hold_a_row_for_each_image_and_no_text(made: Path, params: Params) -> None:
    results = (made / "evaluation/results.jsonl").read_text()
    observations = (made / "evaluation/observations.jsonl").read_text()
    corrupted = (made / "evaluation/corrupted.jsonl").read_text()
    assert len(results.splitlines()) == EACH + params.evaluate.print.words
    assert len(observations.splitlines()) == EACH + TUNE
    assert len(corrupted.splitlines()) == params.evaluate.corrupted * (1 + len(CORRUPTIONS) * len(SEVERITIES))
    assert not any(word in results + observations + corrupted for word in ("river", "London", "question"))


def test_worst_errors_are_a_picture(made: Path) -> None:
    assert (made / "evaluation/worst.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_workers_change_no_figure(made: Path, params: Params, tmp_path: Path) -> None:
    copy_inputs(made, tmp_path)
    evaluate(params, root=tmp_path, workers=1)
    assert read_results(tmp_path / "evaluation/results.jsonl") == read_results(made / "evaluation/results.jsonl")
    assert evaluation(tmp_path) == evaluation(made)


@pytest.mark.slow
def test_results_carry_the_calibrated_confidence(made: Path, params: Params, tmp_path: Path) -> None:
    copy_inputs(made, tmp_path)
    doubting = Calibration(plain=ModeWeights(ReadingWeights(bias=-2.0)))
    content = {"version": FORMAT.version, **dataclasses.asdict(doubting)}
    (tmp_path / "training/confidence.json").write_text(json.dumps(content))
    evaluate(params, root=tmp_path)
    images = [one.image for one in Dataset.open(made / "data/dataset").samples(split="validation")]
    expected = artefact_recognizer(made / "training/artefact", calibration=doubting).read(images)
    given = [result.confidence for result in read_results(tmp_path / "evaluation/results.jsonl")[:EACH]]
    assert given == pytest.approx([reading.confidence for reading in expected], abs=1e-4)


def copy_inputs(made: Path, root: Path) -> None:
    for part in ("data", "training"):
        shutil.copytree(made / part, root / part)


def test_a_bundle_passes_the_gate_against_itself(made: Path) -> None:
    assert gate(made / "models/bundle", made / "models/bundle", floors={"print": 0.5}).passed


def test_calibration_brings_confidence_nearer_to_the_truth(made: Path) -> None:
    tune = list(Dataset.open(made / "data/dataset").samples(split="tune"))
    artefact = made / "training/artefact"

    def surprise(calibration: Calibration) -> float:
        """Mean of minus the log of what was thought of what turned out: what the fit makes least."""
        readings = artefact_recognizer(artefact, calibration=calibration).read([one.image for one in tune])
        right = [reading.text == one.text for reading, one in zip(readings, tune, strict=True)]
        thought = [
            reading.confidence if was else 1 - reading.confidence for reading, was in zip(readings, right, strict=True)
        ]
        return float(-np.log(np.maximum(thought, 1e-9)).mean())

    assert surprise(Calibration.load(made / "training/confidence.json")) < surprise(Calibration())


def test_the_expected_share_of_right_readings_is_theirs_on_what_was_fitted(made: Path) -> None:
    tune = list(Dataset.open(made / "data/dataset").samples(split="tune"))
    calibration = Calibration.load(made / "training/confidence.json")
    readings = artefact_recognizer(made / "training/artefact", calibration=calibration).read([s.image for s in tune])
    right = [reading.text == one.text for reading, one in zip(readings, tune, strict=True)]
    assert np.mean([reading.confidence for reading in readings]) == pytest.approx(np.mean(right), abs=0.03)


def test_a_model_that_is_never_right_is_calibrated_too(made: Path) -> None:
    tune = [dataclasses.replace(one, text="~~~") for one in Dataset.open(made / "data/dataset").samples(split="tune")]
    report = calibrate(artefact_recognizer(made / "training/artefact"), tune, Lexicon.load(made / LEXICON))
    errors = report.errors["calibrated, plain"].values()
    assert max(error for group in errors for error in group.values()) < 0.05


def test_samples_without_text_make_the_empty_text_a_reading(made: Path) -> None:
    tune = list(Dataset.open(made / "data/dataset").samples(split="tune"))[:40]
    recognizer, lexicon = artefact_recognizer(made / "training/artefact"), Lexicon.load(made / LEXICON)
    assert not calibrate(recognizer, tune, lexicon).empty_texts
    blank = dataclasses.replace(tune[0], text="", source="generated-blanks")
    assert calibrate(recognizer, [*tune, blank], lexicon).empty_texts


def test_figures_with_the_lexicon_stand_beside_those_without(made: Path) -> None:
    content = evaluation(made)
    assert content["with_lexicon"]["slices"].keys() == content["slices"].keys()
    assert content["with_lexicon"]["thresholds"].keys() == content["thresholds"].keys()
    assert 0 < content["lexicon_coverage"]["print"] <= 1


def test_figures_by_best_path_are_those_of_the_network_alone(made: Path) -> None:
    recognizer = artefact_recognizer(made / "training/artefact")
    own = [one for one in Dataset.open(made / "data/dataset").samples(split="validation") if one.kind == "word"]
    own = [one for one in own if one.group == own[0].group]
    logits = [recognizer.logits(recognizer.preprocess(one.image)) for one in own]
    labels = [[label for label, _ in groupby(found.argmax(axis=1)) if label] for found in logits]
    right = [recognizer.charset.decode(found) == one.text for found, one in zip(labels, own, strict=True)]
    figures = evaluation(made)["best_path"][own[0].group]
    assert figures["count"] == len(own)
    assert figures["exact_match"] == pytest.approx(np.mean(right))


def test_the_characters_of_each_group_are_judged(made: Path) -> None:
    content = evaluation(made)
    for found in (content["characters"], content["with_lexicon"]["characters"]):
        assert found
        assert all(0 <= row["right"] <= 1 and 0 <= row["calibration_error"] <= 1 for row in found.values())


@pytest.mark.parametrize(
    ("truth", "prediction", "right"),
    [("abc", "abc", [1, 1, 1]), ("abc", "axc", [1, 0, 1]), ("abc", "abbc", [1, 0, 1, 1]), ("abc", "ac", [1, 1])],
)
def test_which_characters_are_right(truth: str, prediction: str, right: list[int]) -> None:
    found = characters_right(truth, prediction)
    assert sum(found) == sum(right)
    assert len(found) == len(right)


def test_calibration_takes_at_most_so_many_from_each_group(print_face: Path) -> None:
    words = [sample(n, "tune", print_face) for n in range(30)]
    lines = [dataclasses.replace(one, kind="line") for one in words[:4]]
    chosen = evenly_by_group([*words, *lines], 15)
    assert [one.kind for one in chosen].count("word") == 7
    assert [one.kind for one in chosen].count("line") == 4
    assert chosen[0].id != chosen[1].id


def test_without_tune_samples_calibration_says_what_to_do(made: Path, params: Params, tmp_path: Path) -> None:
    shutil.copytree(made / "training", tmp_path / "training")
    only = list(Dataset.open(made / "data/dataset").samples(split="validation"))
    write_dataset(tmp_path / "data/dataset", only, present=["drawn"])
    with pytest.raises(DataError, match=r"no tune samples .* raise ingest\.tune_share"):
        confidence(params, root=tmp_path)


def test_the_manifest_sums_every_other_file_and_names_no_machine(made: Path) -> None:
    folder = made / "models/bundle"
    manifest = load_bundle(folder).manifest
    assert dict(manifest.files) == {p.name: sha256_of(p) for p in folder.iterdir() if p.name != "manifest.json"}
    assert (manifest.sources, manifest.backend, manifest.device) == (("drawn",), "tensorflow", "cpu")
    texts = "".join((folder / name).read_text() for name in ("manifest.json", "card.md", "evaluation.json"))
    assert str(made) not in texts


def test_the_card_names_sources_slices_and_thresholds(made: Path) -> None:
    card = (made / "models/bundle/card.md").read_text()
    for said in (
        f"| drawn | 0 | {TUNE} | {EACH} |",
        "Not used: iam.",
        "| print/noisy | 30 |",
        "| drawn | 6 |",
        "| from 0.99 |",
        "(reliability.svg)",
        "make retrain",
    ):
        assert said in card


def carded(root: Path, params: Params, *, corruptions: dict[str, object] | None = None) -> str:
    """The card of a bundle packed with these parameters and, where given, curves under corruption."""
    path = root / "evaluation/evaluation.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **({"corruptions": corruptions} if corruptions else {})}))
    pack(params, root=root)
    return (root / "models/bundle/card.md").read_text()


def test_the_card_states_speed_for_the_model_that_was_measured_alone(
    made: Path, params: Params, tmp_path: Path
) -> None:
    known = sha256_of(made / "models/bundle/model.tflite")[:12]
    for model, shown in ((known, True), ("0123456789ab", False)):
        root = copy_of(made, tmp_path / str(shown))
        record(root, Speed(model, {"print": 3.0}, 64, "a processor"))
        card = carded(root, params)
        assert ("3.0 ms an image of print and 64 MiB at most, on one thread of a processor," in card) == shown
        assert (f"not measured for this model ({known})" in card) != shown


@pytest.mark.parametrize(
    ("revision", "words", "shown"),
    [(4, "iam/word", True), (3, "iam/word", False), (4, "own/word", False)],
    ids=["this", "another revision of generate", "a bundle without the words that it speaks of"],
)
def test_the_card_says_what_generated_images_alone_give_where_it_speaks_of_them_and_of_its_words(
    made: Path, params: Params, tmp_path: Path, revision: int, words: str, *, shown: bool
) -> None:
    root = copy_of(made, tmp_path)
    manifest = json.loads((root / "data/dataset/manifest.json").read_text())
    manifest["counts"]["validation"][words] = 7
    (root / "data/dataset/manifest.json").write_text(json.dumps(manifest))
    record(root, GeneratedOnly("again", "small", 9000, 80_000, revision, 7, 0.5, 0.1, 0.6, 0.05))
    stated = dataclasses.replace(params, generate=dataclasses.replace(params.generate, revision=4))
    card = carded(root, stated)
    assert ("## From generated images alone\n\nA `small` network (9 thousand parameters)" in card) == shown
    assert ("generated images alone" in card) == shown


def test_the_card_says_of_its_training_what_it_knows_and_of_few_writers_that_they_are_few(
    made: Path, params: Params, tmp_path: Path
) -> None:
    root = copy_of(made, tmp_path)
    manifest = json.loads((root / "data/dataset/manifest.json").read_text())
    (root / "data/dataset/manifest.json").write_text(json.dumps({**manifest, "by_image": ["drawn"]}))
    found = evaluation(root)
    found["slices"]["drawn/word"]["writers"] = 1  # type: ignore[assignment, index, unused-ignore]
    (root / "evaluation/evaluation.json").write_text(json.dumps(found))
    card = carded(root, params)
    assert "Splits are by writer or writer style, of drawn, which few wrote, by image." in card
    assert re.search(r"\| drawn/word \| 60 \| 1 \| [\d.]+% \(one writer\) \|", card)
    data_set = Dataset.open(root / "data/dataset").manifest.fingerprint[:12]
    assert f"dvc repro: data set {data_set}, weights by tensorflow, bundle" in card
    assert "may stem from trainings on earlier data sets" in card
    assert "same commit" not in card


def test_the_card_shows_what_corruption_does(made: Path, params: Params, tmp_path: Path) -> None:
    found: dict[str, list[float]] = evaluation(made)["corruptions"]["exact_match"]  # type: ignore[assignment]
    assert {name: len(shares) for name, shares in found.items()} == {
        "none": 1,
        **dict.fromkeys(CORRUPTIONS, len(SEVERITIES)),
    }
    curves = {"none": [0.8], "blur": [0.75, 0.7, 0.5, 0.25, 0.1], "inversion": [0.79]}
    card = carded(copy_of(made, tmp_path / "with"), params, corruptions={"images": 400, "exact_match": curves})
    assert "Exact match on 400 images of `tune`, each corrupted in each way; 80.0% as they are." in card
    assert "| blur | 75.0% | 70.0% | 50.0% | 25.0% | 10.0% |" in card
    assert "| inversion | 79.0% |" in card


def test_packing_again_gives_the_same_bundle(made: Path, params: Params) -> None:
    before = load_bundle(made / "models/bundle").id
    pack(params, root=made)
    assert load_bundle(made / "models/bundle").id == before


def copy_of(made: Path, folder: Path) -> Path:
    return Path(shutil.copytree(made, folder / "root"))


def test_what_is_missing_is_named_and_the_former_bundle_stays(made: Path, params: Params, tmp_path: Path) -> None:
    root = copy_of(made, tmp_path)
    (root / "drift/drift.json").unlink()
    (root / "evaluation/results.jsonl").unlink()
    with pytest.raises(BundleError, match=r"without evaluation/results\.jsonl, drift/drift\.json; run dvc repro"):
        pack(params, root=root)
    load_bundle(root / "models/bundle")


def test_a_bundle_too_large_is_refused_and_the_former_stays(made: Path, params: Params, tmp_path: Path) -> None:
    root = copy_of(made, tmp_path)
    with (root / "evaluation/results.jsonl").open("a") as file:
        file.write(os.urandom(2 * packing.MAX_BYTES).hex())  # which hardly gets smaller
    with pytest.raises(BundleError, match=r"at most 5000000 may be; results\.jsonl\.gz is the largest part"):
        pack(params, root=root)
    load_bundle(root / "models/bundle")
