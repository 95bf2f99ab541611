"""Text on screens: set to whole pixels, small, on dark and light themes, with words selected or paler than others."""

from functools import partial

import cv2
import numpy as np

from legible.arrays import Light
from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import Fault, Faults, draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import InkLevels, Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line
from legible.synth.texts.documents import SCREENS

SHOT = (
    Fault("jpeg", 0.2, (0.1, 0.8)),
    Fault("low-resolution", 0.12),
    Fault("blur", 0.08, (0.1, 0.4)),
    Fault("gamma", 0.1),
    Fault("low-contrast", 0.08, (0.2, 0.9)),
)
PHOTOGRAPHED = (
    Fault("gradient", 0.3),
    Fault("blur", 0.5),
    Fault("noise", 0.4, (0.05, 0.5)),
    Fault("jpeg", 0.5),
    Fault("low-light", 0.2),
    Fault("motion", 0.1),
    Fault("defocus", 0.1),
    Fault("uneven-contrast", 0.2),
)
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of red, green and blue in grey."""


def screen_look(font: Font, rng: Rng) -> Look:
    size = int(
        rng.choice(
            [8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24, 28, 32, 40],
            p=np.array([3, 5, 7, 9, 11, 11, 11, 9, 9, 7, 5, 5, 4, 2, 2]) / 100,
        )
    )
    dark = bool(rng.random() < 0.35)
    ground = float(rng.uniform(0, 70)) if dark else float(255 - rng.exponential(10))
    text = (
        float(np.clip(ground + rng.uniform(60, 255), 0, 255))
        if dark
        else float(np.clip(ground - rng.uniform(60, 255), 0, 255))
    )
    chance = rng.random()
    scaled = chance < 0.2
    faults = draw_faults(PHOTOGRAPHED, rng) if chance > 0.9 else draw_faults(SHOT, rng) if chance < 0.55 else Faults()
    subpixel = bool(rng.random() < 0.3) and not scaled
    return Look(
        setting=Setting(
            font, size, bilevel=bool(rng.random() < 0.08), tracking=float(rng.choice([0.0, 0.0, 0.0, 0.03]))
        ),
        crop=Crop(
            tight=0.4,
            margins=(0.0, float(rng.uniform(0.1, 0.7))),
            loose=0.15,
            degrees=0.0 if not scaled else 0.2,
            stretch=0.0,
        ),
        scale=float(rng.choice([0.75, 1.25, 1.5, 2.0, 3.0])) if scaled else 1.0,
        surroundings=Surroundings(
            above=0.08,
            below=0.08,
            beside=0.03,
            underline=0.06,
            strike=0.02,
            box=0.12,
            pale=0.14,
            selected=0.1,
            tab=0.08,
            leading=float(rng.uniform(1.0, 1.6)),
        ),
        lay=partial(_lit, ground=ground, text=text, subpixel=subpixel),
        faults=faults,
    )


def _lit(coverage: InkLevels, rng: Rng, *, ground: float, text: float, subpixel: bool) -> Light:
    """Return the grey of what colours show.

    With subpixels, red is a third of a pixel to the left of green, blue to the right.
    """
    inked = coverage.astype(np.float32)
    if subpixel:
        blurred = np.asarray(cv2.blur(inked, (3, 1)), np.float32)
        shifted = [np.roll(blurred, step, axis=1) for step in (-1, 0, 1)]
        third = [(2 * blurred + shifted[0]) / 3, blurred, (2 * blurred + shifted[2]) / 3]
        inked = 0.4 * inked + 0.6 * sum(weight * one for weight, one in zip(WEIGHTS, third, strict=True))
    del rng
    return np.asarray(ground + inked * np.float32((text - ground) / 255), np.float32)


SCREEN = SampleKind(
    "screens",
    {"screen": 0.6, "mono": 0.25, "plain": 0.08, "pixel": 0.04, "thin": 0.03},
    SCREENS,
    screen_look,
    draw_line,
)
