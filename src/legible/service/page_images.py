"""The images of lines that are kept for labelling, where images are kept: chosen in the page process, written by its
worker.

The few that are kept go to the worker, and no others. Each is kept under the id of its reading, whose observation names
the page as its document.
"""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from legible.arrays import GreyImage
from legible.drift.reference import Reference
from legible.drift.summary import ranked_by, unusual_of
from legible.observations.image_log import MAX_PIXELS, ImageSampler
from legible.observations.layout import READING_ID
from legible.observations.row import Observation

MAX_BYTES = 16_000_000
"""The most bytes of images that are kept of one document."""


@dataclass(frozen=True)
class KeptLine:
    """The image of a line as PNG, with the id and the time of its reading."""

    reading_id: str
    at: float
    png: bytes

    def to_json(self) -> str:
        return json.dumps([self.reading_id, self.at, base64.b64encode(self.png).decode("ascii")])

    @staticmethod
    def from_json(line: str) -> "KeptLine":
        """Parse a line. Raise ValueError for what is no id of a reading: a file is named by it."""
        reading_id, at, png = json.loads(line)
        if not READING_ID.fullmatch(reading_id):
            raise ValueError(f"{reading_id[:80]!r} is no reading id")
        return KeptLine(reading_id, at, base64.b64decode(png))

    def image(self) -> GreyImage:
        """Decode it. Raise ValueError for more pixels than are kept."""
        with Image.open(io.BytesIO(self.png), formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"an image of {image.width} by {image.height} pixels; at most {MAX_PIXELS} are kept")
            return np.asarray(image.convert("L"))


class LineKeeper:
    """Keeps a fraction of the lines of documents: the least confident, the most unusual, and some at random."""

    def __init__(self, fraction: float, reference: Reference) -> None:
        self._sampler = ImageSampler(fraction)
        self._reference = reference
        self._random = np.random.default_rng(0)  # breaks ties of ranks, nothing else
        self._kept: list[KeptLine] = []
        self._bytes = 0
        self.lost = 0
        """The number of lines of this document that were chosen, and of which there were too many bytes."""

    def begin(self) -> None:
        """Begin a document."""
        self._kept, self._bytes, self.lost = [], 0, 0

    def offer(self, row: Observation, image: GreyImage) -> None:
        """Keep the image of a line, if it is chosen."""
        unusual = float(unusual_of(self._reference, ranked_by(self._reference, [row], self._random))[0])
        if not self._sampler.takes(row.reading_id, confidence=row.confidence, unusual=unusual):
            return
        png = _png(image) if image.size <= MAX_PIXELS else b""
        if not png or self._bytes + len(png) > MAX_BYTES:
            self.lost += 1
            return
        self._bytes += len(png)
        self._kept.append(KeptLine(row.reading_id, row.at, png))

    def to_json(self) -> str:
        """Return a line of JSON for each image of this document."""
        return "\n".join(line.to_json() for line in self._kept)


def kept_lines(lines: str) -> Iterator[KeptLine]:
    """Yield the images that a page process tells, one to a line."""
    yield from map(KeptLine.from_json, lines.splitlines())


def _png(image: GreyImage) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
