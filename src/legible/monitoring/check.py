"""The drift check: decide on a window of observations, say what happened and what it costs, draw the report."""

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from legible.drift.baseline import RESAMPLES, Baseline, make_baseline
from legible.drift.decide import Outcome, Verdict, is_chance, judge
from legible.drift.labelled import by_labels
from legible.drift.quality import Estimate, Quality, estimated
from legible.drift.reference import Reference
from legible.drift.signatures import Cause, Signatures
from legible.drift.summary import NO_CORRECTIONS, Summary, chunks
from legible.image.statistics import STATISTICS
from legible.labelling.drawn import DrawnLabels, drawn_labels
from legible.monitoring.finding import Check, LabelFinding
from legible.observations.corrections import read_corrections
from legible.observations.image_log import kept_image
from legible.observations.row import Observation
from legible.observations.window import EVERYTHING, Selection, WindowTally, measured, newest, stream
from legible.recognition.bundle import MANIFEST, read_manifest

log = logging.getLogger(__name__)

LAST = 1000
AHEAD_SECONDS = 3600
"""Clocks may differ by so much."""


@dataclass(frozen=True)
class Standard:
    """The standard that a window is judged by: a bundle's folder (or the folder drift), and a deployment's baseline."""

    bundle: Path
    baseline: Path | None = None
    corrections: Path | None = None
    kept: Path | None = None
    """The service's folder of images, where some are kept."""
    labels: Path | None = None
    """The service's folder of labels, where people label images."""

    @property
    def bundle_id(self) -> str:
        """Return the id of the bundle, empty for a folder that is none."""
        return read_manifest(self.bundle).bundle_id if (self.bundle / MANIFEST).is_file() else ""


@dataclass(frozen=True)
class ReportTarget:
    """The places that get the Evidently report: an HTML file, a workspace, or neither."""

    path: Path | None = None
    workspace: Path | None = None


NO_REPORT = ReportTarget()


def check(
    observations: Path | str,
    standard: Standard,
    *,
    at: float,
    selection: Selection = EVERYTHING,
    last: int | None = LAST,
    target: ReportTarget = NO_REPORT,
) -> Check:
    """Decide on a log's folder, or a file: on the last selected observations, or with `last=None` on all of them."""
    chosen = until(at, selection, standard)
    tally = WindowTally()
    if last is None:
        rows = stream(observations, chosen, tally=tally)
    else:
        rows = newest(observations, chosen, last=last, tally=tally)
    return check_rows(rows, standard, at=at, tally=tally, target=target)


def until(at: float, selection: Selection, standard: Standard) -> Selection:
    """Return the selection without what is dated after now, and without other bundles' readings."""
    return dataclasses.replace(selection, until=at + AHEAD_SECONDS, bundle=standard.bundle_id)


def check_rows(
    observations: Iterable[Observation],
    standard: Standard,
    *,
    at: float,
    tally: WindowTally | None = None,
    target: ReportTarget = NO_REPORT,
) -> Check:
    """Decide on these observations, in one pass, in memory that does not grow with them."""
    window = CountedWindow.empty(standard)
    tally = tally or WindowTally()
    for chunk in chunks(measured(observations, window.statistics, tally=tally)):
        window.by_bundle.add(chunk)
        if window.baseline:
            window.by_baseline.add(chunk)
    return conclude(window, standard, at=at, tally=tally, target=target)


@dataclass(frozen=True)
class CountedWindow:
    """A window in counts, by the reference of the bundle and, where there is one, by the baseline's; else it is one."""

    by_bundle: Summary
    by_baseline: Summary
    baseline: Baseline | None
    drawn: DrawnLabels | None = None
    """Labels, where their folder is named."""

    @staticmethod
    def empty(standard: Standard) -> "CountedWindow":
        texts = read_corrections(standard.corrections) if standard.corrections else NO_CORRECTIONS
        drawn = drawn_labels(standard.labels) if standard.labels else None
        labels = drawn.texts if drawn else NO_CORRECTIONS
        by_bundle = Summary.empty(Reference.load(standard.bundle), corrections=texts, labels=labels)
        baseline = Baseline.load(standard.baseline, bundle=standard.bundle_id) if standard.baseline else None
        by_baseline = Summary.empty(baseline.reference) if baseline else by_bundle
        return CountedWindow(by_bundle, by_baseline, baseline, drawn)

    @property
    def statistics(self) -> set[str]:
        """Return the statistics that its rows have to have."""
        sides = (self.by_bundle, self.by_baseline)
        return {name for side in sides for name in side.reference.known["image"].quantiles}


def conclude(
    window: CountedWindow, standard: Standard, *, at: float, tally: WindowTally, target: ReportTarget = NO_REPORT
) -> Check:
    """Decide on a window that is counted, say what it looks like and costs, and draw the report."""
    by_bundle, baseline = window.by_bundle, window.baseline
    verdict = judge(window.by_baseline)
    signatures = Signatures.load(standard.bundle, signals=tuple(by_bundle.reference.quantiles))
    unusual = tuple(reading_id for _, reading_id in by_bundle.unusual)
    made = Check(
        verdict,
        at,
        tally,
        None,
        cause=_cause(signatures, by_bundle, verdict, baseline),
        estimate=_estimate(standard.bundle, signatures, by_bundle),
        unusual=unusual,
        pictures=_pictures(standard, unusual),
        against="baseline" if baseline else "training",
        names_causes=signatures is not None,
        labels=_label_finding(by_bundle, window.drawn) if window.drawn else None,
        bundle=standard.bundle_id,
    )
    return _with_report(made, by_bundle.sample, standard, target)


def _pictures(standard: Standard, unusual: Sequence[str]) -> tuple[Path, ...]:
    if standard.kept is None:
        return ()
    found = [kept_image(standard.kept, reading_id) for reading_id in unusual]
    return tuple(path for path in found if path is not None)


def _with_report(made: Check, sample: Sequence[Observation], standard: Standard, target: ReportTarget) -> Check:
    """Draw the report, of no window that is too small. One that fails never costs the verdict: it is told in it."""
    if not made.verdict.signals or (target.path or target.workspace) is None:
        return made
    try:
        from legible.monitoring.report import write_report  # the lean installation draws nothing  # noqa: PLC0415

        folder = standard.baseline or standard.bundle
        write_report(made, sample, known=folder, path=target.path, workspace=target.workspace)
    except Exception as error:  # whatever Evidently, pandas or the disk raise
        log.warning("the report was not drawn", exc_info=True)
        return dataclasses.replace(made, report_failed=f"{type(error).__name__}: {error}")
    return dataclasses.replace(made, report=target.path, drawn=len(sample))


def _cause(
    signatures: Signatures | None, summary: Summary, verdict: Verdict, baseline: Baseline | None
) -> Cause | None:
    """Name the cause, of the channel that drifted furthest where some have and others have not."""
    if signatures is None or verdict.outcome is not Outcome.DRIFT:
        return None
    drifted = [channel.name for channel in verdict.channels if channel.drifted]
    some = drifted and len(drifted) < len(verdict.channels)
    counts = summary.channels[drifted[0]] if some else summary.counts
    return signatures.cause(counts.deviations - (baseline.deviations if baseline else 0.0))


def _estimate(bundle: Path, signatures: Signatures | None, summary: Summary) -> Estimate | None:
    """Estimate the exact match by the bundle's reference, whatever the baseline."""
    verdict = judge(summary)
    if not verdict.signals:
        return None
    quality = Quality.load(bundle)
    if quality is None or signatures is None:
        return estimated(summary, unreliable="unlike training" if verdict.drifted else "")
    cause = signatures.cause(summary.counts.deviations)
    drifted = bool(verdict.drifted or (verdict.unusual and verdict.unusual.drifted))
    is_all = cause is None or is_chance(summary, signatures.rest(summary.counts.deviations, cause))
    return quality.estimate(summary, drifted=drifted, cause=cause, is_all=is_all)


def _label_finding(summary: Summary, drawn: DrawnLabels) -> LabelFinding:
    """Say what labels of readings of this window tell, those drawn at random alone."""
    mean, deviation = summary.confidence_spread
    estimate = by_labels(summary.labelled, confidence=mean, deviation=deviation, images=max(summary.images, 1))
    return LabelFinding(estimate, len(summary.labelled), drawn.chosen, drawn.unknown)


def rebase(
    observations: Path | str,
    standard: Standard,
    *,
    at: float,
    selection: Selection,
    resamples: int = RESAMPLES,
    tally: WindowTally | None = None,
) -> Baseline:
    """Return the baseline of what a deployment has read; what is left out is counted in the tally."""
    tally = tally or WindowTally()
    chosen = until(at, selection, standard)
    found = tqdm(stream(observations, chosen, tally=tally), desc="read", unit="row", delay=2.0)
    rows = measured(found, STATISTICS, tally=tally)
    reference = Reference.load(standard.bundle)
    return make_baseline(reference, rows, bundle=standard.bundle_id, at=at, resamples=resamples)
