from itertools import groupby, product

import numpy as np
import pytest

from legible.ctc.decode import Run, align, best_path, log_softmax, softmax


def one_hot(labels: list[int], *, size: int = 5) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[labels]


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ([1, 1, 0, 1, 2], [1, 1, 2]),  # equal letters need a blank between
        ([1, 1, 1], [1]),  # repeats are one letter
        ([0, 0, 0], []),  # blanks are nothing
        ([0, 3, 0, 0, 4, 4, 0], [3, 4]),
        ([1, 2, 1], [1, 2, 1]),
    ],
)
def test_best_path_joins_repeats_and_drops_blanks(steps: list[int], labels: list[int]) -> None:
    assert [run.label for run in best_path(one_hot(steps))] == labels


def test_runs_say_which_steps_they_cover() -> None:
    assert best_path(one_hot([0, 3, 3, 0, 4])) == [Run(3, 1, 3), Run(4, 4, 5)]


def test_log_softmax_is_a_distribution_at_each_step() -> None:
    logits = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32) * 50
    assert np.allclose(np.exp(log_softmax(logits)).sum(axis=-1), 1)


def test_alignment_of_the_best_path_is_the_best_path() -> None:
    for seed in range(20):
        logits = np.random.default_rng(seed).normal(size=(15, 4)).astype(np.float32) * 3
        runs = best_path(logits)
        assert align(logits, [run.label for run in runs]) == runs


@pytest.mark.parametrize("seed", range(10))
def test_alignment_is_the_likeliest_of_the_paths_that_spell_the_labels(seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(6, 3)).astype(np.float32) * 2
    scores = log_softmax(logits)
    labels = [1, 2, 2]
    spelling = [path for path in product(range(3), repeat=6) if [x for x, _ in groupby(path) if x] == labels]
    best = max(spelling, key=lambda path: sum(scores[step, label] for step, label in enumerate(path)))
    assert align(logits, labels) == best_path(one_hot(list(best), size=3))


def test_log_probabilities_are_aligned_as_their_logits_and_the_best_path_is_that_of_probabilities_too() -> None:
    logits = np.random.default_rng(0).normal(size=(15, 4)).astype(np.float32) * 3
    labels = [run.label for run in best_path(logits)]
    assert align(log_softmax(logits), labels[1:]) == align(logits, labels[1:])
    assert best_path(softmax(logits)) == best_path(log_softmax(logits)) == best_path(logits)


def test_alignment_of_nothing_is_nothing_and_of_too_much_is_refused() -> None:
    logits = np.zeros((3, 3), np.float32)
    assert align(logits, []) == []
    assert [run.label for run in align(logits, [1, 2, 1])] == [1, 2, 1]
    with pytest.raises(ValueError, match="3 labels do not fit 3 steps"):
        align(logits, [1, 1, 2])
