"""The verdict on a window of observations, by the rules of the reference; Prometheus' rules decide in the same way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from legible.arrays import Floats
from legible.drift.reference import EDGES, Reference, SignalKind
from legible.drift.summary import RankCounts, Summary
from legible.drift.unusual import EXPECTED
from legible.observations.row import Observation


class Outcome(StrEnum):
    NO_DRIFT = "no drift"
    DRIFT = "drift"
    NOT_ENOUGH_DATA = "not enough data"


BUNCHED = 1.5
"""From this many images to a document on, the verdict mentions it."""
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
class UnusualDrift:
    """The fraction of images further out than 98 % of the reference's, and the largest that chance explains.

    Those of the few most unusual documents are left out: single documents may be unlike all others.
    """

    fraction: float
    threshold: float

    @property
    def beyond(self) -> float:
        return self.fraction / self.threshold

    @property
    def drifted(self) -> bool:
        return self.fraction > self.threshold

    def line(self) -> str:
        mark = "  drift" if self.drifted else ""
        return f"  unusual images: {self.fraction:.1%}, by chance at most {self.threshold:.1%}{mark}"


@dataclass(frozen=True)
class ChannelDrift:
    """One channel by itself: its images, the documents they are worth, and how far its furthest signal is beyond."""

    name: str
    images: int
    beyond: float
    documents: float = 0.0

    @property
    def drifted(self) -> bool:
        return self.beyond > 1


@dataclass(frozen=True)
class Verdict:
    """The decision on `images` images; `signals`, furthest beyond first, is empty where data are too few.

    `channels` are those with enough images, furthest first. Each is judged by itself; together they have a budget of
    false alarms as large as that of all images. `documents` says how bunched the images are: as if they were of so many
    documents of equal size.
    """

    outcome: Outcome
    images: int
    smallest_window: int
    thresholds: Mapping[SignalKind, float]
    signals: tuple[SignalDrift, ...]
    channels: tuple[ChannelDrift, ...] = ()
    documents: float = 0.0
    unusual: UnusualDrift | None = None
    """None where the reference has no rule on them."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def drifted(self) -> tuple[SignalDrift, ...]:
        return tuple(signal for signal in self.signals if signal.drifted)

    def screen(self, *, unlike: str = "unlike training") -> str:
        """Return what people read: the verdict, then a line for each signal."""
        if self.outcome is Outcome.NOT_ENOUGH_DATA:
            return f"not enough data: {self._lacking()}; no report is drawn"
        said = f"drift: {unlike}" if self.outcome is Outcome.DRIFT else "no drift"
        limits = " and ".join(f"{limit:.3f} of the {kind}" for kind, limit in self.thresholds.items())
        head = f"{said} ({self._counted()}; thresholds {limits})"
        unusual = [self.unusual.line()] if self.unusual else []
        return "\n".join([head, f"  {'signal':24}{'KS':>7}  shift", *map(_line, self.signals), *unusual])

    def _counted(self) -> str:
        """Say how many images there are, and where they are bunched, what they are worth in documents."""
        if self.images < BUNCHED * self.documents:
            return f"{self.images} images"
        return f"{self.images} images, bunched as those of {max(round(self.documents), 1)} documents"

    def _lacking(self) -> str:
        if self.images < self.smallest_window:
            return f"{self.images} images, and it takes {self.smallest_window}"
        return f"{self._counted()}, too few for any to differ by more than chance"


def _line(signal: SignalDrift) -> str:
    mark = "  drift" if signal.drifted else ""
    kind = " (prediction)" if signal.kind == "prediction" else ""
    return f"  {signal.name + kind:24}{signal.ks:7.3f}  {signal.shift:+.3f}{mark}"


def decide(reference: Reference, observations: Iterable[Observation], *, seed: int = 0) -> Verdict:
    """Decide on one window; `seed` draws the ranks of equal values, so that one window has one verdict."""
    return judge(Summary.of(reference, observations, seed=seed))


def judge(summary: Summary) -> Verdict:
    """Decide on a window that is summarised, by the reference that it was summarised with."""
    reference, counts = summary.reference, summary.counts
    thresholds = thresholds_of(reference, counts)
    worth = counts.documents.documents
    if not _is_enough(reference, counts):
        return Verdict(Outcome.NOT_ENOUGH_DATA, counts.images, reference.smallest_window, thresholds, (), (), worth)
    signals = sorted(_signals(reference, counts), key=lambda signal: -signal.beyond)
    channels, unusual = _channels(summary), _unusual(reference, counts)
    drifted = signals[0].drifted or any(channel.drifted for channel in channels) or (unusual and unusual.drifted)
    outcome = Outcome.DRIFT if drifted else Outcome.NO_DRIFT
    return Verdict(
        outcome, counts.images, reference.smallest_window, thresholds, tuple(signals), tuple(channels), worth, unusual
    )


def thresholds_of(reference: Reference, counts: RankCounts, *, tests: int = 1) -> dict[SignalKind, float]:
    """Return the threshold of each kind for images that are bunched as these are."""
    images, bunching = max(counts.images, 1), counts.documents.bunching
    return {kind: rule.threshold(images, bunching=bunching, tests=tests) for kind, rule in reference.rules.items()}


def is_chance(summary: Summary, deviations: Floats) -> bool:
    """Tell whether deviations (signals, edges) of such a window are below the thresholds."""
    thresholds = thresholds_of(summary.reference, summary.counts)
    kinds = [kind for kind, known in summary.reference.known.items() for _ in known.quantiles]
    limits = np.asarray([thresholds[kind] for kind in kinds])
    return bool((np.abs(deviations).max(axis=1) <= limits).all())


def _is_enough(reference: Reference, counts: RankCounts) -> bool:
    """Tell whether there are enough images, in enough documents for a KS to exceed a threshold at all."""
    if counts.images < reference.smallest_window:
        return False
    return max(thresholds_of(reference, counts).values()) < max(EDGES)


def _signals(reference: Reference, counts: RankCounts, *, tests: int = 1) -> list[SignalDrift]:
    kinds = {name: kind for kind, known in reference.known.items() for name in known.quantiles}
    thresholds = thresholds_of(reference, counts, tests=tests)
    return [
        SignalDrift(name, kinds[name], float(ks), thresholds[kinds[name]], float(shift))
        for name, ks, shift in zip(reference.quantiles, counts.ks, counts.shifts, strict=True)
    ]


def _unusual(reference: Reference, counts: RankCounts, *, tests: int = 1) -> UnusualDrift | None:
    if reference.unusual is None:
        return None
    excess = reference.unusual.threshold(counts.images, bunching=counts.documents.bunching, tests=tests)
    return UnusualDrift(counts.unusual_fraction, EXPECTED + excess)


def _channels(summary: Summary) -> list[ChannelDrift]:
    reference = summary.reference
    enough = {name: counts for name, counts in summary.channels.items() if _is_enough(reference, counts)}
    found = []
    for name, counts in enough.items():
        unusual = _unusual(reference, counts, tests=len(enough))
        beyond = max(signal.beyond for signal in _signals(reference, counts, tests=len(enough)))
        beyond = max(beyond, unusual.beyond) if unusual else beyond
        found.append(ChannelDrift(name, counts.images, beyond, counts.documents.documents))
    return sorted(found, key=lambda channel: -channel.beyond)
