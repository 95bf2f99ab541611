"""The finding of a drift check: the verdict, its cause and cost, as lines for people and as JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from legible.drift.decide import Outcome, Verdict
from legible.drift.found import ChannelDrift
from legible.drift.labelled import MIN_LABELS, LabelledEstimate
from legible.drift.quality import Estimate
from legible.drift.signatures import Cause
from legible.monitoring.accuracy import Accuracy
from legible.monitoring.advice import advice
from legible.observations.window import WindowTally

NAMED = 5
"""The number of unusual readings on the screen."""
UNLIKE = {"training": "unlike training", "baseline": "unlike this deployment's normal"}


def utc(at: float) -> str:
    """Return a time in Unix seconds for people: `2026-11-29 22:05 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True)
class LabelFinding:
    """What labels tell of the exact match. `drawn` readings of the window were labelled that had been drawn at random.

    Labels of images that were chosen for doubt, and those drawn in an unknown way, would bias it: they are left out.
    """

    estimate: LabelledEstimate | None
    """None for fewer labels than say something."""
    drawn: int
    chosen: int
    unknown: int

    def said(self) -> str:
        if self.estimate is None:
            told = (
                f"{self.drawn} labels drawn at random in this window, and it takes {MIN_LABELS}: take a longer window"
            )
        else:
            found = self.estimate
            told = f"{found.exact_match:.1%} ({found.low:.1%} to {found.high:.1%}) by {found.labels} drawn at random"
        left = [
            f"{count} {how}"
            for how, count in (("chosen for doubt", self.chosen), ("drawn in an unknown way", self.unknown))
            if count
        ]
        return f"exact match by labels: {told}" + (f"; left out: {' and '.join(left)}" if left else "")


@dataclass(frozen=True)
class Check:
    """The result of a drift check: the verdict, when it was made (Unix seconds), and what else its reader should know.

    `against` is what it was compared with, "training" or "baseline"; `unusual` are ids of readings, the oddest first.
    """

    verdict: Verdict
    at: float
    tally: WindowTally
    report: Path | None
    cause: Cause | None = None
    estimate: Estimate | None = None
    unusual: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    """The images of the unusual readings that were kept."""
    against: str = "training"
    names_causes: bool = True
    """True where the bundle has signatures."""
    labels: LabelFinding | None = None
    """None where no labels are named."""
    drawn: int = 0
    """The number of observations in the report, a sample where it is smaller than the number of images."""
    bundle: str = ""
    """The id of the bundle whose readings were judged."""
    accuracy: Accuracy | None = None
    """None where no exact match by day is asked for."""
    since: float | None = None
    """When the verdict was first reached without another between, in Unix seconds; None where no history tells."""
    report_failed: str = ""
    """Why the report could not be drawn."""

    @property
    def exit_code(self) -> int:
        """Return 0 for no drift, 1 for drift, 2 for not enough data."""
        return self.verdict.exit_code

    @property
    def channels(self) -> tuple[ChannelDrift, ...]:
        """Return those that a drift comes from; none where there is one channel, or all have drifted."""
        drifted = tuple(channel for channel in self.verdict.channels if channel.drifted)
        return drifted if len(drifted) < len(self.verdict.channels) else ()

    @property
    def advice(self) -> tuple[str, ...]:
        """Return what to do, the next step first."""
        by_labels = bool(self.labels and self.labels.estimate)
        reliable = bool(self.estimate and not self.estimate.unreliable)
        return advice(
            self.verdict,
            cause=self.cause,
            channels=tuple(channel.name for channel in self.channels),
            are_kept=bool(self.pictures),
            is_estimate_sure=by_labels or reliable,
        )

    def screen(self) -> str:
        by_day = self.accuracy.screen() if self.accuracy else ()
        failed = [f"report: not drawn, {self.report_failed}"] if self.report_failed else []
        said = (*self._said(), *failed, *self.tally.screen(), *by_day)
        return "\n".join([self.verdict.screen(unlike=UNLIKE[self.against]), *said])

    def _said(self) -> Iterator[str]:
        if not self.verdict.signals:
            return
        if self.since is not None:
            yield f"since: {utc(self.since)}"
        if self.verdict.outcome is Outcome.DRIFT:
            where = f", channel {' and '.join(channel.name for channel in self.channels)}" if self.channels else ""
            yield f"{self.likeness}{where}"
        if self.estimate:
            yield self.estimate.said()
        if self.labels:
            yield self.labels.said()
        if self.verdict.outcome is Outcome.DRIFT:
            yield "what to do:"
            yield from (f"  {number}. {step}" for number, step in enumerate(self.advice, start=1))
        if self.unusual:
            yield f"most unusual: {' '.join(self.unusual[:NAMED])}"
        if self.pictures:
            yield f"kept of them: {' '.join(map(str, self.pictures[:NAMED]))}"
        if self.report:
            some = f" (drawn from a sample of {self.drawn})" if self.drawn < self.verdict.images else ""
            yield f"report: {self.report}{some}"

    @property
    def likeness(self) -> str:
        """Say which corruption a drift looks like."""
        if not self.names_causes:
            return "cause: this bundle has no signatures to name one by"
        return f"looks like {self.cause.said()}" if self.cause else "looks like no corruption that is known"

    def to_json(self) -> str:
        told = {
            "at": self.at,
            "since": self.since,
            "against": self.against,
            "bundle": self.bundle,
            "report": str(self.report) if self.report else None,
            "report_rows": self.drawn,
            "cause": self.cause.told() if self.cause else None,
            "drifted_channels": [channel.name for channel in self.channels],
            "estimate": asdict(self.estimate) if self.estimate else None,
            "labels": asdict(self.labels) if self.labels else None,
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
            "advice": self.advice,
            "report_failed": self.report_failed,
            "unusual": self.unusual,
            "pictures": [str(path) for path in self.pictures],
        }
        return json.dumps({**told, **asdict(self.tally), **asdict(self.verdict)})
