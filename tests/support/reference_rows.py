"""Observations like those of the shipped reference, drawn from its sample: thousands, without drawing images."""

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
from conftest import PROJECT
from pyarrow import parquet

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


@cache
def shipped_sample() -> dict[str, npt.NDArray[np.float64]]:
    """The columns of the reference's sample: signals of one image belong together there, as the rules expect."""
    table = parquet.read_table(PROJECT / "models/bundle/reference.parquet")
    return {name: table[name].to_numpy() for name in table.schema.names}


def _moved(values: npt.NDArray[np.float64], grid: npt.NDArray[np.float64], shift: float) -> npt.NDArray[np.float64]:
    """Values of a signal with ranks that are higher by `shift`."""
    ranks = np.clip(np.searchsorted(grid, values) / (len(grid) - 1) + shift, 0, 1)
    return np.asarray(grid[np.rint(ranks * (len(grid) - 1)).astype(int)])


def rows_like(
    count: int, *, seed: int, start: float = MONDAY, seconds: float = 60.0, shift: float = 0.0, documents: int = 0
) -> list[Observation]:
    """Rows of two channels, `seconds` apart; `shift` moves the ranks of all statistics, documents 0 tells none."""
    sample = shipped_sample()
    chosen = np.random.default_rng(seed).integers(len(sample["confidence"]), size=count)
    columns = {name: values[chosen] for name, values in sample.items()}
    if shift:
        grids = shipped_reference().quantiles
        columns = {name: _moved(values, grids[name], shift) for name, values in columns.items() if name in grids}
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
