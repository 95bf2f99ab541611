"""Drawn pages: their lines lie where their ink is, in reading order, and the same seed draws the same page."""

import dataclasses
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from legible.config import load_params
from legible.errors import DataError
from legible.synth.fonts import find_fonts
from legible.synth.pages.draw import KINDS, draw_page
from legible.synth.pages.materials import Materials
from legible.synth.pages.running import _broken
from legible.synth.pages.scenes import photographed
from legible.synth.pages.sheet import Face, Sheet
from legible.synth.words import Texts

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")


@lru_cache(maxsize=1)
def materials() -> Materials:
    fonts = find_fonts(PARAMS.fonts, root=PROJECT, characters=PARAMS.charset.characters)
    return Materials.of(fonts, Texts(PARAMS.charset.build()))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "empty"])
def test_every_line_of_a_plain_page_holds_ink_and_ends_at_it(kind: str) -> None:
    page = draw_page(np.random.default_rng(3), materials(), kind=kind, plain=True)
    assert len(page.lines) > 3
    for line in page.lines:
        left, top, right, bottom = (round(side) for side in line.shape.box)
        inside = page.image[max(top, 0) : bottom, max(left, 0) : right]
        assert inside.min() < 128, line.text
    height, width = page.image.shape
    assert page.corners.tolist() == [[0, 0], [width, 0], [width, height], [0, height]]


def test_an_empty_page_has_no_lines() -> None:
    assert draw_page(np.random.default_rng(0), materials(), kind="empty").lines == ()


def test_the_same_seed_draws_the_same_page() -> None:
    first, second = (draw_page(np.random.default_rng(5), materials()) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert [line.text for line in first.lines] == [line.text for line in second.lines]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="'poster' is no kind of page; known: book, columns"):
        draw_page(np.random.default_rng(0), materials(), kind="poster")


def test_columns_are_read_one_after_the_other() -> None:
    page = draw_page(np.random.default_rng(2), materials(), kind="columns", plain=True)
    tops = [line.shape.box[1] for line in page.lines]
    jumps_back = sum(later < earlier - page.image.shape[0] * 0.3 for earlier, later in pairwise(tops))
    assert jumps_back in (1, 2)


def test_justified_lines_end_together_without_wide_spaces() -> None:
    """Spaces of more than MAX_SPACE heights would be gaps between columns; words are broken before that."""
    lines = [
        line
        for seed in range(6)
        for line in draw_page(np.random.default_rng(seed), materials(), kind="book", plain=True).lines
    ]
    assert sum(line.text.endswith("-") and line.text[-3:-1].isalpha() for line in lines) > 3


def test_a_word_is_broken_to_fit_and_codes_are_not() -> None:
    face = materials().print_face(np.random.default_rng(0), 20)
    part = _broken("counterpart", face, room=face.width("counter-"))
    assert part == "counter-"
    assert _broken("counterpart", face, room=face.width("c-")) == ""
    assert _broken("10/24/1994", face, room=200) == ""


def test_tables_hold_cells_of_a_single_sign() -> None:
    pages = [draw_page(np.random.default_rng(seed), materials(), kind="table", plain=True) for seed in range(8)]
    assert sum(len(line.text) == 1 for page in pages for line in page.lines) > 10


def test_a_photograph_moves_lines_and_corners_with_the_paper() -> None:
    sheet = Sheet(400, 300)
    face = Face(materials().prints[0], 28)
    sheet.write("Some words", face, x=40, base=150)
    page = photographed(sheet.finished("test"), np.random.default_rng(4))
    left, top, right, bottom = (round(side) for side in page.lines[0].shape.box)
    inside = page.image[top:bottom, left:right].astype(float)
    above = page.image[2 * top - bottom - 8 : top - 8, left:right].astype(float)
    assert inside.std() > 2 * above.std()
    x, y = page.corners.T
    assert x.min() < left < right < x.max()
    assert y.min() < top < bottom < y.max()


def test_text_that_leaves_the_sheet_is_not_written() -> None:
    sheet = Sheet(100, 100)
    sheet.write("far too long for this", Face(materials().prints[0], 28), x=40, base=50)
    assert sheet.lines == []
    assert sheet.pixels.min() == 255


def test_materials_need_a_font_for_print() -> None:
    with pytest.raises(DataError, match="none of 0 fonts is for print"):
        Materials.of([], Texts(PARAMS.charset.build()))


class Accented(Texts):
    """Texts with letters that no pen path exists for."""

    def line(self, rng: np.random.Generator, *, words: int) -> str:
        del rng
        return " ".join(["café", "á", "plain"][number % 3] for number in range(words))


def test_pens_leave_out_letters_that_they_cannot_write() -> None:
    accented = dataclasses.replace(materials(), texts=Accented(PARAMS.charset.build()))
    page = draw_page(np.random.default_rng(3), accented, kind="handwritten", plain=True)
    assert set(" ".join(line.text for line in page.lines).split()) == {"caf", "plain"}
