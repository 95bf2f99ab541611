"""Stage `evaluate`: the artefact that is served reads `validation` and `evaluate.print`; figures by slice.

Its folder holds images of the worst errors, so it stays out of git.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.config import Params
from legible.ctc.decode import best_path_text
from legible.ctc.lexicon import Lexicon, lexicon_if_any, words_of
from legible.data.dataset import Dataset, Sample
from legible.evaluation.corrupted import AT, corrupted, exact_match_curves, spread_over_writers, write_corrupted
from legible.evaluation.invariance import same_readings
from legible.evaluation.reliability import draw_reliability
from legible.evaluation.results import Result, by_writer, figures, in_slice, slice_names, thresholds, write_results
from legible.evaluation.worst_errors import draw_worst
from legible.files import write_text
from legible.observations.row import Observation, observe, write_observations
from legible.reading import Reading
from legible.recognition.calibration import Calibration
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import MakeRecognizer, Recognizer, artefact_recognizer
from legible.sampling import spread
from legible.scores import Untold, calibration_error, characters_right, edit_distance, without
from legible.synth.print_recipes import print_recipe

FORMAT_VERSION = 1
SHORT, MIDDLE = 3, 7
"""The greatest length of a short word, and of a middling one."""
CHANGED_IMAGES = 500
"""The number of images of each group that are read again with more margin, at other sizes, light on dark and
rotated.
"""


@dataclass(frozen=True)
class Case:
    """A validation image, its text, its writer, and its slices."""

    image: GreyImage
    text: str
    writer: str
    slices: tuple[str, ...]
    untold: tuple[Untold, ...] = ()
    """What the label does not tell about the image, and is therefore no error."""

    @property
    def key(self) -> str:
        return hashlib.sha256(self.image.tobytes() + b"\0" + self.text.encode()).hexdigest()[:16]


def evaluate(params: Params, *, root: Path, workers: int = 2, make: MakeRecognizer = Recognizer) -> None:
    """Write root/evaluation: evaluation.json, {results,observations,corrupted}.jsonl, reliability.svg, worst.png."""
    calibration = Calibration.load(root / "training/confidence.json")
    recognizer = artefact_recognizer(root / "training/artefact", calibration=calibration, workers=workers, make=make)
    data_set = Dataset.open(root / "data/dataset")
    tuning, validation = list(data_set.samples(split="tune")), list(validation_cases(data_set))
    cases = [*validation, *print_cases(params, root=root)]
    readings = _read(recognizer, cases, Decoding(), said="evaluate")
    results = _results(cases, readings)
    folder = root / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder / "results.jsonl", results)
    draw_reliability(folder / "reliability.svg", groups(results))
    draw_worst(folder / "worst.png", cases, readings, results, count=params.evaluate.worst)
    _write_observations(recognizer, folder, [*validation, *map(case_of, tuning)], readings[: len(validation)])
    lexicon = lexicon_if_any(root / "training/lexicon.gz")
    content = {
        **summary(results, print_recipe_name=params.evaluate.print.name),
        "characters": character_errors(cases, readings),
        "best_path": read_by_best_path(recognizer, cases),
        **(_preferring(lexicon, recognizer, cases, name=params.lexicon.name) if lexicon else {}),
        "same_reading": same_reading(recognizer, cases, readings),
        "corruptions": _corrupt(recognizer, spread_over_writers(tuning, params.evaluate.corrupted), folder),
    }
    write_text(folder / "evaluation.json", json.dumps(content, indent=1) + "\n")


def _write_observations(
    recognizer: Recognizer, folder: Path, cases: Sequence[Case], readings: Sequence[Reading]
) -> None:
    """Write the observations of the cases; the readings are of the first of them."""
    others = _read(recognizer, cases[len(readings) :], Decoding(), said="tune")
    write_observations(folder / "observations.jsonl", _observed(cases, [*readings, *others]))


def _preferring(lexicon: Lexicon, recognizer: Recognizer, cases: Sequence[Case], *, name: str) -> dict[str, object]:
    read = {"name": name, **_read_with(lexicon, recognizer, cases)}
    return {"with_lexicon": read, "lexicon_coverage": coverage(cases, lexicon)}


def _read_with(lexicon: Lexicon, recognizer: Recognizer, cases: Sequence[Case]) -> dict[str, object]:
    readings = _read(recognizer, cases, Decoding(recognizer.prior(lexicon)), said="with lexicon")
    results = _results(cases, readings)
    return {
        "slices": figures_by_slice(results),
        "thresholds": accepted(results),
        "characters": character_errors(cases, readings),
    }


def _corrupt(recognizer: Recognizer, samples: Sequence[Sample], folder: Path) -> dict[str, object]:
    """Read samples that are corrupted in every way, write their rows, and return the exact match of each way."""
    rows = list(corrupted(recognizer, samples))
    write_corrupted(folder / "corrupted.jsonl", rows)
    return {"images": len(samples), "exact_match": exact_match_curves(rows)}


def _read(recognizer: Recognizer, cases: Sequence[Case], decoding: Decoding, *, said: str) -> list[Reading]:
    readings = recognizer.read_each([case.image for case in cases], decoding=decoding)
    return list(tqdm(readings, total=len(cases), desc=said, unit="image"))


def _results(cases: Sequence[Case], readings: Sequence[Reading]) -> list[Result]:
    return [result_of(case, reading) for case, reading in zip(cases, readings, strict=True)]


def figures_by_slice(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    return {name: asdict(figures(in_slice(results, name))) for name in slice_names(results)}


def groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return all results, then those of each source and kind."""
    names = sorted({result.slices[0] for result in results})
    return {"all": list(results), **{name: in_slice(results, name) for name in names}}


def same_reading(
    recognizer: Recognizer, cases: Sequence[Case], readings: Sequence[Reading]
) -> dict[str, dict[str, float]]:
    """Return for each group of words how many images were changed, and the fraction read the same after each change."""
    words: dict[str, list[tuple[GreyImage, str]]] = {}
    for case, reading in zip(cases, readings, strict=True):
        if not case.slices[0].endswith("/line"):
            words.setdefault(case.slices[0], []).append((case.image, reading.text))
    chosen = {group: spread(read, CHANGED_IMAGES) for group, read in sorted(words.items())}
    return {
        group: {"images": len(read), **same_readings(recognizer, read)}
        for group, read in tqdm(chosen.items(), desc="same reading", unit="group")
    }


def coverage(cases: Sequence[Case], lexicon: Lexicon) -> dict[str, float]:
    """Return the fraction of each group's words that the lexicon holds; groups without words are left out."""
    words: dict[str, list[str]] = {}
    for case in cases:
        words.setdefault(case.slices[0], []).extend(words_of(case.text))
    return {
        group: sum(word.lower() in lexicon for word in own) / len(own) for group, own in sorted(words.items()) if own
    }


def summary(results: Sequence[Result], *, print_recipe_name: str) -> dict[str, object]:
    """Return the figures of each slice and writer, and what each threshold accepts of each source and kind."""
    return {
        "version": FORMAT_VERSION,
        "print_recipe": print_recipe_name,
        "all": asdict(figures(results)),
        "slices": figures_by_slice(results),
        "writers": [asdict(row) for row in by_writer(results)],
        "thresholds": accepted(results),
    }


def accepted(results: Sequence[Result]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return what each threshold of confidence accepts, for each source and kind."""
    return {
        name: {str(row.confidence): asdict(row) for row in thresholds(own)} for name, own in groups(results).items()
    }


def read_by_best_path(recognizer: Recognizer, cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Return exact match with its interval, and CER, of each slice, taking each time step's likeliest label."""
    texts = best_path_texts(recognizer, tqdm([case.image for case in cases], desc="best path", unit="image"))
    results = _results(cases, [Reading(text, 0.0, ()) for text in texts])
    wanted = ("count", "writers", "exact_match", "low", "high", "cer")
    return {name: {one: row[one] for one in wanted} for name, row in figures_by_slice(results).items()}


def best_path_texts(recognizer: Recognizer, images: Iterable[GreyImage]) -> list[str]:
    """Return what the network alone reads, without a search or a lexicon."""
    logits = (recognizer.logits(recognizer.preprocess(image)) for image in images)
    return [best_path_text(own, recognizer.charset) for own in logits]


def character_errors(cases: Sequence[Case], readings: Sequence[Reading]) -> dict[str, dict[str, float]]:
    """Return for each source and kind how many characters were read, the fraction right, and the calibration error."""
    given: dict[str, list[tuple[float, bool]]] = {}
    for case, reading in zip(cases, readings, strict=True):
        right = characters_right(case.text, reading.text, case.untold)
        given.setdefault(case.slices[0], []).extend(
            (character.confidence, one) for character, one in zip(reading.characters, right, strict=True)
        )
    return {
        group: {
            "count": len(own),
            "right": sum(right for _, right in own) / len(own),
            "calibration_error": calibration_error(*np.array(own, np.float64).T),
        }
        for group, own in sorted(given.items())
        if own
    }


def validation_cases(data_set: Dataset) -> Iterator[Case]:
    return map(case_of, data_set.samples(split="validation"))


def case_of(sample: Sample) -> Case:
    return Case(sample.image, sample.text, f"{sample.source}/{sample.writer}", _slices(sample), sample.untold)


def print_cases(params: Params, *, root: Path) -> Iterator[Case]:
    """Yield the images of `evaluate.print`, in slices named `print`, and of `evaluate.more_print`, in their own.

    The families are the writers.
    """
    for recipe in (params.evaluate.print, *params.evaluate.more_print):
        name = "print" if recipe is params.evaluate.print else recipe.name
        for word in print_recipe(recipe, params, root=root):
            yield Case(word.image, word.text, f"{name}/{word.family}", (name, f"{name}/{word.part}"))


def result_of(case: Case, reading: Reading) -> Result:
    text, prediction = without(case.text, case.untold), without(reading.text, case.untold)
    truth, guess = text.split(), prediction.split()
    return Result(
        sample=case.key,
        writer=case.writer,
        slices=case.slices,
        distance=edit_distance(truth=text, prediction=prediction),
        length=len(text),
        word_distance=edit_distance(truth=truth, prediction=guess),
        words=len(truth),
        confidence=round(reading.confidence, 4),
    )


def _slices(sample: Sample) -> tuple[str, ...]:
    more = []
    if sample.kind == "word":
        size = "short" if len(sample.text) <= SHORT else "middling" if len(sample.text) <= MIDDLE else "long"
        more.append(f"{sample.group}/{size}")
    if sample.segmentation == "err":
        more.append(f"{sample.group}/err")
    return (sample.group, *more)


def _observed(cases: Sequence[Case], readings: Sequence[Reading]) -> Iterator[Observation]:
    for case, reading in zip(cases, readings, strict=True):
        yield observe(case.image, reading, channel=case.slices[0], at=AT, writer=case.writer)
