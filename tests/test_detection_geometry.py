"""Shapes of lines: boxes, ragged polygons, bands, and how they move."""

import numpy as np
import pytest

from legible.detection.geometry import LineShape, homography, moved_points, polygon_area, rotation, scaling

BOX = LineShape.from_box(10, 20, 110, 40)


def test_a_box_has_its_height_length_and_polygon() -> None:
    assert (BOX.height, BOX.length, BOX.angle) == (20, 100, 0)
    assert BOX.polygon.tolist() == [[10, 20], [110, 20], [110, 40], [10, 40]]
    assert BOX.box == (10, 20, 110, 40)
    assert polygon_area(BOX.polygon) == 2000


def test_a_band_is_a_part_of_the_height() -> None:
    assert BOX.band(0.25, 0.75).tolist() == [[10, 25], [110, 25], [110, 35], [10, 35]]


def test_a_ragged_polygon_becomes_a_smooth_line() -> None:
    x = np.linspace(0, 300, 61)
    ragged = np.random.default_rng(0).uniform(-2, 2, x.size)
    upper = np.stack([x, 100 + 0.1 * x + ragged], 1)
    lower = np.stack([x, 130 + 0.1 * x - ragged], 1)
    line = LineShape.from_polygon(np.concatenate([upper, lower[::-1]]))
    assert line.height == pytest.approx(30, abs=2)
    assert np.abs(line.middle[:, 1] - (115 + 0.1 * line.middle[:, 0])).max() < 1


def test_a_curved_polygon_stays_curved() -> None:
    x = np.linspace(0, 400, 41)
    bow = 20 * (x / 200 - 1) ** 2
    points = np.concatenate([np.stack([x, bow], 1), np.stack([x, bow + 24], 1)[::-1]])
    line = LineShape.from_polygon(points)
    x, y = line.middle.T
    assert np.abs(y - (20 * (x / 200 - 1) ** 2 + 12)).max() < 1
    assert y[0] - y.min() > 15


def test_padding_moves_all_four_sides() -> None:
    assert BOX.padded(0.1).box == pytest.approx((8, 18, 112, 42))
    assert BOX.padded(-0.1).box == pytest.approx((12, 22, 108, 38))


def test_a_turn_about_a_point_leaves_it_where_it_is() -> None:
    quarter = rotation(np.pi / 2, center=(5, 7))
    assert moved_points(np.array([[5.0, 7.0], [6.0, 7.0]]), quarter) == pytest.approx(np.array([[5, 7], [5, 8]]))


def test_scaling_scales_the_height() -> None:
    assert BOX.moved(scaling(0.5)).height == 10


def test_a_homography_takes_four_points_to_four_others() -> None:
    source = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    target = np.array([[1, 2], [12, 1], [9, 14], [0, 11]], float)
    assert moved_points(source, homography(source, target)) == pytest.approx(target, abs=1e-4)
