"""Boxes of characters follow them through fonts, pens, effects and augmentation."""

import dataclasses

import numpy as np
import pytest
from test_synth import packaged

from legible.synth import style as style_module
from legible.synth.augment import _warp, augment_moved
from legible.synth.effects import Effects
from legible.synth.style import Style, draw_hand_style, draw_style, draw_with_boxes
from legible.synth.transforms import STILL, Moved, move_boxes, scaled, shifted
from legible.synth.typesetting import Typesetting

SEEDS = range(12)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def styles(seed: int, *, strength: float = 0.0) -> list[Style]:
    fonts = packaged()
    drawn = [
        draw_style([font for font in fonts if font.kind == kind], rng(seed), strength=strength)
        for kind in ("print", "handwriting")
    ]
    return [*drawn, draw_hand_style(rng(seed), strength=strength)]


def inside(boxes: np.ndarray, shape: tuple[int, int], *, slack: float) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for left, top, right, bottom in boxes[~np.isnan(boxes[:, 0])]:
        mask[
            max(int(top - slack), 0) : int(np.ceil(bottom + slack)),
            max(int(left - slack), 0) : int(np.ceil(right + slack)),
        ] = True
    return mask


@pytest.mark.parametrize("text", ["'", ".", "g_"])
def test_boxes_of_fonts_and_pens_end_where_the_ink_does(text: str) -> None:
    for seed in SEEDS:
        for style in styles(seed):
            still = dataclasses.replace(style, margins=(0.3, 0.3))
            if isinstance(style.letters, Typesetting):
                letters = dataclasses.replace(style.letters, slant=0.0, wave=0.0, jitter=0.0)
                still = dataclasses.replace(still, letters=letters)
            drawing = draw_with_boxes(text, still, rng(seed, 1))
            rows, columns = np.nonzero(drawing.image < 128)
            ink = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            edges = [*drawing.boxes[:, :2].min(axis=0), *drawing.boxes[:, 2:].max(axis=0)]
            assert np.abs(np.subtract(edges, ink)).max() < 4, style.name


def test_what_is_cut_off_has_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_module, "_cut_out", lambda image, *_: Moved(image[:, : image.shape[1] // 2], STILL))
    monkeypatch.setattr(style_module, "CUT_OUT", 1.0)
    drawing = draw_with_boxes("Hamburg", styles(1)[0], rng(1))
    assert np.nanmax(drawing.boxes[:, 2]) == drawing.image.shape[1]
    assert not np.isnan(drawing.boxes[0]).any()
    assert np.isnan(drawing.boxes[-1]).all()


def test_boxes_move_as_their_corners_do() -> None:
    box = np.array([[10.0, 20.0, 30.0, 60.0]])
    assert move_boxes(box, shifted(right=5, down=-2)).tolist() == [[15, 18, 35, 58]]
    assert move_boxes(box, scaled(across=2, down=0.5)).tolist() == [[20, 10, 60, 30]]
    turned = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    assert move_boxes(box, turned).tolist() == [[-60, 10, -20, 30]]


@pytest.mark.parametrize("seed", SEEDS)
def test_all_ink_is_in_the_boxes_and_each_box_holds_ink(seed: int) -> None:
    for style in styles(seed):
        drawing = draw_with_boxes("Hamburg (1974)", style, rng(seed, 1))
        ink = drawing.image < 128
        assert (ink & inside(drawing.boxes, ink.shape, slack=2)).sum() > 0.98 * ink.sum(), style.name
        assert np.isnan(drawing.boxes[7]).all()
        for left, top, right, bottom in drawing.boxes[~np.isnan(drawing.boxes[:, 0])]:
            assert ink[int(max(top, 0)) : int(bottom) + 1, int(max(left, 0)) : int(right) + 1].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_stand_in_the_order_of_the_text(seed: int) -> None:
    for style in styles(seed):
        upright = (
            style
            if not hasattr(style.letters, "slant")
            else dataclasses.replace(style, letters=dataclasses.replace(style.letters, slant=0.0))
        )
        boxes = draw_with_boxes("minimum", upright, rng(seed, 1)).boxes
        middles = (boxes[:, 0] + boxes[:, 2]) / 2
        assert (np.diff(middles) > 0).all(), style.name


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mark_is_where_the_matrix_says_after_augmentation(seed: int) -> None:
    image = np.full((60, 200), 255, np.uint8)
    image[28:33, 98:103] = 0
    changed = augment_moved(image, rng(seed), 0.5)
    x, y = (
        np.mean(axis) for axis in np.nonzero((np.abs(changed.image.astype(float) - np.median(changed.image)) > 60).T)
    )
    expected = changed.matrix @ [100.5, 30.5, 1]
    assert np.hypot(x - expected[0] / expected[2], y - expected[1] / expected[2]) < 6


@pytest.mark.parametrize("name", ["beside", "perspective"])
def test_boxes_follow_an_effect_that_moves_the_picture(name: str) -> None:
    for seed in range(6):
        style = dataclasses.replace(styles(seed)[0], effects=Effects((name,), 1.0, 1.0), margins=(0.0, 0.5))
        drawing = draw_with_boxes("Hamburg", style, rng(seed, 1))
        without = draw_with_boxes("Hamburg", dataclasses.replace(style, effects=Effects()), rng(seed, 1))
        dark = [
            [
                picture.image[int(max(t, 0)) : int(b) + 1, int(max(left, 0)) : int(r) + 1].mean()
                for left, t, r, b in picture.boxes
            ]
            for picture in (drawing, without)
        ]
        assert np.abs(np.subtract(*dark)).max() < 60


def test_nothing_moves_at_strength_0() -> None:
    image = np.zeros((20, 30), np.uint8)
    assert np.array_equal(augment_moved(image, rng(1), 0.0).matrix, np.eye(3))
    assert _warp(image, rng(1), 0.3).matrix.shape == (3, 3)
