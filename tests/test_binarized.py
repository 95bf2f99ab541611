import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from legible.arrays import GreyImage
from legible.image.binarized import MAX_PIXELS, softened
from legible.image.normalize import normalize


def drawn(text: str = "Hamburg", *, size: int = 36, margin: int = 12) -> GreyImage:
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), 250)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, font=font, fill=20)
    return np.asarray(image)


def far(one: GreyImage, other: GreyImage) -> float:
    """Mean difference of the model inputs, of equal shape, of two images."""
    a, b = normalize(one, height=32, stride=4), normalize(other, height=32, stride=4)
    assert a.shape == b.shape
    return float(np.abs(a - b).mean())


def test_gives_the_height_and_a_multiple_of_the_stride() -> None:
    x = normalize(drawn(), height=32, stride=4)
    assert x.shape[0] == 32
    assert x.shape[1] % 4 == 0
    assert x.dtype == np.float32


def test_ink_is_one_and_paper_is_zero() -> None:
    x = normalize(drawn(), height=32, stride=4)
    assert x.min() == 0
    assert x.max() > 0.95
    assert x.mean() < 0.5


def test_ink_fills_the_height() -> None:
    rows = np.flatnonzero(normalize(drawn(), height=32, stride=4).max(axis=1) > 0.5)
    assert rows[0] <= 2
    assert rows[-1] >= 29


@pytest.mark.parametrize("margin", [0, 3, 40, 200])
def test_margins_have_no_influence(margin: int) -> None:
    assert far(drawn(), np.pad(drawn(), margin, constant_values=250)) < 0.01


@pytest.mark.parametrize("margin", [500, 1500, 3000])
def test_nor_have_margins_of_whole_sheets(margin: int) -> None:
    sheet = np.pad(drawn(), margin, constant_values=250)
    assert sheet.size > MAX_PIXELS
    for seen in (sheet, 255 - sheet):
        assert far(drawn(), seen) < 0.01


def test_a_large_picture_of_a_word_is_reduced() -> None:
    large = np.kron(drawn(), np.ones((30, 30), np.uint8))
    assert large.size > 2 * MAX_PIXELS
    assert far(drawn(), large) < 0.04


def test_margins_of_another_white_hardly_matter() -> None:
    assert far(drawn(), np.pad(drawn(), 30, constant_values=255)) < 0.02


def test_light_on_dark_is_turned() -> None:
    assert far(drawn(), 255 - drawn()) < 0.01


def test_contrast_and_brightness_have_no_influence() -> None:
    faint = (drawn().astype(float) * 0.3 + 120).astype(np.uint8)
    assert far(drawn(), faint) < 0.02


def test_twice_the_size_looks_alike() -> None:
    small, large = (normalize(drawn(size=s), height=32, stride=4) for s in (30, 90))
    assert abs(small.shape[1] - large.shape[1]) <= 8


def resized(image: GreyImage, factor: float) -> GreyImage:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_an_image_in_another_size_gives_nearly_the_same_input(factor: float) -> None:
    assert far(drawn(), resized(drawn(), factor)) < 0.04


@pytest.mark.parametrize("shape", [(1000, 3), (3, 3000), (5, 90_000)])
def test_the_slenderest_ink_stays_within_the_widest_input(shape: tuple[int, int]) -> None:
    image = np.full((shape[0] + 8, shape[1] + 8), 255, np.uint8)
    image[4:-4, 4:-4] = 0
    x = normalize(image, height=32, stride=4)
    assert x.shape[0] == 32
    assert 8 <= x.shape[1] <= 4104


def test_the_first_version_looks_at_the_image_in_its_own_size() -> None:
    same, smaller = (normalize(image, height=32, stride=4, version=1) for image in (drawn(), resized(drawn(), 0.7)))
    assert same.shape[1] == normalize(drawn(), height=32, stride=4).shape[1]
    assert float(np.abs(same - smaller).mean()) > 0.06  # what the second version mends


def test_single_specks_of_noise_are_not_ink() -> None:
    image = np.pad(drawn(), 30, constant_values=250)
    speckled = image.copy()
    speckled[5, 5] = speckled[-6, 20] = 90
    assert far(image, speckled) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (9, 1), (40, 133)])
def test_softening_is_pillows_box_blur(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(softened(image), np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1))))


def test_a_dash_stays_a_dash() -> None:
    image = np.full((40, 60), 250, np.uint8)
    image[18:22, 10:50] = 20
    x = normalize(image, height=32, stride=4)
    assert np.count_nonzero(x.max(axis=1) > 0.5) < 16


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (3000, 1), (2, 2)])
def test_any_shape_comes_out(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for image in (noise, np.full(shape, 200, np.uint8)):
        x = normalize(image, height=32, stride=4)
        assert x.shape[0] == 32
        assert 8 <= x.shape[1] <= 4200
        assert np.isfinite(x).all()


def test_a_blank_image_gives_blank_input() -> None:
    assert normalize(np.full((50, 90), 240, np.uint8), height=32, stride=4).max() == 0


def test_an_image_one_pixel_wide_and_very_high_stays_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30_000, 1), np.uint8)
    assert normalize(noise, height=32, stride=4).size < 10_000
