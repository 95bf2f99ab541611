from pathlib import Path

import numpy as np
import pytest
from conftest import drawn_word

from legible.errors import SettingsError
from legible.synth.corrupt import CORRUPTIONS, SEVERITIES, corrupt

NAMES = (
    "blur motion-blur gaussian-noise shot-noise contrast brightness jpeg pixelation rotation shear thicker thinner "
    "inversion cropping other-script"
)


@pytest.fixture
def word(print_face: Path) -> np.ndarray:
    return drawn_word("Quick", print_face)


def corrupted(word: np.ndarray, name: str, severity: int, seed: int = 1) -> np.ndarray:
    return corrupt(word, name, severity, np.random.default_rng(seed))


def distance(word: np.ndarray, changed: np.ndarray) -> float:
    if changed.shape != word.shape:
        return 10 * abs(np.log(changed.size / word.size))
    return float(np.abs(changed.astype(float) - word).mean())


def test_there_are_fifteen() -> None:
    assert list(CORRUPTIONS) == NAMES.split()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_changes_more_than_the_one_before(word: np.ndarray, name: str) -> None:
    if name == "inversion":
        sizes = [float(corrupted(word, name, severity).mean()) for severity in reversed(SEVERITIES)]
    else:
        sizes = [np.mean([distance(word, corrupted(word, name, s, seed)) for seed in range(8)]) for s in SEVERITIES]
    assert sizes[0] > 0
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_random_state_gives_the_same_bytes(word: np.ndarray, name: str) -> None:
    first, second = (corrupted(word, name, 3) for _ in range(2))
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 7)])
def test_the_smallest_images_stay_images(name: str, size: tuple[int, int]) -> None:
    for severity in SEVERITIES:
        assert corrupted(np.full(size, 200, np.uint8), name, severity).size > 0


@pytest.mark.parametrize(("name", "sign"), [("thicker", -1), ("thinner", 1)])
def test_strokes_grow_whether_dark_on_bright_or_bright_on_dark(word: np.ndarray, name: str, sign: int) -> None:
    mean = float(word.mean())
    assert sign * (float(corrupted(word, name, 3).mean()) - mean) > 1
    assert -sign * (float(corrupted(255 - word, name, 3).mean()) - (255 - mean)) > 1


def test_the_other_script_keeps_paper_and_ink(word: np.ndarray) -> None:
    changed = corrupted(word, "other-script", 5)
    assert np.median(changed) == np.median(word)
    assert changed.min() == word.min()


@pytest.mark.parametrize(("name", "severity"), [("fog", 3), ("blur", 0), ("blur", 6)])
def test_an_unknown_corruption_or_severity_is_refused(word: np.ndarray, name: str, severity: int) -> None:
    with pytest.raises(SettingsError, match=r"there are blur, .*of severity 1 to 5"):
        corrupted(word, name, severity)
