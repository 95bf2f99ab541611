"""Segment displays and dots: counters, clocks, ink-jets on packages, matrix displays."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from legible.arrays import GreyImage
from legible.synth.composition import Crop, Surroundings, compose, crop_of
from legible.synth.faults import Fault, draw_faults
from legible.synth.fonts import Font, slug
from legible.synth.glyphs import InkLevels, Line, Setting, set_line
from legible.synth.kinds.kind import Look, Rng, SampleKind, Tones, draw_line, finished, heavier, unchanged
from legible.synth.kinds.paper import PHOTO, SCAN
from legible.synth.texts.documents import DOTS, SEGMENTS

SEVEN = "0123456789-:. "
"""The characters that seven segments show without doubt."""
GRIDS = {
    "press-start-2p": 8,
    "silkscreen": 8,
    "tiny5": 8,
    "micro-5": 11,
    "vt323": 16,
    "dotgothic16": 16,
    "jersey-10": 19,
    "jersey-15": 27,
}
"""The pixels of an em at which pixel fonts are drawn in whole pixels."""
GHOST = 0.5
"""The probability that segments which are off can be seen."""


def segment_look(font: Font, rng: Rng) -> Look:
    """Draw a look of segments: lit on dark, dark on the grey of a liquid crystal, or plain in a document."""
    size = int(rng.integers(28, 56))
    final = float(np.exp(rng.uniform(np.log(20), np.log(90))))
    chance = rng.random()
    if chance < 0.35:
        tones, faults = Tones(float(rng.uniform(0, 60)), float(rng.uniform(120, 255))), draw_faults(PHOTO, rng)
    elif chance < 0.65:
        paper = float(rng.uniform(90, 220))
        tones, faults = Tones(paper, paper * float(rng.uniform(0.1, 0.6))), draw_faults(PHOTO, rng)
    else:
        tones, faults = Tones(float(255 - rng.exponential(10)), float(rng.exponential(30))), draw_faults(SCAN, rng)
    glow = float(rng.uniform(0.5, 3)) if chance < 0.25 else 0.0
    return Look(
        setting=Setting(font, size, tracking=float(rng.uniform(0, 0.12)), kerned=False),
        crop=Crop(tight=0.7, margins=(0.0, float(rng.uniform(0.1, 0.5))), loose=0.1, degrees=1.5, stretch=0.12),
        scale=final / size,
        surroundings=Surroundings(box=0.15),
        press=partial(_glowing, glow=glow, pixels=float(rng.normal(0, 0.6))),
        lay=tones.lay,
        faults=faults,
        allowed=SEVEN if "dseg7" in font.family.lower() else "",
    )


def _glowing(coverage: InkLevels, rng: Rng, *, glow: float, pixels: float) -> InkLevels:
    del rng
    pressed = heavier(coverage, pixels)
    if not glow:
        return pressed
    return np.maximum(
        pressed, (np.asarray(cv2.GaussianBlur(pressed, (0, 0), 2 * glow), np.float32) * 0.7).astype(np.uint8)
    )


def draw_segments(text: str, look: Look, others: Callable[[], str], rng: Rng) -> GreyImage:
    """Draw a line of segments, sometimes with the segments that are off behind it."""
    line = set_line(text, look.setting, rng)
    if look.setting.font.family.lower().startswith("dseg") and rng.random() < GHOST:
        line = _with_ghost(text, line, look.setting, rng)
    pressed = Line(look.press(line.coverage, rng), line.baseline, line.ascent, line.descent, line.words)
    canvas = compose(pressed, look.surroundings, lambda: line, rng)
    del others
    return finished(crop_of(canvas, look.crop, look.scale, rng), look, rng)


def _with_ghost(text: str, line: Line, setting: Setting, rng: Rng) -> Line:
    """Draw each figure's place with all its segments, faint."""
    off = "".join(
        character if character in " .:" else ("8" if "dseg7" in setting.font.family.lower() else "~")
        for character in text
    )
    ghost = set_line(off, setting, rng)
    height, width = line.coverage.shape
    faint = np.zeros_like(line.coverage)
    own = ghost.coverage[:height, -width:] if ghost.coverage.shape[1] >= width else ghost.coverage[:height]
    faint[: own.shape[0], width - own.shape[1] :] = own
    level = float(rng.uniform(0.05, 0.25))
    return Line(
        np.maximum(line.coverage, (faint * level).astype(np.uint8)),
        line.baseline,
        line.ascent,
        line.descent,
        line.words,
    )


def dot_look(font: Font, rng: Rng) -> Look:
    """Draw a look of letters of separate dots: matrix printers, ink-jets, displays of lamps."""
    dotted = "doto" in font.family.lower() or "codystar" in font.family.lower() or "handjet" in font.family.lower()
    rows = GRIDS.get(slug(font.family), int(rng.integers(13, 20)))
    cell = int(rng.integers(4, 7))
    size = int(rng.integers(36, 70)) if dotted else rows
    final = float(np.exp(rng.uniform(np.log(18), np.log(80))))
    lamps = bool(rng.random() < 0.2)
    if lamps:
        tones = Tones(float(rng.uniform(0, 70)), float(rng.uniform(140, 255)))
    else:
        paper = float(255 - rng.exponential(35))
        tones = Tones(max(paper, 90), float(np.clip(paper - rng.uniform(70, 250), 0, 160)))
    faults = draw_faults(
        (Fault("eaten", 0.15, (0.1, 0.5)), Fault("faded", 0.2, (0.1, 0.7)), *(PHOTO if rng.random() < 0.6 else SCAN)),
        rng,
    )
    press = (
        unchanged
        if dotted
        else partial(_dots, cell=cell, radius=float(rng.uniform(0.28, 0.6)), stray=float(rng.uniform(0, 0.12)))
    )
    return Look(
        setting=Setting(font, size, bilevel=not dotted, tracking=float(rng.uniform(0, 0.1)), kerned=False),
        crop=Crop(tight=0.6, margins=(0.0, float(rng.uniform(0.1, 0.6))), loose=0.1, degrees=1.5, stretch=0.15),
        scale=final / (size if dotted else size * cell),
        surroundings=Surroundings(above=0.15, below=0.15) if dotted else Surroundings(),
        press=press,
        lay=tones.lay,
        faults=faults,
    )


def _dots(coverage: InkLevels, rng: Rng, *, cell: int, radius: float, stray: float) -> InkLevels:
    """Draw each pixel as a round dot of its own, a little out of its place."""
    rows, columns = np.nonzero(coverage)
    drawn = np.zeros((coverage.shape[0] * cell, coverage.shape[1] * cell), np.uint8)
    slips = rng.normal(0, stray * cell, (len(rows), 2))
    centers = np.rint((np.stack([columns, rows], axis=1) + 0.5) * cell * 16 + slips * 16).astype(int)
    size = round(radius * cell * 16)
    for x, y in centers.tolist():
        cv2.circle(drawn, (x, y), size, 255, -1, cv2.LINE_AA, shift=4)
    return drawn


def draw_dots(text: str, look: Look, others: Callable[[], str], rng: Rng) -> GreyImage:
    """Draw a line of dots. Letters whose pixels become dots grow, and with them all that was measured in pixels."""
    if look.press is unchanged:
        return draw_line(text, look, others, rng)
    line = set_line(text, look.setting, rng)
    dots = look.press(line.coverage, rng)
    by = dots.shape[0] // line.coverage.shape[0]
    grown = Line(
        dots, line.baseline * by, line.ascent * by, line.descent * by, tuple((a * by, b * by) for a, b in line.words)
    )
    canvas = compose(grown, look.surroundings, lambda: grown, rng)
    return finished(crop_of(canvas, look.crop, look.scale, rng), look, rng)


SEGMENT = SampleKind(
    "segments", {"segments": 0.75, "segments14": 0.25, "plain": 0.0001}, SEGMENTS, segment_look, draw_segments, rare=0.0
)
DOT = SampleKind(
    "dots", {"dots": 0.35, "pixel": 0.45, "mono": 0.2, "plain": 0.0001}, DOTS, dot_look, draw_dots, rare=0.05
)
