"""The figures of two bundles beside each other, by slice, as a pull request shows them: no verdict."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIGURES = ("exact_match", "cer", "wer", "calibration_error")


def figures_beside(candidate: Path, champion: Path) -> str:
    """A folded Markdown table of evaluation.json of both, on whatever images each was evaluated on."""
    new, old = (_slices(folder) for folder in (candidate, champion))
    lines = [
        "",
        "<details><summary>Figures of the champion and the candidate, as recorded</summary>",
        "",
        "| slice | images | exact match | CER | WER | calibration error |",
        "|---|---|---|---|---|---|",
        *(f"| {name} | {_row(old.get(name, {}), new.get(name, {}))} |" for name in sorted(old.keys() | new.keys())),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def _slices(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    slices: Mapping[str, Mapping[str, Any]] = json.loads((folder / "evaluation.json").read_text("utf-8"))["slices"]
    return slices


def _row(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    counts = f"{old.get('count', '-')} to {new.get('count', '-')}" if old.get("count") != new.get("count") else ""
    shares = (f"{_share(old.get(name))} to {_share(new.get(name))}" for name in FIGURES)
    return " | ".join([counts or str(new["count"]), *shares])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
