"""What says the same is changed as it says."""

import numpy as np
import pytest
from drawn_words import draw_word

from legible.evaluation.invariance import CHANGES, MARGIN
from legible.recognition.bundle import find_bundle, load_bundle
from legible.recognition.recognizer import Recognizer


@pytest.mark.parametrize("name", CHANGES)
def test_a_plain_printed_word_is_read_the_same_after_each_change(name: str) -> None:
    image = draw_word("Hamburg", writer=3, rng=np.random.default_rng(0))
    recognizer = Recognizer.from_bundle(load_bundle(find_bundle()))
    plain, changed = recognizer.read([image, CHANGES[name](image)])
    assert changed.text == plain.text


def test_margins_are_paper() -> None:
    image = np.full((20, 30), 200, np.uint8)
    wider = CHANGES["10 pixels more margin"](image)
    assert wider.shape == (20 + 2 * MARGIN, 30 + 2 * MARGIN)
    assert np.all(wider == 200)


def test_sizes_are_those_named() -> None:
    image = np.zeros((20, 30), np.uint8)
    assert CHANGES["at 0.7 of the size"](image).shape == (14, 21)
    assert CHANGES["at 1.5 of the size"](image).shape == (30, 45)
