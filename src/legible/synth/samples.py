"""One sample of a kind, drawn from (seed, kind, number) alone."""

import dataclasses
import io
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.arrays import GreyImage
from legible.charset import REJECT, Charset
from legible.errors import DataError, NoInkError
from legible.synth.checks import hardly_any, some_text
from legible.synth.effects import draw_effects
from legible.synth.font_roles import fonts_of
from legible.synth.fonts import Font
from legible.synth.kinds.kind import Look
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.style import Drawing, Style, draw_hand_style, draw_style, draw_with_boxes
from legible.synth.texts.chinese import LANGUAGE, ChineseTexts
from legible.synth.texts.makers import Sources
from legible.synth.texts.rare import RareSigns
from legible.synth.texts.vocabulary import Vocabulary
from legible.synth.words import TRIES, Texts

KINDS = ("print", "handwriting", "strokes", *SAMPLE_KINDS)
"""The kinds of samples; the position of a kind is part of the seed of its samples."""
UNITS = ("words", "lines")
MAX_STYLES = 10
"""How many styles of a kind are tried for a sample before it is an error that they draw hardly any text."""
FOREIGN_TRIES = 3
"""How often signs outside the charset are drawn until a font has them."""


@dataclass(frozen=True)
class Job:
    """All that decides a run of samples."""

    seed: int
    kind: str
    unit: str
    styles: int
    strength: float
    effects: float
    boxes: bool
    kerning: bool
    names: bool
    flattening: float
    charset: Charset
    fonts: tuple[Font, ...]
    foreign: float = 0.0
    language: str = "en"


@dataclass(frozen=True)
class Drawn:
    """A drawn sample of a writer style: `image` as PNG bytes."""

    number: int
    style: int
    text: str
    height: int
    width: int
    boxes: tuple[tuple[float, ...] | None, ...]
    """Left, top, right and bottom of each character in pixels; None for spaces and what is cut off."""
    image: bytes


def draw_chunk(job: Job, start: int, stop: int) -> list[Drawn]:
    return [draw_sample(job, number) for number in range(start, stop)]


def draw_sample(job: Job, number: int) -> Drawn:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), UNITS.index(job.unit), number])
    style_number = int(rng.integers(job.styles))
    if job.kind in SAMPLE_KINDS:
        return _draw_kind(job, number, style_number, rng)
    style = _style(job, style_number)
    texts = texts_within(job.charset, job.names, job.flattening, job.language)
    text, drawing = draw_some(texts, rng, unit=job.unit, style=style)
    height, width = drawing.image.shape
    boxes = tuple(_rounded(box) for box in drawing.boxes) if job.boxes else ()
    return Drawn(number, style_number, text, height, width, boxes, _png(drawing.image))


def _rounded(box: npt.NDArray[np.float64]) -> tuple[float, ...] | None:
    return None if np.isnan(box).any() else tuple(round(float(side), 1) for side in box)


def draw_some(
    texts: Texts, rng: np.random.Generator, *, unit: str, style: Style, tries: int = TRIES
) -> tuple[str, Drawing]:
    """Draw a text of the style's characters that leaves ink, and return both. Raise DataError where hardly any does."""
    for _ in range(tries):
        text = some_text(texts, rng, unit=unit)
        if style.draws(text):
            with suppress(NoInkError):
                return text, draw_with_boxes(text, style, rng)
    raise DataError(hardly_any(style.name))


def _draw_kind(job: Job, number: int, style: int, rng: np.random.Generator) -> Drawn:
    """Draw a sample of a kind in the registry, in the next style where one leaves no ink: a thin face, very small."""
    sources, foreign = _sources(job.charset), job.foreign if SAMPLE_KINDS[job.kind].says_anything else 0
    for own in ((style + more) % job.styles for more in range(MAX_STYLES)):
        try:
            look = look_of(job, own)
            text, image = draw_one(job.kind, look, sources, rng, unit=job.unit, foreign=foreign)
        except DataError as error:
            failed = error
            continue
        height, width = image.shape
        return Drawn(number, own, text, height, width, (), _png(image))
    raise failed


def draw_one(
    name: str, look: Look, sources: Sources, rng: np.random.Generator, *, unit: str, foreign: float = 0.0
) -> tuple[str, GreyImage]:
    """Return the label and the image of a text of a registered kind. Raise DataError where hardly any can be drawn."""
    kind = SAMPLE_KINDS[name]

    def some() -> str:
        return kind.text(sources, rng, unit=unit, letters=look.letters)

    outside = rng.random() < foreign
    for attempt in range(TRIES):
        text = (outside and attempt < FOREIGN_TRIES and sources.rare.foreign(rng, look.letters)) or some()
        if look.draws(text) and not (unit == "lines" and "|" in text):  # which parts words in the tables
            with suppress(NoInkError):
                label = "".join(REJECT if character in sources.rare.outside else character for character in text)
                return label, kind.draw(text, look, some, rng)
    raise DataError(hardly_any(look.name))


@lru_cache(maxsize=4096)
def look_of(job: Job, number: int) -> Look:
    """Return the look of a style of a kind in the registry."""
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), len(UNITS), number])
    return SAMPLE_KINDS[job.kind].look(_fonts_by_role(job), rng)


@lru_cache(maxsize=32)
def _fonts_by_role(job: Job) -> dict[str, tuple[Font, ...]]:
    return {role: fonts_of(role, job.fonts) for role in SAMPLE_KINDS[job.kind].roles}


@lru_cache(maxsize=4)
def _sources(charset: Charset) -> Sources:
    return sources_of(charset)


def sources_of(charset: Charset) -> Sources:
    words = Vocabulary(charset)
    return Sources(words, RareSigns(words))


@lru_cache(maxsize=4096)
def _style(job: Job, number: int) -> Style:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), len(UNITS), number])
    if job.kind == "strokes":
        style = draw_hand_style(rng, strength=job.strength)
    else:
        style = draw_style(job.fonts, rng, strength=job.strength, kerned=job.kerning)
    return dataclasses.replace(style, effects=draw_effects(rng, strength=job.effects))


@lru_cache(maxsize=4)
def texts_within(charset: Charset, names: bool, flattening: float, language: str = "en") -> Texts:  # noqa: FBT001
    made = ChineseTexts if language == LANGUAGE else Texts
    return made(charset, names=names, flattening=flattening)


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
