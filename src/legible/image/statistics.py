"""The image statistics: named numbers of one grey image, by which incoming images are compared with known ones.

They are measured on the image reduced to at most LONGEST_SIDE pixels a side; blockiness, which that would hide, on as
much of its middle. Grey levels go from 0 to 255. `docs/statistics.md` says what each is for.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.arrays import Float32s, GreyImage

LONGEST_SIDE = 512
LEVELS = 256
STATISTICS = (
    "height",
    "aspect_ratio",
    "brightness",
    "contrast",
    "range",
    "entropy",
    "paper_level",
    "ink_share",
    "stroke_width",
    "ink_center_x",
    "ink_center_y",
    "laplacian",
    "noise",
    "gradient",
    "orientation",
    "coherence",
    "border_contrast",
    "blockiness",
)
DISCRETE = frozenset({"height", "paper_level"})
"""The statistics with so few values that their rank is drawn at random among equal ones."""
BLOCK = 8
"""The side in pixels of the blocks that JPEG codes one by one."""
MIN_BLOCKS = 3
"""The fewest blocks in a direction that tell anything about blockiness."""
MAX_STEP = 16
"""A larger third difference, in grey levels, is an edge of the writing, and counts as this."""
FAINT = 0.25
"""A third difference, in grey levels, that is as good as none."""
FAINT_CONTRAST = 2.0
"""A standard deviation, in grey levels, that is as good as none."""

Steps = npt.NDArray[np.int16]
Counts = npt.NDArray[np.int64]


def measure(image: GreyImage) -> dict[str, float]:
    """Return every statistic of an image (H, W), finite whatever the image."""
    small = _shrunk(image)
    counts = np.bincount(small.ravel(), minlength=LEVELS)
    tones = _tones(counts, small.size)
    steps = _Steps.of(small)
    values = _sizes(image) | tones | _ink(small, counts) | _edges(steps)
    values["border_contrast"] = _border_deviation(small) / (tones["contrast"] + FAINT_CONTRAST)
    values["blockiness"] = _blockiness(steps if small is image else _Steps.of(_middle(image)))
    return {name: float(values[name]) for name in STATISTICS}


@dataclass(frozen=True)
class _Steps:
    """The first and second differences between neighbours of an image (H, W), along the rows and down the columns."""

    across: Steps
    """(H, W - 1)"""
    down: Steps
    second_across: Steps
    """(H, W - 2), or without columns"""
    second_down: Steps

    @staticmethod
    def of(image: GreyImage) -> "_Steps":
        x = image.astype(np.int16)
        across, down = x[:, 1:] - x[:, :-1], x[1:] - x[:-1]
        return _Steps(across, down, across[:, 1:] - across[:, :-1], down[1:] - down[:-1])


def _shrunk(image: GreyImage) -> GreyImage:
    factor = math.ceil(max(image.shape) / LONGEST_SIDE)
    if factor == 1:
        return image
    rows, columns = image.shape
    return np.asarray(Image.fromarray(image).reduce((min(factor, columns), min(factor, rows))))


def _sizes(image: GreyImage) -> dict[str, float]:
    rows, columns = image.shape
    return {"height": rows, "aspect_ratio": math.log(columns / rows)}


def _tones(counts: Counts, pixels: int) -> dict[str, float]:
    """Return the statistics of a histogram: mean, deviation, 2nd to 98th percentile, entropy (bits), commonest
    level.
    """
    fractions = counts / pixels
    levels = np.arange(LEVELS)
    mean = float(fractions @ levels)
    low, high = np.searchsorted(np.cumsum(fractions), (0.02, 0.98))
    seen = fractions[fractions > 0]
    return {
        "brightness": mean,
        "contrast": math.sqrt(max(float(fractions @ (levels - mean) ** 2), 0.0)),
        "range": float(high - low),
        "entropy": -float(seen @ np.log2(seen)),
        "paper_level": int(np.argmax(counts)),
    }


def _ink(image: GreyImage, counts: Counts) -> dict[str, float]:
    """Return the statistics of pixels darker than the middle between the darkest and the brightest hundredth.

    The stroke width is twice the area over the outline, as a fraction of the image's height.
    """
    hundredth = round((image.size - 1) * 0.01)
    low, high = np.searchsorted(np.cumsum(counts), (hundredth, image.size - 1 - hundredth), side="right")
    mask = image < (int(low) + int(high) + 1) // 2
    area = int(np.count_nonzero(mask))
    if area == 0:
        return {"ink_share": 0.0, "stroke_width": 0.0, "ink_center_x": 0.5, "ink_center_y": 0.5}
    rows, columns = mask.shape
    outline = int(np.count_nonzero(mask[1:] ^ mask[:-1])) + int(np.count_nonzero(mask[:, 1:] ^ mask[:, :-1]))
    by_row, by_column = mask.sum(axis=1, dtype=np.uint16), mask.sum(axis=0, dtype=np.uint16)
    return {
        "ink_share": area / mask.size,
        "stroke_width": 2 * area / max(outline, 1) / rows,
        "ink_center_x": float(by_column @ np.arange(0.5, columns)) / area / columns,
        "ink_center_y": float(by_row @ np.arange(0.5, rows)) / area / rows,
    }


def _edges(steps: _Steps) -> dict[str, float]:
    """Return the statistics of differences between neighbours.

    laplacian: logarithm of the variance of the five-point Laplacian, which blur lowers. noise: standard deviation by
    the mask of Immerkaer (1996). gradient: mean size. orientation and coherence: angle in radians and strength, 0 to 1,
    of the direction that most gradients have (structure tensor, Bigun and Granlund 1987).
    """
    if steps.second_across.size == 0 or steps.second_down.size == 0:
        return {"laplacian": 0.0, "noise": 0.0, "gradient": 0.0, "orientation": 0.0, "coherence": 0.0}
    across = steps.across[1:-1, 1:] + steps.across[1:-1, :-1]
    down = steps.down[1:, 1:-1] + steps.down[:-1, 1:-1]
    laplacian = (steps.second_across[1:-1] + steps.second_down[:, 1:-1]).astype(np.float32)
    mixed = steps.second_across[2:] + steps.second_across[:-2] - 2 * steps.second_across[1:-1]
    return {
        "laplacian": math.log1p(float(laplacian.var())),
        "noise": math.sqrt(math.pi / 2) / 6 * int(np.abs(mixed).sum(dtype=np.int32)) / mixed.size,
        **_direction(across.astype(np.float32).ravel(), down.astype(np.float32).ravel()),
    }


def _direction(across: Float32s, down: Float32s) -> dict[str, float]:
    xx, yy, xy = float(across @ across), float(down @ down), float(across @ down)
    spread = math.hypot(xx - yy, 2 * xy)
    return {
        "gradient": math.sqrt((xx + yy) / across.size) / 2,
        "orientation": 0.5 * math.atan2(2 * xy, xx - yy) if spread > 0 else 0.0,
        "coherence": spread / (xx + yy) if xx + yy > 0 else 0.0,
    }


def _border_deviation(image: GreyImage) -> float:
    """Return the standard deviation of the outermost rows and columns, which is large where ink is cut."""
    return float(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).std())


def _middle(image: GreyImage) -> GreyImage:
    """Return the middle of the image, at most LONGEST_SIDE pixels a side, at its own resolution."""
    top, left = (max(side - LONGEST_SIDE, 0) // 2 for side in image.shape)
    return image[top : top + LONGEST_SIDE, left : left + LONGEST_SIDE]


def _blockiness(steps: _Steps) -> float:
    """Return how much rougher an image is across every eighth boundary of pixels than across the others, as a
    logarithm.

    After Wang, Bovik and Evans (2000), who compare differences across the blocks of JPEG with those within them. The
    difference is the third, which a slope does not raise; of the eight places where the grid may begin it is the one
    that differs most, since a crop may begin anywhere. 0 of an image of less than three blocks either way.
    """
    across, within = 0.0, 0.0
    for second in (steps.second_down, steps.second_across.T):
        if len(second) + 2 >= MIN_BLOCKS * BLOCK:
            rough = np.sort(_roughness(second))
            across, within = across + float(rough[-1]), within + float(rough[:-1].mean())
    return math.log((across + FAINT) / (within + FAINT))


def _roughness(second: Steps) -> npt.NDArray[np.float64]:
    """Return the mean size (BLOCK,) of the third differences, by their position modulo BLOCK."""
    sizes = np.minimum(np.abs(second[1:] - second[:-1]), MAX_STEP)
    lines = sizes.sum(axis=1, dtype=np.int16)  # at most LONGEST_SIDE times MAX_STEP
    places = np.arange(len(lines)) % BLOCK
    return np.asarray(np.bincount(places, lines) / np.bincount(places) / sizes.shape[1], np.float64)
