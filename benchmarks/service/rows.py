"""What the rows of benchmarks/service/service.py share: their numbers, their images, and the service they ask."""

import asyncio
import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Outcome, closed_loop, upload
from PIL import Image, ImageDraw, ImageFont
from serving import Service, started

WORDS = ("Hamburg", "reading", "letters", "station", "quickly", "margins", "another", "printed", "January", "2026")
CONNECTIONS = 16
MEGABYTE = 1e6
CORES = sorted(os.sched_getaffinity(0))
SERVING, LOADING = CORES[: max(len(CORES) // 2, 1)], CORES[len(CORES) // 2 :]
AT_LEAST, AT_MOST = ">=", "<="


@dataclass(frozen=True)
class Row:
    """A measured number, what it has to be at least (or at most), and what it should be."""

    name: str
    value: float
    unit: str
    sense: str = AT_LEAST
    bound: float | None = None
    aim: float | None = None

    @property
    def holds(self) -> bool | None:
        if self.bound is None:
            return None
        return self.value >= self.bound if self.sense == AT_LEAST else self.value <= self.bound


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    seconds: float = 15.0
    rounds: int = 5
    restarts: int = 20
    slow: int = 1000
    readings: int = 100_000
    images: int = 200


QUICK = Scale(seconds=2.0, rounds=1, restarts=1, slow=50, readings=600, images=20)


def drawn(word: str, *, size: int = 36) -> bytes:
    font = ImageFont.load_default(size=size)
    image = Image.new("L", (round(font.getlength(word)) + size, 2 * size), 255)
    ImageDraw.Draw(image).text((size // 2, size // 3), word, font=font, fill=0)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


IMAGES = tuple(drawn(word) for word in WORDS)
READS = tuple(upload("/read", [image]) for image in IMAGES)


@contextlib.contextmanager
def serving(*, folder: Path | None = None, **settings: Any) -> Iterator[Service]:
    """Pinned to half of the cores, a worker each; its request log goes to a file, as under a process manager."""
    variables = {"LEGIBLE_WORKERS": str(len(SERVING)), "cores": ",".join(map(str, SERVING)), **settings}
    with tempfile.TemporaryDirectory() as made, started(folder or Path(made), **variables) as service:
        yield service


def full_speed(
    service: Service, seconds: float, requests: Sequence[bytes] = READS, connections: int = CONNECTIONS
) -> Outcome:
    return asyncio.run(closed_loop(service.address, requests, connections=connections, seconds=seconds))
