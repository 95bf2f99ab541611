"""The verdict on a window of observations, by the rules of the reference. The metrics' rules decide alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from legible.drift.reference import Reference, SignalKind
from legible.drift.summary import RankCounts, Summary
from legible.observations.row import Observation


class Outcome(StrEnum):
    NO_DRIFT = "no drift"
    DRIFT = "drift"
    NOT_ENOUGH_DATA = "not enough data"


EXIT_CODES = {Outcome.NO_DRIFT: 0, Outcome.DRIFT: 1, Outcome.NOT_ENOUGH_DATA: 2}


@dataclass(frozen=True)
class SignalDrift:
    """The movement of one signal. `shift`: mean rank less 0.5, positive where values are higher than they were."""

    name: str
    kind: SignalKind
    ks: float
    threshold: float
    shift: float

    @property
    def beyond(self) -> float:
        """The KS divided by the threshold."""
        return self.ks / self.threshold

    @property
    def drifted(self) -> bool:
        return self.ks > self.threshold


@dataclass(frozen=True)
class ChannelDrift:
    """One channel by itself; `beyond` is that of its furthest signal."""

    name: str
    images: int
    beyond: float

    @property
    def drifted(self) -> bool:
        return self.beyond > 1


@dataclass(frozen=True)
class Verdict:
    """The decision on `images` images; `signals`, furthest beyond first, is empty where data are too few.

    `channels` are those with enough images, furthest first; they tell where a drift comes from, and decide nothing.
    """

    outcome: Outcome
    images: int
    smallest_window: int
    thresholds: Mapping[SignalKind, float]
    signals: tuple[SignalDrift, ...]
    channels: tuple[ChannelDrift, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def drifted(self) -> tuple[SignalDrift, ...]:
        return tuple(signal for signal in self.signals if signal.drifted)

    def screen(self, *, unlike: str = "unlike training") -> str:
        """Return what people read: the verdict, then a line for each signal."""
        if self.outcome is Outcome.NOT_ENOUGH_DATA:
            return f"not enough data: {self.images} images, and it takes {self.smallest_window}; no report is drawn"
        said = f"drift: {unlike}" if self.drifted else "no drift"
        limits = " and ".join(f"{limit:.3f} of the {kind}" for kind, limit in self.thresholds.items())
        head = f"{said} ({self.images} images; thresholds {limits})"
        return "\n".join([head, f"  {'signal':24}{'KS':>7}  shift", *map(_line, self.signals)])


def _line(signal: SignalDrift) -> str:
    mark = "  drift" if signal.drifted else ""
    kind = " (prediction)" if signal.kind == "prediction" else ""
    return f"  {signal.name + kind:24}{signal.ks:7.3f}  {signal.shift:+.3f}{mark}"


def decide(reference: Reference, observations: Iterable[Observation], *, seed: int = 0) -> Verdict:
    """Decide on one window; `seed` draws the ranks of equal values, so that one window has one verdict."""
    return judge(Summary.of(reference, observations, seed=seed))


def judge(summary: Summary) -> Verdict:
    """Decide on a window that is summarised, by the reference that it was summarised with."""
    n, reference = summary.images, summary.reference
    thresholds = {kind: rule.threshold(max(n, 1)) for kind, rule in reference.rules.items()}
    if n < reference.smallest_window:
        return Verdict(Outcome.NOT_ENOUGH_DATA, n, reference.smallest_window, thresholds, ())
    signals = sorted(_signals(reference, summary.counts), key=lambda signal: -signal.beyond)
    outcome = Outcome.DRIFT if signals[0].drifted else Outcome.NO_DRIFT
    return Verdict(outcome, n, reference.smallest_window, thresholds, tuple(signals), _channels(summary))


def _signals(reference: Reference, counts: RankCounts) -> list[SignalDrift]:
    kinds = {name: kind for kind, known in reference.known.items() for name in known.quantiles}
    return [
        SignalDrift(name, kinds[name], float(ks), reference.rules[kinds[name]].threshold(counts.images), float(shift))
        for name, ks, shift in zip(reference.quantiles, counts.ks, counts.shifts, strict=True)
    ]


def _channels(summary: Summary) -> tuple[ChannelDrift, ...]:
    found = [
        ChannelDrift(name, counts.images, max(signal.beyond for signal in _signals(summary.reference, counts)))
        for name, counts in summary.channels.items()
        if counts.images >= summary.reference.smallest_window
    ]
    return tuple(sorted(found, key=lambda channel: -channel.beyond))
