"""Show the figures of two bundles beside each other, by slice, for a pull request: no verdict."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from legible.errors import BundleError
from legible.files import DAMAGE
from legible.tables import markdown_table

FIGURES = ("exact_match", "cer", "wer", "calibration_error")
TITLES = {"exact_match": "exact match", "cer": "CER", "wer": "WER", "calibration_error": "calibration error"}

FigureRows = Mapping[str, Mapping[str, Any]]
"""Rows by their name, and of each row its figures by their name."""


def figures_beside(candidate: Path, champion: Path) -> str:
    """Return folded Markdown tables of both evaluation.json, each on whatever images it was evaluated on.

    Raise BundleError for a damaged one.
    """
    try:
        return _tables(*(json.loads((folder / "evaluation.json").read_bytes()) for folder in (champion, candidate)))
    except DAMAGE as error:
        raise BundleError(
            f"{candidate} or {champion}: damaged evaluation.json ({error}); pack the bundle again or fetch it anew"
        ) from error


def _tables(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    lexicons = [evaluation.get("with_lexicon", {}).get("slices", {}) for evaluation in (old, new)]
    unchanged = [evaluation.get("same_reading", {}) for evaluation in (old, new)]
    changes = [name for name in dict.fromkeys(n for row in unchanged[1].values() for n in row) if name != "images"]
    corrupted = [_by_severity(evaluation.get("corruptions", {}).get("exact_match", {})) for evaluation in (old, new)]
    severities = [f"severity {number}" for number in range(1, 6)]
    lines = [
        "",
        "<details><summary>Figures of the champion and the candidate, as recorded</summary>",
        *_table("slice", FIGURES, old["slices"], new["slices"]),
        *_table("slice, with lexicon", FIGURES, *lexicons),
        *_table("read the same after a change", changes, *unchanged),
        *_table("exact match of corrupted images", severities, *corrupted),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def _by_severity(curves: Mapping[str, Sequence[float]]) -> FigureRows:
    """Name the figures of each curve: `{"blur": [0.71, ...]}` -> `{"blur": {"severity 1": 0.71, ...}}`."""
    return {
        name: {f"severity {number}": value for number, value in enumerate(values, start=1)}
        for name, values in curves.items()
    }


def _table(what: str, names: Sequence[str], old: FigureRows, new: FigureRows) -> Iterator[str]:
    """Yield an empty line and a table; nothing where neither has any figure."""
    if not old and not new:
        return
    rows = []
    for row in sorted(old.keys() | new.keys()):
        before, after = old.get(row, {}), new.get(row, {})
        both = (f"{_percent(before.get(name))} to {_percent(after.get(name))}" for name in names)
        rows.append((row, _counts(before, after), *both))
    yield from ("", markdown_table((what, "images", *(TITLES.get(name, name) for name in names)), rows))


def _counts(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = (row.get("count", row.get("images", "-")) for row in (before, after))
    return f"{new}" if old == new else f"{old} to {new}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
