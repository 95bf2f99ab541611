"""One row of facts for each reading: what the image is like and what was read from it, without text or image.

`observe` alone makes an Observation: the same row in the reference made at build and in the stream logged in service.
Time is always an argument.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legible.arrays import GreyImage
from legible.errors import DataError
from legible.files import parse_row, replace_file
from legible.image.statistics import STATISTICS, measure
from legible.reading import Reading

FORMAT_VERSION = 4
WITHOUT_LEXICON, WITHOUT_DOCUMENT = 3, 2
"""Versions before: rows know no lexicon, then no document and no sender. They are still read; a row without a lexicon
is written as version 3, which older readers know.
"""
OPTIONAL = ("document", "sender", "lexicon")
PREDICTION_SIGNALS = ("confidence", "length", "capitals", "digits", "signs")
SIGNALS = (*STATISTICS, *PREDICTION_SIGNALS)
"""The signals that drift is decided on: of the image, then of what was read from it."""
NO_CHECK = -1
LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999, after which there are no dates."""
MAX_SIZE = 10**9


class OlderRowError(ValueError):
    """A row of a format before this one's."""


@dataclass(frozen=True)
class Observation:
    """One reading: `at` in Unix seconds, `width` and `height` in pixels as decoded, `length` in characters.

    `capitals`, `digits` and `signs` (neither letter nor digit nor space) are fractions of the length; `check` is by
    `check_of`; `bundle` is the id of the one that read; `document` and `sender` are digests, empty where none was told;
    `lexicon` names the one whose words were preferred.
    """

    at: float
    channel: str
    width: int
    height: int
    length: int
    confidence: float
    statistics: Mapping[str, float]
    reading_id: str = ""
    writer: str = ""
    capitals: float = 0.0
    digits: float = 0.0
    signs: float = 0.0
    check: int = NO_CHECK
    bundle: str = ""
    document: str = ""
    sender: str = ""
    lexicon: str = ""

    def signal(self, name: str) -> float:
        """Return the value of one of SIGNALS."""
        return float(getattr(self, name) if name in PREDICTION_SIGNALS else self.statistics[name])

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        told = {name: value for name, value in vars(self).items() if value or name not in OPTIONAL}
        version = FORMAT_VERSION if self.lexicon else WITHOUT_LEXICON
        return json.dumps({"version": version, **told}, ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> "Observation":
        """Parse a line. Raise DataError for a newer format, OlderRowError for an older, ValueError for a torn row."""
        fields: Any = parse_row(line)
        if not isinstance(fields, dict):
            raise ValueError("no observation")  # noqa: TRY004
        version = fields.pop("version", None)
        if isinstance(version, int) and version < WITHOUT_DOCUMENT:
            raise OlderRowError(version)
        if version not in (WITHOUT_DOCUMENT, WITHOUT_LEXICON, FORMAT_VERSION):
            raise DataError(
                f"observation format {version!r} is not {FORMAT_VERSION}, the one this legible reads; "
                "install the legible that wrote it"
            )
        row = Observation(**fields)
        if not row.is_sound():
            raise ValueError("no observation")
        return row

    def is_sound(self) -> bool:
        """Tell whether each field holds what it may; checks compute with all of them."""
        names = (self.channel, self.reading_id, self.writer, self.bundle, self.document, self.sender, self.lexicon)
        sizes = (self.length, self.width, self.height)
        with suppress(TypeError, ValueError, OverflowError):  # no numbers, no texts, or more than a float holds
            "".join(names).encode()
            fractions = (self.confidence, self.capitals, self.digits, self.signs)
            return (
                0 <= self.at <= LAST_SECOND
                and all(0 <= fraction <= 1 for fraction in fractions)
                and all(type(size) is int and 0 <= size <= MAX_SIZE for size in sizes)
                and type(self.check) is int
                and isinstance(self.statistics, dict)
                and math.isfinite(sum(self.statistics.values()))
            )
        return False


def observe(
    image: GreyImage,
    reading: Reading,
    *,
    channel: str,
    at: float,
    reading_id: str = "",
    writer: str = "",
    bundle: str = "",
    document: str = "",
    sender: str = "",
    lexicon: str = "",
) -> Observation:
    """Make the row of one reading."""
    height, width = image.shape
    text = reading.text
    return Observation(
        at=round(at, 3),
        channel=channel,
        width=width,
        height=height,
        length=len(text),
        confidence=_rounded(reading.confidence),
        statistics=statistics_of(image),
        reading_id=reading_id,
        writer=writer,
        capitals=_fraction(text, str.isupper),
        digits=_fraction(text, str.isdigit),
        signs=_fraction(text, _is_sign),
        check=check_of(reading_id, text) if reading_id else NO_CHECK,
        bundle=bundle,
        document=document,
        sender=sender,
        lexicon=lexicon,
    )


def statistics_of(image: GreyImage) -> dict[str, float]:
    """Measure all of STATISTICS, rounded, so that a value and its copy on disk have the same rank."""
    return {name: _rounded(value) for name, value in measure(image).items()}


def check_of(reading_id: str, text: str) -> int:
    """Return one byte of a digest: it tells in 255 of 256 whether a correction is what was read; the text it hides."""
    return hashlib.sha256(f"{reading_id}\0{text}".encode()).digest()[0]


def _fraction(text: str, is_one: Callable[[str], bool]) -> float:
    return _rounded(sum(map(is_one, text)) / max(len(text), 1))


def _is_sign(character: str) -> bool:
    return not (character.isalnum() or character.isspace())


def _rounded(value: float) -> float:
    """Round to six significant digits: 0.12345678 -> 0.123457."""
    return float(f"{value:.6g}")


def write_observations(path: Path, observations: Iterable[Observation]) -> None:
    """Write a file of observations, one to a line, the former one until the new one is whole."""
    with replace_file(path) as fresh, fresh.open("w", encoding="utf-8") as file:
        file.writelines(f"{observation.to_json()}\n" for observation in observations)
