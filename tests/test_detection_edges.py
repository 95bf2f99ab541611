"""The sides of a sheet are moved to the edges of the picture, and stay where there are none."""

import cv2
import numpy as np
import pytest

from legible.detection.maps import PageMaps
from legible.detection.outline import find_outline
from legible.detection.sheet_edges import is_seen, with_edges

CORNERS = np.array([[150, 90], [480, 120], [450, 700], [110, 670]], float)
SHAPE = (800, 600)


def picture(sheet: int, table: int) -> np.ndarray:
    image = np.full(SHAPE, table, np.uint8)
    cv2.fillPoly(image, [np.round(CORNERS * 16).astype(np.int32)], sheet, shift=4)
    for row in range(180, 640, 30):
        cv2.putText(image, "words of a line", (180, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (sheet + table) // 2, 2)
    noise = np.random.default_rng(0).normal(0, 6, SHAPE)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def distance(side: tuple[np.ndarray, np.ndarray], corner: np.ndarray) -> float:
    point, direction = side
    across = np.array([-direction[1], direction[0]]) / np.linalg.norm(direction)
    return float(abs((corner - point) @ across))


@pytest.mark.parametrize(("sheet", "table"), [(230, 90), (60, 180)])
def test_sides_that_are_a_little_off_come_to_the_edges_of_the_sheet(sheet: int, table: int) -> None:
    off = np.array([[9, 8], [-8, 9], [-9, -7], [8, -9]], float)
    sides = with_edges(picture(sheet, table), CORNERS + off)
    assert is_seen(sides)
    for number, one in enumerate(sides):
        assert distance(one.side, CORNERS[number]) < 2
        assert distance(one.side, CORNERS[(number + 1) % 4]) < 2


def test_sides_without_an_edge_stay() -> None:
    sides = with_edges(np.full(SHAPE, 128, np.uint8), CORNERS)
    assert not is_seen(sides)
    for number, one in enumerate(sides):
        assert distance(one.side, CORNERS[number]) < 1e-6
        assert distance(one.side, CORNERS[(number + 1) % 4]) < 1e-6


def test_lines_of_text_are_no_edges_of_a_sheet() -> None:
    """A white scan: words end at other places in each line, and the mask ends in the margin."""
    page = np.full(SHAPE, 250, np.uint8)
    for row in range(60, 780, 24):
        cv2.putText(page, "w" * (18 + row // 24 % 5), (60, row), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 30, 2)
    slanted = np.array([[40, 70], [590, 30], [560, 700], [40, 760]], float)
    assert not is_seen(with_edges(page, slanted))


def test_a_sheet_that_goes_on_outside_of_the_picture_is_seen_by_its_other_sides() -> None:
    image = np.full(SHAPE, 90, np.uint8)
    cv2.fillPoly(image, [np.array([[120, 0], [470, 0], [450, 799], [140, 799]])], 230)
    found = with_edges(image, np.array([[122, 0], [468, 0], [448, 800], [142, 800]], float))
    assert [side.at_border for side in found] == [True, False, True, False]
    assert is_seen(found)
    assert not is_seen(
        with_edges(np.full(SHAPE, 230, np.uint8), np.array([[0, 0], [600, 0], [600, 800], [0, 800]], float))
    )


def test_the_corners_of_a_photographed_sheet_are_finer_than_its_mask() -> None:
    class CoarseDetector:
        def maps(self, image: np.ndarray) -> PageMaps:
            factor = image.shape[0] / SHAPE[0]
            mask = np.zeros(image.shape, np.uint8)
            cv2.fillPoly(mask, [np.round((CORNERS + np.array([6, -6])) * factor).astype(np.int32)], 1)
            sheet = cv2.resize(mask, (image.shape[1] // 4, image.shape[0] // 4), interpolation=cv2.INTER_AREA)
            none = np.zeros(sheet.shape, np.float32)
            return PageMaps(none, none, sheet.astype(np.float32), none, none)

    found = find_outline(CoarseDetector(), picture(230, 90))
    assert found is not None
    assert found.corners == pytest.approx(CORNERS, abs=3)
