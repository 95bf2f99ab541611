"""From colours and transparency to grey, so that text stays visible: red on green, white on nothing.

Grey is luminance, and transparent parts are white, unless that would hide most of the edges.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.arrays import Floats
from legible.image.strips import by_strips, strips

Conversion = Callable[[Image.Image], Image.Image]

TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
COLOURLESS = ("1", "L")
SAMPLE_SIDE = 512
"""Edges are measured on a copy with at most this many pixels a side."""
EDGE_PIXELS = 4096
"""Edges are measured in as many rows and columns of that copy as hold about this many pixels."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""The weights of red, green and blue (ITU-R BT.601)."""
MIN_LUMINANCE = 0.15
"""Edges in luminance with less than this fraction of the strength of coloured edges are hidden."""
MIN_ON_WHITE = 0.25
"""Edges on white with less than this fraction of the strength of edges on black are hidden."""


def grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return grey levels (H, W) of an image of eight bits a channel, by strips: copies of a large one cost memory."""
    if image.mode in COLOURLESS and "transparency" not in image.info:
        return by_strips(image, _luminance)
    opaque = _opaque(image)
    weights = _hidden_colours(image, opaque)
    if weights is None:
        return by_strips(image, lambda strip: _luminance(opaque(strip)))
    return by_strips(image, lambda strip: np.asarray(opaque(strip).convert("RGB").convert("L", weights)))


def _luminance(strip: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(strip if strip.mode == "L" else strip.convert("L"))


def _opaque(image: Image.Image) -> Conversion:
    """Return a function that lays a strip on white, or on black where the edges of the image show far better on it."""
    if image.mode not in TRANSPARENT and "transparency" not in image.info:
        return lambda strip: strip
    sample = _sample(image, lambda strip: strip.convert("RGBA"))
    strengths = [float(np.linalg.eigvalsh(_edges(_laid_on(sample, ground)))[-1]) for ground in ("white", "black")]
    ground = "white" if strengths[0] >= MIN_ON_WHITE * strengths[1] else "black"
    return lambda strip: _laid_on(strip.convert("RGBA"), ground)


def _laid_on(image: Image.Image, ground: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")


def _hidden_colours(image: Image.Image, opaque: Conversion) -> tuple[float, ...] | None:
    """Return weights of red, green and blue and an offset that show the edges which luminance hides, if it does.

    The direction in which colours change most at edges (Di Zenzo 1986), lighter being lighter where it can.
    """
    sample = _sample(image, lambda strip: opaque(strip).convert("RGB"))
    edges = _edges(sample)
    strengths, directions = np.linalg.eigh(edges)
    along = LUMINANCE / np.linalg.norm(LUMINANCE)
    if along @ edges @ along >= MIN_LUMINANCE * strengths[-1]:
        return None
    best = directions[:, -1] * (1 if along @ directions[:, -1] >= 0 else -1)
    values = np.asarray(sample, np.float64) @ best
    low, high = float(values.min()), float(values.max())
    gain = min(255 / max(high - low, 1.0), 1.0)
    return (*(float(weight) for weight in best * gain), 127.5 - gain * (low + high) / 2)


def _edges(image: Image.Image) -> Floats:
    """Return the sum (3, 3) of the products of the colour differences of neighbours, in some rows and columns."""
    pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32)
    step = max(pixels[0].size // EDGE_PIXELS, 1)
    across, down = np.diff(pixels[:, ::step]).reshape(3, -1), np.diff(pixels[:, :, ::step], axis=1).reshape(3, -1)
    return np.asarray(across @ across.T + down @ down.T, np.float64)


def _sample(image: Image.Image, convert: Conversion) -> Image.Image:
    """Return the image converted and made smaller, by blocks of pixels that no strip cuts."""
    factor = -(-max(image.size) // SAMPLE_SIDE)
    if factor <= 1:
        return convert(image)
    block = (min(factor, image.width), min(factor, image.height))
    parts = [convert(strip).reduce(block) for strip in strips(image, multiple=block[1])]
    sample = Image.new(parts[0].mode, (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        sample.paste(part, (0, top))
        top += part.height
    return sample
