"""What a drift verdict consists of: the findings on signals, unusual images, unusual documents and channels."""

from dataclasses import dataclass

from legible.drift.reference import SignalKind


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
class DocumentDrift:
    """Documents that lie further out than 95 % of the baseline's: how many of all, and how far out in one direction
    without the furthest of them.
    """

    far: int
    documents: int
    score: float
    threshold: float

    @property
    def beyond(self) -> float:
        return self.score / self.threshold

    @property
    def drifted(self) -> bool:
        return self.score > self.threshold

    def line(self) -> str:
        mark = "  drift" if self.drifted else ""
        counted = f"{self.far} of {self.documents} far out"
        return f"  unusual documents: {counted}, score {self.score:.3f}, by chance at most {self.threshold:.3f}{mark}"


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
