"""Words drawn by several 'writers', each with size, ink, paper, noise and slant of their own, and observed."""

import string
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from legible.config import ReferenceParams
from legible.drift.calibrate import make_reference, rows_of
from legible.drift.reference import KINDS, Reference
from legible.observations.row import Observation, observe
from legible.reading import Reading

START = 1_763_700_000.0
WRITERS = 40


@cache
def words_drawn(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], ...]:
    """Grey images; image i is by writer i % WRITERS."""
    rng = np.random.default_rng(seed)
    return tuple(draw_word(_word(rng), writer=i % WRITERS, rng=rng) for i in range(count))


def draw_word(text: str, *, writer: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    hand = np.random.default_rng(writer)
    font = ImageFont.load_default(size=float(hand.uniform(20, 34)))
    ink, paper, noise, slant = hand.uniform(0, 90), hand.uniform(200, 250), hand.uniform(1, 8), hand.uniform(-0.3, 0.3)
    width = round(font.getlength(text)) + int(rng.integers(16, 40))
    image = Image.new("L", (width, 56), round(paper))
    ImageDraw.Draw(image).text((8, int(rng.integers(4, 12))), text, fill=round(ink), font=font)
    tilt = (1, slant, -28 * slant, 0, 1, 0)
    tilted = image.transform(
        image.size, Image.Transform.AFFINE, tilt, Image.Resampling.BILINEAR, fillcolor=round(paper)
    )
    noisy = np.asarray(tilted) + rng.normal(0, noise, (56, width))
    return noisy.clip(0, 255).astype(np.uint8)


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(string.ascii_letters), size=rng.integers(2, 11)))


def observed(images: tuple[npt.NDArray[np.uint8], ...], *, at: float = START, seed: int = 0) -> list[Observation]:
    """A row each, a second apart; what was 'read' is as long as the image and mostly certain."""
    rng = np.random.default_rng(seed)
    return [
        observe(
            image,
            Reading("x" * (image.shape[1] // 20), float(rng.beta(8, 1)), ()),
            channel="default",
            at=at + i,
            reading_id=f"r{i}",
            writer=f"w{i % WRITERS}",
        )
        for i, image in enumerate(images)
    ]


def section(*, budget: float = 0.001, resamples: int = 1000) -> ReferenceParams:
    return ReferenceParams(
        revision=1,
        false_alarms_per_window=budget,
        smallest_window=50,
        resamples=resamples,
        images=400,
        per_writer=10,
        rows=150,
    )


def reference_of(rows: list[Observation], *, budget: float = 0.001, resamples: int = 1000) -> Reference:
    return make_reference(
        {kind: rows_of(rows, kind) for kind in KINDS}, section(budget=budget, resamples=resamples), seed=1
    )


def inverted(images: tuple[npt.NDArray[np.uint8], ...]) -> tuple[npt.NDArray[np.uint8], ...]:
    return tuple(255 - image for image in images)
