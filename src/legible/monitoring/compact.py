"""`legible compact` summarises rows by the hour, and `legible drift --summaries` decides by the summaries.

A summary is made when its hour is over, and made again when files have come since. Where files are gone it stays.
"""

import dataclasses
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from legible.drift.hour_format import reference_digest
from legible.drift.hourly import HourSummary
from legible.drift.summary import chunks
from legible.errors import DataError
from legible.monitoring.check import CountedWindow, Standard, conclude, until
from legible.monitoring.finding import Check
from legible.monitoring.hour_summaries import HourSummaries
from legible.observations.hours import HourFiles, hours_newest_first
from legible.observations.layout import FOLDER, HOUR_SECONDS, hour
from legible.observations.window import EVERYTHING, Selection, WindowTally, measured, stream_files

GRACE_SECONDS = 300.0
"""The time after which the rows of an hour that is over are taken to be written."""


@dataclass
class CompactReport:
    """The hours whose summaries were written, with their images, and those that were up to date or left alone.

    An hour is left alone where new files have come, and others that its summary counts are gone.
    """

    written: int = 0
    images: int = 0
    up_to_date: int = 0
    left_alone: list[str] = dataclasses.field(default_factory=list)


def compact(
    observations: Path | str, standard: Standard, summaries: str, *, at: float, since: float = -math.inf
) -> CompactReport:
    """Summarise each hour of observations that is over."""
    window, places = _opened(summaries, standard)
    compaction = _Compaction(standard, window, places)
    hours = reversed(list(hours_newest_first(observations, since=since)))
    for files in tqdm(list(hours), desc="compact", unit="hour", file=sys.stderr, delay=2):
        if not files.hour:
            raise DataError(f"{observations}: its files do not tell their hour; name a folder that holds {FOLDER}/")
        if files.hour < hour(at - GRACE_SECONDS):
            compaction.bring_up_to_date(files)
    return compaction.report


class _Compaction:
    """Writes summaries to `places`, one for each reference of a window."""

    def __init__(self, standard: Standard, window: CountedWindow, places: list[HourSummaries]) -> None:
        self._standard = standard
        self._window = window
        self._places = places
        self._known = [frozenset(place.hours()) for place in places]
        self.report = CompactReport()

    def bring_up_to_date(self, files: HourFiles) -> None:
        """Write the summaries of an hour where there are none, or they lack files."""
        present = [place for place, known in zip(self._places, self._known, strict=True) if files.hour in known]
        counted, there = [_counted(place, files.hour) for place in present], _named(files)
        if len(counted) == len(self._places) and all(one == there for one in counted):
            self.report.up_to_date += 1
        elif _lacks(counted, there):
            self.report.left_alone.append(files.hour)
        else:
            self._renew(files, counted)

    def _renew(self, files: HourFiles, counted: Sequence[Mapping[str, int]]) -> None:
        """Summarise an hour, unless a file that its summaries count has gone meanwhile."""
        tally, texts, gone = WindowTally(), self._window.by_bundle.corrections, set[str]()
        fresh = [HourSummary(place.reference, texts) for place in self._places]
        rows = stream_files(files, Selection(bundle=self._standard.bundle_id), tally=tally, gone=gone)
        for chunk in chunks(measured(rows, self._window.statistics, tally=tally)):
            for summary in fresh:
                summary.add(chunk)
        there = {name: size for name, size in _named(files).items() if name not in set(map(_name, gone))}
        if _lacks(counted, there):
            self.report.left_alone.append(files.hour)
            return
        for place, summary in zip(self._places, fresh, strict=True):
            summary.left_out, summary.files = dataclasses.asdict(tally), there
            place.save(files.hour, summary)
        self.report.written += 1
        self.report.images += fresh[0].images


def _lacks(counted: Sequence[Mapping[str, int]], there: Mapping[str, int]) -> bool:
    """Tell whether a summary counts a file that is not there any more."""
    return any(one.keys() - there.keys() for one in counted)


def check_summaries(summaries: str, standard: Standard, *, at: float, selection: Selection = EVERYTHING) -> Check:
    """Decide by summaries as `check` does by rows: on whole hours from a time on, of all channels or of one."""
    if math.isfinite(selection.since) and selection.since % HOUR_SECONDS:
        raise DataError("summaries are by the hour (UTC); give --since a full hour, or judge the observations")
    (window, places), left_out = _opened(summaries, standard), Counter[str]()
    chosen = until(at, selection, standard)
    sides = (window.by_bundle, window.by_baseline)
    for place, whole in zip(places, sides, strict=False):
        place.check_there()
        for summary in place.load(list(_within(place.hours(), chosen))):
            summary.merge_into(whole, channel=selection.channel)
            left_out.update(summary.left_out if whole is window.by_bundle else {})
    return conclude(window, standard, at=at, tally=WindowTally(**left_out))


def _within(hours: Iterable[str], selection: Selection) -> Iterator[str]:
    earliest = hour(selection.since) if math.isfinite(selection.since) else ""
    return (one for one in hours if earliest <= one <= hour(selection.until))


def _opened(summaries: str, standard: Standard) -> tuple[CountedWindow, list[HourSummaries]]:
    """Return an empty window, and the summaries by the references that it counts by.

    Raise DataError where one was written anew meanwhile: what is counted by one would be stored as the other's.
    """
    folders = [folder for folder in (standard.bundle, standard.baseline) if folder]
    before = [_digest(folder) for folder in folders]
    window = CountedWindow.empty(standard)
    whole = (window.by_bundle.reference, window.by_baseline.reference)
    places = [HourSummaries.of(summaries, folder, own) for folder, own in zip(folders, whole, strict=False)]
    if [place.digest for place in places] != before:
        raise DataError(f"{folders[-1]}: its reference was written anew meanwhile; run again")
    return window, places


def _digest(folder: Path) -> str:
    """Return the digest of a folder's reference; none where it cannot be read, which whoever opens it says."""
    try:
        return reference_digest(folder)
    except OSError:
        return ""


def _counted(place: HourSummaries, name: str) -> dict[str, int]:
    (summary,) = place.load([name])
    return summary.files


def _named(files: HourFiles) -> dict[str, int]:
    """Return an hour's files by their names below the log's folder, with their bytes."""
    return {_name(address): size for address, size in files.files}


def _name(address: str) -> str:
    return address.rpartition(f"/{FOLDER}/")[2]
