"""The charset: the ordered characters that a bundle reads, and their labels.

Label 0 is the blank of CTC; the first character has label 1.

A charset that contains REJECT, the replacement character, has a label for every character that it does not contain:
REJECT takes the place of such characters in the texts of training, and an image of them is read as REJECT.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from legible.errors import CharsetError
from legible.files import JsonFormat

BLANK = 0
FORMAT = JsonFormat("charset", 1, "export again or fetch it anew", CharsetError)
REJECT = "\N{REPLACEMENT CHARACTER}"
PLAIN_FORMS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u2032\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u00ad", "-"),
        "\u2026": "...",
        "\u00a0": " ",
    }
)
"""The plain (ASCII) form of typographic quotation marks, dashes, the ellipsis and the no-break space."""


@dataclass(frozen=True)
class Charset:
    """Characters in label order: `Charset("latin-96", "abc").encode("cab") -> [3, 1, 2]`."""

    name: str
    characters: str

    def __post_init__(self) -> None:
        if not self.characters:
            raise CharsetError(f"charset {self.name!r} is empty; give it at least one character")
        twice = sorted({c for c in self.characters if self.characters.count(c) > 1})
        if twice:
            raise CharsetError(f"charset {self.name!r} holds {named(twice)} more than once")

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {character: label for label, character in enumerate(self.characters, start=1)}

    @property
    def size(self) -> int:
        """The number of labels V, the blank included."""
        return len(self.characters) + 1

    def unknown(self, text: str) -> list[str]:
        """Return the characters of a text that have no label, each once, in order."""
        return list(dict.fromkeys(c for c in text if c not in self._labels))

    @property
    def rejects(self) -> bool:
        """Whether REJECT is in the charset and stands for every character without a label of its own."""
        return REJECT in self._labels

    def encode(self, text: str) -> list[int]:
        """Return the labels of a text, without blanks.

        A character without a label becomes REJECT; raise CharsetError where the charset has no REJECT.
        """
        if not self.rejects:
            self.check([text])
        reject = self._labels.get(REJECT, BLANK)
        return [self._labels.get(character, reject) for character in text]

    def decode(self, labels: Sequence[int]) -> str:
        """Return the text of labels that hold no blank."""
        return "".join(self.characters[label - 1] for label in labels)

    def check(self, texts: Iterable[str]) -> None:
        """Raise CharsetError naming every character of the texts that has no label."""
        faulty = [text for text in texts if self.unknown(text)]
        if faulty:
            unknown = list(dict.fromkeys(c for text in faulty for c in self.unknown(text)))
            raise CharsetError(
                f"{named(unknown)} not in charset {self.name!r}; add to params.yaml: charset, "
                f"or drop {len(faulty)} {'sample' if len(faulty) == 1 else 'samples'}"
            )

    def save(self, path: Path) -> None:
        FORMAT.save(path, {"name": self.name, "characters": self.characters})

    @staticmethod
    def load(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> "Charset":
        """Read a charset.json. Raise CharsetError for a file that is damaged or of another format."""
        with FORMAT.parse(path, read=read) as content:
            name, characters = content["name"], content["characters"]
            if not isinstance(name, str) or not isinstance(characters, str):
                raise TypeError("name and characters must be texts")
        return Charset(name, characters)


def composed(text: str) -> str:
    """Return the text in Unicode form NFC: a letter and its mark are one character where there is one."""
    return unicodedata.normalize("NFC", text)


def plain_forms(text: str) -> str:
    """Return the text with plain quotation marks, dashes and full stops in place of typographic ones."""
    return text.translate(PLAIN_FORMS)


def named(characters: Sequence[str]) -> str:
    """Return characters in quotes, those outside ASCII with their code points: `'a' and '\u20ac' (U+20AC)`."""
    quoted = [repr(c) if c.isascii() else f"{_shown(c)} (U+{ord(c):04X})" for c in characters]
    if len(quoted) == 1:
        return quoted[0]
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]


def _shown(character: str) -> str:
    """Return a combining mark on a dotted circle, so that it is visible and does not join a quotation mark."""
    return repr(f"\u25cc{character}" if unicodedata.combining(character) else character)
