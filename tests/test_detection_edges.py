"""The sides of a sheet are moved to the edges of the picture, and stay where there are none."""

import cv2
import numpy as np
import pytest

from legible.detection.maps import PageMaps
from legible.detection.outline import find_outline
from legible.detection.sheet_edges import with_edges

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
    for number, side in enumerate(sides):
        assert distance(side, CORNERS[number]) < 2
        assert distance(side, CORNERS[(number + 1) % 4]) < 2


def test_sides_without_an_edge_stay() -> None:
    for number, side in enumerate(with_edges(np.full(SHAPE, 128, np.uint8), CORNERS)):
        assert distance(side, CORNERS[number]) < 1e-6
        assert distance(side, CORNERS[(number + 1) % 4]) < 1e-6


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
