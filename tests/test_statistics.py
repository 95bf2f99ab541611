import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage
from legible.image.statistics import DISCRETE, LONGEST_SIDE, STATISTICS, measure


def word(*, ink: int = 40, thick: int = 0) -> GreyImage:
    image = Image.new("L", (220, 64), 230)
    font = ImageFont.load_default(size=40)
    ImageDraw.Draw(image).text((14, 6), "Hamburg", font=font, fill=ink, stroke_width=thick)
    noise = np.random.default_rng(0).normal(0, 2, (64, 220))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def change(name: str, image: GreyImage) -> float:
    """How much a statistic of the drawn word rises when it becomes this image."""
    return measure(image)[name] - measure(word())[name]


def rotated(image: GreyImage, degrees: float) -> GreyImage:
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=230))


def noisy(image: GreyImage) -> GreyImage:
    return np.clip(image + np.random.default_rng(1).normal(0, 20, image.shape), 0, 255).astype(np.uint8)


def compressed(image: GreyImage, quality: int) -> GreyImage:
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


@pytest.mark.parametrize(
    ("name", "changed", "direction"),
    [
        ("laplacian", cv2.GaussianBlur(word(), (0, 0), 2), -1),
        ("gradient", cv2.GaussianBlur(word(), (0, 0), 2), -1),
        ("noise", noisy(word()), 1),
        ("entropy", noisy(word()), 1),
        ("brightness", 255 - word(), -1),
        ("paper_level", 255 - word(), -1),
        ("ink_share", 255 - word(), 1),
        ("range", word(ink=180), -1),
        ("contrast", word(ink=180), -1),
        ("stroke_width", word(thick=2), 1),
        ("ink_share", word(thick=2), 1),
        ("orientation", rotated(word(), 15), -1),
        ("coherence", noisy(word()), -1),
        ("ink_center_x", np.pad(word(), ((0, 0), (100, 0)), constant_values=230), 1),
        ("ink_center_y", np.pad(word(), ((0, 50), (0, 0)), constant_values=230), -1),
        ("height", np.pad(word(), ((0, 50), (0, 0)), constant_values=230), 1),
        ("border_contrast", word()[14:44, 30:180], 1),
        ("blockiness", compressed(word(), 45), 1),
        ("aspect_ratio", np.pad(word(), ((0, 50), (0, 0)), constant_values=230), -1),
    ],
)
def test_a_statistic_moves_with_what_it_is_named_after(name: str, changed: GreyImage, direction: int) -> None:
    assert change(name, changed) * direction > 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (30_000, 1), (2, 2), (3, 3), (2000, 1500)])
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_every_statistic_of_any_image_is_finite(shape: tuple[int, int], fill: str) -> None:
    image = np.full(shape, 0 if fill == "black" else 255, np.uint8)
    if fill == "noise":
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    values = measure(image)
    assert tuple(values) == STATISTICS
    assert np.isfinite(list(values.values())).all()


def test_flat_paper_has_no_ink() -> None:
    assert measure(np.full((40, 90), 200, np.uint8))["ink_share"] == 0


@pytest.mark.parametrize("quality", [30, 10, 5])
@pytest.mark.parametrize("begin", [(0, 0), (3, 5), (7, 1)])
def test_blockiness_is_seen_wherever_a_crop_begins(quality: int, begin: tuple[int, int]) -> None:
    image = compressed(word(), quality)[begin[0] :, begin[1] :]
    assert measure(image)["blockiness"] > measure(word())["blockiness"] + 0.1


def test_worse_compression_makes_more_blocks() -> None:
    found = [measure(compressed(word(), quality))["blockiness"] for quality in (95, 45, 16, 5)]
    assert found == sorted(found)


def test_a_large_image_is_not_shrunk_before_its_blocks_are_sought() -> None:
    large = compressed(np.tile(word(), (4, 9)), 10)
    assert max(large.shape) > 3 * LONGEST_SIDE
    assert measure(large)["blockiness"] > 0.3


def test_blocks_of_four_grey_levels_by_hand() -> None:
    """A step of 4 at each eighth boundary has third differences 4, 8, 4 about it: (8 + .25) / (8 / 7 + .25)."""
    blocks = np.repeat(np.tile([100, 104], 8), 8)
    image = np.broadcast_to(blocks.astype(np.uint8), (16, 128))
    assert measure(image)["blockiness"] == pytest.approx(math.log(8.25 / (8 / 7 + 0.25)), abs=0.02)


def test_the_contrast_of_a_border_does_not_ask_which_is_ink() -> None:
    cut = word()[14:44, 30:180]
    assert measure(255 - cut)["border_contrast"] == pytest.approx(measure(cut)["border_contrast"])


def test_discrete_statistics_are_statistics() -> None:
    assert set(STATISTICS) >= DISCRETE
