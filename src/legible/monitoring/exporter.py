"""The last drift check as metrics and as a page, on a port of their own, and the loop that checks on a schedule."""

import logging
import math
import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from legible.drift.decide import Outcome
from legible.monitoring.accuracy_gauges import AccuracyGauges
from legible.monitoring.finding import Check
from legible.monitoring.history import History
from legible.monitoring.on_call import OnCallPage, serve

PORT = 3001

log = logging.getLogger(__name__)


class Exporter:
    """The last check as Prometheus gauges, in a registry of its own, and as a page for the person on call."""

    def __init__(self, history: History | None = None) -> None:
        self._page = OnCallPage(history or History())
        self.registry = CollectorRegistry()
        self._outcome = self._gauge("outcome", "1 for the outcome of the last check.", "outcome")
        self._ks = self._gauge("ks", "KS of each signal against the reference.", "signal")
        self._threshold = self._gauge("threshold", "KS above which the last check calls drift, by kind.", "kind")
        self._images = self._gauge("images", "Images in the window of the last check.")
        self._exact_match = self._gauge("exact_match", "Estimated exact match of the last check; NaN where unreliable.")
        self._labelled = self._gauge("labelled_exact_match", "Exact match by labels drawn at random; NaN for too few.")
        self._labelled_low = self._gauge("labelled_exact_match_low", "Lower end of its 95 % interval.")
        self._labelled_high = self._gauge("labelled_exact_match_high", "Upper end of its 95 % interval.")
        self._labels = self._gauge("labels", "Readings of the window with a label, drawn at random.")
        self._corrected = self._gauge("corrected", "Readings of the window that callers corrected or confirmed.")
        self._confirmed = self._gauge("confirmed", "Of these, readings that were right.")
        self._cause = self._gauge(
            "cause", "1 for the corruption that the last drift looks like.", "corruption", "bundle"
        )
        self._unusual = self._gauge("unusual_fraction", "Fraction of unusual images of the last check.")
        self._unusual_threshold = self._gauge("unusual_threshold", "Fraction of them above which it calls drift.")
        self._documents = self._gauge("unusual_documents", "Mean score of the documents of the last check.")
        self._documents_threshold = self._gauge("unusual_documents_threshold", "Score above which it calls drift.")
        self._channel = self._gauge("channel_beyond", "Furthest signal of each channel, in thresholds.", "channel")
        self._time = self._gauge("time_seconds", "When the last check was made, in Unix seconds.")
        self._accuracy = AccuracyGauges(self.registry)
        self._failures = Counter("legible_drift_check_failures", "Checks that failed.", registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"legible_drift_check_{name}", help_text, labels, registry=self.registry)

    def publish(self, check: Check) -> None:
        self._page.show(check)
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
        self._unusual.set(verdict.unusual.fraction if verdict.unusual else math.nan)
        self._unusual_threshold.set(verdict.unusual.threshold if verdict.unusual else math.nan)
        documents = verdict.unusual_documents
        self._documents.set(documents.score if documents else math.nan)
        self._documents_threshold.set(documents.threshold if documents else math.nan)
        self._channel.clear()
        for channel in verdict.channels:
            self._channel.labels(channel.name).set(channel.beyond)
        self._publish_labels(check)
        self._cause.clear()
        if check.cause:
            self._cause.labels(check.cause.corruption, check.bundle).set(1)
        if check.accuracy:
            self._accuracy.publish(check.accuracy)
        self._time.set(check.at)

    def _publish_labels(self, check: Check) -> None:
        found = check.labels.estimate if check.labels else None
        self._labelled.set(found.exact_match if found else math.nan)
        self._labelled_low.set(found.low if found else math.nan)
        self._labelled_high.set(found.high if found else math.nan)
        self._labels.set(check.labels.drawn if check.labels else 0)
        self._corrected.set(check.estimate.corrected if check.estimate else 0)
        self._confirmed.set(check.estimate.confirmed if check.estimate else 0)

    def count_failure(self, error: Exception) -> None:
        self._failures.inc()
        self._page.fail(error)

    def serve(self, *, port: int = PORT, host: str = "127.0.0.1") -> Callable[[], None]:
        """Answer at /metrics, and with the page at /; returns what ends it."""
        return serve(self._page, self.registry, port=port, host=host)


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
        except Exception as error:  # whatever it is: the job outlives a full disk and a damaged file
            log.exception("drift check failed")
            exporter.count_failure(error)
        stop.wait(every_seconds)
