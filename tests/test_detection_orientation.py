"""Tilt by the rows of ink, the upright side by reading, corners by the mask of the sheet."""

import cv2
import numpy as np
import pytest

from legible.detection.geometry import moved_points, rotation
from legible.detection.maps import PageMaps
from legible.detection.orientation import Evidence, best_turn, evidence_of, skew_degrees, turned, turned_back
from legible.detection.outline import MIN_FIT, find_outline, flattened, outline_of


def text_page(degrees: float = 0.0) -> np.ndarray:
    page = np.full((700, 900), 255, np.uint8)
    for row in range(18):
        cv2.putText(
            page, "some words of a longer text here", (120, 100 + row * 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2
        )
    matrix = rotation(np.deg2rad(degrees), center=(450, 350))
    return np.asarray(cv2.warpAffine(page, matrix[:2], (900, 700), borderValue=255), np.uint8)


@pytest.mark.parametrize("degrees", [-9.0, -1.3, 0.0, 0.4, 6.2])
def test_the_tilt_is_found_to_two_tenths_of_a_degree(degrees: float) -> None:
    assert skew_degrees(text_page(degrees)) == pytest.approx(degrees, abs=0.21)


def test_a_blank_page_has_no_tilt() -> None:
    assert skew_degrees(np.full((300, 200), 255, np.uint8)) == 0.0


def test_specks_have_no_tilt() -> None:
    specks = np.where(np.random.default_rng(0).random((400, 400)) < 0.03, 0, 255).astype(np.uint8)
    assert skew_degrees(specks) == 0.0


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_places_on_a_turned_page_go_back_to_where_they_were(turn: int) -> None:
    page = np.full((60, 90), 255, np.uint8)
    page[10, 20] = 0
    seen = turned(page, turn)
    row, column = (int(place[0]) for place in np.nonzero(seen == 0))
    back = moved_points(np.array([[column + 0.5, row + 0.5]]), turned_back(turn, shape=page.shape))
    assert back == pytest.approx(np.array([[20.5, 10.5]]))


def asked_turns(*confidences: float, elongation: float) -> tuple[int, list[int]]:
    """The best turn of a page that reads so after none to three quarter turns, and which ones were tried."""
    asked: list[int] = []

    def evidence(turn: int) -> Evidence:
        asked.append(turn)
        return Evidence(confidences[turn], 40, elongation)

    return best_turn(evidence), asked


def test_a_page_that_reads_well_is_left_as_it_is_without_a_look_at_other_turns() -> None:
    assert asked_turns(0.97, 0.5, 0.7, 0.5, elongation=20) == (0, [0])


def test_a_page_of_long_lines_that_reads_badly_may_be_upside_down_and_not_on_its_side() -> None:
    assert asked_turns(0.75, 0.99, 0.96, 0.99, elongation=20) == (2, [0, 2])


def test_a_page_of_short_lines_that_reads_badly_may_lie_on_its_side() -> None:
    assert asked_turns(0.5, 0.6, 0.7, 0.97, elongation=1.6) == (3, [0, 1, 3])
    assert asked_turns(0.5, 0.6, 0.8, 0.7, elongation=1.6) == (2, [0, 1, 3, 2])


def test_a_page_that_reads_very_badly_may_lie_on_its_side_though_its_lines_are_long() -> None:
    assert asked_turns(0.63, 0.96, 0.6, 0.7, elongation=4.5) == (1, [0, 2, 1])


def test_a_few_sure_characters_of_a_page_of_short_lines_decide_nothing() -> None:
    """Rules and frames of a page on its side are read as `l`."""
    sideways, upright = Evidence(0.95, 6, 1.5), Evidence(0.7, 200, 20.0)
    assert best_turn(lambda turn: upright if turn == 1 else sideways) == 1


def test_a_page_that_reads_no_better_after_a_turn_is_left_as_it_is() -> None:
    assert asked_turns(0.5, 0.51, 0.52, 0.5, elongation=1.0)[0] == 0


def test_a_page_without_text_is_left_as_it_is() -> None:
    assert best_turn(lambda _: Evidence(0.0, 0)) == 0


@pytest.mark.parametrize(
    ("on_its_side", "turn"),
    [
        ({1: Evidence(0.95, 200, 12.0)}, 1),
        ({1: Evidence(0.5, 180, 11.0), 3: Evidence(0.7, 200, 12.0)}, 3),
        ({1: Evidence(0.5, 8, 5.0), 3: Evidence(0.4, 6, 5.0)}, 0),  # a few signs are texture
        ({1: Evidence(0.9, 40, 1.5)}, 0),  # no lines there either
    ],
)
def test_a_page_without_lines_is_looked_at_on_its_side(on_its_side: dict[int, Evidence], turn: int) -> None:
    assert best_turn(lambda looked: on_its_side.get(looked, Evidence(0.0, 0))) == turn


def test_evidence_is_weighted_by_characters() -> None:
    assert evidence_of([1.0, 0.0], [30, 10], [2.0, 10.0, 4.0]) == Evidence(0.75, 40, 4.0)
    assert evidence_of([], []) == Evidence(0.0, 0)


CORNERS = np.array([[12, 8], [62, 14], [58, 70], [6, 64]], float)


def mask_of(corners: np.ndarray) -> np.ndarray:
    mask = np.zeros((80, 72), np.uint8)
    cv2.fillPoly(mask, [np.round((corners - 0.5) * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(np.float32)


def test_the_corners_of_a_sheet_come_back_from_its_mask() -> None:
    found = outline_of(mask_of(CORNERS))
    assert found is not None
    assert found.fit >= MIN_FIT
    assert found.corners == pytest.approx(CORNERS, abs=1.5)


def test_a_mask_of_the_whole_picture_or_of_nothing_has_no_outline() -> None:
    assert outline_of(np.ones((40, 40), np.float32)) is None
    assert outline_of(np.zeros((40, 40), np.float32)) is None


def test_a_round_mask_is_not_sure() -> None:
    mask = np.zeros((80, 80), np.uint8)
    cv2.circle(mask, (40, 40), 30, 1, -1)
    found = outline_of(mask.astype(np.float32))
    assert found is None or not found.is_sure


def test_the_outline_is_in_pixels_of_the_picture() -> None:
    class MaskDetector:
        def maps(self, image: np.ndarray) -> PageMaps:
            size = (image.shape[1] // 4, image.shape[0] // 4)
            sheet = cv2.resize(mask_of(CORNERS), size, interpolation=cv2.INTER_AREA)
            none = np.zeros_like(sheet)
            return PageMaps(none, none, sheet, none, none)

    found = find_outline(MaskDetector(), np.full((800, 720), 200, np.uint8))
    assert found is not None
    assert found.corners == pytest.approx(CORNERS * 10, abs=20)


def test_a_flattened_sheet_has_its_corners_at_the_corners() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (90, 80)).astype(np.uint8)
    flat, back = flattened(picture, CORNERS)
    height, width = flat.shape
    rectangle = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    assert moved_points(rectangle, back) == pytest.approx(CORNERS, abs=1e-3)
