"""The drift check: decide on a window of observations, say what happened and what it costs, draw the report.

Once by `legible drift`, or on a schedule, with the last verdict at /metrics of a port of its own, beside the service's.
"""

import json
import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from legible.drift.baseline import RESAMPLES, Baseline, make_baseline
from legible.drift.decide import ChannelDrift, Outcome, Verdict, judge
from legible.drift.quality import Estimate, Quality, estimated
from legible.drift.reference import Reference
from legible.drift.signatures import Cause, Signatures
from legible.drift.summary import NO_CORRECTIONS, Summary, chunks
from legible.errors import ImageError
from legible.image.decode import decode
from legible.image.statistics import STATISTICS
from legible.observations.corrections import read_corrections
from legible.observations.image_log import kept_image
from legible.observations.row import Observation, observe
from legible.observations.window import Selection, WindowTally, measured, newest, stream
from legible.recognition.bundle import MANIFEST, load_bundle, read_manifest
from legible.recognition.recognizer import Recognizer

LAST = 1000
PORT = 3001
AHEAD_SECONDS = 3600
"""Clocks may differ by so much."""
NAMED = 5
"""Unusual readings on the screen."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """A verdict, when it was made (Unix seconds), and what else its reader should know.

    `against` is what it was compared with, "training" or "baseline"; `unusual` are ids of readings, oddest first.
    """

    verdict: Verdict
    at: float
    tally: WindowTally
    report: Path | None
    cause: Cause | None = None
    estimate: Estimate | None = None
    unusual: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    """Of the unusual readings, those that were kept."""
    against: str = "training"
    names_causes: bool = True
    """Whether the bundle has signatures."""
    drawn: int = 0
    """Observations in the report, a sample where they are fewer than the images."""

    @property
    def exit_code(self) -> int:
        """0 no drift, 1 drift, 2 not enough data."""
        return self.verdict.exit_code

    @property
    def channels(self) -> tuple[ChannelDrift, ...]:
        """Those that a drift comes from; none where there is one channel, or all have drifted."""
        drifted = tuple(channel for channel in self.verdict.channels if channel.drifted)
        return drifted if self.verdict.drifted and len(drifted) < len(self.verdict.channels) else ()

    def screen(self) -> str:
        return "\n".join([self.verdict.screen(unlike=UNLIKE[self.against]), *self._said(), *self.tally.screen()])

    def _said(self) -> Iterator[str]:
        if not self.verdict.signals:
            return
        if self.verdict.drifted:
            where = f", channel {' and '.join(channel.name for channel in self.channels)}" if self.channels else ""
            yield f"{self._likeness()}{where}"
        if self.estimate:
            yield self.estimate.said()
        if self.unusual:
            yield f"most unusual: {' '.join(self.unusual[:NAMED])}"
        if self.pictures:
            yield f"kept of them: {' '.join(map(str, self.pictures[:NAMED]))}"
        if self.report:
            some = f" (drawn from a sample of {self.drawn})" if self.drawn < self.verdict.images else ""
            yield f"report: {self.report}{some}"

    def _likeness(self) -> str:
        if not self.names_causes:
            return "cause: this bundle has no signatures to name one by"
        return f"looks like {self.cause.said()}" if self.cause else "looks like no corruption that is known"

    def to_json(self) -> str:
        told = {
            "at": self.at,
            "against": self.against,
            "report": str(self.report) if self.report else None,
            "report_rows": self.drawn,
            "cause": asdict(self.cause) if self.cause else None,
            "drifted_channels": [channel.name for channel in self.channels],
            "estimate": asdict(self.estimate) if self.estimate else None,
            "unusual": self.unusual,
            "pictures": [str(path) for path in self.pictures],
        }
        return json.dumps({**told, **asdict(self.tally), **asdict(self.verdict)})


UNLIKE = {"training": "unlike training", "baseline": "unlike this deployment's normal"}


@dataclass(frozen=True)
class Standard:
    """What a window is judged by: a bundle's folder (or the folder drift), and a deployment's own baseline."""

    bundle: Path
    baseline: Path | None = None
    corrections: Path | None = None
    kept: Path | None = None
    """The service's folder of images, where some are kept."""

    @property
    def bundle_id(self) -> str:
        """Empty for a folder that is no bundle."""
        return read_manifest(self.bundle).bundle_id if (self.bundle / MANIFEST).is_file() else ""


@dataclass(frozen=True)
class Drawing:
    """Where the Evidently report goes; it is drawn of no window that is too small."""

    path: Path | None = None
    workspace: Path | None = None


def check(
    *,
    observations: Path,
    bundle: Path,
    at: float,
    last: int | None = LAST,
    since: float = -math.inf,
    channel: str | None = None,
    baseline: Path | None = None,
    corrections: Path | None = None,
    kept: Path | None = None,
    report: Path | None = None,
    workspace: Path | None = None,
) -> Check:
    """Decide on the last observations of a log's folder, or of a file; `last=None` takes all since `since`."""
    standard, tally = Standard(bundle, baseline, corrections, kept), WindowTally()
    selection = Selection(since, at + AHEAD_SECONDS, channel, standard.bundle_id)
    if last is None:
        rows = stream(observations, selection, tally=tally)
    else:
        rows = newest(observations, selection, last=last, tally=tally)
    return check_rows(rows, standard, at=at, tally=tally, drawing=Drawing(report, workspace))


def check_rows(
    observations: Iterable[Observation],
    standard: Standard,
    *,
    at: float,
    tally: WindowTally | None = None,
    drawing: Drawing | None = None,
) -> Check:
    """Decide on these observations, in one pass, in memory that does not grow with them."""
    texts = read_corrections(standard.corrections) if standard.corrections else NO_CORRECTIONS
    by_bundle = Summary.empty(Reference.load(standard.bundle), corrections=texts)
    baseline = Baseline.load(standard.baseline, bundle=standard.bundle_id) if standard.baseline else None
    by_baseline = Summary.empty(baseline.reference) if baseline else by_bundle
    tally = tally or WindowTally()
    statistics = {name for side in (by_bundle, by_baseline) for name in side.reference.known["image"].quantiles}
    for chunk in chunks(measured(observations, statistics, tally=tally)):
        by_bundle.add(chunk)
        if baseline:
            by_baseline.add(chunk)
    verdict = judge(by_baseline)
    signatures = Signatures.load(standard.bundle, signals=tuple(by_bundle.reference.quantiles))
    unusual = tuple(reading_id for _, reading_id in by_bundle.unusual)
    pictures = _pictures(standard, unusual)
    drawn = _draw(verdict, by_bundle.sample, standard, drawing, at=at, pictures=pictures) if drawing else False
    return Check(
        verdict,
        at,
        tally,
        drawing.path if drawing and drawn else None,
        cause=_cause(signatures, by_bundle, verdict, baseline),
        estimate=_estimate(standard.bundle, signatures, by_bundle),
        unusual=unusual,
        pictures=pictures,
        against="baseline" if baseline else "training",
        names_causes=signatures is not None,
        drawn=len(by_bundle.sample) if drawn else 0,
    )


def _pictures(standard: Standard, unusual: Sequence[str]) -> tuple[Path, ...]:
    if standard.kept is None:
        return ()
    found = [kept_image(standard.kept, reading_id) for reading_id in unusual]
    return tuple(path for path in found if path is not None)


def _draw(verdict: Verdict, sample: Sequence[Observation], standard: Standard, drawing: Drawing, **filed: Any) -> bool:
    """`filed` as write_report has them: at, pictures."""
    if not verdict.signals or (drawing.path or drawing.workspace) is None:
        return False
    from legible.monitoring.report import write_report  # the lean installation decides, and draws nothing  # noqa: PLC0415

    folder = standard.baseline or standard.bundle
    write_report(verdict, sample, known=folder, path=drawing.path, workspace=drawing.workspace, **filed)
    return True


def _cause(
    signatures: Signatures | None, summary: Summary, verdict: Verdict, baseline: Baseline | None
) -> Cause | None:
    """Of the channel that drifted furthest, where some have and others have not."""
    if signatures is None or not verdict.drifted:
        return None
    drifted = [channel.name for channel in verdict.channels if channel.drifted]
    some = drifted and len(drifted) < len(verdict.channels)
    counts = summary.channels[drifted[0]] if some else summary.counts
    return signatures.cause(counts.deviations - (baseline.deviations if baseline else 0.0))


def _estimate(bundle: Path, signatures: Signatures | None, summary: Summary) -> Estimate | None:
    """By the bundle's reference, whatever the baseline."""
    verdict = judge(summary)
    if not verdict.signals:
        return None
    quality = Quality.load(bundle)
    if quality is None or signatures is None:
        return estimated(summary, unreliable="unlike training" if verdict.drifted else "")
    cause = signatures.cause(summary.counts.deviations)
    return quality.estimate(summary, drifted=bool(verdict.drifted), cause=cause)


def rebase(
    *,
    observations: Path,
    bundle: Path,
    at: float,
    since: float,
    channel: str | None = None,
    resamples: int = RESAMPLES,
    tally: WindowTally | None = None,
) -> Baseline:
    """The baseline of what a deployment has read since then; what is left out is counted in the tally."""
    standard, tally = Standard(bundle), tally or WindowTally()
    selection = Selection(since, at + AHEAD_SECONDS, channel, standard.bundle_id)
    rows = measured(stream(observations, selection, tally=tally), STATISTICS, tally=tally)
    return make_baseline(Reference.load(bundle), rows, bundle=standard.bundle_id, at=at, resamples=resamples)


@dataclass
class Pictures:
    """Image files as a window: each is read by the bundle, and named by its path."""

    paths: Sequence[Path]
    bundle: Path
    skipped: list[Path] = field(default_factory=list)
    """Those that are no images."""

    def observations(self, *, at: float) -> Iterator[Observation]:
        opened = load_bundle(self.bundle)
        recognizer = Recognizer.from_bundle(opened)
        for path in self.paths:
            try:
                image = decode(path.read_bytes())
            except ImageError:
                self.skipped.append(path)
                continue
            reading = recognizer.read([image])[0]
            yield observe(image, reading, channel="images", at=at, reading_id=str(path), bundle=opened.id)


class Exporter:
    """The last check as Prometheus gauges, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._outcome = self._gauge("outcome", "1 for the outcome of the last check.", "outcome")
        self._ks = self._gauge("ks", "KS of each signal against the reference.", "signal")
        self._threshold = self._gauge("threshold", "KS above which the last check calls drift, by kind.", "kind")
        self._images = self._gauge("images", "Images in the window of the last check.")
        self._exact_match = self._gauge("exact_match", "Estimated exact match of the last check; NaN where unreliable.")
        self._cause = self._gauge("cause", "1 for the corruption that the last drift looks like.", "corruption")
        self._time = self._gauge("time_seconds", "When the last check was made, in Unix seconds.")
        self._failures = Counter("legible_drift_check_failures", "Checks that failed.", registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"legible_drift_check_{name}", help_text, labels, registry=self.registry)

    def publish(self, check: Check) -> None:
        verdict = check.verdict
        for outcome in Outcome:
            self._outcome.labels(outcome.value).set(outcome is verdict.outcome)
        self._ks.clear()
        for signal in verdict.signals:
            self._ks.labels(signal.name).set(signal.ks)
        for kind, threshold in verdict.thresholds.items():
            self._threshold.labels(kind).set(threshold)
        self._images.set(verdict.images)
        reliable = check.estimate and not check.estimate.unreliable
        self._exact_match.set(check.estimate.exact_match if check.estimate and reliable else math.nan)
        self._cause.clear()
        if check.cause:
            self._cause.labels(check.cause.corruption).set(1)
        self._time.set(check.at)

    def count_failure(self) -> None:
        self._failures.inc()

    def serve(self, *, port: int = PORT, host: str = "127.0.0.1") -> Callable[[], None]:
        """Answer at /metrics; returns what ends it."""
        server, _ = start_http_server(port, addr=host, registry=self.registry)

        def close() -> None:
            server.shutdown()
            server.server_close()

        return close


def watch(
    make_check: Callable[[float], Check],
    exporter: Exporter,
    *,
    every_seconds: float,
    clock: Callable[[], float],
    stop: threading.Event,
) -> None:
    """Check and publish until stopped. A check that fails is counted and logged, and the next one is made."""
    while not stop.is_set():
        try:
            exporter.publish(make_check(clock()))
        except Exception:  # whatever it is: the job outlives a full disk and a damaged file
            log.exception("drift check failed")
            exporter.count_failure()
        stop.wait(every_seconds)
