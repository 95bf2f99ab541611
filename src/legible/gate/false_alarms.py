"""The false alarms of a candidate's drift check, measured on its own rows, and beside the champion's.

Windows of the smallest size are drawn from those rows, image by image: how often chance alone passes a threshold. They
do not say what whole writers do to large windows, so there the thresholds are compared with the champion's.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet

from legible.arrays import Floats
from legible.drift.calibrate import AT_ONCE, WINDOW_FACTORS, below_edges
from legible.drift.reference import EDGES, KINDS, Reference, SignalKind, quantiles_of

WINDOWS = 20_000
ALARM_MARGIN = 5.0
"""How many times its part of the stated false alarms a rule may give; shipped rules give a fifth of it."""
THRESHOLD_MARGIN = 0.7
"""The threshold for large windows may fall to this fraction of the champion's: twice as many writers lower it so."""


def alarm_faults(candidate: Path, champion: Path) -> list[str]:
    """Return reasons against the candidate. Raise BundleError where a reference is damaged."""
    new, old = Reference.load(candidate), Reference.load(champion)
    rows = pyarrow.parquet.read_table(candidate / "reference.parquet").to_pydict()
    faults = _stated(new, old)
    for kind in KINDS:
        values = np.stack([np.asarray(rows[name], np.float64) for name in new.known[kind].quantiles], axis=1)
        faults += [*_measured(new, kind, values), *_lowered(new, old, kind)]
    return faults


def _stated(new: Reference, old: Reference) -> list[str]:
    rates = new.false_alarms_per_window, old.false_alarms_per_window
    if rates[0] <= rates[1]:
        return []
    return [f"its drift check states {rates[0]:g} false alarms a window in place of {rates[1]:g}"]


def _measured(new: Reference, kind: SignalKind, values: Floats) -> list[str]:
    rate, budget = false_alarms(new, kind, values), new.false_alarms_per_window / len(KINDS)
    if rate <= ALARM_MARGIN * budget:
        return []
    called = f"its {kind} rule calls {rate:.2%} of windows of its own images drift"
    return [f"{called}, more than {ALARM_MARGIN:g} times the {budget:.2%} it may"]


def false_alarms(reference: Reference, kind: SignalKind, values: Floats) -> float:
    """Return the fraction of windows of the smallest size, of these values (N, signals), that the rule calls drift.

    They are ranked among themselves: what is measured is chance, not a difference between samples.
    """
    rng = np.random.default_rng(0)
    below = below_edges([quantiles_of(column) for column in values.T], values, rng)
    n = reference.smallest_window
    edges = np.tile(np.asarray(EDGES), values.shape[1])
    drawn = (below[rng.integers(len(below), size=(AT_ONCE, n))].mean(axis=1) for _ in range(WINDOWS // AT_ONCE))
    scores = np.concatenate([np.abs(fractions - edges).max(axis=1) for fractions in drawn])
    return float(np.mean(scores > reference.rules[kind].threshold(n)))


def _lowered(new: Reference, old: Reference, kind: SignalKind) -> list[str]:
    n = new.smallest_window * max(WINDOW_FACTORS)
    now, before = new.rules[kind].threshold(n), old.rules[kind].threshold(n)
    if now >= THRESHOLD_MARGIN * before:
        return []
    fell = f"the threshold of its {kind} rule for {n} images fell from {before:.3f} to {now:.3f}"
    return [f"{fell}, below {THRESHOLD_MARGIN:g} of it"]
