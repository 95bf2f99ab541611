"""The shipped rules and signatures, on windows of the rows that the bundle carries as a sample of its reference."""

from functools import cache

import numpy as np
import pyarrow.parquet
import pytest
from conftest import PROJECT

from legible.arrays import Floats
from legible.drift.reference import EDGES, Reference, ranks
from legible.drift.signatures import FILE, Signatures

BUNDLE = PROJECT / "models/bundle"
WINDOWS = 500
IMAGES = 200
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BUNDLE / FILE).is_file(), reason=f"{BUNDLE} was packed before there were signatures"),
]


@cache
def windows() -> list[Floats]:
    """Deviations (signals, edges) of windows drawn from the rows, which are by writers of the reference."""
    rng, reference = np.random.default_rng(1), Reference.load(BUNDLE)
    rows = pyarrow.parquet.read_table(BUNDLE / "reference.parquet").to_pandas()
    columns = [
        ranks(grid, rows[name].to_numpy(), uniforms=rng.random(len(rows))) for name, grid in reference.quantiles.items()
    ]
    below = np.stack(columns, axis=1)[:, :, None] <= np.asarray(EDGES)
    return [below[rng.integers(len(rows), size=IMAGES)].mean(axis=0) - np.asarray(EDGES) for _ in range(WINDOWS)]


def test_of_five_hundred_windows_without_drift_three_at_most_are_called_so() -> None:
    """At one in a thousand, four or more would be an accident of one in five hundred."""
    reference = Reference.load(BUNDLE)
    thresholds = [
        reference.rules[kind].threshold(IMAGES) for kind, known in reference.known.items() for _ in known.quantiles
    ]
    alarms = sum((np.abs(window).max(axis=1) > thresholds).any() for window in windows())
    assert alarms <= 3


@pytest.mark.parametrize("name", ["blur", "gaussian-noise", "contrast", "thicker", "inversion"])
@pytest.mark.parametrize("severity", [3, 4, 5])
def test_a_corruption_is_noticed_and_named(name: str, severity: int) -> None:
    reference = Reference.load(BUNDLE)
    signatures = Signatures.load(BUNDLE, signals=tuple(reference.quantiles))
    assert signatures is not None
    shift = signatures.shifts[signatures.names.index((name, severity))].reshape(-1, len(EDGES))
    corrupted = [window + shift for window in windows()[:50]]
    threshold = max(rule.threshold(IMAGES) for rule in reference.rules.values())
    assert np.mean([np.abs(window).max() > threshold for window in corrupted]) >= 0.95
    causes = [signatures.cause(window) for window in corrupted]
    assert np.mean([cause is not None and cause.corruption == name for cause in causes]) >= 0.9
