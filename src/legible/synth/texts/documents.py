"""The texts of each kind of samples, as mixtures of makers for words and for lines.

Words are what a program that splits a page into words hands over (one to three of them); lines are whole lines.
"""

from dataclasses import dataclass

import numpy as np

from legible.synth.texts.form_makers import blank_field, item, label, labelled, place, saying, sums
from legible.synth.texts.makers import (
    Maker,
    Sources,
    broken_line,
    capital_line,
    capital_words,
    cased_words,
    figure,
    heading,
    plain_word,
    sentence,
    spaced,
    typed_line,
)
from legible.synth.texts.sign_makers import (
    alone,
    dotted,
    look_alikes,
    on_screen,
    plate,
    program,
    reading,
    repeated,
    segment_word,
    sign,
    sign_line,
    small_words,
)

Rng = np.random.Generator


@dataclass(frozen=True)
class Mixture:
    """Makers with their weights."""

    makers: tuple[tuple[float, Maker], ...]

    def __call__(self, sources: Sources, rng: Rng) -> str:
        chances = np.cumsum([weight for weight, _ in self.makers])
        place = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
        return self.makers[min(place, len(self.makers) - 1)][1](sources, rng)


def mixture(*makers: tuple[float, Maker]) -> Mixture:
    return Mixture(makers)


Texts = tuple[Maker, Maker]
"""The texts of a kind, for words and for lines."""


RECEIPTS: Texts = (
    mixture(
        (3, capital_words),
        (2, label),
        (4, figure),
        (2, sums),
        (1, labelled),
        (1, cased_words),
        (0.5, plain_word),
        (0.5, place),
    ),
    mixture(
        (3, item),
        (3, sums),
        (2, labelled),
        (2, place),
        (1.5, saying),
        (1, capital_words),
        (0.7, sentence),
        (0.3, spaced),
    ),
)
FORMS: Texts = (
    mixture(
        (2, capital_words),
        (2, label),
        (3, plain_word),
        (2, figure),
        (1, cased_words),
        (0.3, spaced),
        (0.2, blank_field),
    ),
    mixture((3, labelled), (2, sentence), (1, heading), (1, place), (0.4, blank_field), (1, capital_words)),
)
LETTERS: Texts = (
    mixture((6, plain_word), (1, cased_words), (1.2, capital_words), (1.2, figure)),
    mixture((8, broken_line), (2, sentence), (1.2, capital_line), (0.6, heading), (0.5, labelled)),
)
TYPED: Texts = (
    mixture((6, plain_word), (1, cased_words), (1, figure)),
    mixture((8, typed_line), (1, sentence), (0.5, heading), (0.5, labelled)),
)
SCREENS: Texts = (
    mixture((2, on_screen), (2, plain_word), (1, program), (2, figure), (1, cased_words), (1, label)),
    mixture((2, on_screen), (3, sentence), (2, program), (1, labelled), (1, heading), (0.5, figure)),
)
SIGNS: Texts = (mixture((12, sign), (0.5, plate)), mixture((8, sign_line), (2, heading)))
LABELS: Texts = (
    mixture((3, sign), (3, cased_words), (2, figure), (1, plain_word)),
    mixture((2, sign_line), (3, heading), (2, sentence), (1, labelled)),
)
DOTS: Texts = (mixture((5, dotted), (1, figure), (1, capital_words)), mixture((3, dotted), (1, labelled), (1, sums)))
SEGMENTS: Texts = (mixture((8, reading), (2, segment_word)), mixture((3, reading), (2, segment_word)))
SINGLE: Texts = (
    mixture((6, alone), (2, repeated), (1.2, look_alikes), (1.2, small_words)),
    mixture((2, spaced), (2, repeated)),
)
NOTHING: Texts = (lambda _sources, _rng: "", lambda _sources, _rng: "")
