"""Rows about images that two bundles read: what the champion answered, and what a candidate read in its shadow.

They hold no text. `check_of` makes of each text one byte, by which a correction is compared with both.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from legible.errors import DataError
from legible.files import parse_row
from legible.observations.layout import FOLDER, log_files
from legible.observations.row import LAST_SECOND, check_of
from legible.reading import Reading

SHADOW_VERSION = 1


@dataclass(frozen=True)
class ShadowRow:
    """Two readings of one image: `at` in Unix seconds, the ids of both bundles, confidences, bytes and seconds."""

    at: float
    reading_id: str
    champion: str
    candidate: str
    agrees: bool
    confidence: float
    candidate_confidence: float
    check: int
    candidate_check: int
    seconds: float
    candidate_seconds: float

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        return json.dumps({"version": SHADOW_VERSION, **asdict(self)})

    @staticmethod
    def from_json(line: str) -> "ShadowRow":
        """Parse a line. Raise DataError for another format, ValueError, TypeError or KeyError for a torn row."""
        fields: dict[str, Any] = parse_row(line)
        version = fields.pop("version")
        if version != SHADOW_VERSION:
            raise DataError(
                f"shadow format {version!r} is not {SHADOW_VERSION}, the one this legible reads; "
                "install the legible that wrote it"
            )
        row = ShadowRow(**fields)
        names, confidences = (row.reading_id, row.champion, row.candidate), (row.confidence, row.candidate_confidence)
        numbers = (row.at, row.seconds, row.candidate_seconds)
        is_sound = isinstance(row.agrees, bool) and all(isinstance(name, str) for name in names)
        if not (is_sound and all(0 <= c <= 1 for c in confidences) and all(0 <= n <= LAST_SECOND for n in numbers)):
            raise ValueError("no shadow row")
        return row


@dataclass(frozen=True)
class TimedReading:
    """A reading, the bundle that read it, and the seconds that it took."""

    reading: Reading
    bundle: str
    seconds: float


def compared(reading_id: str, champion: TimedReading, candidate: TimedReading, *, at: float) -> ShadowRow:
    """Make the row of two readings of one image."""
    texts = champion.reading.text, candidate.reading.text
    return ShadowRow(
        at=round(at, 3),
        reading_id=reading_id,
        champion=champion.bundle,
        candidate=candidate.bundle,
        agrees=texts[0] == texts[1],
        confidence=round(champion.reading.confidence, 6),
        candidate_confidence=round(candidate.reading.confidence, 6),
        check=check_of(reading_id, texts[0]),
        candidate_check=check_of(reading_id, texts[1]),
        seconds=round(champion.seconds, 6),
        candidate_seconds=round(candidate.seconds, 6),
    )


@dataclass
class ShadowTally:
    """The number of lines that could not be read."""

    torn: int = 0


def read_shadow(folder: Path, *, since: float = 0.0, tally: ShadowTally) -> Iterator[ShadowRow]:
    """Yield the rows of a log's folder made at `since` or later.

    Raise DataError where there is no such folder, and for what is no regular file in it.
    """
    place = folder if folder.name == FOLDER else folder / FOLDER
    if not place.is_dir():
        raise DataError(f"{folder}: no shadow log here (it holds {FOLDER}/); name the service's LEGIBLE_SHADOW_FOLDER")
    for path in log_files(place):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    row = ShadowRow.from_json(line)
                except (ValueError, TypeError, KeyError, AttributeError):
                    tally.torn += 1
                else:
                    if row.at >= since:
                        yield row
