"""A hundred labels drawn at random correct the estimate of the exact match, and say how far it may be off."""

import numpy as np
import pytest
from scipy import stats

from legible.drift.labelled import MIN_LABELS, LabelledReading, _student, by_labels


def readings(images: int, rng: np.random.Generator, *, off: float, lines: int = 1) -> list[LabelledReading]:
    """Readings whose confidence is too high by `off`; those of one document are right or wrong rather together."""
    documents = images // lines
    ease = np.repeat(rng.normal(0, 0.15 if lines > 1 else 0, documents), lines)
    truth = np.clip(rng.beta(5, 2, documents * lines) + ease, 0.01, 0.99)
    right = rng.random(len(truth)) < truth
    given = np.clip(truth + off, 0.01, 0.99)
    return [
        LabelledReading(float(c), bool(r), f"{place // lines}")
        for place, (c, r) in enumerate(zip(given, right, strict=True))
    ]


def estimated(window: list[LabelledReading], labelled: list[LabelledReading]) -> tuple[float, float, float]:
    given = np.asarray([one.confidence for one in window])
    made = by_labels(labelled, confidence=float(given.mean()), deviation=float(given.std()), images=len(window))
    assert made is not None
    return made.exact_match, made.low, made.high


@pytest.mark.slow
@pytest.mark.parametrize(("off", "lines"), [(0.0, 1), (0.2, 1), (0.15, 20)])
def test_the_interval_holds_the_truth_nineteen_times_in_twenty(off: float, lines: int) -> None:
    rng = np.random.default_rng(1)
    held, errors = 0, []
    for _ in range(300):
        window = readings(2000, rng, off=off, lines=lines)
        chosen = [window[i] for i in rng.permutation(len(window))[:100]]
        found, low, high = estimated(window, chosen)
        truth = np.mean([one.is_right for one in window])
        held += low <= truth <= high
        errors.append(abs(found - truth))
    assert 0.92 < held / 300 < 0.985
    assert np.mean(errors) < 0.04


@pytest.mark.slow
def test_it_is_closer_than_the_labels_alone_where_confidence_tells_right_from_wrong() -> None:
    rng = np.random.default_rng(2)
    with_confidence, alone = [], []
    for _ in range(200):
        truth = np.where(rng.random(2000) < 0.7, 0.97, 0.05)
        right = rng.random(2000) < truth
        window = [LabelledReading(float(c), bool(r)) for c, r in zip(truth - 0.04, right, strict=True)]
        chosen = [window[i] for i in rng.permutation(2000)[:100]]
        with_confidence.append(estimated(window, chosen)[0] - right.mean())
        alone.append(np.mean([one.is_right for one in chosen]) - right.mean())
    assert np.std(with_confidence) < 0.6 * np.std(alone)


def test_confidence_that_tells_nothing_gets_no_weight() -> None:
    labels = [LabelledReading(0.9, place % 4 > 0) for place in range(100)]
    made = by_labels(labels, confidence=0.9, deviation=0.0, images=5000)
    assert made is not None
    assert (made.weight, made.exact_match) == (0.0, pytest.approx(0.75))
    assert made.high - made.low == pytest.approx(2 * 1.984 * np.sqrt(0.75 * 0.25 / 99), rel=0.01)


def test_labels_of_one_document_tell_less_than_those_of_many() -> None:
    right = [place % 20 < 15 for place in range(100)]
    apart = [LabelledReading(0.9, one, f"{place}") for place, one in enumerate(right)]
    together = [LabelledReading(0.9, one, f"{place // 10}") for place, one in enumerate(sorted(right))]
    wide, narrow = (by_labels(labels, confidence=0.9, deviation=0.1, images=1000) for labels in (together, apart))
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_readings_that_are_all_right_are_not_certain() -> None:
    made = by_labels([LabelledReading(1.0, is_right=True)] * 50, confidence=1.0, deviation=0.0, images=1000)
    assert made is not None
    assert made.low < 0.97


def test_few_labels_say_nothing() -> None:
    labels = [LabelledReading(0.9, is_right=True)] * (MIN_LABELS - 1)
    assert by_labels(labels, confidence=0.9, deviation=0.1, images=500) is None


@pytest.mark.parametrize("freedom", [10, 20, 99, 5000])
def test_students_points_are_those_of_scipy(freedom: int) -> None:
    assert _student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.005)
