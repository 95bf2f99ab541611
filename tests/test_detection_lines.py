"""From maps to lines: the maps that the network is taught give back the lines that they were made from."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from truth_detector import TruthDetector

from legible.detection import detector
from legible.detection.detector import LineDetector, network_input
from legible.detection.geometry import LineShape, moved_points, rotation
from legible.detection.lines import FoundLine, estimated_line_height, find_lines, typical_height
from legible.detection.maps import STRIDE, PageMaps
from legible.detection.straighten import cut_line, page_polygon

SHAPE = (400, 600)


def found(*lines: LineShape, factor: float | None = 1.0, blurred: bool = False) -> list[LineShape]:
    page = np.full(SHAPE, 255, np.uint8)
    return [
        line.shape for line in find_lines(TruthDetector(*lines, width=SHAPE[1], blurred=blurred), page, factor=factor)
    ]


def assert_same(one: LineShape, other: LineShape, *, off: float = 3.0) -> None:
    assert one.box == pytest.approx(other.box, abs=off)


def test_lines_below_each_other_come_back_from_the_top() -> None:
    lines = [LineShape.from_box(40, 60 + 22 * n, 500, 76 + 22 * n) for n in range(10)]
    back = found(*lines)
    assert len(back) == 10
    for line, own in zip(back, lines, strict=True):
        assert_same(line, own)


def test_cells_of_a_row_stay_apart() -> None:
    cells = [LineShape.from_box(40, 60, 200, 76), LineShape.from_box(226, 60, 300, 76)]
    assert sorted(line.box[0] for line in found(*cells)) == pytest.approx([40, 226], abs=3)


def test_tight_lines_whose_cores_touch_are_parted() -> None:
    lines = [LineShape.from_box(40, 60 + 15 * n, 500, 76 + 15 * n) for n in range(4)]
    assert len(found(*lines, blurred=True)) == 4


def test_a_leaning_line_comes_back_leaning() -> None:
    line = LineShape.from_box(60, 190, 540, 208).moved(rotation(0.06, center=(300, 200)))
    back = found(line)
    assert len(back) == 1
    assert back[0].angle == pytest.approx(0.06, abs=0.01)
    assert back[0].height == pytest.approx(line.height, abs=1.5)


def curved() -> LineShape:
    x = np.linspace(50, 550, 12)
    y = 200 + 25 * ((x - 300) / 250) ** 2
    return LineShape(np.stack([x, y - 9], 1), np.stack([x, y + 9], 1))


def test_a_curved_line_comes_back_curved() -> None:
    line = curved()
    back = found(line)
    assert len(back) == 1
    middle = np.interp(back[0].middle[:, 0], line.middle[:, 0], line.middle[:, 1])
    assert np.abs(middle - back[0].middle[:, 1])[1:-1].max() < 3


def test_pieces_of_a_broken_line_are_joined() -> None:
    line = LineShape.from_box(40, 60, 300, 78)
    detector = TruthDetector(line, width=SHAPE[1])

    class Broken:
        def maps(self, image: np.ndarray) -> PageMaps:
            maps = detector.maps(image)
            core = maps.core.copy()
            core[:, 40:43] = 0
            return dataclasses.replace(maps, core=core)

    back = find_lines(Broken(), np.full(SHAPE, 255, np.uint8), factor=1.0)
    assert len(back) == 1
    assert_same(back[0].shape, line)


def test_a_page_whose_letters_are_large_is_looked_at_smaller() -> None:
    lines = [LineShape.from_box(40, 40 + 90 * n, 560, 100 + 90 * n) for n in range(4)]
    detector = TruthDetector(*lines, width=SHAPE[1])
    back = find_lines(detector, np.full(SHAPE, 255, np.uint8))
    assert len(detector.factors) == 2
    assert detector.factors[1] == pytest.approx(16 / 60, rel=0.1)
    assert len(back) == 4
    for line, own in zip(back, lines, strict=True):
        assert_same(line.shape, own, off=12)


def test_an_empty_page_has_no_lines() -> None:
    assert found() == []
    assert found(factor=None) == []


def test_the_height_of_lines_is_guessed_from_letters() -> None:
    page = np.full((600, 800), 255, np.uint8)
    for row in range(10):
        cv2.putText(page, "some words of a text", (20, 50 + row * 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    assert 20 < estimated_line_height(page) < 60
    assert 20 < estimated_line_height(255 - page) < 60


def test_the_typical_height_is_that_of_most_of_the_text() -> None:
    title = FoundLine(LineShape.from_box(0, 0, 100, 50), 1.0)
    body = [FoundLine(LineShape.from_box(0, 60 + 20 * n, 400, 74 + 20 * n), 1.0) for n in range(3)]
    assert typical_height([title, *body]) == 14


def test_input_is_ink_on_paper_in_whole_multiples() -> None:
    ready = network_input(np.zeros((40, 33), np.uint8))
    assert ready.shape == (64, 64)
    assert (ready[0, 0], ready[50, 0]) == (1.0, 0.0)


class BlockMeans:
    """In place of a LiteRT interpreter: the mean of each cell of the input in all maps. Keeps the heights of inputs."""

    heights: ClassVar[list[int]] = []
    pixels: ClassVar[list[int]] = []

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def get_signature_runner(self) -> Callable[..., dict[str, np.ndarray]]:
        return self._run

    def _run(self, *, image: np.ndarray) -> dict[str, np.ndarray]:
        self.heights.append(image.shape[1])
        self.pixels.append(image.shape[1] * image.shape[2])
        _, rows, columns, _ = image.shape
        cells = image.reshape(rows // STRIDE, STRIDE, columns // STRIDE, STRIDE).mean(axis=(1, 3))[None, :, :, None]
        return {"probabilities": np.repeat(cells, 3, axis=-1), "heights": np.repeat(cells, 2, axis=-1)}


@pytest.mark.parametrize("rows", [512, 513, 600, 1030, 1031])
def test_a_large_page_goes_through_the_network_in_bands_with_the_same_maps(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "detector.tflite").touch()
    monkeypatch.setattr(detector, "Interpreter", BlockMeans)
    page = np.random.default_rng(0).integers(0, 255, (rows, 96)).astype(np.uint8)
    whole = LineDetector(tmp_path / "detector.tflite").maps(page)
    BlockMeans.heights.clear()
    monkeypatch.setattr(detector, "MAX_PIXELS_AT_ONCE", 96 * 512)
    banded = LineDetector(tmp_path / "detector.tflite").maps(page)
    assert max(BlockMeans.heights) <= 512
    for name, values in vars(whole).items():
        assert np.array_equal(getattr(banded, name), values), name


@pytest.mark.parametrize("columns", [512, 513, 1031])
def test_a_very_wide_page_goes_through_the_network_in_parts_side_by_side(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of 1000 x 40000 took a gigabyte: a band of it is as wide as the page, however few rows it has."""
    (tmp_path / "detector.tflite").touch()
    monkeypatch.setattr(detector, "Interpreter", BlockMeans)
    page = np.random.default_rng(0).integers(0, 255, (700, columns)).astype(np.uint8)
    whole = LineDetector(tmp_path / "detector.tflite").maps(page)
    BlockMeans.pixels.clear()
    monkeypatch.setattr(detector, "MAX_PIXELS_AT_ONCE", 1000)
    monkeypatch.setattr(detector, "MAX_COLUMNS", 512)
    parts = LineDetector(tmp_path / "detector.tflite").maps(page)
    assert max(BlockMeans.pixels) <= 512 * 512
    for name, values in vars(whole).items():
        assert np.array_equal(getattr(parts, name), values), name


def test_an_upright_line_is_cut_as_it_is() -> None:
    page = np.random.default_rng(0).integers(0, 255, (100, 200)).astype(np.uint8)
    cut = cut_line(page, LineShape.from_box(20, 30, 120, 50))
    assert np.array_equal(cut, page[28:52, 18:122])


def test_a_curved_line_is_straightened() -> None:
    page, line = np.full(SHAPE, 255, np.uint8), curved()
    cv2.polylines(page, [np.round(line.middle).astype(np.int32)], isClosed=False, color=0, thickness=3)
    cut = cut_line(page, line)
    dark = cut[:, 20:-20].argmin(axis=0)
    assert np.abs(dark - cut.shape[0] / 2).max() < 4


def test_a_cut_past_the_edge_of_the_page_ends_there() -> None:
    page = np.full((50, 100), 255, np.uint8)
    assert cut_line(page, LineShape.from_box(-10, 40, 140, 60)).shape == (12, 100)


def test_a_part_of_a_cut_lies_where_it_came_from() -> None:
    line = LineShape.from_box(100, 100, 300, 120)
    part = page_polygon(line, 0.5, 1.0)
    left, top = part.min(axis=0)
    right, bottom = part.max(axis=0)
    assert (left, top, right, bottom) == pytest.approx((200, 100, 302, 120), abs=2)
    turned = line.moved(rotation(0.3, center=(0, 0)))
    assert page_polygon(turned, 0.5, 1.0) == pytest.approx(moved_points(part, rotation(0.3, center=(0, 0))), abs=2)
