"""Office documents and the lines of books."""

from functools import partial

from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line
from legible.synth.kinds.paper import COPY, PHOTO, SCAN, final_height, thickened, tones
from legible.synth.texts.documents import LETTERS


def document_look(font: Font, rng: Rng) -> Look:
    """Draw a look of office documents: from a file, a scanner or a telephone."""
    size = int(rng.integers(28, 50))
    final = final_height(rng, 10, 56)
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
        press=partial(thickened, pixels=float(rng.normal(0, 0.4))),
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
    final = final_height(rng, 14, 56)
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
        press=partial(thickened, pixels=float(rng.normal(0.3, 0.6))),
        lay=partial(
            tones,
            paper=float(255 - rng.exponential(25)),
            ink=float(rng.exponential(40)),
            uneven=float(rng.uniform(0, 0.7)) if rng.random() < 0.5 else 0.0,
        ),
        faults=draw_faults(COPY if copied else SCAN, rng),
    )


DOCUMENT = SampleKind(
    "documents",
    {"office": 0.7, "plain": 0.15, "thin": 0.06, "heavy": 0.04, "condensed": 0.05},
    LETTERS,
    document_look,
    draw_line,
)
BOOK = SampleKind("books", {"book": 0.85, "plain": 0.15}, LETTERS, book_look, draw_line)
