"""Colours and transparency -> grey, so that text stays visible: red on green, white on nothing.

Grey is luminance and what shows through is white, as everywhere, unless that would hide most of the edges.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Float = npt.NDArray[np.float64]

TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
COLOURLESS = ("1", "L")
SAMPLE_SIDE = 512
"""Edges are measured on a copy of at most so many pixels a side."""
EDGE_PIXELS = 4096
"""And in so many rows and columns of it that they hold about so many pixels."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue (ITU-R BT.601)."""
MIN_LUMINANCE = 0.15
"""Fraction of the strength of coloured edges below which they are hidden in luminance."""
MIN_ON_WHITE = 0.25
"""Fraction of the strength that edges have on black below which they are hidden on white."""


def grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return grey levels (H, W) of an image of eight bits a channel."""
    if image.mode in COLOURLESS and "transparency" not in image.info:
        return np.asarray(image.convert("L"))
    if image.mode in TRANSPARENT or "transparency" in image.info:
        image = _on_ground(image.convert("RGBA"))
    weights = _hidden_colours(image)
    if weights is None:
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB").convert("L", weights))


def _on_ground(image: Image.Image) -> Image.Image:
    """Lay an RGBA image on white, or on black where its edges show far better on that."""
    sample = _sample(image)
    strengths = [float(np.linalg.eigvalsh(_edges(_laid_on(sample, ground)))[-1]) for ground in ("white", "black")]
    return _laid_on(image, "white" if strengths[0] >= MIN_ON_WHITE * strengths[1] else "black")


def _laid_on(image: Image.Image, ground: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")


def _hidden_colours(image: Image.Image) -> tuple[float, ...] | None:
    """Return weights of red, green and blue and an offset that show the edges which luminance hides, if it does.

    The direction in which colours change most at edges (Di Zenzo 1986), lighter being lighter where it can.
    """
    sample = _sample(image.convert("RGB"))
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


def _edges(image: Image.Image) -> Float:
    """Return the sum (3, 3) of the products of the colour differences of neighbours, in some rows and columns."""
    pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32)
    step = max(pixels[0].size // EDGE_PIXELS, 1)
    across, down = np.diff(pixels[:, ::step]).reshape(3, -1), np.diff(pixels[:, :, ::step], axis=1).reshape(3, -1)
    return np.asarray(across @ across.T + down @ down.T, np.float64)


def _sample(image: Image.Image) -> Image.Image:
    factor = -(-max(image.size) // SAMPLE_SIDE)
    return image.reduce((min(factor, image.width), min(factor, image.height))) if factor > 1 else image
