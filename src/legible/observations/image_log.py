"""The image log: which images of a running service are kept for labelling (if switched on), where, and how long.

An image is kept as it was read (decoded, grey) under the id of its reading: `<folder>/v1/<hour>/<reading_id>.png`. Time
is always an argument.
"""

import os
import queue
import shutil
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from legible.arrays import GreyImage
from legible.errors import SettingsError
from legible.files import replace_file
from legible.observations.chance import AT_RANDOM, is_at_random
from legible.observations.layout import FOLDER, READING_ID, hour
from legible.observations.retention import Retention

RECENT = 500
"""The number of recent images that an image is compared with."""
MAX_PIXELS = 1_000_000
"""A larger image is not kept: those that wait for the disk are in memory."""
MAX_QUEUED = 32
PNG = ".png"


class ImageSampler:
    """Decides which images to keep: a fraction, the least confident and the most unusual of the recent ones first."""

    def __init__(self, fraction: float) -> None:
        if not 0 <= fraction <= 1:
            raise SettingsError(f"LEGIBLE_KEEP_IMAGES is {fraction:g}; it needs a fraction from 0 to 1")
        self._fraction = fraction
        self._recent = (_Recent(), _Recent())

    def takes(self, reading_id: str, *, confidence: float, unusual: float) -> bool:
        """Tell whether to keep an image; doubt and unusualness each choose half of what is not chosen at random."""
        outside = [recent.fraction_above(x) for recent, x in zip(self._recent, (-confidence, unusual), strict=True)]
        chosen = min(outside) < self._fraction * (1 - AT_RANDOM) / 2
        return chosen or self._fraction == 1 or is_at_random(reading_id, kept=self._fraction)


@dataclass
class _Recent:
    """The last RECENT values, in order of time and of size."""

    by_time: deque[float] = field(default_factory=deque)
    by_size: list[float] = field(default_factory=list)

    def fraction_above(self, value: float) -> float:
        """Add a value, and return the fraction of the values that are as large or larger."""
        self.by_time.append(value)
        insort(self.by_size, value)
        if len(self.by_time) > RECENT:
            del self.by_size[bisect_left(self.by_size, self.by_time.popleft())]
        n = len(self.by_size)
        return (n - bisect_left(self.by_size, value)) / (n + 1)


@dataclass(frozen=True)
class QueuedImage:
    reading_id: str
    image: GreyImage
    at: float


class ImageLog:
    """Writes images from a thread of its own; folder and files are for their owner alone.

    `put` never blocks and never raises: what a full queue or a failing disk costs is told to `on_lost`. `Retention`
    deletes images that are older than `retention_days` before the one that is written, and the oldest while all hold
    more than about `retention_bytes`.
    """

    def __init__(
        self, folder: Path, *, retention_days: int, retention_bytes: int, on_lost: Callable[[int], None]
    ) -> None:
        self._folder = folder / FOLDER
        self._retention = Retention(self._folder, days=retention_days, max_bytes=retention_bytes)
        self._on_lost = on_lost
        self._queue: queue.Queue[QueuedImage | None] = queue.Queue(maxsize=MAX_QUEUED)
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def put(self, reading_id: str, image: GreyImage, *, at: float) -> None:
        """Queue an image; one that is too large, or that the full queue has no room for, is lost."""
        if image.size > MAX_PIXELS:
            self._on_lost(1)
            return
        try:
            self._queue.put_nowait(QueuedImage(reading_id, image, at))
        except queue.Full:
            self._on_lost(1)

    def close(self, *, timeout_seconds: float) -> None:
        """Write what is queued, for at most this long."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout_seconds)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (queued := self._queue.get()) is not None:
            try:
                self._write(queued)
            except OSError:
                self._on_lost(1)

    def _write(self, queued: QueuedImage) -> None:
        path = self._folder / hour(queued.at) / f"{queued.reading_id}.png"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._retention.before_write(queued.at)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with replace_file(path, durable=False) as fresh:
            Image.fromarray(queued.image).save(fresh, "PNG")
        if self._retention.is_due(written=path.stat().st_size):
            self._retention.delete_beyond_bytes(queued.at)


def kept_images(folder: Path) -> Iterator[Path]:
    """Yield every kept image of a service's folder, the oldest hour first."""
    yield from (Path(path) for path in kept_paths(folder).values())


def kept_paths(folder: Path) -> dict[str, str]:
    """Return the paths of all kept images by their names without end, the oldest hour first.

    A folder may hold a hundred thousand, of which making a `Path` each takes seconds.
    """
    place = folder if folder.name == FOLDER else folder / FOLDER
    return {name.removesuffix(PNG): f"{hour}/{name}" for hour in _folders(place) for name in _pictures(hour)}


def kept_image(folder: Path, reading_id: str) -> Path | None:
    """Return the image of a reading, or None where it was not kept."""
    path = place_of(folder, reading_id)
    return path if path is not None and path.is_file() else None


def place_of(folder: Path, reading_id: str) -> Path | None:
    """Return where the image of a reading is kept, or None for what is no reading id."""
    if not READING_ID.fullmatch(reading_id):
        return None
    return folder / FOLDER / reading_id.partition("-")[0] / f"{reading_id}{PNG}"


def _folders(place: Path) -> list[str]:
    return _entries(str(place), lambda entry: entry.is_dir(), named=lambda entry: entry.path)


def _pictures(hour: str) -> list[str]:
    return _entries(hour, lambda entry: entry.name.endswith(PNG), named=lambda entry: entry.name)


def _entries(
    folder: str, are_meant: Callable[["os.DirEntry[str]"], bool], *, named: Callable[["os.DirEntry[str]"], str]
) -> list[str]:
    """Return entries of a folder in order; none where the folder is not there, as after its retention."""
    try:
        with os.scandir(folder) as entries:
            return sorted(named(entry) for entry in entries if are_meant(entry))
    except FileNotFoundError:
        return []


def copy_kept(paths: Collection[Path], folder: Path) -> frozenset[str]:
    """Copy kept images to a folder, and return the names of those that are kept still.

    One whose retention is over meanwhile, or that is forgotten, leaves no copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        with suppress(FileNotFoundError):
            shutil.copyfile(path, folder / path.name)
    kept = frozenset(path.name for path in paths if path.exists())
    for path in paths:
        if path.name not in kept:
            (folder / path.name).unlink(missing_ok=True)
    return kept
