"""Which known corruption a window's deviation from the reference looks like, how severe, and in what share of it.

A signature is how far images that were corrupted on purpose, and the same images as they were, lie apart: the
difference of their shares at or below each edge, for each signal. In a window where a share w of the images has been
corrupted the deviation is w times the signature, and chance. The corruption named is the one that explains most of the
deviation by generalised least squares (Aitken 1936), 0 <= w <= 1, with the covariance of images of the reference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from legible.drift.reference import EDGES, Floats, Reference
from legible.drift.summary import Summary, ranked_by
from legible.errors import BundleError
from legible.files import JsonFormat
from legible.observations.row import Observation

FORMAT = JsonFormat("signatures", 1, "run legible reference again", BundleError)
FILE = "signatures.json"
NONE = "none"
MAX_PARTIAL = 0.85
"""Share from which on it is all of the images."""
SHRINKAGE = 0.1
"""Of the covariance towards its mean variance (Ledoit and Wolf 2004): windows differ by more than chance."""
MIN_EXPLAINED = 0.3
"""Share of a deviation's square that a signature must explain to be named."""


@dataclass(frozen=True)
class Corrupted:
    """An observation made of an image that was corrupted; of `NONE`, severity 0, it is the image as it was."""

    corruption: str
    severity: int
    right: bool
    observation: Observation

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "observation": self.observation.to_json()})

    @staticmethod
    def from_json(line: str) -> "Corrupted":
        fields: dict[str, Any] = json.loads(line)
        return Corrupted(**{**fields, "observation": Observation.from_json(fields["observation"])})


@dataclass(frozen=True)
class Cause:
    """`share` of the images look corrupted so; `explained` is the share of the deviation's square it accounts for."""

    corruption: str
    severity: int
    share: float
    explained: float

    def said(self) -> str:
        """`blur, severity 3, in about 40 % of the images`."""
        some = "" if self.share > MAX_PARTIAL else f", in about {self.share:.0%} of the images"
        return f"{self.corruption}, severity {self.severity}{some}"


@dataclass(frozen=True)
class Signatures:
    """Of K corruptions, each of a severity: `shifts` and `weights` are (K, signals * edges)."""

    signals: tuple[str, ...]
    names: tuple[tuple[str, int], ...]
    shifts: Floats
    weights: Floats
    """Shifts times the inverse of the covariance."""

    def cause(self, deviations: Floats) -> Cause | None:
        """Of deviations (signals, edges); None where no corruption explains enough of them."""
        deviation = deviations.ravel()
        projected, powers = self.weights @ deviation, (self.weights * self.shifts).sum(axis=1)
        shares = np.clip(projected / powers, 0, 1)
        best = int(np.argmax(shares * (2 * projected - shares * powers)))
        rest = deviation - shares[best] * self.shifts[best]
        explained = 1 - float(rest @ rest) / max(float(deviation @ deviation), np.finfo(float).tiny)
        if explained < MIN_EXPLAINED:
            return None
        return Cause(*self.names[best], share=float(shares[best]), explained=explained)

    def save(self, folder: Path) -> None:
        content = {
            "signals": self.signals,
            "edges": EDGES,
            "signatures": [
                {
                    "corruption": corruption,
                    "severity": severity,
                    "shift": [float(f"{x:.4g}") for x in shift],
                    "weights": [float(f"{x:.4g}") for x in weights],
                }
                for (corruption, severity), shift, weights in zip(self.names, self.shifts, self.weights, strict=True)
            ],
        }
        FORMAT.save(folder / FILE, content, indent=None)

    @staticmethod
    def load(folder: Path, *, signals: tuple[str, ...]) -> "Signatures | None":
        """Those of a reference with these signals; None where a folder has none: bundles of before named no causes."""
        path = folder / FILE
        if not path.is_file():
            return None
        with FORMAT.parse(path) as content:
            return _signatures(content, signals)


def _signatures(content: Mapping[str, Any], signals: tuple[str, ...]) -> Signatures:
    rows = content["signatures"]
    if tuple(content["signals"]) != signals:
        raise ValueError("of other signals than the reference")
    if {len(row[part]) for row in rows for part in ("shift", "weights")} != {len(signals) * len(EDGES)}:
        raise ValueError("of another length than the signals")
    return Signatures(
        signals,
        tuple((row["corruption"], row["severity"]) for row in rows),
        np.asarray([row["shift"] for row in rows], np.float64),
        np.asarray([row["weights"] for row in rows], np.float64),
    )


def make_signatures(reference: Reference, corrupted: Iterable[Corrupted], usual: Sequence[Observation]) -> Signatures:
    """Of rows of corrupted images, those of NONE among them; `usual` rows give the covariance."""
    groups: dict[tuple[str, int], list[Observation]] = {}
    for row in corrupted:
        groups.setdefault((row.corruption, row.severity), []).append(row.observation)
    clean = _deviation(reference, groups.pop((NONE, 0)))
    shifts = np.stack([_deviation(reference, rows) - clean for rows in groups.values()])
    weights = np.linalg.solve(_covariance(reference, usual), shifts.T).T
    return Signatures(tuple(reference.quantiles), tuple(groups), shifts, np.asarray(weights, np.float64))


def _deviation(reference: Reference, rows: Sequence[Observation]) -> Floats:
    return Summary.of(reference, rows).counts.deviations.ravel()


def _covariance(reference: Reference, rows: Sequence[Observation]) -> Floats:
    """Of whether an image ranks at or below each edge: (signals * edges, signals * edges)."""
    ranked = ranked_by(reference, rows, np.random.default_rng(0))
    below = (ranked[:, :, None] <= np.asarray(EDGES)).reshape(len(rows), -1)
    covariance = np.cov(below.T.astype(np.float64))
    even = covariance.trace() / len(covariance) * np.eye(len(covariance))
    return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * even, np.float64)
