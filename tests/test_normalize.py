"""Version 3 of the preparation: what hardly matters to it, and what it keeps."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage
from legible.image.normalize import MAX_COLUMNS, normalize

Columns = npt.NDArray[np.float32]
PAPER, INK = 250, 20


def prepared(image: GreyImage, *, height: int = 32) -> Columns:
    return normalize(image, height=height, stride=4, version=3)


def drawn(text: str = "Hamburg", *, size: int = 36, margin: int = 12, ink: int = INK) -> GreyImage:
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), PAPER)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, font=font, fill=ink)
    return np.asarray(image)


def line(text: str, *, size: int = 36) -> GreyImage:
    """As a line is cut out of a page: from above the capitals to below the feet of letters, whatever is written."""
    font = ImageFont.load_default(size=size)
    image = Image.new("L", (int(font.getlength(text)) + size, round(1.4 * size)), PAPER)
    ImageDraw.Draw(image).text((size // 2, round(0.1 * size)), text, font=font, fill=INK)
    return np.asarray(image)


def far(one: GreyImage, other: GreyImage) -> float:
    """Mean difference of the model inputs of two images, the wider one squeezed to the width of the other."""
    a, b = prepared(one), prepared(other)
    assert abs(a.shape[1] - b.shape[1]) <= 8
    if a.shape != b.shape:
        b = np.asarray(Image.fromarray(b).resize((a.shape[1], a.shape[0]), Image.Resampling.BILINEAR))
    return float(np.abs(a - b).mean())


def rows_of_ink(columns: Columns) -> tuple[int, int]:
    rows = np.flatnonzero(columns.max(axis=1) > 0.5)
    return int(rows[0]), int(rows[-1]) + 1


def resized(image: GreyImage, factor: float) -> GreyImage:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("height", [32, 40, 48])
def test_gives_the_height_and_a_multiple_of_the_stride(height: int) -> None:
    x = prepared(drawn(), height=height)
    assert x.shape[0] == height
    assert x.shape[1] % 4 == 0
    assert x.dtype == np.float32


def test_ink_is_one_and_paper_is_zero() -> None:
    x = prepared(drawn())
    assert x.min() == 0
    assert x.max() == 1
    assert np.count_nonzero(x > 0.02) < 0.5 * x.size


def test_the_text_takes_most_of_the_height_and_paper_is_seen_above_and_below() -> None:
    top, bottom = rows_of_ink(prepared(drawn()))
    assert 1 <= top <= 5
    assert 27 <= bottom <= 31


@pytest.mark.parametrize("margin", [0, 3, 40, 200])
def test_margins_hardly_matter(margin: int) -> None:
    assert far(drawn(), np.pad(drawn(), margin, constant_values=PAPER)) < 0.03


@pytest.mark.parametrize("margin", [500, 1500, 3000])
def test_nor_do_margins_of_whole_sheets(margin: int) -> None:
    sheet = np.pad(drawn(), margin, constant_values=PAPER)
    for seen in (sheet, 255 - sheet):
        assert far(drawn(), seen) < 0.05


def test_light_on_dark_is_turned() -> None:
    assert far(drawn(), 255 - drawn()) < 0.01


def test_contrast_and_brightness_hardly_matter() -> None:
    faint = (drawn().astype(float) * 0.3 + 120).astype(np.uint8)
    assert far(drawn(), faint) < 0.03


@pytest.mark.parametrize("factor", [0.7, 1.5, 4.0])
def test_an_image_in_another_size_gives_nearly_the_same_input(factor: float) -> None:
    assert far(drawn(), resized(drawn(), factor)) < 0.04


def side_by_side(*images: GreyImage) -> GreyImage:
    height = max(image.shape[0] for image in images)
    same = [np.pad(image, ((0, height - image.shape[0]), (0, 0)), constant_values=PAPER) for image in images]
    return np.concatenate(same, axis=1)


def test_a_pale_word_beside_a_dark_one_is_kept_and_darkened() -> None:
    x = prepared(side_by_side(drawn("NOT", ink=190), drawn("quantity")))
    assert x.shape[1] > prepared(drawn("quantity")).shape[1] * 1.3
    assert x[:, : x.shape[1] // 4].max() > 0.7


def test_a_shadow_over_half_of_the_image_is_taken_out() -> None:
    shaded = drawn("Hamburg").astype(float)
    shaded[:, shaded.shape[1] // 2 :] *= 0.55
    assert far(drawn("Hamburg"), shaded.astype(np.uint8)) < 0.06


def test_light_that_fades_across_the_image_is_taken_out() -> None:
    faded = drawn() * np.linspace(1, 0.35, drawn().shape[1])
    assert far(drawn(), faded.astype(np.uint8)) < 0.06


@pytest.mark.parametrize(("row", "column"), [(4, 6), (-5, -7), (4, -7)])
def test_a_speck_far_away_does_not_shrink_the_text(row: int, column: int) -> None:
    image = np.pad(drawn(), 40, constant_values=PAPER)
    speckled = image.copy()
    speckled[row : row + 2 or None, column : column + 2 or None] = INK
    assert far(image, speckled) < 0.02


def ruled(image: GreyImage, kind: str) -> GreyImage:
    image = image.copy()
    sides = {"above": image[3:5], "below": image[-5:-3], "left": image[:, :2], "right": image[:, -2:]}
    for side in sides if kind == "all around" else [kind]:
        sides[side][:] = INK
    return image


@pytest.mark.parametrize("kind", ["above", "below", "left", "right", "all around"])
def test_a_rule_or_the_edge_of_a_scan_does_not_shrink_the_text(kind: str) -> None:
    image = np.pad(drawn("hghghghg"), 12, constant_values=PAPER)
    assert prepared(ruled(image, kind)).shape[1] < prepared(image).shape[1] * 1.35
    assert rows_of_letters(ruled(image, kind)) == pytest.approx(rows_of_letters(image), abs=2)


def rows_of_letters(image: GreyImage) -> tuple[int, int]:
    """Of the middle half, where no upright rule is."""
    x = prepared(image)
    rows = np.flatnonzero((x[:, x.shape[1] // 4 : -x.shape[1] // 4] > 0.5).mean(axis=1) > 0.05)
    rows = rows[(rows > 1) & (rows < 30)]
    return int(rows[0]), int(rows[-1]) + 1


def test_a_frame_around_text_does_not_shrink_it() -> None:
    image = np.pad(drawn("hghghghg"), 14, constant_values=PAPER)
    framed = image.copy()
    for side in (framed[4:6], framed[-6:-4], framed[:, 4:6], framed[:, -6:-4]):
        side[:] = INK
    assert rows_of_letters(framed) == pytest.approx(rows_of_letters(image), abs=2)


def test_the_feet_of_a_neighbouring_line_do_not_shrink_the_text() -> None:
    image = np.pad(drawn(), ((12, 0), (0, 0)), constant_values=PAPER)
    crowded = image.copy()
    crowded[:7, 20:28] = crowded[:5, 90:96] = INK
    assert rows_of_ink(prepared(crowded)[8:]) == pytest.approx(rows_of_ink(prepared(image)[8:]), abs=2)


@pytest.mark.parametrize("text", ["iii", "Ää", "a,", "f_g", "'a'", "Q:"])
def test_accents_dots_and_commas_are_not_cropped(text: str) -> None:
    x = prepared(np.pad(drawn(text), 10, constant_values=PAPER))
    for side in (x[0], x[-1], x[:, 0], x[:, -1]):
        assert side.max() < 0.1


def test_a_far_column_of_the_same_line_is_kept() -> None:
    gap = np.full((60, 300), PAPER, np.uint8)
    x = prepared(side_by_side(drawn("Total"), gap, drawn("318.11")))
    assert x[:, -24:].max() > 0.9
    assert x[:, :24].max() > 0.9


def test_a_tall_letter_at_the_edge_of_a_tight_image_is_kept() -> None:
    image = side_by_side(drawn("oo", margin=0), drawn("oo", margin=0))
    stem = np.full((round(image.shape[0] * 1.5), 4), INK, np.uint8)
    body = np.pad(image, ((len(stem) - len(image), 0), (6, 0)), constant_values=PAPER)
    x = prepared(np.concatenate([stem, body], axis=1))
    bar = x[:, :16].max(axis=1)
    assert np.count_nonzero(bar > 0.5) > 20
    assert bar[0] < 0.5


def test_an_underscore_that_is_longer_than_the_word_before_it_is_kept() -> None:
    x = prepared(line("Name: ____________"))
    assert x[:, -24:].max() > 0.8


def test_a_full_stop_is_kept_at_the_end() -> None:
    x = prepared(drawn("end."))
    stop = x[:, -20:]
    assert stop[-12:].max() > 0.8


def height_of(columns: Columns) -> int:
    top, bottom = rows_of_ink(columns)
    return bottom - top


@pytest.mark.parametrize(("small", "large"), [("c", "C"), ("x", "X"), ("o", "O"), ("s", "S"), ("v", "V"), ("z", "Z")])
def test_a_lone_small_letter_is_smaller_than_its_capital_where_the_line_is_in_view(small: str, large: str) -> None:
    assert height_of(prepared(line(small))) < 0.85 * height_of(prepared(line(large)))


def middle_of(columns: Columns) -> float:
    rows = columns.sum(axis=1)
    return float(rows @ np.arange(len(rows)) / rows.sum())


@pytest.mark.parametrize(("low", "high"), [(".", "'"), (",", "'"), ("_", "-")])
def test_signs_keep_their_place_in_the_line(low: str, high: str) -> None:
    assert middle_of(prepared(line(low))) > middle_of(prepared(line(high))) + 4


def test_a_lone_letter_without_margins_fills_the_height() -> None:
    assert height_of(prepared(drawn("x", margin=0))) >= 22


def test_a_dash_stays_a_dash() -> None:
    assert height_of(prepared(drawn("-", margin=10))) < 14


@pytest.mark.parametrize("margin", [0, 1, 3])
def test_a_speck_alone_is_shown(margin: int) -> None:
    image = np.full((3 + 2 * margin, 3 + 2 * margin), PAPER, np.uint8)
    image[margin : margin + 3, margin : margin + 3] = INK
    image[0, 0] = PAPER
    x = prepared(image)
    assert np.isfinite(x).all()


def test_two_lines_are_both_in_view() -> None:
    one = drawn("Sprice per")
    x = prepared(np.concatenate([one, np.resize(drawn("kilogram"), one.shape)]))
    assert x.max() == 1


@pytest.mark.parametrize("level", [0, 3, 128, 240, 255])
def test_a_blank_image_gives_blank_input(level: int) -> None:
    assert not prepared(np.full((50, 90), level, np.uint8)).any()


def test_the_noise_of_a_sensor_is_blank() -> None:
    noise = np.random.default_rng(0).normal(200, 3, (60, 200)).round().clip(0, 255).astype(np.uint8)
    assert not prepared(noise).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (3000, 1), (2, 2), (7, 3), (1, 8), (300, 2)])
def test_any_shape_comes_out(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for image in (noise, np.full(shape, 200, np.uint8), noise // 128 * 255):
        x = prepared(image)
        assert x.shape[0] == 32
        assert 8 <= x.shape[1] <= MAX_COLUMNS + 4
        assert np.isfinite(x).all()


@pytest.mark.parametrize("shape", [(1000, 3), (3, 3000), (5, 90_000)])
def test_the_slenderest_ink_stays_within_the_widest_input(shape: tuple[int, int]) -> None:
    image = np.full((shape[0] + 8, shape[1] + 8), 255, np.uint8)
    image[4:-4, 4:-4] = 0
    assert 8 <= prepared(image).shape[1] <= MAX_COLUMNS + 4


def test_the_same_image_gives_the_same_bytes() -> None:
    noisy = np.clip(drawn() + np.random.default_rng(3).normal(0, 20, drawn().shape), 0, 255).astype(np.uint8)
    assert prepared(noisy).tobytes() == prepared(noisy.copy()).tobytes()


def test_the_image_itself_is_left_as_it_was() -> None:
    image = 255 - drawn()
    before = image.copy()
    prepared(image)
    assert np.array_equal(image, before)


def test_salt_and_pepper_does_not_shrink_the_text() -> None:
    image = np.pad(drawn(), 20, constant_values=PAPER)
    rng = np.random.default_rng(1)
    speckled = np.where(rng.random(image.shape) < 0.02, rng.choice([0, 255], image.shape), image).astype(np.uint8)
    assert height_of(prepared(speckled)[:, 40:80]) >= 20
