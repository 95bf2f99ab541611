"""The known corruption that a window's deviation looks like, its severity, and the fraction of images concerned.

A signature is how far images that were corrupted on purpose, and the same images as they were, lie apart: the
difference of their fractions at or below each edge, for each signal. In a window where a fraction w of the images was
corrupted the deviation is w times the signature, and chance. The corruption named is the one that explains most of the
deviation by generalised least squares (Aitken 1936), 0 <= w <= 1, with the covariance of images of the reference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from legible.arrays import Floats
from legible.drift.reference import EDGES, Reference
from legible.drift.summary import Summary, ranked_by
from legible.errors import BundleError
from legible.file_numbers import finite_array, whole_number
from legible.files import JsonFormat
from legible.observations.row import Observation

FORMAT = JsonFormat("signatures", 1, "run legible reference again", BundleError)
FILE = "signatures.json"
NONE = "none"
MAX_PARTIAL = 0.85
"""From this fraction on, all of the images are said to be concerned."""
SHRINKAGE = 0.1
"""How far the covariance is drawn to its mean variance (Ledoit and Wolf 2004): windows differ by more than chance."""
MIN_EXPLAINED = 0.3
"""The fraction of a deviation's square that a signature must explain to be named."""


@dataclass(frozen=True)
class Corrupted:
    """An observation of an image that was corrupted on purpose; with `NONE` and severity 0 the image as it was."""

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
    """A fraction of the images looks corrupted so; `explained` is the fraction of the deviation's square."""

    corruption: str
    severity: int
    fraction: float
    explained: float

    def said(self) -> str:
        """Say the cause: `blur, severity 3, in about 40 % of the images`."""
        some = "" if self.fraction > MAX_PARTIAL else f", in about {self.fraction:.0%} of the images"
        return f"{self.corruption}, severity {self.severity}{some}"

    def told(self) -> dict[str, object]:
        """Return the cause as published in JSON, where its fraction is called `share`."""
        return {
            "corruption": self.corruption,
            "severity": self.severity,
            "share": self.fraction,
            "explained": self.explained,
        }


@dataclass(frozen=True)
class Signatures:
    """The signatures of K corruptions, each of a severity: `shifts` and `weights` are (K, signals * edges)."""

    signals: tuple[str, ...]
    names: tuple[tuple[str, int], ...]
    shifts: Floats
    weights: Floats
    """Shifts times the inverse of the covariance."""

    def cause(self, deviations: Floats) -> Cause | None:
        """Name the cause of deviations (signals, edges); None where no corruption explains enough of them."""
        deviation = deviations.ravel()
        projected, powers = self.weights @ deviation, (self.weights * self.shifts).sum(axis=1)
        fractions = np.clip(projected / powers, 0, 1)
        best = int(np.argmax(fractions * (2 * projected - fractions * powers)))
        rest = deviation - fractions[best] * self.shifts[best]
        explained = 1 - float(rest @ rest) / max(float(deviation @ deviation), np.finfo(float).tiny)
        if explained < MIN_EXPLAINED:
            return None
        return Cause(*self.names[best], fraction=float(fractions[best]), explained=explained)

    def rest(self, deviations: Floats, cause: Cause) -> Floats:
        """Return what is left of deviations (signals, edges) without what the cause accounts for."""
        place = self.names.index((cause.corruption, cause.severity))
        return np.asarray(deviations - cause.fraction * self.shifts[place].reshape(deviations.shape), np.float64)

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
        """Open those of a reference with these signals; None where there are none, as in earlier bundles."""
        path = folder / FILE
        if not path.is_file():
            return None
        with FORMAT.parse(path) as content:
            return _signatures(content, signals)


def _signatures(content: Mapping[str, Any], signals: tuple[str, ...]) -> Signatures:
    rows = content["signatures"]
    if tuple(content["signals"]) != signals:
        raise ValueError("of other signals than the reference")
    shape = (len(rows), len(signals) * len(EDGES))
    return Signatures(
        signals,
        tuple((str(row["corruption"]), whole_number(row["severity"], "severity", low=0)) for row in rows),
        finite_array([row["shift"] for row in rows], "shift", shape=shape),
        finite_array([row["weights"] for row in rows], "weights", shape=shape),
    )


def make_signatures(reference: Reference, corrupted: Iterable[Corrupted], usual: Sequence[Observation]) -> Signatures:
    """Make signatures of rows of corrupted images, NONE among them; `usual` rows give the covariance."""
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
    """Return the covariance of whether an image ranks at or below each edge: (signals * edges, signals * edges)."""
    ranked = ranked_by(reference, rows, np.random.default_rng(0))
    below = (ranked[:, :, None] <= np.asarray(EDGES)).reshape(len(rows), -1)
    covariance = np.cov(below.T.astype(np.float64))
    even = covariance.trace() / len(covariance) * np.eye(len(covariance))
    return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * even, np.float64)
