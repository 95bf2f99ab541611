"""A kind of samples, and how one of its samples is drawn: set, surrounded, cut out, inked, spoilt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from legible.arrays import GreyImage, Light
from legible.errors import NoInkError
from legible.synth.composition import Crop, Surroundings, compose, crop_of
from legible.synth.faults import Faults
from legible.synth.font_roles import draw_font
from legible.synth.fonts import Font
from legible.synth.glyphs import InkLevels, Line, Setting, set_line
from legible.synth.texts.documents import NOTHING, Texts
from legible.synth.texts.makers import Sources, within_line

Rng = np.random.Generator
Finish = Callable[[InkLevels, Rng], InkLevels]
Lay = Callable[[InkLevels, Rng], Light]


NOTHING_AROUND, NO_FAULTS = Surroundings(), Faults()
MAX_THINNER = -0.5
MIN_INK = 90
"""The least ink of the darkest pixel, of 255."""
MIN_LIKENESS = 0.5
"""Chosen by eye: below it letters are lost in noise, holes or blur."""


def unchanged(coverage: InkLevels, rng: Rng) -> InkLevels:
    del rng
    return coverage


@dataclass(frozen=True)
class Tones:
    """The grey of paper and of ink; ink may be the brighter one."""

    paper: float = 255.0
    ink: float = 0.0

    def lay(self, coverage: InkLevels, rng: Rng) -> Light:
        del rng
        return self.paper + coverage.astype(np.float32) * np.float32((self.ink - self.paper) / 255)


@dataclass(frozen=True)
class Look:
    """A writer style: what stays the same in all that one printer, screen or painter makes."""

    setting: Setting
    crop: Crop
    scale: float = 1.0
    """The factor from the pixels in which letters are set to those of the image."""
    surroundings: Surroundings = NOTHING_AROUND
    press: Finish = unchanged
    """The function that changes the ink of the set line before it is cut out."""
    lay: Lay = field(default_factory=lambda: Tones().lay)
    """The function from coverage to light."""
    faults: Faults = NO_FAULTS
    allowed: str = ""
    """The only characters that it shows as they are; empty for all that the font draws."""

    @property
    def name(self) -> str:
        return self.setting.font.family

    @property
    def letters(self) -> frozenset[str]:
        return self.setting.font.characters

    def draws(self, text: str) -> bool:
        return self.setting.font.draws(text) and (not self.allowed or set(text) <= set(self.allowed))


@dataclass(frozen=True)
class SampleKind:
    """A kind of samples by name: the fonts it is set in, what it says, and how it looks."""

    name: str
    roles: Mapping[str, float]
    """The weights of the font roles (`synth.font_roles`)."""
    texts: Texts
    draw_look: Callable[[Font, Rng], Look]
    draw: Callable[[str, Look, Callable[[], str], Rng], GreyImage]
    """The function that draws a text with its look, and other texts around it."""
    rare: float = 0.18
    """The probability of a text around a rare character."""

    @property
    def says_anything(self) -> bool:
        """Whether its pictures hold text at all."""
        return self.texts is not NOTHING

    def look(self, fonts: Mapping[str, Sequence[Font]], rng: Rng) -> Look:
        return self.draw_look(draw_font(self.roles, fonts, rng), rng)

    def text(self, sources: Sources, rng: Rng, *, unit: str, letters: frozenset[str]) -> str:
        """Return a text of the kind, at times around a rare one of the letters that its font draws."""
        if rng.random() >= self.rare:
            return self.texts[unit == "lines"](sources, rng)
        text = sources.rare.text(rng, letters)
        return within_line(sources, text, rng) if unit == "lines" else text


def draw_line(text: str, look: Look, others: Callable[[], str], rng: Rng) -> GreyImage:
    """Draw a text among others."""
    line = set_line(text, look.setting, rng)
    pressed = Line(look.press(line.coverage, rng), line.baseline, line.ascent, line.descent, line.words)

    def neighbour() -> Line:
        for _ in range(5):
            other = others()
            if look.draws(other):
                try:
                    return set_line(other, look.setting, rng)
                except NoInkError:
                    continue
        return line

    canvas = compose(pressed, look.surroundings, neighbour, rng)
    return finished(crop_of(canvas, look.crop, look.scale, rng), look, rng)


def finished(coverage: InkLevels, look: Look, rng: Rng) -> GreyImage:
    """Return the image of ink and paper after its faults, or without them where no letter would be readable."""
    if coverage.max() < MIN_INK:
        raise NoInkError("a crop holds hardly any ink; set it thicker, or with more margin")
    light = look.lay(coverage, rng)
    spoilt = look.faults.apply(light.copy(), rng, height=letter_height(coverage))
    shown = spoilt if likeness(coverage, spoilt) >= MIN_LIKENESS else light
    return np.clip(shown, 0, 255).astype(np.uint8)


def letter_height(coverage: InkLevels) -> float:
    """Return about the height of the letters in pixels: the rows that hold half of the ink or more."""
    rows = coverage.sum(axis=1, dtype=np.float64)
    whole = float(rows.sum())
    return 2 * whole / max(float(rows.max()), 1.0)


def likeness(coverage: InkLevels, light: Light) -> float:
    """Return how much an image follows the intended ink, 0 to 1: the correlation of both, less their surroundings."""
    if light.shape != coverage.shape:
        light = np.asarray(cv2.resize(light, coverage.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    inked = cv2.GaussianBlur(coverage.astype(np.float32), (0, 0), 0.8)
    reach = (2 * (coverage.shape[0] // 3) + 1,) * 2
    a, b = (one - cv2.blur(one, reach, borderType=cv2.BORDER_REPLICATE) for one in (inked, light))
    norm = float(np.sqrt((a * a).sum(dtype=np.float64) * (b * b).sum(dtype=np.float64)))
    return abs(float((a * b).sum(dtype=np.float64))) / norm if norm else 0.0


def heavier(coverage: InkLevels, pixels: float) -> InkLevels:
    """Return thicker ink, by parts of a pixel; below 0 it is thinner, by at most half a pixel."""
    pixels = max(pixels, MAX_THINNER)
    if abs(pixels) < 0.05:
        return coverage
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    whole = int(abs(pixels))
    change = cv2.dilate if pixels > 0 else cv2.erode
    for _ in range(whole):
        coverage = np.asarray(change(coverage, kernel), np.uint8)
    part = abs(pixels) - whole
    return np.asarray(
        cv2.addWeighted(coverage, 1 - part, np.asarray(change(coverage, kernel), np.uint8), part, 0), np.uint8
    )
