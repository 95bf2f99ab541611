import numpy as np
import pytest

from legible.ctc.decode import Run, best_path, log_softmax


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
