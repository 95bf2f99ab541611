"""Makers of texts on receipts, forms, screens, signs and labels; each draws from the random state."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from legible.synth.texts import figures
from legible.synth.texts.figures import digits, pick
from legible.synth.texts.rare import RareSigns
from legible.synth.texts.vocabulary import Vocabulary, capitalized

Rng = np.random.Generator


@dataclass(frozen=True)
class Sources:
    """What the makers make texts of."""

    words: Vocabulary
    rare: RareSigns


FIGURES = 0.07
"""The fraction of words in running text that are replaced by figures."""
IN_TEXT = (
    figures.date, figures.time, figures.number, figures.measure,
    lambda rng: digits(rng, count(rng, 1, 4)),
    lambda rng: str(count(rng, 1790, 2030)),
    lambda rng: f"{count(rng, 1, 31)}.",
    lambda rng: f"{figures.some(figures.UPPERS, rng, 1)}.",
    lambda rng: pick(rng, phrases("abbreviations")),
)  # fmt: skip
Maker = Callable[[Sources, Rng], str]


@lru_cache(maxsize=1)
def _phrases() -> dict[str, tuple[str, ...]]:
    lines = (files("legible.synth.texts") / "phrases.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if "\t" in line]
    return {row[0]: tuple(row[1:]) for row in rows}


def phrases(name: str) -> tuple[str, ...]:
    """Return the phrases under a name in `phrases.txt`."""
    return _phrases()[name]


def count(rng: Rng, low: int, high: int) -> int:
    """Return a number from low to high, both included."""
    return int(rng.integers(low, high + 1))


def figure(_: Sources, rng: Rng) -> str:
    return figures.figure(rng)


def plain_word(sources: Sources, rng: Rng) -> str:
    """Return a word of running text with what stands close to it."""
    word = sources.words.word(rng)
    chance = rng.random()
    if chance < 0.15:
        word = capitalized(word)
    return (
        word + pick(rng, (",", ".", ",", ".", ":", ";", "?", "!", ")", "-", "’s", "'s")) if rng.random() < 0.2 else word
    )


def cased_words(sources: Sources, rng: Rng) -> str:
    return sources.words.cased(rng, count(rng, 1, 2))


def capital_words(sources: Sources, rng: Rng) -> str:
    """Return capitals, often in pairs, sometimes with digits: the spaces between them are what is to be learned."""
    text = sources.words.capitals(rng, count(rng, 1, 3))
    chance = rng.random()
    if chance < 0.12:
        return f"{text} {digits(rng, count(rng, 1, 4))}"
    return text + pick(rng, (":", ".", ",", " :")) if chance < 0.25 else text


def capital_line(sources: Sources, rng: Rng) -> str:
    """Return capitals and groups of digits in one line, whose spaces are easily lost."""
    words = [sources.words.capitals(rng, 1) if rng.random() < 0.85 else digits(rng, count(rng, 1, 5)) for _ in range(8)]
    return " ".join(words[: count(rng, 2, 6)])


def sentence(sources: Sources, rng: Rng) -> str:
    return _with_figures(sources.words.sentence(rng, count(rng, 3, 12)), rng)


def broken_line(sources: Sources, rng: Rng) -> str:
    """Return a line of running text whose last word may go on in the next."""
    text = _with_figures(sources.words.sentence(rng, count(rng, 5, 11)), rng)
    return text.rstrip(".,;:?!…") + "-" if rng.random() < 0.25 else text


def typed_line(sources: Sources, rng: Rng) -> str:
    """Return a line as typists set it: spaces left out after commas and full stops, dots in a row, words spaced out."""
    text = broken_line(sources, rng)
    chance = rng.random()
    if chance < 0.12:
        return text.replace(", ", ",", 1).replace(". ", ".", 1)
    if chance < 0.16:
        return text + "." * count(rng, 2, 6)
    return text.replace(" – ", " - ").replace(" — ", " -- ") if chance < 0.7 else text


def within_line(sources: Sources, text: str, rng: Rng) -> str:
    """Return a text among the words of a line."""
    words = sources.words.sentence(rng, count(rng, 3, 8)).split(" ")
    at = int(rng.integers(len(words) + 1))
    return " ".join([*words[:at], text, *words[at:]])


def _with_figures(text: str, rng: Rng) -> str:
    """Return the text with a number, date, time or abbreviation in place of some words."""
    words = text.split(" ")
    for place in range(len(words)):
        if words[place].isalpha() and rng.random() < FIGURES:
            words[place] = IN_TEXT[int(rng.integers(len(IN_TEXT)))](rng)
    return " ".join(words)


def heading(sources: Sources, rng: Rng) -> str:
    text = sources.words.cased(rng, count(rng, 1, 5))
    return f"{count(rng, 1, 20)}{pick(rng, ('.', '.1', ')', ''))} {text}" if rng.random() < 0.25 else text


def spaced(sources: Sources, rng: Rng) -> str:
    """Return single characters with spaces: `a b c d`, `1 2 3 4 5`."""
    characters = figures.some(
        pick(rng, ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789")), rng, count(rng, 3, 8)
    )
    return " ".join(characters) if rng.random() < 0.7 else " ".join(sources.words.word(rng))
