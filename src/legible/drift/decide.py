"""The verdict on a window of observations, by the rule of the reference. The metrics' rules decide alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from legible.drift.reference import EDGES, Floats, Kind, Reference, ranks, table
from legible.observations import Observation


class Outcome(StrEnum):
    NO_DRIFT = "no drift"
    DRIFT = "drift"
    NOT_ENOUGH_DATA = "not enough data"


EXIT_CODES = {Outcome.NO_DRIFT: 0, Outcome.DRIFT: 1, Outcome.NOT_ENOUGH_DATA: 2}


@dataclass(frozen=True)
class SignalDrift:
    """How far one signal has moved. `shift`: mean rank less 0.5, positive where values are higher than they were."""

    name: str
    kind: Kind
    ks: float
    threshold: float
    shift: float

    @property
    def drifted(self) -> bool:
        return self.ks > self.threshold


@dataclass(frozen=True)
class Verdict:
    """What was decided on `images` images; `signals`, furthest beyond first, is empty where data are too few."""

    outcome: Outcome
    images: int
    smallest_window: int
    thresholds: Mapping[Kind, float]
    signals: tuple[SignalDrift, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def drifted(self) -> tuple[SignalDrift, ...]:
        return tuple(signal for signal in self.signals if signal.drifted)

    def screen(self) -> str:
        """What people read: the verdict, then a line for each signal."""
        if self.outcome is Outcome.NOT_ENOUGH_DATA:
            return f"not enough data: {self.images} images, and it takes {self.smallest_window}; no report is drawn"
        said = "drift: unlike the images this bundle knows" if self.drifted else "no drift"
        limits = " and ".join(f"{limit:.3f} of the {kind}" for kind, limit in self.thresholds.items())
        head = f"{said} ({self.images} images; thresholds {limits})"
        return "\n".join([head, f"  {'signal':24}{'KS':>7}  shift", *map(_line, self.signals)])


def _line(signal: SignalDrift) -> str:
    mark = "  drift" if signal.drifted else ""
    kind = " (prediction)" if signal.kind == "prediction" else ""
    return f"  {signal.name + kind:24}{signal.ks:7.3f}  {signal.shift:+.3f}{mark}"


def decide(reference: Reference, observations: Sequence[Observation], *, seed: int = 0) -> Verdict:
    """The verdict on one window; `seed` draws the ranks of equal values, so that one window has one verdict."""
    n, smallest = len(observations), reference.smallest_window
    thresholds = {kind: rule.threshold(max(n, 1)) for kind, rule in reference.rules.items()}
    if n < smallest:
        return Verdict(Outcome.NOT_ENOUGH_DATA, n, smallest, thresholds, ())
    rng = np.random.default_rng(seed)
    signals = [
        _signal_drift(name, kind, ranks(grid, values, uniforms=rng.random(n)), thresholds[kind])
        for kind, known in reference.known.items()
        for (name, grid), values in zip(
            known.quantiles.items(), table(observations, tuple(known.quantiles)).T, strict=True
        )
    ]
    signals.sort(key=lambda signal: -signal.ks / signal.threshold)
    outcome = Outcome.DRIFT if signals[0].drifted else Outcome.NO_DRIFT
    return Verdict(outcome, n, smallest, thresholds, tuple(signals))


def _signal_drift(name: str, kind: Kind, current: Floats, threshold: float) -> SignalDrift:
    return SignalDrift(name, kind, ks_of(current), threshold, float(current.mean() - 0.5))


def ks_of(current: Floats) -> float:
    """Greatest distance, over the buckets' edges, between the shares of ranks (N,) and those of the reference."""
    edges = np.asarray(EDGES)
    shares = (current[:, None] <= edges).mean(axis=0)
    return float(np.abs(shares - edges).max())
