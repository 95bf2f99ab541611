"""Reading a log back: a selection of its rows, streamed hour by hour, or the newest of them."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from legible.errors import DataError
from legible.observations.layout import FOLDER, hour, hour_of
from legible.observations.row import Observation, OlderRowError

LONGEST_LINE = 100_000
"""A longer line, in characters, is no row and is not held in memory."""


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


def stream(path: Path, selection: Selection = EVERYTHING, *, tally: WindowTally) -> Iterator[Observation]:
    """Yield the selected observations of a file, or of a log's folder, hour by hour, one at a time."""
    for files in reversed(list(_newest_first(path, selection.since))):
        for file in files:
            yield from _selected(file, selection, tally)


def measured(observations: Iterable[Observation], names: Iterable[str], *, tally: WindowTally) -> Iterator[Observation]:
    """Yield the observations that have all of these statistics."""
    wanted = frozenset(names)
    for row in observations:
        if wanted <= row.statistics.keys():
            yield row
        else:
            tally.unmeasured += 1


def newest(path: Path, selection: Selection = EVERYTHING, *, last: int, tally: WindowTally) -> Iterator[Observation]:
    """Yield the newest selected observations, in no order, at most `last` of them.

    The files are read twice, for the times and then for the rows, so that memory holds times alone.
    """
    if last < 1:
        return
    times: list[float] = []
    for files in _newest_first(path, selection.since):
        for file in files:
            times += [row.at for row in _selected(file, selection, WindowTally())]
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


def read_back(path: Path, *, last: int | None = None, since: float = -math.inf) -> ObservationWindow:
    """Return the last observations of a file, or of a log's folder, made at `since` or later."""
    tally, selection = WindowTally(), Selection(since)
    rows = stream(path, selection, tally=tally) if last is None else newest(path, selection, last=last, tally=tally)
    return ObservationWindow(tuple(sorted(rows, key=lambda row: row.at)), tally.torn)


def _newest_first(path: Path, since: float) -> Iterator[list[Path]]:
    """Yield the files of each hour, of all workers together, the newest hour first."""
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
        by_hour[hour_of(file)].append(file)
    earliest = hour(since) if math.isfinite(since) else ""
    for name in sorted(by_hour, reverse=True):
        if name >= earliest:
            yield by_hour[name]


def _selected(path: Path, selection: Selection, tally: WindowTally) -> Iterator[Observation]:
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
