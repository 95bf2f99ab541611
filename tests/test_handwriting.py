import dataclasses
import string
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from legible.config import load_params
from legible.errors import DataError
from legible.synth.alphabet import load_alphabet, parse_shape
from legible.synth.hand import Hand, draw_hand
from legible.synth.handwriting import write

PROJECT = Path(__file__).parents[1]
CHARSET = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml").charset.build()
"""What pens can write: printable ASCII and the pound sign; texts of other signs are drawn in fonts alone."""


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def calm(hand: Hand, **changes: object) -> Hand:
    """The hand without what differs from one time to the next."""
    even: dict[str, object] = {
        "size_change": 0.0,
        "size_drift": 0.0,
        "shift": 0.0,
        "bend": 0.0,
        "wave": 0.0,
        "rise": 0.0,
    }
    return dataclasses.replace(hand, **even | {"tremor": 0.0, "pen": "ball", "pressure": 0.0} | changes)  # type: ignore[arg-type]


def pieces(coverage: np.ndarray) -> int:
    return int(cv2.connectedComponents((coverage > 0.2).astype(np.uint8))[0]) - 1


def test_every_character_of_the_charset_has_a_shape_letters_three_and_digits_two() -> None:
    shapes = load_alphabet()
    assert set(CHARSET.characters) - {" "} <= shapes.keys()
    assert all(len(shapes[letter]) >= 3 for letter in string.ascii_letters)
    assert all(len(shapes[digit]) >= 2 for digit in string.digits)


def test_a_shape_is_read_from_its_line() -> None:
    shape = parse_shape("t p .25,1.5 .25,0! ; 0,1 .5,1")
    assert shape.character == "t"
    assert not shape.is_cursive
    assert shape.points.tolist() == [[0.25, 1.5], [0.25, 0.0], [0.0, 1.0], [0.5, 1.0]]
    assert shape.starts.tolist() == [True, False, True, False]
    assert shape.corners.tolist() == [False, True, False, False]
    assert shape.main_end == 2


@pytest.mark.parametrize("line", ["t p .25,1.5 .25", "t p a,b"])
def test_a_line_that_is_no_path_is_refused(line: str) -> None:
    with pytest.raises(DataError, match="is no pen path"):
        parse_shape(line)


@pytest.mark.parametrize("first", string.ascii_lowercase)
def test_every_pair_of_joined_small_letters_is_one_line_but_for_dots_and_bars(first: str) -> None:
    hand = calm(draw_hand(rng(1)), joins=1.0, x_height=20.0, pen_width=0.1, haste=0.0, slant=0.0)
    cursive = {letter: [s for s in shapes if s.is_cursive] for letter, shapes in load_alphabet().items()}
    for second in string.ascii_lowercase:
        for one, other in product(cursive[first], cursive[second]):
            own = {first: (one,), second: (other,)} if first != second else {first: (one, other)}
            dots = (first in "ij") + (second in "ij")
            found = pieces(write(first + second, dataclasses.replace(hand, shapes=own, usual=1.0), rng(2)).coverage)
            assert found <= 1 + dots, (first, second)


def test_letters_that_are_not_joined_stand_apart() -> None:
    hand = calm(draw_hand(rng(1)), joins=0.0, x_height=20.0, letter_spacing=0.3, slant=0.0, pen_width=0.08)
    assert pieces(write("lol", hand, rng(2)).coverage) == 3


@pytest.mark.parametrize("seed", range(5))
def test_every_character_leaves_ink_in_every_hand(seed: int) -> None:
    hand = draw_hand(rng(seed))
    for character in CHARSET.characters.strip():
        assert write(character, hand, rng(seed, 2)).coverage.max() > 0.3, character


def test_a_hand_writes_the_same_for_the_same_state_and_a_little_differently_each_time() -> None:
    hand = draw_hand(rng(4))
    once, again, other = (write("letters", hand, rng(state)).coverage for state in (1, 1, 2))
    assert np.array_equal(once, again)
    assert once.shape != other.shape or not np.array_equal(once, other)


def test_two_seeds_are_two_hands() -> None:
    one, other = (write("hand", draw_hand(rng(seed)), rng(9)).coverage for seed in (1, 2))
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_words_of_a_line_are_apart_by_more_than_letters() -> None:
    hand = calm(draw_hand(rng(3)), joins=0.0, slant=0.0, word_spacing=1.5, x_height=20.0)
    columns = write("on on", hand, rng(1)).coverage.max(axis=0) < 0.05
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(int), [0]]))))[::2]
    space, *others = sorted(runs, reverse=True)
    assert space > 2 * max(others)
    assert space > 0.75 * hand.word_spacing * hand.x_height


def test_a_slanted_hand_leans_to_the_right() -> None:
    upright, leaning = (calm(draw_hand(rng(3)), slant=slant, x_height=20.0) for slant in (0.0, 0.6))

    def lean(hand: Hand) -> float:
        stem = write("l", dataclasses.replace(hand, shapes={"l": load_alphabet()["l"][:1]}), rng(1)).coverage
        top, bottom = (np.flatnonzero(half.max(axis=0) > 0.5).mean() for half in (stem[:5], stem[-5:]))
        return float(top - bottom)

    assert lean(leaning) > lean(upright) + 10


def test_a_broad_nib_writes_thin_and_thick() -> None:
    hand = calm(draw_hand(rng(3)), pen="fountain", nib=0.0, pen_width=0.25, slant=0.0, x_height=30.0)
    hand = dataclasses.replace(hand, shapes={"T": (parse_shape("T p .45,1.65 .45,0 ; 0,1.65 .9,1.65"),)})
    ink = write("T", hand, rng(1)).coverage > 0.5
    bar, stem = ink[:, 5].sum(), ink[-10].sum()
    assert stem > 1.8 * bar
