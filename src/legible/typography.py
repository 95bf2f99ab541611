"""Plain forms of typographic signs: straight quotes for curly ones, hyphens for dashes, dots for an ellipsis."""

import dataclasses
from collections.abc import Mapping

from legible.reading import Alternative, Character, Reading

PLAIN: Mapping[str, str] = {
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2018\u2019\u201a", "'"),
    **dict.fromkeys("\N{EN DASH}\N{EM DASH}", "-"),
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{BULLET}": "*",
    "\N{MIDDLE DOT}": ".",
}
"""The plain form of each typographic sign."""


def plain_text(text: str) -> str:
    """Return a text with plain signs: `plain_text("“Yes” he said…") -> '"Yes" he said...'`."""
    return "".join(PLAIN.get(sign, sign) for sign in text)


def plain_reading(reading: Reading) -> Reading:
    """Return a reading with plain signs in its text, characters and alternatives.

    A sign whose plain form has several characters stays one character of the reading. Alternatives that differ from
    the text, or from a likelier one, by typographic signs alone are left out.
    """
    text = plain_text(reading.text)
    others: dict[str, Alternative] = {}
    for other in reading.alternatives:
        plain = plain_text(other.text)
        if plain != text:
            others.setdefault(plain, Alternative(plain, other.confidence))
    characters = tuple(Character(plain_text(one.text), one.confidence) for one in reading.characters)
    return dataclasses.replace(reading, text=text, characters=characters, alternatives=tuple(others.values()))
