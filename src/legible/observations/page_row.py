"""One row of facts for each page that was read: its size, how it lay, and what was found on it; no text, no image."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from legible.files import parse_row

FORMAT_VERSION = 1


@dataclass(frozen=True)
class PageObservation:
    """One page: `at` in Unix seconds, `width` and `height` in pixels, `seconds` that reading it took.

    `lines` were found, of which `accepted` reach the confidence that was asked for; `confidence` is their mean, 0 where
    there are none. `angle` and `turns` say how the page lay, `has_outline` that a sheet was found in a photograph,
    `source` where the text comes from. `document` and `sender` are digests; the lines of the page have the same
    document.
    """

    at: float
    number: int
    width: int
    height: int
    lines: int
    accepted: int
    confidence: float
    angle: float
    turns: int
    has_outline: bool
    source: str
    seconds: float
    bundle: str = ""
    document: str = ""
    sender: str = ""

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        return json.dumps({"version": FORMAT_VERSION, **asdict(self)})

    @staticmethod
    def from_json(line: str) -> "PageObservation":
        """Parse a line. Raise ValueError for another format, or a torn row."""
        fields: Any = parse_row(line)
        version = fields.pop("version", None) if isinstance(fields, dict) else None
        if version != FORMAT_VERSION:
            raise ValueError(f"page format {version!r} is not {FORMAT_VERSION}")
        try:
            row = PageObservation(**fields)
            is_sound = math.isfinite(row.at + row.lines + row.accepted + row.confidence + row.angle + row.seconds)
        except (TypeError, OverflowError) as error:
            raise ValueError("no row of a page") from error
        if not is_sound:
            raise ValueError("a row of a page with a number that is none")
        return row
