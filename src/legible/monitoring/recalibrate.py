"""Refit a bundle's confidence for one deployment, from its log and its labels, behind a gate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from legible.drift.labelled import LabelledReading
from legible.drift.refit import MIN_LABELS, Refit, refit
from legible.errors import DataError
from legible.labelling.drawn import DrawnLabels, drawn_labels
from legible.observations.row import NO_CHECK, check_of
from legible.observations.window import Selection, WindowTally, stream
from legible.recognition.recalibration import SAME, Recalibration

ByMode = dict[str, list[LabelledReading]]


@dataclass(frozen=True)
class RecalibrationOutcome:
    """The refit of each mode that has enough labels, and the recalibration that they make."""

    made: Recalibration
    refits: dict[str, Refit]
    left_alone: dict[str, int]
    """The number of labels of each mode that has too few, and stays as it is."""
    drawn: DrawnLabels

    @property
    def passed(self) -> bool:
        return not any(one.faults for one in self.refits.values())

    def screen(self) -> Iterator[str]:
        """Yield lines for people."""
        for mode, one in self.refits.items():
            line = one.line
            yield f"{mode}: {one.labels} labels, bias {line.bias:+.3f}, odds {line.odds:.3f}; each held out once:"
            yield f"  before: {one.before.said()}"
            yield f"  after:  {one.after.said()}"
            yield from (f"  refused: {fault}" for fault in one.faults)
        for mode, labels in self.left_alone.items():
            yield f"{mode}: {labels} labels, and it takes {MIN_LABELS}; stays as it is"
        if left := self.drawn.chosen + self.drawn.unknown:
            yield f"left out: {left} labels that were not drawn at random"


def recalibrate(
    observations: Path | str, labels: Path, *, bundle: str, accept: float, at: float
) -> RecalibrationOutcome:
    """Refit on the labels of a bundle's readings. Raise DataError where no mode has enough labels."""
    drawn = drawn_labels(labels)
    found = labelled_by_mode(observations, drawn, bundle=bundle)
    refits = {mode: refit(own, accept=accept) for mode, own in found.items() if len(own) >= MIN_LABELS}
    if not refits:
        most = max(map(len, found.values()))
        raise DataError(
            f"{most} labels drawn at random of readings by bundle {bundle}, and it takes {MIN_LABELS}: label more "
            "blind images, or keep more (LEGIBLE_KEEP_IMAGES)"
        )
    lines = {mode: refits[mode].line if mode in refits else SAME for mode in found}
    made = Recalibration(bundle, at, sum(one.labels for one in refits.values()), **lines)
    few = {mode: len(own) for mode, own in found.items() if own and mode not in refits}
    return RecalibrationOutcome(made, refits, few, drawn)


def labelled_by_mode(observations: Path | str, drawn: DrawnLabels, *, bundle: str) -> ByMode:
    """Return the labelled readings of a log, those without a lexicon and those with one."""
    found: ByMode = {"plain": [], "lexicon": []}
    for row in stream(observations, Selection(bundle=bundle), tally=WindowTally()):
        text = drawn.texts.get(row.reading_id)
        if text is None or row.check == NO_CHECK or row.confidence <= 0.0:
            continue
        is_right = check_of(row.reading_id, text) == row.check
        found["lexicon" if row.lexicon else "plain"].append(LabelledReading(row.confidence, is_right, row.document))
    return found
