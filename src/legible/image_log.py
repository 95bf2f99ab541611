"""Images of a running service that are kept for labelling, where that is switched on: which, where, and how long.

An image is kept as it was read (decoded, grey) under the id of its reading: `<folder>/v1/<hour>/<reading_id>.png`. Time
is always an argument.
"""

import queue
import random
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from legible.errors import SettingsError
from legible.files import replace_file
from legible.image.decode import GreyImage
from legible.observations import FOLDER, HOUR_FORMAT, READING_ID

RECENT = 500
"""Images that one is compared with."""
AT_RANDOM = 0.1
"""Share of what is kept that is chosen blindly, so that what is labelled tells of the rest too."""
MAX_PIXELS = 1_000_000
"""A larger image is not kept: those that wait for the disk are in memory."""
WAITING = 32
MIN_QUIET_FRACTION = 0.01
"""Of the bytes allowed: so much is written between two looks at how much there is."""


class ImageSampler:
    """Which images to keep: a share of them, the least confident and the most unusual of the recent ones first."""

    def __init__(self, share: float, rng: random.Random) -> None:
        if not 0 <= share <= 1:
            raise SettingsError(f"LEGIBLE_KEEP_IMAGES is {share:g}; it needs a share from 0 to 1")
        self._share = share
        self._rng = rng
        self._recent = (_Recent(), _Recent())

    def takes(self, *, confidence: float, unusual: float) -> bool:
        """Each of the two chooses half of what is not chosen at random."""
        outside = [recent.share_above(x) for recent, x in zip(self._recent, (-confidence, unusual), strict=True)]
        chosen = min(outside) < self._share * (1 - AT_RANDOM) / 2
        return chosen or self._share == 1 or self._rng.random() < self._share * AT_RANDOM


@dataclass
class _Recent:
    """The last RECENT values, in order of time and of size."""

    by_time: deque[float] = field(default_factory=deque)
    by_size: list[float] = field(default_factory=list)

    def share_above(self, value: float) -> float:
        """Of the values, this one among them, how many are as large or larger."""
        self.by_time.append(value)
        insort(self.by_size, value)
        if len(self.by_time) > RECENT:
            del self.by_size[bisect_left(self.by_size, self.by_time.popleft())]
        n = len(self.by_size)
        return (n - bisect_left(self.by_size, value)) / (n + 1)


@dataclass(frozen=True)
class _Waiting:
    reading_id: str
    image: GreyImage
    at: float


class ImageLog:
    """Writes images from a thread of its own; folder and files are for their owner alone.

    `put` never blocks and never raises: what a full queue or a failing disk costs is told to `on_lost`. Images of hours
    more than `retention_days` before the newest are deleted, and the oldest of all while they hold more than about
    `retention_bytes`, those of other workers too.
    """

    def __init__(
        self, folder: Path, *, retention_days: int, retention_bytes: int, on_lost: Callable[[int], None]
    ) -> None:
        self._folder = folder / FOLDER
        self._retention = timedelta(days=retention_days)
        self._most_bytes = retention_bytes
        self._bytes_since_look = 0
        self._on_lost = on_lost
        self._hour = ""
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(maxsize=WAITING)
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def put(self, reading_id: str, image: GreyImage, *, at: float) -> None:
        """Queue an image; one that is too large, or that the full queue has no room for, is lost."""
        if image.size > MAX_PIXELS:
            self._on_lost(1)
            return
        try:
            self._queue.put_nowait(_Waiting(reading_id, image, at))
        except queue.Full:
            self._on_lost(1)

    def close(self, *, timeout_seconds: float) -> None:
        """Write what is queued, for at most this long."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout_seconds)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (waiting := self._queue.get()) is not None:
            try:
                self._write(waiting)
            except OSError:
                self._on_lost(1)

    def _write(self, waiting: _Waiting) -> None:
        hour = datetime.fromtimestamp(waiting.at, UTC).strftime(HOUR_FORMAT)
        if hour > self._hour:
            self._delete_old(waiting.at)
            self._hour = hour
        path = self._folder / hour / f"{waiting.reading_id}.png"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with replace_file(path, durable=False) as fresh:
            Image.fromarray(waiting.image).save(fresh, "PNG")
        self._bytes_since_look += path.stat().st_size
        if self._bytes_since_look >= MIN_QUIET_FRACTION * self._most_bytes:
            self._bytes_since_look = 0
            self._delete_beyond_bytes()

    def _delete_old(self, now: float) -> None:
        """Where all would go, the clock may have jumped: they are spared until a second hour agrees with it."""
        oldest = (datetime.fromtimestamp(now, UTC) - self._retention).strftime(HOUR_FORMAT)
        hours = [path for path in self._folder.glob("*") if path.is_dir()]
        if all(hour.name < oldest for hour in hours):
            return
        for hour in hours:
            if hour.name < oldest:
                with suppress(FileNotFoundError):  # another worker was quicker
                    _delete(list(hour.iterdir()))

    def _delete_beyond_bytes(self) -> None:
        left, beyond = self._most_bytes, []
        for path in sorted(kept_images(self._folder), key=_age, reverse=True):
            with suppress(FileNotFoundError):  # another worker took it for the oldest
                left -= path.stat().st_size
                if left < 0:
                    beyond.append(path)
        _delete(beyond)


def _age(path: Path) -> tuple[str, float]:
    try:
        return path.parent.name, path.stat().st_mtime
    except FileNotFoundError:
        return path.parent.name, 0.0


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        with suppress(OSError):  # another image is still in it, or it is gone
            folder.rmdir()


def kept_images(folder: Path) -> Iterator[Path]:
    """Every kept image of a service's folder, the oldest hour first."""
    yield from sorted((folder if folder.name == FOLDER else folder / FOLDER).glob("*/*.png"))


def kept_image(folder: Path, reading_id: str) -> Path | None:
    """That of a reading, where it was kept."""
    if not READING_ID.fullmatch(reading_id):
        return None
    path = folder / FOLDER / reading_id.partition("-")[0] / f"{reading_id}.png"
    return path if path.is_file() else None
