"""A fine-tuned bundle beside the one it started from: own held-out images and every shipped slice, on the same images.

It informs and does not judge: `gate.decide` does.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.evaluation.evaluate import Case
from legible.evaluation.results import Result, slice_names
from legible.gate.comparison import Pair, join
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
    """One slice, read by both bundles. `difference` counts documents and not images, which are not independent."""

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
        _row(name, [pair for pair in pairs if name in pair[1].slices], own=own)
        for name in slice_names(old for _, old in pairs)
    ]
    return sorted(rows, key=lambda row: (not row.is_own, row.name))


def table(rows: Sequence[BeforeAfter]) -> str:
    """Return the rows in Markdown."""
    return markdown_table(HEAD, (row.cells() for row in rows))


def _row(name: str, pairs: Sequence[Pair], *, own: Collection[str]) -> BeforeAfter:
    gained = sum(new.right and not old.right for new, old in pairs)
    lost = sum(old.right and not new.right for new, old in pairs)
    documents = len({old.writer for _, old in pairs})
    new, old = [new for new, _ in pairs], [old for _, old in pairs]
    return BeforeAfter(
        name, name.split("/", maxsplit=1)[0] in own, len(pairs), documents, _exact(old), _exact(new),
        paired_interval(gained, lost, count=len(pairs), independent=documents), _cer(old), _cer(new),
    )  # fmt: skip


def paired_interval(gained: int, lost: int, *, count: int, independent: int) -> Interval:
    """Return the interval of a difference of two fractions on the same images (Agresti and Min 2005).

    Half a case is added to each of the four cells, so that nine images of which none changed do not prove that none
    will: `paired_interval(0, 0, count=9, independent=9)` is 18 points to either side. The images count as `independent`
    documents; one document alone bounds nothing.
    """
    if independent < 2:  # noqa: PLR2004
        return Interval(-1.0, 1.0)
    scale = independent / count
    up, down, total = gained * scale + 0.5, lost * scale + 0.5, independent + 2.0
    middle = (up - down) / total
    half = Z * math.sqrt(max(up + down - (up - down) ** 2 / total, 0.0)) / total
    return Interval(max(middle - half, -1.0), min(middle + half, 1.0))


def _exact(results: Sequence[Result]) -> float:
    return sum(result.right for result in results) / len(results)


def _cer(results: Sequence[Result]) -> float:
    return sum(result.distance for result in results) / max(sum(result.length for result in results), 1)
