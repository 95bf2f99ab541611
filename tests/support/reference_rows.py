"""Observations drawn from the quantiles of the shipped reference: thousands in a moment, without drawing images."""

from dataclasses import replace
from functools import cache

import numpy as np
from conftest import PROJECT

from legible.drift.reference import Reference
from legible.drift.unusual import Distance, UnusualRule
from legible.image.statistics import STATISTICS
from legible.observations.layout import new_reading_id
from legible.observations.row import Observation

MONDAY = 1_795_392_000.0  # 2026-11-23T00:00Z
HOUR = 3600.0


@cache
def shipped_reference() -> Reference:
    """The shipped reference, with a rule on unusual images whatever the bundle's version."""
    reference = Reference.load(PROJECT / "models/bundle")
    signals = len(reference.known["image"].quantiles)
    rule = UnusualRule(Distance(np.eye(signals)), point=33.0, level=7.0, m=100.0, correlation=0.3)
    return replace(reference, unusual=rule)


def rows_like(
    count: int, *, seed: int, start: float = MONDAY, seconds: float = 60.0, shift: float = 0.0, documents: int = 0
) -> list[Observation]:
    """Rows of two channels, `seconds` apart; `shift` moves the ranks of all statistics, documents 0 tells none."""
    rng = np.random.default_rng(seed)
    grids = shipped_reference().quantiles
    ranks = np.clip(rng.random((count, len(grids))) + shift, 0, 1)
    columns = {
        name: grid[np.rint(ranks[:, i] * (len(grid) - 1)).astype(int)] for i, (name, grid) in enumerate(grids.items())
    }
    return [
        Observation(
            at=start + i * seconds,
            channel="mobile" if i % 3 == 0 else "scanner",
            width=100,
            height=40,
            length=int(columns["length"][i]),
            confidence=float(columns["confidence"][i]),
            statistics={name: float(columns[name][i]) for name in STATISTICS if name in columns},
            reading_id=new_reading_id(start + i * seconds, "1"),
            capitals=float(columns["capitals"][i]),
            digits=float(columns["digits"][i]),
            signs=float(columns["signs"][i]),
            document=f"d{i // 5 % documents}" if documents else "",
        )
        for i in range(count)
    ]
