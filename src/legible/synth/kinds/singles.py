"""Single and repeated characters, cut out so that the size of the line can still be seen."""

import dataclasses

from legible.synth.fonts import Font
from legible.synth.kinds.documents import document_look
from legible.synth.kinds.forms import form_look
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line
from legible.synth.kinds.receipts import receipt_look
from legible.synth.kinds.screens import screen_look
from legible.synth.texts.documents import SINGLE

LOOKS = (document_look, document_look, form_look, receipt_look, screen_look)


def single_look(font: Font, rng: Rng) -> Look:
    """Draw a look of documents, forms, receipts or screens, mostly with all rows that the font has for its letters."""
    look = LOOKS[int(rng.integers(len(LOOKS)))](font, rng)
    crop = dataclasses.replace(look.crop, tight=0.12, margins=(0.0, float(rng.uniform(0.05, 0.5))))
    near = dataclasses.replace(look.surroundings, pale=0.0, strike=0.0, beside=0.05)
    return dataclasses.replace(look, crop=crop, surroundings=near)


SINGLES = SampleKind(
    "signs",
    {"office": 0.5, "plain": 0.25, "mono": 0.1, "receipt": 0.08, "typewriter": 0.07},
    SINGLE,
    single_look,
    draw_line,
    rare=0.05,
)
