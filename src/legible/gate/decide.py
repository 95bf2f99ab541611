"""May a candidate bundle replace the champion? On the same images, with reasons.

Both read the images again where they are; else the results recorded at build are joined by sample, and the verdict says
so. Without a champion the floors alone are judged.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from legible.evaluation.evaluate import Case
from legible.evaluation.results import Result, in_slice, read_results, results_path, slice_counts, slice_names
from legible.gate.comparison import JUDGED_FROM, Comparison, Pair, WriterFall, compare_all, join, writers_that_fell
from legible.gate.false_alarms import alarm_faults
from legible.gate.pages import page_comparisons, page_faults
from legible.gate.paired_readings import read_alone, read_by_both
from legible.recognition.bundle import MAX_BYTES, load_bundle
from legible.scores import calibration_error
from legible.tables import markdown_table

LARGEST_LOSS = 0.01
"""The largest loss of exact match over all images that a candidate may have."""
CALIBRATION_MARGIN = 0.02
"""The largest growth of the calibration error over all images."""
SPEED_MARGIN = 1.5
"""The longest time an image may take, as a multiple of the champion's."""
SIZE_MARGIN = 1.5
"""The largest size of the bundle, as a multiple of the champion's."""
MIN_SHARED = 0.5
"""The fraction of the champion's images of a slice that both must have read for the two to be compared."""
WAY_OUT = "evaluate both on the same data, or judge by floors alone with --champion none"


@dataclass(frozen=True)
class GateVerdict:
    """`reasons` against the candidate; none lets it pass."""

    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    recorded: bool
    """True where results recorded at build were compared, rather than readings made now."""
    notes: tuple[str, ...] = ()
    """What was not compared, or differs without being against the candidate."""
    not_read: tuple[str, ...] = ()
    """What was recorded at build and is missing among the images read again: against a deploy alone."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    def for_deploy(self) -> "GateVerdict":
        """Return the verdict for a deploy: refused where only records, or only a part of the images, were judged."""
        faults = ("a deploy needs the images to be read again; get the data",) if self.recorded else self.not_read
        return replace(self, reasons=(*self.reasons, *faults), not_read=())

    def table(self) -> str:
        """Return one line a slice, the notes, and the verdict."""
        head = (
            f"{'slice':32} {'images':>6} {'champion':>9} {'candidate':>9} {'95 % of difference':>20} {'+':>4} {'-':>4}"
        )
        lines = [_line(comparison) for comparison in self.comparisons]
        notes = [f"note: {note}" for note in (*self.notes, *self.not_read)]
        return "\n".join([head, *lines, *notes, self._said()])

    def markdown(self) -> str:
        """Return the same in Markdown, for a pull request."""
        head = ("slice", "images", "champion", "candidate", "95 % of the difference", "to right", "to wrong")
        table = markdown_table(head, map(_cells, self.comparisons))
        lists = [f"- {note}" for note in (*self.notes, *self.not_read)]
        return "\n".join([f"**Gate: {self._said()}**", "", table, "", *lists])

    def json(self) -> str:
        return json.dumps({"passed": self.passed, **asdict(self)}, indent=1, ensure_ascii=False)

    def _said(self) -> str:
        verdict = "passed" if self.passed else "refused: " + "; ".join(self.reasons)
        return f"{'recorded results. ' if self.recorded else 'read again. '}{verdict}"


def gate(
    candidate: Path, champion: Path | None, *, floors: Mapping[str, float], cases: Sequence[Case] = ()
) -> GateVerdict:
    """Judge two bundles' folders. floors: the lowest exact match allowed, by slice; cases: images that both re-read.

    Raise BundleError for a damaged bundle.
    """
    load_bundle(candidate)
    if champion is None:
        return _first(candidate, floors, cases)
    readings = _readings(candidate, champion, cases)
    pairs = join(readings.new, readings.old)
    lost, gained = _changed_charset(candidate, champion)
    reasons = [*lost, *readings.reasons, *_below_floors(readings.new, floors)]
    notes = [*gained, *readings.notes]
    if not pairs:
        reasons.append(f"no image is recorded in both bundles; {WAY_OUT}")
        return GateVerdict(tuple(reasons), (), True, tuple(notes))
    for name, fault in _unshared(pairs, readings.old).items():
        if name in floors:
            reasons.append(f"{fault}; {WAY_OUT}")
        else:
            notes.append(fault)
    comparisons = compare_all(pairs)
    reasons += [reason for comparison in comparisons for reason in _losses(comparison)]
    reasons += [*_worse_calibration(pairs), *_larger(candidate, champion), *alarm_faults(candidate, champion)]
    pages = page_comparisons(candidate, champion)
    reasons += page_faults(candidate, champion, pages)
    notes += map(_said_of_writer, writers_that_fell(pairs))
    return GateVerdict(tuple(reasons), (*comparisons, *pages), not cases, tuple(notes), readings.not_read)


@dataclass(frozen=True)
class _Readings:
    """The readings of both bundles, and the reasons that they alone give."""

    new: Sequence[Result]
    old: Sequence[Result]
    reasons: Sequence[str] = ()
    notes: Sequence[str] = ()
    not_read: tuple[str, ...] = ()


def _readings(candidate: Path, champion: Path, cases: Sequence[Case]) -> _Readings:
    """Re-read the cases with both bundles; without cases take the results recorded at build."""
    new, old = (_recorded(folder, cases) for folder in (candidate, champion))
    missing = [f"slice {name} of the champion is missing" for name in _names_only_in(old, new)]
    if not cases:
        return _Readings(new, old, missing, ["speed was not judged: nothing was read"])
    again = read_by_both(candidate, champion, cases)
    not_read = (*_missing(again.candidate, new), *_shrunk(again.champion, old))
    return _Readings(again.candidate, again.champion, [*missing, *_slower(again.times_slower)], (), not_read)


def _recorded(folder: Path, cases: Sequence[Case]) -> list[Result]:
    """Return the results recorded at build; none of a bundle that goes without, where the images are read again."""
    path = results_path(folder)
    return [] if cases and not path.is_file() else read_results(path)


def _first(candidate: Path, floors: Mapping[str, float], cases: Sequence[Case]) -> GateVerdict:
    recorded = _recorded(candidate, cases)
    results = read_alone(candidate, cases) if cases else recorded
    reasons, not_read = tuple(_below_floors(results, floors)), tuple(_missing(results, recorded))
    notes = ("no champion: floors alone were judged",)
    return GateVerdict(reasons, (), recorded=not cases, notes=notes, not_read=not_read)


def _changed_charset(candidate: Path, champion: Path) -> tuple[list[str], list[str]]:
    """Return reasons and notes: characters that were lost are a reason, those that were gained a note."""
    new, old = (load_bundle(folder).charset for folder in (candidate, champion))
    lost, gained = " ".join(new.unknown(old.characters)), " ".join(old.unknown(new.characters))
    return (
        [f"the charset lost {lost}"] if lost else [],
        [f"the charset gained {gained}"] if gained else [],
    )


def _said_of_writer(fall: WriterFall) -> str:
    return f"writer {fall.writer} fell: of {fall.count} images {fall.to_wrong} went wrong, {fall.to_right} right"


def _names_only_in(old: Iterable[Result], new: Iterable[Result]) -> list[str]:
    return sorted(set(slice_names(old)) - set(slice_names(new)))


def _unshared(pairs: Sequence[Pair], old: Sequence[Result]) -> dict[str, str]:
    """Say of which slices the images are others now than those that the champion was judged on."""
    counts, shared = slice_counts(old), slice_counts(result for _, result in pairs)
    return {
        name: f"{name}: {shared[name]} of the champion's {count} images are recorded in both, too few to compare"
        for name, count in sorted(counts.items())
        if count >= JUDGED_FROM and shared[name] < MIN_SHARED * count
    }


def _missing(read: Iterable[Result], recorded: Iterable[Result]) -> list[str]:
    """Say where the data here are not all of those that the candidate was evaluated on."""
    counts, here = slice_counts(recorded), slice_counts(read)
    few = [f"{name} {here[name]} of {count}" for name, count in sorted(counts.items()) if here[name] < count]
    return [f"not all images that the candidate was evaluated on were read again: {', '.join(few)}"] if few else []


def _shrunk(read: Iterable[Result], recorded: Iterable[Result]) -> list[str]:
    """Say where the champion was judged on far more: by number, as both read whatever images there are."""
    counts, here = slice_counts(recorded), slice_counts(read)
    few = [
        f"{name} {here[name]} for {count}" for name, count in sorted(counts.items()) if here[name] < MIN_SHARED * count
    ]
    return [f"far fewer images were read again than the champion was judged on: {', '.join(few)}"] if few else []


def _below_floors(results: Sequence[Result], floors: Mapping[str, float]) -> list[str]:
    reasons = []
    for name, floor in floors.items():
        own = in_slice(results, name)
        right = sum(result.right for result in own) / max(len(own), 1)
        if not own:
            reasons.append(f"slice {name} has a floor of {floor:.1%} and no result")
        elif right < floor:
            reasons.append(f"{name}: exact match {right:.1%} is below its floor of {floor:.1%}")
    return reasons


def _losses(row: Comparison) -> list[str]:
    if row.name == "all" and row.difference < -LARGEST_LOSS:
        return [f"all: exact match fell by {-row.difference:.1%}, more than {LARGEST_LOSS:.0%}"]
    return [f"{row.name}: exact match fell by {-row.difference:.2%}, and surely fell"] if row.surely_fell else []


def _worse_calibration(pairs: Sequence[Pair]) -> list[str]:
    new, old = (_calibration_error([pair[place] for pair in pairs]) for place in (0, 1))
    if new <= old + CALIBRATION_MARGIN:
        return []
    return [f"the calibration error grew from {old:.3f} to {new:.3f}, by more than {CALIBRATION_MARGIN:g}"]


def _calibration_error(results: Sequence[Result]) -> float:
    given, right = np.array([(result.confidence, float(result.right)) for result in results]).T
    return calibration_error(given, right)


def _slower(times: float) -> list[str]:
    if times <= SPEED_MARGIN:
        return []
    return [f"an image takes {times:.2f} times as long as before, more than {SPEED_MARGIN:g}"]


def _larger(candidate: Path, champion: Path) -> list[str]:
    new, old = (sum(path.stat().st_size for path in folder.iterdir()) for folder in (candidate, champion))
    if new <= min(MAX_BYTES, SIZE_MARGIN * old):
        return []
    return [f"the bundle grew from {old:,} to {new:,} bytes; at most {MAX_BYTES:,} and {SIZE_MARGIN:g} times"]


def _cells(row: Comparison) -> tuple[object, ...]:
    interval = f"{row.low:+.2%} to {row.high:+.2%}"
    return row.name, row.count, f"{row.champion:.2%}", f"{row.candidate:.2%}", interval, row.to_right, row.to_wrong


def _line(row: Comparison) -> str:
    name, count, champion, candidate, interval, to_right, to_wrong = _cells(row)
    return f"{name:32} {count:6} {champion:>9} {candidate:>9} {interval:>20} {to_right:4} {to_wrong:4}"
