"""Prefix beam search against the sum over all paths, and against Keras'."""

import math
from collections.abc import Hashable

import keras
import numpy as np
import pytest
from every_path import probability_of_each_text

from legible.ctc.beam import prefix_beam_search
from legible.ctc.decode import best_path, log_probability, softmax


def some_logits(seed: int, *, steps: int = 6, labels: int = 4, sharpness: float = 2.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(steps, labels)) * sharpness).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_every_text_with_its_probability(seed: int) -> None:
    logits = some_logits(seed)
    truth = probability_of_each_text(logits)
    found = prefix_beam_search(softmax(logits), width=10_000, min_probability=0.0)
    assert {one.labels for one in found} == set(truth)
    for one in found:
        assert math.exp(one.log_probability) == pytest.approx(truth[one.labels], rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_probability_of_a_text_is_the_sum_over_its_paths(seed: int) -> None:
    logits = some_logits(seed)
    for text, probability in probability_of_each_text(logits).items():
        assert math.exp(log_probability(logits, text)) == pytest.approx(probability, rel=1e-9)


def test_a_text_that_does_not_fit_has_no_probability() -> None:
    assert log_probability(some_logits(1, steps=3), (1, 2, 3, 1)) == -math.inf
    assert log_probability(some_logits(1, steps=2), (1, 1)) == -math.inf


@pytest.mark.parametrize("seed", range(20))
def test_a_narrow_beam_finds_the_likeliest_text(seed: int) -> None:
    logits = some_logits(seed, sharpness=3.0)
    truth = probability_of_each_text(logits)
    best = prefix_beam_search(softmax(logits), width=64, min_probability=0.0)[0]
    assert truth[best.labels] == pytest.approx(max(truth.values()))


def test_it_sees_what_best_path_misses() -> None:
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4]])
    logits = np.log(probabilities).astype(np.float32)
    assert best_path(logits) == []  # 0.36, but the paths that spell one label sum to 0.64
    best = prefix_beam_search(softmax(logits), width=4)[0]
    assert best.labels == (1,)
    assert math.exp(best.log_probability) == pytest.approx(0.64)


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_keras(seed: int) -> None:
    logits = some_logits(seed, steps=12, labels=6)
    decoded, scores = keras.ops.ctc_decode(
        logits[None], np.array([12]), strategy="beam_search", beam_width=50, top_paths=3, mask_index=0
    )
    ours = prefix_beam_search(softmax(logits), width=50, min_probability=0.0)[:3]
    theirs = [tuple(int(label) for label in path[0] if label > 0) for path in np.asarray(decoded)]
    assert [one.labels for one in ours] == theirs
    assert [one.log_probability for one in ours] == pytest.approx(np.asarray(scores)[0].tolist(), abs=1e-3)


def test_a_blank_line_and_no_steps_are_empty_texts() -> None:
    blank = np.zeros((30, 5), np.float32)
    blank[:, 0] = 20
    assert prefix_beam_search(softmax(blank), width=4)[0].labels == ()
    assert [one.labels for one in prefix_beam_search(softmax(blank[:0]), width=4)] == [()]


def test_a_thousand_steps_do_not_underflow() -> None:
    best = prefix_beam_search(softmax(some_logits(1, steps=1000, sharpness=0.5)), width=4)[0]
    assert math.isfinite(best.log_probability)
    assert best.log_probability < -500


class OnlyTwos:
    """A prior that allows no text with another label than 2."""

    def start(self) -> Hashable:
        return True

    def step(self, state: Hashable, label: int) -> Hashable:
        return state and label == 2

    def weight(self, state: Hashable, *, whole: bool) -> float:
        del whole
        return 0.0 if state else -100.0


def test_a_prior_decides_between_texts_but_leaves_their_probability() -> None:
    logits = some_logits(3)
    truth = probability_of_each_text(logits)
    best = prefix_beam_search(softmax(logits), width=20, prior=OnlyTwos(), min_probability=0.0)[0]
    assert set(best.labels) <= {2}
    assert math.exp(best.log_probability) <= truth[best.labels] * (1 + 1e-9)
    assert best.score == best.log_probability + best.log_weight
