import cv2
import numpy as np
import pytest

from legible.data.crops import CONTEXT_MARGIN, Box, crop_box, cut_out, tilt_degrees, trimmed_box

PAGE = np.arange(200 * 300, dtype=np.uint32).reshape(200, 300).astype(np.uint8)


def test_a_crop_holds_its_box_with_the_context_margin_on_each_side() -> None:
    crop = crop_box(PAGE, (50, 100, 150, 120))
    assert crop.image.shape == (34, 114)
    assert crop.box == (7, 7, 107, 27)
    assert np.array_equal(crop.image[7:27, 7:107], PAGE[100:120, 50:150])


def test_a_crop_ends_where_the_page_ends() -> None:
    crop = crop_box(PAGE, (0, 190, 300, 200))
    assert crop.image.shape == (14, 300)
    assert crop.box == (0, 4, 300, 14)


def test_a_crop_ends_at_its_sides_where_a_neighbour_on_the_same_line_begins() -> None:
    word: Box = (100, 100, 140, 120)
    crop = crop_box(PAGE, word, neighbours=[word, (60, 101, 97, 119), (142, 98, 200, 121), (100, 70, 140, 95)])
    assert crop.image.shape == (34, 142 - 97)
    assert crop.box == (3, 7, 43, 27)


def test_a_neighbour_that_overlaps_leaves_the_box_whole() -> None:
    word: Box = (100, 100, 140, 120)
    crop = crop_box(PAGE, word, neighbours=[(90, 100, 105, 120), (130, 100, 180, 120)])
    assert crop.image.shape == (34, 40)
    assert crop.box == (0, 7, 40, 27)


def test_colours_are_kept() -> None:
    assert crop_box(np.dstack([PAGE] * 3), (50, 100, 150, 120)).image.shape == (34, 114, 3)


def tilted_page(degrees: float) -> tuple[np.ndarray, list[list[float]]]:
    """A bar of ink, 200 by 16 pixels, turned clockwise about the middle of a page, and its outline."""
    page = np.full((400, 400), 255, np.uint8)
    page[192:208, 100:300] = 0
    matrix = cv2.getRotationMatrix2D((200, 200), -degrees, 1.0)
    outline = np.array([[100, 192], [300, 192], [300, 208], [100, 208]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(cv2.warpAffine(page, matrix, (400, 400), borderValue=255)), outline.tolist()


@pytest.mark.parametrize("degrees", [-8.0, -2.0, 1.0, 5.0, 12.0])
def test_the_tilt_of_a_polygon_is_found(degrees: float) -> None:
    assert tilt_degrees(tilted_page(degrees)[1]) == pytest.approx(degrees, abs=0.3)


def test_a_short_polygon_says_nothing_of_tilt() -> None:
    assert tilt_degrees([[0, 0], [30, 10], [30, 30], [0, 20]]) == 0
    assert tilt_degrees([[0, 0], [100, 10]]) == 0


def test_a_tilted_polygon_is_straightened() -> None:
    page, outline = tilted_page(6.0)
    crop = crop_box(page, (98, 180, 302, 220), polygon=outline)
    left, top, right, bottom = (round(side) for side in crop.box)
    assert (right - left, bottom - top) == (pytest.approx(200, abs=2), pytest.approx(16, abs=1.5))
    assert crop.image[top + 2 : bottom - 2, left + 3 : right - 3].max() < 60
    assert crop.image[: top - 2].min() > 200
    assert top == pytest.approx(CONTEXT_MARGIN * 16, abs=1)


def test_a_ragged_outline_gives_the_box_that_most_of_it_keeps_to() -> None:
    ragged = [[0, 20], [50, 20], [52, 5], [54, 20], [200, 20], [200, 40], [90, 40], [88, 60], [86, 40], [0, 40]]
    assert trimmed_box(np.array(ragged, np.float64)) == pytest.approx((0, 20, 200, 40), abs=1)
    crop = crop_box(PAGE, (0, 5, 200, 60), polygon=ragged)
    assert crop.box[3] - crop.box[1] == pytest.approx(20, abs=1)


def test_a_long_line_is_straightened_where_it_falls_by_a_part_of_its_height() -> None:
    page, outline = tilted_page(1.0)
    crop = crop_box(page, (98, 180, 302, 220), polygon=outline)
    assert crop.box[3] - crop.box[1] == pytest.approx(16, abs=1.5)


def test_margins_are_taken_in_heights_of_the_box_as_far_as_the_image_goes() -> None:
    image = PAGE[:40, :100]
    assert np.array_equal(cut_out(image, (20, 10, 80, 30), [0, 0, 0, 0]), image[10:30, 20:80])
    assert np.array_equal(cut_out(image, (20, 10, 80, 30), [0.1, 0.2, 0.3, 0.4]), image[6:38, 18:86])
    assert np.array_equal(cut_out(image, (20, 10, 80, 30), [9, 9, 9, 9]), image)
    assert cut_out(image, (20, 10, 80, 30), [0, -0.05, 0, -0.05]).shape == (18, 60)


def test_a_cut_out_is_never_empty() -> None:
    assert cut_out(PAGE[:10, :10], (9, 9, 9.2, 9.2), [-1, -1, -1, -1]).size >= 1
