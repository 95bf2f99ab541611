"""What the line detector is taught: maps of lines, pieces of pages, batches in a fixed order, exact resume."""

import dataclasses
import io
import json
import tarfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from legible.config import load_params
from legible.config.detector import DetectorParams, DetectorSource, load_detector_params
from legible.detection.detector import LineDetector
from legible.detection.geometry import LineShape
from legible.detection.maps import HEIGHT_UNIT
from legible.errors import DataError, SettingsError
from legible.synth.fonts import find_fonts
from legible.synth.pages.materials import Materials
from legible.synth.words import Texts
from legible.training.detector import learning_rate, train_detector
from legible.training.detector_batches import PieceSource, piece_pool
from legible.training.detector_pieces import cut_piece
from legible.training.detector_sources import joined_words, labelled_pages
from legible.training.detector_stage import archive_of, train_line_detector
from legible.training.detector_truth import TruePage, row_gaps, shortened, truth_maps

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
STILL = np.eye(3)


def page(*lines: LineShape, complete: bool = True) -> TruePage:
    return TruePage(np.full((64, 128), 255, np.uint8), lines, complete=complete)


def maps(true_page: TruePage) -> dict[str, np.ndarray]:
    names = ("core", "gap", "page", "above", "below", "known", "measured", "mapped")
    found = truth_maps(true_page, STILL, shape=(64, 128))
    return dict(zip(names, np.moveaxis(found, -1, 0), strict=True))


@lru_cache(maxsize=1)
def materials() -> Materials:
    fonts = find_fonts(PARAMS.fonts, root=PROJECT, characters=PARAMS.charset.characters)
    return Materials.of(fonts, Texts(PARAMS.charset.build()))


def small_source(**changes: object) -> PieceSource:
    source = PieceSource(1, materials(), (), drawn=1.0, pieces=2, side=64)
    return dataclasses.replace(source, **changes)


def test_the_core_is_the_middle_half_and_says_how_far_the_edges_are() -> None:
    found = maps(page(LineShape.from_box(8, 16, 120, 48)))
    middle = found["core"][:, 16]
    assert np.abs(middle - ([0.0] * 6 + [1.0] * 4 + [0.0] * 6)).max() < 0.3  # OpenCV fills up to a pixel more
    assert (found["above"][6, 16] * HEIGHT_UNIT, found["below"][6, 16] * HEIGHT_UNIT) == (10, 22)
    assert found["core"][8, 2] == 0  # it ends a little before the line


def test_the_core_of_a_line_whose_edges_differ_in_length_keeps_their_points_together() -> None:
    upper = np.array([[0, 0], [50, 5], [100, 0]], float)
    lower = np.array([[4, 20], [50, 25], [94, 20]], float)
    short = shortened(LineShape(upper, lower))
    assert short.upper.shape == short.lower.shape == (3, 2)
    assert short.length == pytest.approx(LineShape(upper, lower).length - 6, abs=0.5)


def test_between_two_cells_of_a_row_is_a_gap() -> None:
    found = maps(page(LineShape.from_box(0, 16, 48, 32), LineShape.from_box(80, 16, 128, 32)))
    assert found["gap"][5, 16] == 1
    assert found["core"][5, 16] == 0
    assert found["gap"][5, 4] == 0
    assert found["gap"][12, 16] == 0


def test_lines_below_each_other_have_no_gap() -> None:
    assert row_gaps([LineShape.from_box(0, 0, 48, 16), LineShape.from_box(60, 20, 100, 36)]) == []


def test_where_lines_are_listed_in_part_the_rest_is_unknown() -> None:
    found = maps(page(LineShape.from_box(8, 16, 120, 48), complete=False))
    assert found["known"][8, 16] == 1
    assert found["known"][14, 16] == 0


def test_a_line_too_small_to_see_is_neither_taught_nor_background() -> None:
    found = maps(page(LineShape.from_box(8, 16, 120, 20)))
    assert found["core"].max() == 0
    assert found["known"][4, 16] == 0
    assert found["known"][12, 16] == 1


def test_the_sheet_is_taught_only_where_its_corners_are_known() -> None:
    assert maps(page())["mapped"].max() == 0
    corners = np.array([[32, 0], [128, 0], [128, 64], [32, 64]], float)
    found = maps(dataclasses.replace(page(), corners=corners))
    assert found["page"][8, 4] == 0
    assert found["page"][8, 20] == 1


def test_a_piece_shows_the_line_that_its_maps_tell() -> None:
    image = np.full((1000, 1600), 255, np.uint8)
    image[500:515, 400:1200] = 0
    true = TruePage(image, (LineShape.from_box(400, 496, 1200, 519),))
    for seed in range(6):
        piece = cut_piece(true, np.random.default_rng(seed), side=128)
        core = piece.maps[..., 0] > 0.5
        cells = piece.image.reshape(32, 4, 32, 4).mean(axis=(1, 3))
        assert abs(cells[core].mean() - cells[piece.maps[..., 0] == 0].mean()) > 60


def test_words_of_a_row_join_to_lines_and_far_ones_do_not() -> None:
    words = [(0, 0, 30, 12), (36, 1, 60, 13), (200, 0, 240, 12), (0, 20, 30, 32)]
    boxes = sorted(line.box for line in joined_words(words))
    assert boxes == [(0, 0, 60, 13), (0, 20, 30, 32), (200, 0, 240, 12)]


def write_archive(path: Path, count: int, *, text: str = "x", mark: bytes = b"") -> None:
    png = io.BytesIO()
    Image.fromarray(np.full((40, 80), 255, np.uint8)).save(png, "PNG")
    rows = [{"image": f"images/{n}.png", "lines": [{"box": [5, 10, 70, 30], "text": text}]} for n in range(count)]
    contents = {"pages.jsonl": mark + "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()}
    contents |= {f"images/{n}.png": png.getvalue() for n in range(count)}
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_pages_of_other_splits_are_kept_out(tmp_path: Path) -> None:
    write_archive(tmp_path / "some.tar", 24)
    by_split = {
        split: {found.name for found in labelled_pages(tmp_path / "some.tar", lists="all", splits=(split,))}
        for split in ("train", "tune", "validation")
    }
    assert [len(names) for names in by_split.values()] == [13, 1, 10]
    assert len(set.union(*by_split.values())) == 24


def test_a_labelled_page_opens_with_its_lines(tmp_path: Path) -> None:
    write_archive(tmp_path / "some.tar", 4)
    opened = labelled_pages(tmp_path / "some.tar", lists="some", splits=("train", "tune"))[0].opened()
    assert opened.lines[0].box == (5, 10, 70, 30)
    assert opened.image.shape == (40, 80)
    assert (opened.complete, opened.measured, opened.corners) == (False, True, None)


def test_an_index_that_can_be_added_is_read_for_the_detector_too(tmp_path: Path) -> None:
    write_archive(tmp_path / "some.tar", 4, text="one\u2028two", mark=b"\xef\xbb\xbf")
    assert len(labelled_pages(tmp_path / "some.tar", lists="all", splits=("train", "tune", "validation"))) == 4


def test_an_archive_without_an_index_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "none.tar", "w"):
        pass
    with pytest.raises(DataError, match=r"no pages\.jsonl in it"):
        labelled_pages(tmp_path / "none.tar", lists="all", splits=("train",))


def test_batches_are_the_same_whoever_cuts_them_and_other_in_the_next_epoch() -> None:
    with piece_pool(small_source(), workers=0) as pool:
        first, again, later = (list(pool.batches(epoch, pages=3, size=2)) for epoch in (0, 0, 1))
    assert len(first) == 3
    assert all(np.array_equal(a.images, b.images) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].images, later[0].images)


@pytest.mark.slow
def test_processes_cut_the_same_batches() -> None:
    with piece_pool(small_source(), workers=0) as here, piece_pool(small_source(), workers=1) as there:
        pairs = zip(here.batches(0, pages=3, size=2), there.batches(0, pages=3, size=2), strict=True)
        assert all(np.array_equal(a.images, b.images) and np.array_equal(a.maps, b.maps) for a, b in pairs)


@pytest.mark.slow
def test_a_resumed_training_ends_with_the_weights_of_one_that_ran_through(tmp_path: Path) -> None:
    recipe = DetectorParams(size="micro", epochs=2, epoch_pages=2, batch=2, tune_pages=1)
    with piece_pool(small_source(), workers=0) as pool:
        through = train_detector(recipe, pool, pool, folder=tmp_path / "a", pages="drawn")
        train_detector(recipe, pool, pool, folder=tmp_path / "b", pages="drawn", stop_after=1)
        resumed = train_detector(recipe, pool, pool, folder=tmp_path / "b", pages="drawn")
    pairs = zip(through.get_weights(), resumed.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    history = json.loads((tmp_path / "b/checkpoint/state.json").read_text(encoding="utf-8"))["history"]
    assert [line["epoch"] for line in history] == [1, 2]


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = DetectorParams(learning_rate=1.0)
    assert learning_rate(0.0, recipe) < learning_rate(0.015, recipe) < learning_rate(0.03, recipe)
    assert learning_rate(0.03, recipe) == pytest.approx(1.0)
    assert learning_rate(1.0, recipe) == pytest.approx(0.0, abs=1e-9)


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    with (
        piece_pool(small_source(), workers=0) as pool,
        pytest.raises(SettingsError, match="'huge'; sizes: micro, base"),
    ):
        train_detector(DetectorParams(size="huge"), pool, pool, folder=tmp_path, pages="drawn")


def test_the_shipped_parameters_are_valid_and_a_typo_is_named(tmp_path: Path) -> None:
    shipped = load_detector_params(PROJECT / "params/detector.yaml")
    assert shipped.sources["oldbooks"] == DetectorSource("some", 1.2, "public domain")
    (tmp_path / "detector.yaml").write_text("epoch: 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"detector\.epoch"):
        load_detector_params(tmp_path / "detector.yaml")


def test_a_side_that_does_not_halve_evenly_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"detector\.side is 300; a multiple of 32"):
        DetectorParams(side=300)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no archive of the source forms \(looked for forms\.tar"):
        archive_of(tmp_path, "forms")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_the_stage_trains_on_an_archive_and_leaves_a_model(tmp_path: Path) -> None:
    write_archive(tmp_path / "forms.tar", 24)
    params = DetectorParams(
        size="micro",
        epochs=1,
        epoch_pages=2,
        pieces=2,
        side=64,
        batch=2,
        tune_pages=1,
        sources={"forms": DetectorSource()},
    )
    train_line_detector(params, root=tmp_path, pages=tmp_path, folder=tmp_path / "out")
    described = json.loads((tmp_path / "models/detector/description.json").read_text())
    assert (described["epochs"], described["sources"]) == (1, {"forms": "not stated"})
    assert (tmp_path / "models/detector/detector.tflite").read_bytes() == (
        tmp_path / "out/detector.tflite"
    ).read_bytes()
    assert LineDetector(tmp_path / "out/detector.tflite").maps(np.zeros((64, 64), np.uint8)).core.shape == (16, 16)
