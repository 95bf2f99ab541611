"""The verdict on a window of observations, by the rule of the reference. The metrics' rules decide alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from legible.drift.reference import EDGES, Floats, Reference, ranks, table
from legible.observations import PREDICTION_SIGNALS, Observation


class Outcome(StrEnum):
    NO_DRIFT = "no drift"
    DRIFT = "drift"
    NOT_ENOUGH_DATA = "not enough data"


EXIT_CODES = {Outcome.NO_DRIFT: 0, Outcome.DRIFT: 1, Outcome.NOT_ENOUGH_DATA: 2}


@dataclass(frozen=True)
class SignalDrift:
    """How far one signal has moved. `shift`: mean rank less 0.5, positive where values are higher than they were."""

    name: str
    kind: Literal["image", "prediction"]
    ks: float
    shift: float
    drifted: bool


@dataclass(frozen=True)
class Verdict:
    """What was decided on `images` images; `signals` has the furthest first, and is empty where data are too few."""

    outcome: Outcome
    images: int
    smallest_window: int
    threshold: float
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
        head = f"{said} ({self.images} images, threshold {self.threshold:.3f})"
        return "\n".join([head, f"  {'signal':24}{'KS':>7}  shift", *map(_line, self.signals)])


def _line(signal: SignalDrift) -> str:
    mark = "  drift" if signal.drifted else ""
    kind = " (prediction)" if signal.kind == "prediction" else ""
    return f"  {signal.name + kind:24}{signal.ks:7.3f}  {signal.shift:+.3f}{mark}"


def decide(reference: Reference, observations: Sequence[Observation], *, seed: int = 0) -> Verdict:
    """The verdict on one window; `seed` draws the ranks of equal values, so that one window has one verdict."""
    rule, n = reference.rule, len(observations)
    threshold = rule.threshold(max(n, 1))
    if n < rule.smallest_window:
        return Verdict(Outcome.NOT_ENOUGH_DATA, n, rule.smallest_window, threshold, ())
    values = table(observations, tuple(reference.quantiles))
    uniforms = np.random.default_rng(seed).random(values.shape)
    signals = [
        _signal_drift(name, ranks(quantiles, values[:, i], uniforms=uniforms[:, i]), threshold)
        for i, (name, quantiles) in enumerate(reference.quantiles.items())
    ]
    signals.sort(key=lambda signal: -signal.ks)
    outcome = Outcome.DRIFT if signals[0].drifted else Outcome.NO_DRIFT
    return Verdict(outcome, n, rule.smallest_window, threshold, tuple(signals))


def _signal_drift(name: str, current: Floats, threshold: float) -> SignalDrift:
    ks = ks_of(current)
    kind: Literal["image", "prediction"] = "prediction" if name in PREDICTION_SIGNALS else "image"
    return SignalDrift(name, kind, ks, float(current.mean() - 0.5), ks > threshold)


def ks_of(current: Floats) -> float:
    """Greatest distance, over the buckets' edges, between the shares of ranks (N,) and those of the reference."""
    edges = np.asarray(EDGES)
    shares = (current[:, None] <= edges).mean(axis=0)
    return float(np.abs(shares - edges).max())
