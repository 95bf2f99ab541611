"""Receipts, forms and faxes, office documents, books and typescripts: ink on paper that was scanned or photographed."""

from functools import partial

import cv2
import numpy as np

from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import Fault, draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import Coverage, Setting
from legible.synth.kinds.kind import Light, Look, Rng, SampleKind, draw_line, heavier
from legible.synth.paper import smooth_noise
from legible.synth.texts.documents import FORMS, LETTERS, RECEIPTS, TYPED

PHOTO = (
    Fault("gradient", 0.2),
    Fault("shadow", 0.12),
    Fault("uneven-contrast", 0.08),
    Fault("low-light", 0.08, (0.1, 0.6)),
    Fault("defocus", 0.1, (0.2, 0.8)),
    Fault("motion", 0.08, (0.2, 0.7)),
    Fault("blur", 0.4),
    Fault("noise", 0.45, (0.02, 0.5)),
    Fault("jpeg", 0.45),
    Fault("gamma", 0.4),
    Fault("low-resolution", 0.25),
    Fault("sharpened", 0.25),
    Fault("paper-noise", 0.25, (0.1, 0.7)),
    Fault("fold", 0.06),
    Fault("stain", 0.03),
    Fault("vignette", 0.04),
)
"""The faults of photographs."""
SCAN = (
    Fault("paper-noise", 0.15, (0.05, 0.4)),
    Fault("show-through", 0.06, (0.1, 0.5)),
    Fault("blur", 0.5, (0.1, 0.7)),
    Fault("noise", 0.35, (0.01, 0.25)),
    Fault("jpeg", 0.4),
    Fault("gamma", 0.3),
    Fault("low-resolution", 0.3),
    Fault("sharpened", 0.3),
    Fault("specks", 0.12),
    Fault("salt-and-pepper", 0.07),
    Fault("scan-edge", 0.03),
    Fault("stamp", 0.04),
    Fault("low-contrast", 0.06, (0.2, 0.9)),
    Fault("gradient", 0.08),
)
COPY = (
    Fault("eaten", 0.3, (0.1, 0.7)),
    Fault("faded", 0.1),
    Fault("paper-noise", 0.3, (0.1, 0.5)),
    Fault("blur", 0.6, (0.1, 0.6)),
    Fault("two-levels", 0.85, (0.1, 1.0)),
    Fault("halftone", 0.07),
    Fault("fax", 0.12),
    Fault("specks", 0.2),
    Fault("salt-and-pepper", 0.15, (0.05, 0.6)),
    Fault("scan-edge", 0.04),
    Fault("jpeg", 0.15, (0.1, 0.6)),
    Fault("low-resolution", 0.25, (0.1, 0.7)),
)
"""The faults of faxes, copies, and scans in black and white."""


def tones(coverage: Coverage, rng: Rng, *, paper: float, ink: float, uneven: float) -> Light:
    """Return ink that flows unevenly, on paper of one grey level."""
    inked = coverage.astype(np.float32)
    if uneven:
        inked *= 1 - np.float32(uneven) * smooth_noise(rng, *coverage.shape, cell=max(coverage.shape[0] // 3, 3))
    return np.asarray(paper + inked * np.float32((ink - paper) / 255), np.float32)


def _thickened(coverage: Coverage, rng: Rng, *, pixels: float) -> Coverage:
    return heavier(coverage, pixels + float(rng.normal(0, 0.1)))


def _final_height(rng: Rng, low: float, high: float) -> float:
    """Draw the pixels of an em in the final image; small ones are as frequent as large ones."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def receipt_look(font: Font, rng: Rng) -> Look:
    """Draw a look of thermal and matrix printers: often in two levels, tall or wide letters, grey on grey."""
    bilevel = bool(rng.random() < 0.6)
    size = int(rng.integers(14, 30)) if bilevel else int(rng.integers(24, 44))
    final = _final_height(rng, 12, 46)
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


def _receipt_press(coverage: Coverage, rng: Rng, *, pixels: float, dots: float) -> Coverage:
    """Print thicker, and where asked for as separate dots of the print head."""
    pressed = heavier(coverage, pixels)
    if dots:
        grid = np.ones((2, 2), np.uint8) * 255
        grid[1, 1] = round(255 * (1 - dots))
        rows, columns = (-(-side // 2) for side in pressed.shape)
        pressed = np.minimum(pressed, np.tile(grid, (rows, columns))[: pressed.shape[0], : pressed.shape[1]])
    del rng
    return np.asarray(pressed, np.uint8)


def form_look(font: Font, rng: Rng) -> Look:
    """Draw a look of forms and letters that were faxed, copied, or scanned in black and white at a low resolution."""
    size = int(rng.integers(26, 44))
    final = _final_height(rng, 11, 40)
    copied = bool(rng.random() < 0.7)
    faults = draw_faults(COPY if copied else SCAN, rng)
    return Look(
        setting=Setting(
            font, size, tracking=float(max(rng.normal(0, 0.02), -0.02)), uneven=0.015 if rng.random() < 0.15 else 0.0
        ),
        crop=Crop(tight=0.7, margins=(-0.03, float(rng.uniform(0.05, 0.35))), loose=0.06, degrees=0.7),
        scale=final / size,
        surroundings=Surroundings(
            above=0.25,
            below=0.25,
            beside=0.12,
            underline=0.12,
            strike=0.02,
            box=0.15,
            pale=0.01,
            tab=0.06,
            leading=float(rng.uniform(0.9, 1.6)),
        ),
        press=partial(_thickened, pixels=float(rng.normal(0.2, 0.7))),
        lay=partial(
            tones,
            paper=float(255 - rng.exponential(12)),
            ink=float(rng.exponential(35)),
            uneven=float(rng.uniform(0, 0.6)) if rng.random() < 0.4 else 0.0,
        ),
        faults=faults,
    )


def document_look(font: Font, rng: Rng) -> Look:
    """Draw a look of office documents: from a file, a scanner or a telephone."""
    size = int(rng.integers(28, 50))
    final = _final_height(rng, 10, 56)
    chance = rng.random()
    faults = draw_faults(() if chance < 0.3 else SCAN if chance < 0.65 else PHOTO, rng)
    dark = bool(rng.random() < 0.04)
    paper, ink = float(255 - rng.exponential(15)), float(min(rng.exponential(35), 180))
    if chance >= 0.65:
        paper, ink = paper - float(rng.uniform(0, 90)), ink + float(rng.uniform(0, 40))
        ink = min(ink, paper - 50)
    return Look(
        setting=Setting(
            font,
            size,
            tracking=float(max(rng.normal(0, 0.025), -0.02)),
            ligatures=bool(rng.random() < 0.25),
            word_spacing=float(abs(rng.normal(0, 0.1))),
        ),
        crop=Crop(
            tight=0.5,
            margins=(0.0, float(rng.uniform(0.1, 0.5))),
            loose=0.1,
            degrees=1.2 if rng.random() < 0.85 else 4.0,
        ),
        scale=final / size,
        surroundings=Surroundings(
            above=0.2,
            below=0.2,
            beside=0.05,
            underline=0.05,
            strike=0.03,
            box=0.08,
            pale=0.05,
            selected=0.03,
            tab=0.08,
            leading=float(rng.uniform(0.95, 1.6)),
        ),
        press=partial(_thickened, pixels=float(rng.normal(0, 0.4))),
        lay=partial(
            tones,
            paper=ink if dark else paper,
            ink=paper if dark else ink,
            uneven=float(rng.uniform(0, 0.4)) if rng.random() < 0.3 else 0.0,
        ),
        faults=faults,
    )


def book_look(font: Font, rng: Rng) -> Look:
    """Draw a look of lines of books, old and new, spaced out to the column's width."""
    size = int(rng.integers(30, 50))
    final = _final_height(rng, 14, 56)
    copied = bool(rng.random() < 0.5)
    return Look(
        setting=Setting(
            font,
            size,
            tracking=float(max(rng.normal(0, 0.02), -0.015)),
            word_spacing=float(abs(rng.normal(0, 0.25))),
            uneven=0.008 if rng.random() < 0.3 else 0.0,
            ligatures=bool(rng.random() < 0.5),
        ),
        crop=Crop(tight=0.5, margins=(-0.02, float(rng.uniform(0.05, 0.3))), loose=0.04, degrees=0.4),
        scale=final / size,
        surroundings=Surroundings(
            above=0.35, below=0.35, beside=0.02, underline=0.01, leading=float(rng.uniform(0.85, 1.3))
        ),
        press=partial(_thickened, pixels=float(rng.normal(0.3, 0.6))),
        lay=partial(
            tones,
            paper=float(255 - rng.exponential(25)),
            ink=float(rng.exponential(40)),
            uneven=float(rng.uniform(0, 0.7)) if rng.random() < 0.5 else 0.0,
        ),
        faults=draw_faults(COPY if copied else SCAN, rng),
    )


FADED = 128


def typescript_look(font: Font, rng: Rng) -> Look:
    """Draw a look of a typewriter: letters of one width that leave the line, some pressed harder, filled or worn."""
    size = int(rng.integers(30, 44))
    final = _final_height(rng, 14, 50)
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


def _ribbon(coverage: Coverage, rng: Rng, *, pixels: float, soft: float, worn: float) -> Coverage:
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


RECEIPT = SampleKind(
    "receipts",
    {"receipt": 0.6, "pixel": 0.08, "mono": 0.15, "plain": 0.12, "condensed": 0.05},
    RECEIPTS,
    receipt_look,
    draw_line,
)
FORM = SampleKind(
    "forms",
    {"office": 0.4, "typewriter": 0.2, "plain": 0.25, "mono": 0.1, "condensed": 0.05},
    FORMS,
    form_look,
    draw_line,
)
DOCUMENT = SampleKind(
    "documents",
    {"office": 0.7, "plain": 0.15, "thin": 0.06, "heavy": 0.04, "condensed": 0.05},
    LETTERS,
    document_look,
    draw_line,
)
BOOK = SampleKind("books", {"book": 0.85, "plain": 0.15}, LETTERS, book_look, draw_line)
TYPESCRIPT = SampleKind(
    "typescripts", {"typewriter": 0.85, "mono": 0.15, "plain": 0.0001}, TYPED, typescript_look, draw_line
)
