"""Typescripts: letters of one width through an inked ribbon."""

from functools import partial

import cv2
import numpy as np

from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import Fault, draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import InkLevels, Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line, heavier
from legible.synth.kinds.paper import COPY, PHOTO, SCAN, final_height, tones
from legible.synth.paper import smooth_noise
from legible.synth.texts.documents import TYPED

FADED = 128
"""Softened ink paler than this, of 255, is left as it was."""


def typescript_look(font: Font, rng: Rng) -> Look:
    """Draw a look of a typewriter: letters of one width that leave the line, some pressed harder, filled or worn."""
    size = int(rng.integers(30, 44))
    final = final_height(rng, 14, 50)
    chance = rng.random()
    paper = float(255 - rng.exponential(12)) if chance < 0.5 else float(rng.uniform(130, 225))
    ink = float(np.clip(paper - rng.uniform(70, 240), 0, 150))
    faults = draw_faults(
        (Fault("faded", 0.12, (0.1, 0.6)), *(COPY if chance < 0.45 else SCAN if chance < 0.8 else PHOTO)), rng
    )
    widen = float(rng.uniform(0.56, 0.68))
    return Look(
        setting=Setting(
            font,
            size,
            pitch=widen,
            uneven=float(rng.uniform(0.0, 0.035)),
            pressed=float(rng.uniform(0, 0.35)) if rng.random() < 0.6 else 0.0,
            kerned=False,
        ),
        crop=Crop(tight=0.4, margins=(-0.02, float(rng.uniform(0.1, 0.45))), loose=0.05, degrees=0.8),
        scale=final / size,
        surroundings=Surroundings(
            above=0.55, below=0.55, beside=0.04, underline=0.05, strike=0.02, leading=float(rng.uniform(0.8, 1.5))
        ),
        press=partial(
            _ribbon,
            pixels=float(rng.normal(0.6, 0.8)),
            soft=float(rng.uniform(0.0, 2.2)),
            worn=float(rng.uniform(0, 0.8)) if rng.random() < 0.6 else 0.0,
        ),
        lay=partial(tones, paper=paper, ink=ink, uneven=float(rng.uniform(0, 0.5))),
        faults=faults,
    )


def _ribbon(coverage: InkLevels, rng: Rng, *, pixels: float, soft: float, worn: float) -> InkLevels:
    """Print through an inked ribbon: spread, soft at the rim, with the ribbon's weave in it."""
    pressed = heavier(coverage, pixels)
    if soft > 0.3:
        pressed = np.asarray(cv2.GaussianBlur(pressed, (0, 0), soft), np.uint8)
        pressed = np.clip((pressed.astype(np.float32) - 60) * 1.9, 0, 255).astype(np.uint8)
        pressed = pressed if pressed.max() > FADED else coverage  # hairlines that the softness took away
    if worn:
        weave = smooth_noise(rng, *pressed.shape, cell=2) * smooth_noise(
            rng, *pressed.shape, cell=max(pressed.shape[0] // 6, 3)
        )
        pressed = (pressed * (1 - np.float32(worn) * weave)).astype(np.uint8)
    return pressed


TYPESCRIPT = SampleKind(
    "typescripts", {"typewriter": 0.85, "mono": 0.15, "plain": 0.0001}, TYPED, typescript_look, draw_line
)
