"""Reading a log back: a selection of its rows, streamed hour by hour, or the newest of them; from whatever files."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from legible.errors import DataError
from legible.observations.columns import read_parquet
from legible.observations.hours import COLUMNS, TELEMETRY, HourFiles, hours_newest_first
from legible.observations.lines import bodies, lines
from legible.observations.row import Observation, OlderRowError
from legible.stores import store_of

LONGEST_LINE = 100_000
"""A longer line, in bytes, is no row and is not held in memory."""


@dataclass
class WindowTally:
    """The number of lines and rows that were left out while observations streamed by, by reason."""

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
        """Return one line for each reason that occurred."""
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
    """A selection of observations by time, channel and bundle; None selects all."""

    since: float = -math.inf
    until: float = math.inf
    channel: str | None = None
    bundle: str | None = None

    def takes(self, row: Observation, tally: WindowTally) -> bool:
        """Return whether a row is selected; the tally counts rows that are dated ahead, or of another bundle."""
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


def stream(path: Path | str, selection: Selection = EVERYTHING, *, tally: WindowTally) -> Iterator[Observation]:
    """Yield the selected observations of a file, or of a log's folder or prefix, hour by hour, one at a time."""
    for hour in reversed(list(hours_newest_first(path, since=selection.since))):
        yield from stream_files(hour, selection, tally=tally)


def stream_files(
    hour: HourFiles, selection: Selection, *, tally: WindowTally, gone: set[str] | None = None
) -> Iterator[Observation]:
    """Yield the selected observations of one hour's files; addresses of files that are there no more go to `gone`."""
    for file, _ in hour.files:
        yield from _selected(file, selection, tally, set() if gone is None else gone)


def measured(observations: Iterable[Observation], names: Iterable[str], *, tally: WindowTally) -> Iterator[Observation]:
    """Yield the observations that have all of these statistics."""
    wanted = frozenset(names)
    for row in observations:
        if wanted <= row.statistics.keys():
            yield row
        else:
            tally.unmeasured += 1


def newest(
    path: Path | str, selection: Selection = EVERYTHING, *, last: int, tally: WindowTally
) -> Iterator[Observation]:
    """Yield the newest selected observations, in no order, at most `last` of them.

    The files are read twice, for the times and then for the rows, so that memory holds times alone.
    """
    if last < 1:
        return
    times: list[float] = []
    for hour in hours_newest_first(path, since=selection.since):
        times += [row.at for row in stream_files(hour, selection, tally=WindowTally())]
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
class ObservationWindow:
    """Observations in order of time, and the number of lines that could not be read."""

    observations: tuple[Observation, ...]
    torn: int


def read_back(path: Path | str, *, last: int | None = None, since: float = -math.inf) -> ObservationWindow:
    """Return the last observations of a file, or of a log's folder, made at `since` or later."""
    tally, selection = WindowTally(), Selection(since)
    rows = stream(path, selection, tally=tally) if last is None else newest(path, selection, last=last, tally=tally)
    return ObservationWindow(tuple(sorted(rows, key=lambda row: row.at)), tally.torn)


def _selected(address: str, selection: Selection, tally: WindowTally, gone: set[str]) -> Iterator[Observation]:
    try:
        for row in _rows(address, selection, tally):
            if selection.takes(row, tally):
                yield row
    except FileNotFoundError:  # it was too old to be retained, since the folder was listed
        gone.add(address)


def _rows(address: str, selection: Selection, tally: WindowTally) -> Iterator[Observation]:
    """Yield the rows of a file. Raise DataError, naming it, for a newer format and for a damaged Parquet file."""
    with store_of(address).open(address) as file:
        try:
            if address.endswith(COLUMNS):
                yield from _sound(read_parquet(file, channel=selection.channel), tally)
            elif address.endswith(TELEMETRY):
                yield from _parsed(bodies(file), tally)
            else:
                yield from _parsed(lines(file, max_bytes=LONGEST_LINE), tally)
        except DataError as error:
            raise DataError(f"{address}: {error}") from error


def _sound(rows: Iterable[Observation], tally: WindowTally) -> Iterator[Observation]:
    for row in rows:
        if row.is_sound():
            yield row
        else:
            tally.torn += 1


def _parsed(texts: Iterable[str], tally: WindowTally) -> Iterator[Observation]:
    for text in texts:
        try:
            row = Observation.from_json(text)
        except OlderRowError:
            tally.older += 1
        except (ValueError, TypeError, RecursionError, OverflowError):
            tally.torn += 1
        else:
            yield row
