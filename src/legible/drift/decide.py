"""The verdict on a window of observations, by the rules of the reference; Prometheus' rules decide in the same way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from legible.arrays import Floats
from legible.drift.arrival import MAX_UNTOLD, arrival_block
from legible.drift.found import ChannelDrift, DocumentDrift, SignalDrift, UnusualDrift
from legible.drift.odd_documents import MIN_IN_WINDOW
from legible.drift.rank_counts import RankCounts
from legible.drift.reference import EDGES, Reference, SignalKind
from legible.drift.summary import Summary, ranked_by
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
    unusual_documents: DocumentDrift | None = None
    """None where the reference has no rule on documents, or the images name too few."""
    untold: int = 0
    """Images that name no document: how bunched they are is estimated."""
    read_otherwise: int = 0
    """Readings with another lexicon than the reference's, of which only the images are compared."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def drifted(self) -> tuple[SignalDrift, ...]:
        return tuple(signal for signal in self.signals if signal.drifted)

    @property
    def beyond(self) -> float:
        """Return how far the furthest finding is beyond its threshold, in thresholds; 0 where data are too few."""
        found = (*self.signals, *self.channels, self.unusual, self.unusual_documents)
        return max((one.beyond for one in found if one), default=0.0)

    def screen(self, *, unlike: str = "unlike training") -> str:
        """Return what people read: the verdict, then a line for each signal."""
        if self.outcome is Outcome.NOT_ENOUGH_DATA:
            return f"not enough data: {self._lacking()}; no report is drawn"
        said = f"drift: {unlike}" if self.outcome is Outcome.DRIFT else "no drift"
        limits = " and ".join(f"{limit:.3f} of the {kind}" for kind, limit in self.thresholds.items())
        head = f"{said} ({self._counted()}; thresholds {limits})"
        unusual = [found.line() for found in (self.unusual, self.unusual_documents) if found]
        return "\n".join(
            [head, f"  {'signal':24}{'KS':>7}  shift", *map(_line, self.signals), *unusual, *self._left_out()]
        )

    def _left_out(self) -> list[str]:
        if not self.read_otherwise:
            return []
        return [f"  {self.read_otherwise} readings with another lexicon than the reference's: their images alone count"]

    def _counted(self) -> str:
        """Say how many images there are, and where they are bunched, what they are worth in documents."""
        if self.images < BUNCHED * self.documents:
            return f"{self.images} images"
        documents = max(round(self.documents), 1)
        if self.untold > MAX_UNTOLD * self.images:
            return f"{self.images} images, {self.untold} without a document, bunched as those of about {documents}"
        return f"{self.images} images, bunched as those of {documents} documents"

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
    estimate_documents(summary)
    thresholds = thresholds_of(reference, counts)
    worth, untold = counts.documents.documents, counts.documents.unnamed
    if not _is_enough(reference, counts):
        lacking = Outcome.NOT_ENOUGH_DATA
        return Verdict(lacking, counts.images, reference.smallest_window, thresholds, (), (), worth, untold=untold)
    signals = sorted(_signals(reference, counts), key=lambda signal: -signal.beyond)
    channels, unusual, documents = _channels(summary), _unusual(reference, counts), _documents(reference, counts)
    drifted = any(found.drifted for found in (signals[0], *channels, unusual, documents) if found)
    return Verdict(
        Outcome.DRIFT if drifted else Outcome.NO_DRIFT,
        counts.images,
        reference.smallest_window,
        thresholds,
        tuple(signals),
        tuple(channels),
        worth,
        unusual,
        documents,
        untold,
        counts.images - counts.readings.images,
    )


def estimate_documents(summary: Summary) -> None:
    """Take images without a document as documents of the size that their order of arrival shows, where it is larger."""
    rows = [row for row in summary.sample if not row.document]
    if len(rows) <= MAX_UNTOLD * len(summary.sample):
        return
    reference = summary.reference
    ranked = ranked_by(reference, rows, np.random.default_rng(0))
    block = arrival_block(rows, ranked, correlation=reference.rules["image"].correlation)
    block = round(block * max(summary.images / len(summary.sample), 1))  # a sample has every k-th image
    for counts in (summary.counts, *summary.channels.values()):
        for documents in (counts.documents, counts.readings):
            documents.block = max(documents.block, block)


def thresholds_of(reference: Reference, counts: RankCounts, *, tests: int = 1) -> dict[SignalKind, float]:
    """Return the threshold of each kind for images that are bunched as these are."""
    return {
        kind: rule.threshold(max(counts.of_kind(kind).images, 1), bunching=counts.of_kind(kind).bunching, tests=tests)
        for kind, rule in reference.rules.items()
    }


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
    return thresholds_of(reference, counts)["image"] < max(EDGES)


def _signals(reference: Reference, counts: RankCounts, *, tests: int = 1) -> list[SignalDrift]:
    """Return the movement of each signal of the kinds that enough images are compared in."""
    kinds = {name: kind for kind, known in reference.known.items() for name in known.quantiles}
    thresholds = thresholds_of(reference, counts, tests=tests)
    return [
        SignalDrift(name, kinds[name], float(ks), thresholds[kinds[name]], float(shift))
        for name, ks, shift in zip(reference.quantiles, counts.ks, counts.shifts, strict=True)
        if counts.of_kind(kinds[name]).images >= reference.smallest_window
    ]


def _unusual(reference: Reference, counts: RankCounts, *, tests: int = 1) -> UnusualDrift | None:
    if reference.unusual is None:
        return None
    excess = reference.unusual.threshold(counts.images, bunching=counts.documents.bunching, tests=tests)
    return UnusualDrift(counts.unusual_fraction, EXPECTED + excess)


def _documents(reference: Reference, counts: RankCounts, *, tests: int = 1) -> DocumentDrift | None:
    rule = reference.documents
    if rule is None or len(counts.scores) < MIN_IN_WINDOW:
        return None
    means, images = counts.scores.means()
    lying = rule.lying(means, images)
    far = int((lying.scores > 0).sum())
    return DocumentDrift(far, len(images), lying.length, rule.threshold(images, tests=tests))


def _channels(summary: Summary) -> list[ChannelDrift]:
    reference = summary.reference
    enough = {name: counts for name, counts in summary.channels.items() if _is_enough(reference, counts)}
    found = []
    for name, counts in enough.items():
        rest = (rule(reference, counts, tests=len(enough)) for rule in (_unusual, _documents))
        found_in = [*_signals(reference, counts, tests=len(enough)), *(one for one in rest if one)]
        beyond = max(one.beyond for one in found_in)
        found.append(ChannelDrift(name, counts.images, beyond, counts.documents.documents))
    return sorted(found, key=lambda channel: -channel.beyond)
