"""A fine-tuned bundle beside the one it started from: own held-out images and every shipped slice, on the same images.

It informs and does not judge: `gate.decide` does.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.evaluation.evaluate import Case
from legible.evaluation.results import Result
from legible.gate.comparison import Comparison, Pair, compare_all, join
from legible.gate.paired_readings import read_by_both
from legible.tables import markdown_table

Z = 1.96
"""The bounds of a normal distribution that hold 95 of 100."""
HEAD = ("slice", "images", "documents", "before", "after", "95 % of the difference", "CER before", "after")


@dataclass(frozen=True)
class Interval:
    """The bounds of a fraction or difference in 95 of 100 cases."""

    low: float
    high: float


@dataclass(frozen=True)
class BeforeAfter:
    """One slice, read by both bundles. `difference` allows for images of one document that are alike."""

    name: str
    is_own: bool
    count: int
    documents: int
    before: float
    after: float
    difference: Interval
    before_cer: float
    after_cer: float

    def cells(self) -> tuple[str, ...]:
        name = f"**{self.name}**" if self.is_own else self.name
        bounds = f"{self.difference.low * 100:+.1f} to {self.difference.high * 100:+.1f}"
        return (
            name, str(self.count), str(self.documents), f"{self.before:.1%}", f"{self.after:.1%}", bounds,
            f"{self.before_cer:.1%}", f"{self.after_cer:.1%}",
        )  # fmt: skip


def before_and_after(before: Path, after: Path, cases: Sequence[Case], *, own: Collection[str]) -> list[BeforeAfter]:
    """Read the cases with both bundles and return a row for each slice, those of the sources `own` first."""
    read = read_by_both(after, before, cases)
    pairs = join(read.candidate, read.champion)
    rows = [
        _row(comparison, [pair for pair in pairs if comparison.name in pair[1].slices], own=own)
        for comparison in compare_all(pairs)[1:]
    ]
    return sorted(rows, key=lambda row: (not row.is_own, row.name))


def table(rows: Sequence[BeforeAfter]) -> str:
    """Return the rows in Markdown."""
    return markdown_table(HEAD, (row.cells() for row in rows))


def _row(compared: Comparison, pairs: Sequence[Pair], *, own: Collection[str]) -> BeforeAfter:
    new, old = [new for new, _ in pairs], [old for _, old in pairs]
    return BeforeAfter(
        compared.name, compared.name.split("/")[0] in own, len(pairs), len({result.writer for result in old}),
        compared.champion, compared.candidate, _interval(compared), _cer(old), _cer(new),
    )  # fmt: skip


def _interval(compared: Comparison) -> Interval:
    """Return the wider bounds of two intervals: over resampled documents, and by the number of images alone."""
    alone = paired_interval(compared.to_right, compared.to_wrong, count=compared.count)
    return Interval(min(alone.low, compared.low), max(alone.high, compared.high))


def paired_interval(gained: int, lost: int, *, count: int) -> Interval:
    """Return the interval of a difference of two fractions on the same images (Agresti and Min 2005).

    Half a case is added to each of the four cells, so that nine images of which none changed do not prove that none
    will: `paired_interval(0, 0, count=9)` is 18 points to either side.
    """
    up, down, total = gained + 0.5, lost + 0.5, count + 2.0
    middle = (up - down) / total
    half = Z * math.sqrt(max(up + down - (up - down) ** 2 / total, 0.0)) / total
    return Interval(max(middle - half, -1.0), min(middle + half, 1.0))


def _cer(results: Sequence[Result]) -> float:
    return sum(result.distance for result in results) / max(sum(result.length for result in results), 1)
