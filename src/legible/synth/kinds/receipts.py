"""Receipts: thermal and matrix printers, scanned or photographed."""

from functools import partial

import numpy as np

from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import Fault, draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import InkLevels, Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line, heavier
from legible.synth.kinds.paper import PHOTO, SCAN, final_height, tones
from legible.synth.texts.documents import RECEIPTS


def receipt_look(font: Font, rng: Rng) -> Look:
    """Draw a look of thermal and matrix printers: often in two levels, tall or wide letters, grey on grey."""
    bilevel = bool(rng.random() < 0.6)
    size = int(rng.integers(14, 30)) if bilevel else int(rng.integers(24, 44))
    final = final_height(rng, 12, 46)
    photo = bool(rng.random() < 0.5)
    paper = float(rng.uniform(120, 225)) if photo else float(255 - rng.exponential(14))
    ink = float(np.clip(paper - rng.uniform(60, 230), 0, 190))
    tall = float(rng.choice([1.0, 1.0, 1.0, 1.3, 1.3, 1.7, 0.75]))
    press = partial(
        _receipt_press,
        pixels=float(rng.normal(0.15, 0.4)),
        dots=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.25 else 0.0,
    )
    faults = draw_faults(
        (
            Fault("thermal", 0.15, (0.2, 0.8)),
            Fault("dead-dots", 0.08),
            Fault("faded", 0.15),
            Fault("eaten", 0.2, (0.1, 0.7)),
            *(PHOTO if photo else SCAN),
            Fault("two-levels", 0.06),
            Fault("halftone", 0.04),
        ),
        rng,
    )
    return Look(
        setting=Setting(
            font,
            size,
            bilevel=bilevel,
            tracking=float(max(rng.normal(0.01, 0.04), -0.03)),
            word_spacing=float(abs(rng.normal(0, 0.15))),
        ),
        crop=Crop(
            tight=0.6,
            margins=(-0.02, float(rng.uniform(0.1, 0.35))),
            loose=0.06,
            degrees=1.0 if photo else 0.4,
            width=1 / tall,
        ),
        scale=final / size,
        surroundings=Surroundings(
            above=0.5,
            below=0.5,
            beside=0.06,
            underline=0.02,
            strike=0.01,
            box=0.04,
            pale=0.01,
            tab=0.12,
            leading=float(rng.uniform(0.85, 1.3)),
        ),
        press=press,
        lay=partial(tones, paper=paper, ink=ink, uneven=float(rng.uniform(0, 0.5)) if rng.random() < 0.5 else 0.0),
        faults=faults,
    )


def _receipt_press(coverage: InkLevels, rng: Rng, *, pixels: float, dots: float) -> InkLevels:
    """Print thicker, and where asked for as separate dots of the print head."""
    pressed = heavier(coverage, pixels)
    if dots:
        grid = np.ones((2, 2), np.uint8) * 255
        grid[1, 1] = round(255 * (1 - dots))
        rows, columns = (-(-side // 2) for side in pressed.shape)
        pressed = np.minimum(pressed, np.tile(grid, (rows, columns))[: pressed.shape[0], : pressed.shape[1]])
    del rng
    return np.asarray(pressed, np.uint8)


RECEIPT = SampleKind(
    "receipts",
    {"receipt": 0.6, "pixel": 0.08, "mono": 0.15, "plain": 0.12, "condensed": 0.05},
    RECEIPTS,
    receipt_look,
    draw_line,
)
