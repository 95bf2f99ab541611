"""Whole pages in the gate: lines found and text in order, of the candidate and the champion on the same pages.

Both were measured when they were built (`evaluation.pages`); pages that only one of them recorded are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.errors import BundleError
from legible.evaluation.page_scores import PageScores
from legible.evaluation.pages import ROWS, PageRow, read_rows
from legible.gate.comparison import CHANCE, Comparison
from legible.recognition.bundle import DETECTOR, read_manifest

RESAMPLES = 2_000
Figure = Callable[[PageScores], float]
LINES, TEXT = "pages: F1 of lines", "pages: text in order (1 - CER)"
FIGURES: dict[str, Figure] = {LINES: lambda scores: scores.line_f1, TEXT: lambda scores: 1 - scores.cer}


def page_comparisons(candidate: Path, champion: Path) -> list[Comparison]:
    """Compare the figures of the pages that both recorded; none where one of the bundles reads no pages.

    Text is compared on the pages on which the champion found a line: what is read elsewhere is read by chance.
    """
    folders = (candidate, champion)
    if not all((folder / ROWS).is_file() for folder in folders):
        return []
    new, old = ({(row.group, row.name): row for row in _rows(folder)} for folder in folders)
    shared = [(new[key], old[key]) for key in sorted(new.keys() & old.keys()) if old[key].scores.lines]
    read = [(one, other) for one, other in shared if other.scores.right_lines]
    chosen = {LINES: shared, TEXT: read}
    return [_compare(name, FIGURES[name], pages) for name, pages in chosen.items() if pages]


def page_faults(candidate: Path, champion: Path, compared: Sequence[Comparison]) -> list[str]:
    """Return reasons against a candidate: a detector that is gone, figures that surely fell, none to compare."""
    has = [DETECTOR in read_manifest(folder).files for folder in (candidate, champion)]
    if has == [False, True]:
        return [f"the bundle lost its line detector ({DETECTOR})"]
    if all(has) and not compared:
        return ["no page is recorded in both bundles; evaluate both on the same pages"]
    fell = [row for row in compared if row.surely_below < 0]
    return [f"{row.name}: fell by {-row.difference:.2%}, and surely fell" for row in fell]


def _rows(folder: Path) -> list[PageRow]:
    try:
        return [row for row in read_rows(folder / ROWS) if row.complete]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder / ROWS}: damaged ({error}); pack the bundle again or fetch it anew") from error


def _compare(name: str, figure: Figure, shared: Sequence[tuple[PageRow, PageRow]]) -> Comparison:
    """Compare one figure; its interval is of resampled pages."""
    new, old = (np.array([astuple(pair[place].scores) for pair in shared]) for place in (0, 1))
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(shared), size=len(shared)) for _ in range(RESAMPLES)]
    differences = [_figure(figure, new[pages]) - _figure(figure, old[pages]) for pages in drawn]
    low, high, surely_below = np.quantile(differences, (CHANCE / 2, 1 - CHANCE / 2, 1 - CHANCE / 2 / len(FIGURES)))
    by_page = np.array([figure(one.scores) - figure(other.scores) for one, other in shared])
    return Comparison(
        name, len(shared), _figure(figure, new), _figure(figure, old), float(low), float(high), float(surely_below),
        to_right=int((by_page > 0).sum()), to_wrong=int((by_page < 0).sum()),
    )  # fmt: skip


def _figure(figure: Figure, counts: npt.NDArray[np.int64]) -> float:
    return figure(PageScores(*map(int, counts.sum(axis=0))))
