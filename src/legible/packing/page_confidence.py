"""Stage `page-confidence`: fit the formulas of `pages.trust` on found lines of `tune` pages, drawn and labelled."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.config import Params
from legible.config.detector import load_detector_params
from legible.detection.detector import LineDetector
from legible.detection.geometry import moved_points
from legible.errors import DataError, ImageError
from legible.evaluation.page_cases import PageCase, drawn_cases, held_back_cases
from legible.evaluation.page_scores import PlacedText, covered_fraction, matched_lines
from legible.files import write_text
from legible.packing.confidence import fit_logistic, group_weights
from legible.pages.read import PageReader
from legible.pages.trust import FORMAT, INPUTS, LineWeights, inputs_of, usual_height
from legible.recognition.bundle import DETECTOR, PAGE_CONFIDENCE
from legible.recognition.calibration import Calibration
from legible.recognition.recognizer import artefact_recognizer
from legible.scores import without

MIN_COVERED = 0.5
"""The fraction of a found line that has to lie on true lines for it to be text."""
FILE = f"models/pages/{PAGE_CONFIDENCE}"


@dataclass(frozen=True)
class LineAttempt:
    """A found line of a page: the inputs of the formulas, whether it is a line, and whether its text is right too."""

    group: str
    inputs: tuple[float, ...]
    text: bool
    right: bool


def page_confidence(params: Params, *, root: Path) -> None:
    """Write root/models/pages/page-confidence.json. Raise DataError where no line was found on any page."""
    del params  # the pages are those of params/detector.yaml
    calibration = Calibration.load(root / "training/confidence.json")
    recognizer = artefact_recognizer(root / "training/artefact", calibration=calibration)
    reader = PageReader(recognizer, LineDetector(root / "models/detector" / DETECTOR))
    detector = load_detector_params(root / "params/detector.yaml")
    drawn = drawn_cases(detector, root=root, split="tune")
    held = held_back_cases(detector, root=root, split="tune")
    attempts = [one for case in tqdm((*drawn, *held), desc="pages", unit="page") for one in attempts_of(case, reader)]
    if not attempts:
        raise DataError(f"no line was found on any page of tune; train the detector longer ({DETECTOR})")
    content = {"version": FORMAT.version, "inputs": INPUTS, "lines": len(attempts), **fitted(attempts)}
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    write_text(root / FILE, json.dumps(content, indent=1) + "\n")


def attempts_of(case: PageCase, reader: PageReader) -> Iterator[LineAttempt]:
    """Yield the lines that were found on a page, before any is left out; a part of a true line is text too.

    On a page whose lines are not all known, one that meets none of them may be a line or not, and is left out.
    """
    if case.unit != "line":
        return
    try:
        upright, found = reader.candidates(case.image)
    except ImageError:
        return
    placed = [PlacedText(reading.text, moved_points(line.shape.polygon, upright.back)) for line, reading in found]
    truth = {place: number for number, place in matched_lines(case.lines, placed).items()}
    usual = usual_height(upright.lines)
    for place, (line, reading) in enumerate(found):
        text = covered_fraction(placed[place].polygon, case.lines) >= MIN_COVERED
        if text or case.complete:
            true = case.lines[truth[place]].text if place in truth else None
            right = true is not None and without(true, case.untold) == without(reading.text.strip(), case.untold)
            yield LineAttempt(case.group, inputs_of(line, reading, usual_height=usual), text, right)


def fitted(attempts: Sequence[LineAttempt]) -> dict[str, dict[str, object]]:
    """Return bias and weights of both formulas; every group of pages counts alike."""
    return {
        "text": _stated(_fit(attempts, [one.text for one in attempts])),
        "right": _stated(_fit(attempts, [one.right for one in attempts])),
    }


def _fit(attempts: Sequence[LineAttempt], truth: Sequence[bool]) -> LineWeights:
    inputs = np.array([one.inputs for one in attempts])
    bias, *weights = fit_logistic(inputs, truth, group_weights([one.group for one in attempts]))
    return LineWeights(bias, tuple(weights))


def _stated(weights: LineWeights) -> dict[str, object]:
    return {"bias": weights.bias, "weights": list(weights.weights)}
