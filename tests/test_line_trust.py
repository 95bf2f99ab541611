"""How far a found line is trusted: the rule without formulas, the formulas, and their fit."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from legible.detection.geometry import LineShape
from legible.detection.lines import FoundLine
from legible.errors import BundleError
from legible.packing.page_confidence import LineAttempt, fitted
from legible.pages.trust import FORMAT, INPUTS, LineTrust, LineWeights, inputs_of
from legible.reading import Character, Reading


def line(score: float, *, width: float = 200.0, height: float = 20.0) -> FoundLine:
    return FoundLine(LineShape.from_box(0, 0, width, height), score)


def reading(text: str, confidence: float) -> Reading:
    return Reading(text, confidence**2, tuple(Character(sign, confidence) for sign in text))


def test_the_inputs_say_what_detector_recognizer_and_page_say() -> None:
    found = dict(zip(INPUTS, inputs_of(line(0.9), reading("ab", 0.8), usual_height=40.0), strict=True))
    assert found["score"] == pytest.approx(math.log(9))
    assert found["characters"] == pytest.approx(math.log(4))
    assert found["reading"] == pytest.approx(math.log(0.64 / 0.36))
    assert (found["length"], found["few"], found["letters"]) == (pytest.approx(math.log(3)), 1.0, 1.0)
    assert found["height"] == pytest.approx(math.log(2))
    assert found["spacing"] == pytest.approx(math.log(5))
    assert inputs_of(line(1.0), Reading("", 0.0, ()), usual_height=0.0)[INPUTS.index("letters")] == 0.0


def test_a_formula_decides_what_is_text_and_how_sure_the_line_is() -> None:
    only_score = tuple(float(name == "score") for name in INPUTS)
    trust = LineTrust(LineWeights(-math.log(4), only_score), LineWeights(0.0, only_score))
    sure, doubtful = (reading("Total", 0.9), line(0.7))
    assert trust.is_text(line(0.9), sure, usual_height=20.0)
    assert not trust.is_text(doubtful, sure, usual_height=20.0)
    assert trust.confidence(doubtful, sure, usual_height=20.0) == pytest.approx(0.7)


def test_a_page_has_text_where_its_lines_together_leave_no_doubt() -> None:
    only_score = tuple(float(name == "score") for name in INPUTS)
    trust = LineTrust(LineWeights(0.0, only_score), LineWeights(0.0, only_score))
    texture = [(line(0.6), reading("se", 0.9)), (line(0.8), reading("Iull", 0.9))]
    assert trust.text_of(texture, usual_height=20.0) == []  # 1 - 0.4 * 0.2 = 0.92
    scrawl = [(line(0.7), reading("word", 0.5))] * 4
    assert trust.text_of(scrawl, usual_height=20.0) == scrawl  # 1 - 0.3 ** 4 = 0.992
    sure = (line(0.99), reading("Total", 0.9))
    assert trust.text_of([sure, (line(0.4), reading("x", 0.9))], usual_height=20.0) == [sure]
    assert trust.text_of([], usual_height=0.0) == []


def test_a_line_that_is_read_for_certain_may_be_the_only_one_of_its_page() -> None:
    only_score = tuple(float(name == "score") for name in INPUTS)
    trust = LineTrust(LineWeights(0.0, only_score), LineWeights(0.0, only_score))
    read = [(line(0.6), reading("OK", 0.96))]
    assert trust.text_of(read, usual_height=20.0) == read
    for texture in (reading("OK", 0.9), reading("0", 0.97)):  # a confidence of 0.81; one sign, as a frame may be read
        assert trust.text_of([(line(0.6), texture)], usual_height=20.0) == []


def test_without_formulas_each_line_counts_by_itself() -> None:
    found = [(line(0.6), reading("words", 0.9)), (line(0.1), reading("words", 0.9))]
    assert LineTrust().text_of(found, usual_height=20.0) == found[:1]


def test_signs_alone_are_no_text_whatever_the_formula_says() -> None:
    always = LineTrust(LineWeights(9.0, (0.0,) * len(INPUTS)), LineWeights(9.0, (0.0,) * len(INPUTS)))
    assert always.is_text(line(0.9), reading("a", 0.9), usual_height=20.0)
    assert not always.is_text(line(0.9), reading("---", 0.9), usual_height=20.0)


def test_without_formulas_the_confidence_is_the_readings() -> None:
    assert LineTrust().confidence(line(0.5), reading("Total", 0.9), usual_height=20.0) == pytest.approx(0.81)


def attempts() -> list[LineAttempt]:
    """Lines that the detector is sure of are lines, mostly; right are those whose reading is sure too."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(400):
        score, sure = rng.uniform(0.05, 0.99, 2)
        text = bool(rng.random() < score)
        inputs = inputs_of(line(score), reading("word", sure), usual_height=20.0)
        found.append(LineAttempt(f"group{number % 2}", inputs, text, text and bool(rng.random() < sure)))
    return found


def test_fitted_formulas_say_how_often_lines_are_right(tmp_path: Path) -> None:
    content = {"version": FORMAT.version, "inputs": INPUTS, **fitted(attempts())}
    (tmp_path / "page-confidence.json").write_text(json.dumps(content))
    trust = LineTrust.load(tmp_path / "page-confidence.json")
    assert trust.text is not None
    assert trust.right is not None
    for formula, truth in ((trust.text, "text"), (trust.right, "right")):
        told = np.array([formula.probability(one.inputs) for one in attempts()])
        true = np.array([getattr(one, truth) for one in attempts()])
        surer = told > np.median(told)
        for half in (surer, ~surer):
            assert told[half].mean() == pytest.approx(true[half].mean(), abs=0.05)
        assert true[surer].mean() > true[~surer].mean() + 0.2


@pytest.mark.parametrize(
    "change", [{"inputs": ["score"]}, {"text": {"bias": 0.0, "weights": [1.0]}}, {"right": None}, {"version": 99}]
)
def test_damaged_formulas_are_an_error_of_one_line(tmp_path: Path, change: dict[str, object]) -> None:
    weights = {"bias": 0.0, "weights": [0.0] * len(INPUTS)}
    content = {"version": FORMAT.version, "inputs": INPUTS, "text": weights, "right": weights, **change}
    (tmp_path / "page-confidence.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="page-confidence"):
        LineTrust.load(tmp_path / "page-confidence.json")
