"""The exact match by day, channel and bundle: estimated, and as labels drawn at random tell it.

Corrections are no random sample, as people correct what is wrong: they are counted beside, and bound the exact match
from above, but no figure is made of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from legible.drift.accuracy import AccuracyCell, AccuracyCounts, AccuracyGroup
from legible.drift.labelled import MIN_LABELS
from legible.drift.quality import Quality
from legible.drift.summary import NO_CORRECTIONS
from legible.labelling.drawn import DrawnLabels, drawn_labels
from legible.observations.corrections import read_corrections
from legible.observations.hours import HourFiles, hours_newest_first
from legible.observations.layout import hour
from legible.observations.retention import DAY_SECONDS
from legible.observations.row import Observation
from legible.observations.window import Selection, WindowTally, stream_files
from legible.tables import markdown_table

NO_LABELS = DrawnLabels({}, 0, 0, 0)
HEADER = ("day", "of", "images", "estimated", "by labels drawn at random", "labels", "corrected, of them right")
Texts = Mapping[str, str]
"""Texts by reading id."""
Cells = dict[AccuracyCell, AccuracyCounts]
By = Literal["all", "channel", "bundle"]


@dataclass(frozen=True)
class Accuracy:
    """The exact match of all days together and of each, of all readings, of each channel and of each bundle.

    `chosen`, `unknown` and `unreadable` count labels that are left out, as `DrawnLabels` has them.
    """

    groups: tuple[AccuracyGroup, ...]
    chosen: int = 0
    unknown: int = 0
    unreadable: int = 0

    def screen(self) -> list[str]:
        """Return a table, and what its reader should know."""
        if not self.groups:
            return ["exact match by day: no readings in this time"]
        rows = [_row(group) for group in self.groups]
        return ["exact match by day, channel and bundle:", markdown_table(HEADER, rows), *self._notes()]

    def _notes(self) -> Iterator[str]:
        yield f"by labels: from {MIN_LABELS} labels on; each day, channel and bundle counts by its images"
        left = {"chosen for doubt": self.chosen, "drawn in an unknown way": self.unknown}
        left["that nobody can read"] = self.unreadable
        if said := [f"{count} {how}" for how, count in left.items() if count]:
            yield f"labels left out: {', '.join(said)}"
        whole = self.groups[0]
        if whole.corrected:
            yield (
                f"corrections: left out, as people correct what is wrong; by them at most {whole.at_most:.1%} are right"
            )


def _row(group: AccuracyGroup) -> tuple[object, ...]:
    name = "all" if group.by == "all" else f"{group.by} {group.name or '(none)'}"
    told = group.labelled.said() if group.labelled else "-"
    corrected = f"{group.corrected}, {group.confirmed}" if group.corrected else "-"
    return group.day or "all", name, group.images, group.estimated.said(), told, group.labels, corrected


@dataclass(frozen=True)
class _Hour:
    """What an hour was counted from, and its counts."""

    files: HourFiles
    labels: Texts
    corrections: Texts
    cells: Cells


class AccuracyLedger:
    """Counts a log by day, channel and bundle. An hour is read again only where its files or its labels changed."""

    def __init__(
        self,
        observations: Path | str,
        *,
        bundle: Path,
        labels: Path | None = None,
        corrections: Path | None = None,
    ) -> None:
        """Count a log. `bundle` is the folder that says how far calibration is off."""
        self._observations = observations
        self._labels = labels
        self._corrections = corrections
        quality = Quality.load(bundle)
        self._spread = quality.spread if quality else 0.0
        self._hours: dict[str, _Hour] = {}

    def count(self, *, since: float, at: float, channel: str | None = None) -> Accuracy:
        """Return the exact match of the days (UTC) from the one of `since` to now, `at`."""
        begin = since - since % DAY_SECONDS
        drawn = drawn_labels(self._labels) if self._labels else NO_LABELS
        texts = read_corrections(self._corrections) if self._corrections else NO_CORRECTIONS
        counted = self._counted(begin, at, drawn.texts, texts)
        self._hours = {one.files.hour: one for one in counted if one.files.hour and one.files.hour < hour(at)}
        cells = {
            cell: counts
            for cell, counts in _merged(one.cells for one in counted).items()
            if channel in (None, cell.channel) and cell.day >= day_of(begin)
        }
        return Accuracy(tuple(_groups(cells, spread=self._spread)), drawn.chosen, drawn.unknown, drawn.unreadable)

    def _counted(self, begin: float, at: float, labels: Texts, corrections: Texts) -> list[_Hour]:
        """Count the hours from `begin` on; files that do not tell their hour may hold any reading."""
        labels_by_hour, corrections_by_hour = _by_hour(labels), _by_hour(corrections)
        labels_by_hour[""], corrections_by_hour[""] = labels, corrections
        hours = tqdm(list(hours_newest_first(self._observations, since=begin)), unit="hour", delay=2.0)
        return [
            self._hour(files, labels_by_hour.get(files.hour, {}), corrections_by_hour.get(files.hour, {}), until=at)
            for files in hours
        ]

    def _hour(self, files: HourFiles, labels: Texts, corrections: Texts, *, until: float) -> _Hour:
        known = self._hours.get(files.hour)
        if known and (known.files, known.labels, known.corrections) == (files, labels, corrections):
            return known
        rows = stream_files(files, Selection(until=until), tally=WindowTally())
        return _Hour(files, labels, corrections, _counted(rows, labels, corrections))


def day_of(at: float) -> str:
    """Return the day of a time in Unix seconds: `2026-11-29`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _by_hour(texts: Texts) -> dict[str, Texts]:
    """Return texts by the hour that a reading's id begins with, as the name of its file does."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for reading_id, text in texts.items():
        found[reading_id.partition("-")[0]][reading_id] = text
    return dict(found)


def _counted(rows: Iterable[Observation], labels: Texts, corrections: Texts) -> Cells:
    cells: Cells = defaultdict(AccuracyCounts)
    for row in rows:
        cell = AccuracyCell(day_of(row.at), row.channel, row.bundle)
        cells[cell].add(row, label=labels.get(row.reading_id), correction=corrections.get(row.reading_id))
    return cells


def _merged(parts: Iterable[Cells]) -> Cells:
    whole: Cells = defaultdict(AccuracyCounts)
    for part in parts:
        for cell, counts in part.items():
            whole[cell].merge(counts)
    return whole


def _groups(cells: Cells, *, spread: float) -> Iterator[AccuracyGroup]:
    """Yield the group of all, then channels and bundles over all days, then the same for each day, the newest first."""
    if not cells:
        return
    for day in ("", *sorted({cell.day for cell in cells}, reverse=True)):
        own = {cell: counts for cell, counts in cells.items() if day in ("", cell.day)}
        for by, name in _names(own):
            some = {cell: counts for cell, counts in own.items() if by == "all" or getattr(cell, by) == name}
            yield AccuracyGroup.of(by, name, day, some, spread=spread)


def _names(cells: Iterable[AccuracyCell]) -> list[tuple[By, str]]:
    channels: list[tuple[By, str]] = [("channel", name) for name in sorted({cell.channel for cell in cells})]
    bundles: list[tuple[By, str]] = [("bundle", name) for name in sorted({cell.bundle for cell in cells})]
    return [("all", ""), *channels, *bundles]
