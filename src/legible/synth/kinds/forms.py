"""The kind of samples `forms`: forms and letters that were faxed, copied or scanned in black and white."""

from functools import partial

from legible.synth.composition import Crop, Surroundings
from legible.synth.faults import draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line
from legible.synth.kinds.paper import COPY, SCAN, final_height, thickened, tones
from legible.synth.texts.documents import FORMS


def form_look(font: Font, rng: Rng) -> Look:
    """Draw a look of forms and letters that were faxed, copied, or scanned in black and white at a low resolution."""
    size = int(rng.integers(26, 44))
    final = final_height(rng, 11, 40)
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
        press=partial(thickened, pixels=float(rng.normal(0.2, 0.7))),
        lay=partial(
            tones,
            paper=float(255 - rng.exponential(12)),
            ink=float(rng.exponential(35)),
            uneven=float(rng.uniform(0, 0.6)) if rng.random() < 0.4 else 0.0,
        ),
        faults=faults,
    )


FORM = SampleKind(
    "forms",
    {"office": 0.4, "typewriter": 0.2, "plain": 0.25, "mono": 0.1, "condensed": 0.05},
    FORMS,
    form_look,
    draw_line,
)
