"""One row of facts for each reading: make it, append it, read it back.

`observe` alone makes an Observation: the same row in the reference made at build and in the stream logged in service.
No text and no image is in it. Corrections, which hold a text, are rows of another log. Time is always an argument.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import mmap
import queue
import re
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from legible.errors import DataError
from legible.files import replace_file
from legible.image.decode import GreyImage
from legible.image.statistics import STATISTICS, measure
from legible.reading import Reading

FORMAT_VERSION = 2
CORRECTION_VERSION = 1
FOLDER = "v1"
"""Of the folder's layout; rows have a version of their own."""
PREDICTION_SIGNALS = ("confidence", "length", "capitals", "digits", "signs")
SIGNALS = (*STATISTICS, *PREDICTION_SIGNALS)
"""All that drift is decided on: what the image is like, then what was read from it."""
HOUR_FORMAT = "%Y%m%dT%H"
READING_ID = re.compile(r"[0-9]{8}T[0-9]{2}-[0-9]+-[0-9a-f]{12}")
BATCH = 500
GATHER_SECONDS = 0.2
"""How long a row may wait for others to be written with."""
NO_CHECK = -1
LONGEST_LINE = 100_000
"""Characters; what is longer is no row, and is not held."""


class OlderRowError(ValueError):
    """A row of a format before this one's."""


@dataclass(frozen=True)
class Observation:
    """`at` in Unix seconds; `width` and `height` in pixels as decoded; `length` in characters of the reading, and
    `capitals`, `digits` and `signs` (neither letter nor digit nor space) as shares of it; `check` as `check_of` says;
    `bundle` is the id of the one that read.
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

    def signal(self, name: str) -> float:
        """The value of one of SIGNALS."""
        return float(getattr(self, name) if name in PREDICTION_SIGNALS else self.statistics[name])

    def to_json(self) -> str:
        """One line, with the format's version."""
        return json.dumps({"version": FORMAT_VERSION, **vars(self)}, ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> "Observation":
        """Raises DataError for a row of a newer format, OlderRowError for an older, ValueError for one that is torn."""
        fields: Any = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("no observation")  # noqa: TRY004
        version = fields.pop("version", None)
        if isinstance(version, int) and version < FORMAT_VERSION:
            raise OlderRowError(version)
        if version != FORMAT_VERSION:
            raise DataError(
                f"observation format {version!r} is not {FORMAT_VERSION}, the one this legible reads; "
                "install the legible that wrote it"
            )
        row = Observation(**fields)
        if not row._is_sound():
            raise ValueError("no observation")
        return row

    def _is_sound(self) -> bool:
        """Whether its numbers are numbers; TypeError where they cannot be added."""
        if not (
            isinstance(self.channel, str) and isinstance(self.reading_id, str) and isinstance(self.statistics, dict)
        ):
            return False
        read = self.at + self.confidence + self.length + self.capitals + self.digits + self.signs
        return math.isfinite(read + sum(self.statistics.values()))


def observe(
    image: GreyImage,
    reading: Reading,
    *,
    channel: str,
    at: float,
    reading_id: str = "",
    writer: str = "",
    bundle: str = "",
) -> Observation:
    """The row of one reading."""
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
        capitals=_share(text, str.isupper),
        digits=_share(text, str.isdigit),
        signs=_share(text, _is_sign),
        check=check_of(reading_id, text) if reading_id else NO_CHECK,
        bundle=bundle,
    )


def statistics_of(image: GreyImage) -> dict[str, float]:
    """All of STATISTICS, rounded, so that a value and its copy on disk have the same rank."""
    return {name: _rounded(value) for name, value in measure(image).items()}


def check_of(reading_id: str, text: str) -> int:
    """One byte of a digest, which tells whether a correction is what was read, in 255 of 256; the text it hides."""
    return hashlib.sha256(f"{reading_id}\0{text}".encode()).digest()[0]


def _share(text: str, is_one: Callable[[str], bool]) -> float:
    return _rounded(sum(map(is_one, text)) / max(len(text), 1))


def _is_sign(character: str) -> bool:
    return not (character.isalnum() or character.isspace())


def _rounded(value: float) -> float:
    """Six significant digits: 0.12345678 -> 0.123457."""
    return float(f"{value:.6g}")


@dataclass(frozen=True)
class Correction:
    """What a reading should have been, as a caller says; `at` in Unix seconds."""

    at: float
    reading_id: str
    text: str

    def to_json(self) -> str:
        """One line, with the format's version."""
        return json.dumps({"version": CORRECTION_VERSION, **dataclasses.asdict(self)}, ensure_ascii=False)


def read_corrections(folder: Path) -> dict[str, str]:
    """Texts by reading id, of a log of corrections; where a reading has several, the last. None where no folder is."""
    texts: dict[str, str] = {}
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    fields = json.loads(line)
                    texts[fields["reading_id"]] = fields["text"]
                except (ValueError, KeyError, TypeError):  # torn, as rows of observations may be
                    continue
    return texts


def new_reading_id(at: float, worker: str) -> str:
    """Names a reading, and by hour and worker the file of its observation: `20261121T08-4711-9f3c52d0a1b4`."""
    return f"{_hour(at)}-{worker}-{secrets.token_hex(6)}"


def is_logged(folder: Path, reading_id: str) -> bool:
    """Whether a log's folder holds the observation of a reading."""
    if not READING_ID.fullmatch(reading_id):
        return False
    stem = reading_id.rpartition("-")[0]
    paths = (folder / FOLDER / f"{stem}.jsonl", *(folder / FOLDER).glob(f"{stem}.*.jsonl"))
    return any(_holds(path, f'"reading_id": "{reading_id}"'.encode()) for path in paths)


def _holds(path: Path, wanted: bytes) -> bool:
    """Whether these bytes are in a file, however large; not in one that is not there, or no longer."""
    with (
        suppress(FileNotFoundError, ValueError),  # ValueError: an empty file cannot be mapped
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(wanted) >= 0
    return False


def write(path: Path, observations: Iterable[Observation]) -> None:
    """A file of observations, one to a line, written beside its place and renamed into it."""
    with replace_file(path) as fresh, fresh.open("w", encoding="utf-8") as file:
        file.writelines(f"{observation.to_json()}\n" for observation in observations)


class Row(Protocol):
    """What a log keeps: a line of JSON, and when it came to be."""

    @property
    def at(self) -> float: ...

    def to_json(self) -> str: ...


class RowLog:
    """Writes rows to `<folder>/v1/<hour>-<worker>.jsonl` from a thread of its own, a file for each hour (UTC).

    `put` never blocks and never raises: what a full queue or a failing disk costs is counted in `dropped` and `failed`,
    and told to `on_lost`. Files older than `retention_days` before the newest row are deleted, and the oldest of all
    while they hold more than about `retention_bytes`, those of other workers too; None keeps all. A file that holds a
    tenth of these bytes before its hour is over is put aside as `<hour>-<worker>.<number>.jsonl`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        worker: str,
        queue_size: int,
        retention_days: int | None,
        retention_bytes: int | None = None,
        on_lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder = folder / FOLDER
        self._worker = worker
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._most_bytes = retention_bytes
        self._bytes_since_look = 0
        self._on_lost = on_lost
        self._queue: queue.Queue[Row | None] = queue.Queue(maxsize=queue_size)
        self._hour = ""
        self.written = 0
        self.dropped = 0
        self.failed = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observations", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> bool:
        """Queue one row; dropped and counted where the queue is full. Whether it was queued."""
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self.dropped += 1
            self._on_lost(1)
            return False
        return True

    def close(self, *, timeout_seconds: float) -> None:
        """Write what is queued, for at most this long."""
        self._closing.set()
        try:
            self._queue.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        running = True
        while running:
            batch = self._next_batch()
            running = None not in batch
            self._write([row for row in batch if row is not None])

    def _next_batch(self) -> list[Row | None]:
        """The next row, and those that come soon after: opening a file for each would cost as much as reading."""
        batch = [self._queue.get()]
        self._closing.wait(GATHER_SECONDS)
        while batch[-1] is not None and len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _write(self, batch: Sequence[Row]) -> None:
        by_hour = defaultdict(list)
        for row in batch:
            by_hour[_hour(row.at)].append(row)
        for hour, rows in by_hour.items():
            try:
                self._append(hour, rows)
            except OSError:
                self.failed += len(rows)
                self._on_lost(len(rows))

    def _append(self, hour: str, rows: Sequence[Row]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if hour > self._hour:
            self._delete_old(rows[0].at)
            self._delete_beyond_bytes()
            self._hour = hour
        path = self._folder / f"{hour}-{self._worker}.jsonl"
        content = "".join(f"{row.to_json()}\n" for row in rows).encode()
        with path.open("ab") as file:
            file.write(b"\n" + content if _is_torn(path) else content)
        self.written += len(rows)
        self._keep_within_bytes(path, len(content))

    def _keep_within_bytes(self, path: Path, written: int) -> None:
        """Looked at each hundredth of the bytes, so that a busy hour cannot fill the disk."""
        if self._most_bytes is None:
            return
        self._bytes_since_look += written
        if self._bytes_since_look * 100 < self._most_bytes:
            return
        self._bytes_since_look = 0
        with suppress(FileNotFoundError):  # another worker took it for the oldest
            if path.stat().st_size * 10 >= self._most_bytes:
                path.rename(_first_free(path))
        self._delete_beyond_bytes()

    def _delete_beyond_bytes(self) -> None:
        """The newest files stay. What another worker deletes meanwhile is gone too."""
        if self._most_bytes is None:
            return
        found = []
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((_hour_of(path), status.st_mtime_ns, status.st_size, path))
        left = self._most_bytes
        for _, _, size, path in sorted(found, reverse=True):
            left -= size
            if left < 0:
                path.unlink(missing_ok=True)

    def _delete_old(self, now: float) -> None:
        """Where all would go, the clock may have jumped: they are spared until rows of a second hour agree with it."""
        if self._retention is None:
            return
        oldest = (datetime.fromtimestamp(now, UTC) - self._retention).strftime(HOUR_FORMAT)
        paths = list(self._folder.glob("*.jsonl"))
        if all(_hour_of(path) < oldest for path in paths):
            return
        for path in paths:
            if _hour_of(path) < oldest:
                path.unlink(missing_ok=True)


def _hour(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(HOUR_FORMAT)


def _hour_of(path: Path) -> str:
    return path.name.partition("-")[0]


def _first_free(path: Path) -> Path:
    """`20261121T08-4711.jsonl` -> `20261121T08-4711.1.jsonl`, or the next number."""
    names = (path.with_name(f"{path.stem}.{number}.jsonl") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _is_torn(path: Path) -> bool:
    """A disk that was full, or a process that was killed, left a line without its end."""
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"


@dataclass
class Tally:
    """Lines and rows that were left out while observations streamed by, and why."""

    torn: int = 0
    older: int = 0
    """Rows of a format before this one's."""
    ahead: int = 0
    """Rows dated after now: a clock has jumped."""
    foreign: int = 0
    """Rows of other bundles' readings."""
    unmeasured: int = 0
    """Rows that lack a statistic which the reference has: an older legible wrote them."""

    def screen(self) -> list[str]:
        """A line for each reason there is."""
        said = {
            "torn lines were skipped": self.torn,
            "observations of an older format were skipped": self.older,
            "observations are dated after now and were left out; check the clocks": self.ahead,
            "observations are of another bundle's readings and were left out; judge them with --bundle": self.foreign,
            "observations of an older legible lack statistics of the reference and were left out": self.unmeasured,
        }
        return [f"{count} {what}" for what, count in said.items() if count]


@dataclass(frozen=True)
class Selection:
    """Which observations of a log are meant: of a time, a channel, a bundle; None is any."""

    since: float = -math.inf
    until: float = math.inf
    channel: str | None = None
    bundle: str | None = None

    def takes(self, row: Observation, tally: Tally) -> bool:
        if row.at < self.since or (self.channel is not None and row.channel != self.channel):
            return False
        if row.at > self.until:
            tally.ahead += 1
            return False
        if self.bundle and row.bundle and row.bundle != self.bundle:
            tally.foreign += 1
            return False
        return True


EVERYTHING = Selection()


def stream(path: Path, selection: Selection = EVERYTHING, *, tally: Tally) -> Iterator[Observation]:
    """The selected observations of a file, or of a log's folder, hour by hour, one at a time."""
    for files in reversed(list(_newest_first(path, selection.since))):
        for file in files:
            yield from _selected(file, selection, tally)


def measured(observations: Iterable[Observation], names: Iterable[str], *, tally: Tally) -> Iterator[Observation]:
    """Those that have all of these statistics."""
    wanted = frozenset(names)
    for row in observations:
        if wanted <= row.statistics.keys():
            yield row
        else:
            tally.unmeasured += 1


def newest(path: Path, selection: Selection = EVERYTHING, *, last: int, tally: Tally) -> Iterator[Observation]:
    """The last so many of the selected observations, in no order; holds their times, never their rows.

    The files are read twice: for the time from which on there are so many, then for the rows.
    """
    if last < 1:
        return
    times: list[float] = []
    for files in _newest_first(path, selection.since):
        for file in files:
            times += [row.at for row in _selected(file, selection, Tally())]
        if len(times) >= last:
            break
    times.sort()
    oldest = times[-last] if len(times) >= last else -math.inf
    spare = last - sum(at > oldest for at in times[-last:])
    chosen = dataclasses.replace(selection, since=max(selection.since, oldest))
    for row in stream(path, chosen, tally=tally):
        if row.at == oldest:
            spare -= 1
            if spare < 0:
                continue
        yield row


@dataclass(frozen=True)
class Window:
    """Observations in order of time, and how many lines could not be read."""

    observations: tuple[Observation, ...]
    torn: int


def read_back(path: Path, *, last: int | None = None, since: float = -math.inf) -> Window:
    """The last observations of a file, or of a log's folder, made at `since` or later."""
    tally, selection = Tally(), Selection(since)
    rows = stream(path, selection, tally=tally) if last is None else newest(path, selection, last=last, tally=tally)
    return Window(tuple(sorted(rows, key=lambda row: row.at)), tally.torn)


def _newest_first(path: Path, since: float) -> Iterator[list[Path]]:
    """Files that belong together in time: all workers' of one hour."""
    if path.is_file():
        yield [path]
        return
    folder = path if path.name == FOLDER else path / FOLDER
    if not folder.is_dir():
        raise DataError(
            f"{path}: no file or folder of observations (such a folder holds {FOLDER}/); name the service's"
        )
    by_hour = defaultdict(list)
    for file in sorted(folder.glob("*.jsonl")):
        by_hour[_hour_of(file)].append(file)
    earliest = _hour(since) if math.isfinite(since) else ""
    for hour in sorted(by_hour, reverse=True):
        if hour >= earliest:
            yield by_hour[hour]


def _selected(path: Path, selection: Selection, tally: Tally) -> Iterator[Observation]:
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # it was too old to be retained, since the folder was listed
        return
    with file:
        for line in iter(partial(file.readline, LONGEST_LINE), ""):
            if line.isspace():
                continue
            try:
                row = Observation.from_json(line)
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
            except OlderRowError:
                tally.older += 1
            except (ValueError, TypeError, RecursionError, OverflowError):
                tally.torn += 1
            else:
                if selection.takes(row, tally):
                    yield row
