"""Windows of observations drawn again and again from pools of them, and what others than legible say of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from legible.arrays import Floats
from legible.config import ReferenceParams
from legible.drift.calibrate import Rows, below_edges, make_reference, rows_of, window_scores
from legible.drift.reference import EDGES, KINDS, Reference, SignalKind
from legible.drift.summary import ranked_by
from legible.observations.row import Observation

PSI_LIMIT = 0.2
KS_LEVEL = 0.05
BINS = 10
MIN_PROBABILITY = 1e-4
EVIDENTLY_SHARE = 0.5


def upper_bound(events: int, trials: int) -> float:
    """Of a share, 95 % (Clopper and Pearson 1934)."""
    return float(stats.beta.ppf(0.95, events + 1, trials - events)) if events < trials else 1.0


@dataclass(frozen=True)
class Pool:
    """Whether each of N images ranks at or below each edge of a reference: (N, signals, edges)."""

    reference: Reference
    below: npt.NDArray[np.bool_]

    @staticmethod
    def of(reference: Reference, rows: Sequence[Observation]) -> "Pool":
        ranked = ranked_by(reference, rows, np.random.default_rng(5))
        return Pool(reference, ranked[:, :, None] <= np.asarray(EDGES))

    def deviations(self, usual: "Pool", n: int, share: float, tries: int, rng: np.random.Generator) -> Sequence[Floats]:
        """Of windows of n images, a share of them from here and the others usual."""
        return [self._window(usual, n, share, rng) for _ in range(tries)]

    def _window(self, usual: "Pool", n: int, share: float, rng: np.random.Generator) -> Floats:
        odd = round(n * share)
        below = self.below[rng.integers(len(self.below), size=odd)].sum(axis=0)
        below = below + usual.below[rng.integers(len(usual.below), size=n - odd)].sum(axis=0)
        return np.asarray(below / n - np.asarray(EDGES), np.float64)

    def thresholds(self, n: int) -> list[float]:
        """Of each signal, in windows of n images."""
        return [
            self.reference.rules[kind].threshold(n)
            for kind, known in self.reference.known.items()
            for _ in known.quantiles
        ]

    def detected(self, usual: "Pool", n: int, share: float, tries: int, rng: np.random.Generator) -> float:
        """Share of such windows that are called drift."""
        thresholds = self.thresholds(n)
        found = [np.abs(d).max(axis=1) > thresholds for d in self.deviations(usual, n, share, tries, rng)]
        return float(np.mean([drifted.any() for drifted in found]))


@dataclass(frozen=True)
class Half:
    """A reference by half of the writers, the rows it was made of, and those of the others."""

    reference: Reference
    known: dict[SignalKind, Rows]
    others: dict[SignalKind, Rows]

    def alarms(self, n: int, windows: int, rng: np.random.Generator) -> int:
        """How many windows of n images by the other writers are called drift, by either rule."""
        found = np.zeros(windows, np.bool_)
        for kind, known in self.reference.known.items():
            below = below_edges(list(known.quantiles.values()), self.others[kind].values, rng)
            found |= window_scores(below, n, windows, rng) > known.rule.threshold(n)
        return int(found.sum())

    def tables(self, n: int, rng: np.random.Generator) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Columns of the reference's rows, 5,000 of them, and of a window of n images by the other writers."""
        return _columns(self.known, 5000, rng), _columns(self.others, n, rng)


def _columns(rows: dict[SignalKind, Rows], n: int, rng: np.random.Generator) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    for kind, names in KINDS.items():
        values = rows[kind].values[rng.integers(len(rows[kind].values), size=n)]
        columns |= dict(zip(names, values.T, strict=True))
    return columns


def halves(
    images: Rows, observations: Sequence[Observation], section: ReferenceParams, rng: np.random.Generator
) -> Half:
    """A reference calibrated on half of the writers, drawn at random."""
    writers = sorted({*images.writers, *(row.writer for row in observations)})
    chosen = set(rng.permutation(writers)[: len(writers) // 2].tolist())
    both: dict[SignalKind, Rows] = {"image": images, "prediction": rows_of(observations, "prediction")}
    known = {kind: _of_writers(rows, chosen, among=True) for kind, rows in both.items()}
    others = {kind: _of_writers(rows, chosen, among=False) for kind, rows in both.items()}
    return Half(make_reference(known, section, seed=int(rng.integers(1_000_000))), known, others)


def _of_writers(rows: Rows, writers: set[str], *, among: bool) -> Rows:
    kept = [i for i, writer in enumerate(rows.writers) if (writer in writers) is among]
    return Rows(rows.values[kept], tuple(rows.writers[i] for i in kept))


def ks_drifts(known: dict[str, Floats], current: dict[str, Floats]) -> bool:
    """Any column's two-sample test at 0.05."""
    return any(stats.ks_2samp(known[name], current[name]).pvalue < KS_LEVEL for name in known)


def psi_drifts(known: dict[str, Floats], current: dict[str, Floats]) -> bool:
    """Any column's population stability index, over tenths of the reference, above 0.2."""
    return any(_psi(known[name], current[name]) > PSI_LIMIT for name in known)


def _psi(known: Floats, current: Floats) -> float:
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x), MIN_PROBABILITY)
        for x in (known, current)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def evidently_drifts(known: dict[str, Floats], current: dict[str, Floats]) -> bool:
    """What Evidently's preset says of the data set: half of the columns."""
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd  # noqa: PLC0415
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    definition = DataDefinition(numerical_columns=list(known))
    sides = [Dataset.from_pandas(pd.DataFrame(side), definition) for side in (current, known)]
    with np.errstate(all="ignore"):
        snapshot = Report([DataDriftPreset()]).run(*sides)
    counted = next(
        metric["value"] for metric in snapshot.dict()["metrics"] if "DriftedColumnsCount" in metric["metric_name"]
    )
    return bool(counted["share"] >= EVIDENTLY_SHARE)
