"""Readings of a source's texts by another recognizer: `readings.tsv` beside its pages.

The columns are image (the path of the page), number (of the text on it, from 0), reading and confidence.

They decide case and spaces that labels do not tell, in training alone and where the letters agree, and they point out
labels that are of another text. They are never the truth that a figure is measured with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from legible.errors import DataError
from legible.scores import Untold
from legible.untrusted_files import MAX_TABLE_BYTES, parse_table, read_file

FILE = "readings.tsv"
MIN_CONFIDENCE = 0.9
"""The smallest confidence of a reading that decides case or spaces."""
MIN_CONFIDENCE_AGAINST = 0.8
"""The smallest confidence of a reading that contradicts a label."""
MAX_DISTANCE = 0.5
"""A label with more edits a character than this is contradicted by a confident reading."""
MAX_DISTANCE_OF_SAME = 0.15
"""With at most this many edits a character, label and reading are of the same text."""
MIN_LENGTH_AGAINST = 3
"""The smallest length of label or reading in a contradiction; shorter texts are misread too easily."""


@dataclass(frozen=True)
class SecondReading:
    """What another recognizer reads, and the confidence of its least certain part."""

    text: str
    confidence: float

    def contradicts(self, label: str) -> bool:
        """Return whether this is confidently the reading of another text than the label."""
        distance, longest = self._distance(label)
        if self.confidence < MIN_CONFIDENCE_AGAINST or longest < MIN_LENGTH_AGAINST:
            return False
        return distance > MAX_DISTANCE * longest

    def agrees(self, label: str) -> bool:
        """Return whether this reads the label's text, apart from a few characters."""
        distance, longest = self._distance(label)
        return distance <= MAX_DISTANCE_OF_SAME * longest

    def _distance(self, label: str) -> tuple[int, int]:
        """Return the edits between label and reading without case and spaces, and the length of the longer one."""
        ours, theirs = (text.casefold().replace(" ", "") for text in (label, self.text))
        return Levenshtein.distance(ours, theirs), max(len(ours), len(theirs))

    def decided(self, label: str, untold: tuple[Untold, ...]) -> tuple[str, tuple[Untold, ...]]:
        """Return the label with this reading's case and spaces where their letters agree, and what is still untold.

        `SecondReading("Tel: 12", 1.0).decided("TEL:12", ("case", "spaces")) -> ("Tel: 12", ())`
        """
        asked = tuple(one for one in untold if one in ("case", "spaces"))
        if not asked or self.confidence < MIN_CONFIDENCE:
            return label, untold
        ours, theirs = (text.replace(" ", "") for text in (label, self.text))
        agree = ours.lower() == theirs.lower() if "case" in asked else ours == theirs
        if not agree or len(ours) != len(theirs):
            return label, untold
        spaced = self.text if "spaces" in asked else label
        letters = iter(theirs)
        text = "".join(c if c == " " else next(letters) for c in spaced)
        return text, tuple(one for one in untold if one not in asked)


def open_second_readings(folder: Path) -> Mapping[tuple[str, int], SecondReading]:
    """Return the readings by page path and text number; an empty mapping where the folder has no such file."""
    path = folder / FILE
    if not folder.is_dir() or not path.is_file():
        return {}
    table = parse_table(read_file(path, limit=MAX_TABLE_BYTES), str(path))
    try:
        return {
            (row["image"], int(row["number"])): SecondReading(row["reading"], float(row["confidence"]))
            for _, row in table.rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: each row needs image, number, reading and confidence ({type(error).__name__}: {error})"
        ) from error
