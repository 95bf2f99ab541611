"""The metrics of the service. Each worker writes its own files; `/metrics` sums them.

Label children are made at the start: else `increase()` would lose the first event of each.
"""

import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from legible.drift.reference import Reference
from legible.service.internals.of_prometheus import ManyHistogram, fold_dead_workers, locked, use_allocated_files

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TENTHS = tuple(i / 10 for i in range(1, 10))
PIXELS = (1e3, 1e4, 1e5, 1e6, 1e7)
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)
PAGE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
LINE_COUNTS = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000)
TILTS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
REASONS = ("not_an_image", "damaged_image", "too_large", "unsupported_format", "bad_request", "not_found",
           "method_not_allowed", "missing_key", "wrong_key", "too_slow", "busy", "disconnected",
           "locked", "bad_corners", "no_detector", "too_many_pages", "page_timeout", "crowded_page", "page_failed",
           "internal", "bundle_refused", "bundle_replaced")  # fmt: skip
CONTENT_TYPE = CONTENT_TYPE_LATEST

use_allocated_files()

readings = Counter("legible_readings_total", "Images read.", ["channel", "model"])
errors = Counter("legible_errors_total", "Images or requests refused.", ["reason"])
request_seconds = Histogram("legible_request_seconds", "From the request to its answer.", ["route"], buckets=SECONDS)
image_statistic = ManyHistogram(
    "legible_image_statistic",
    "Rank of an image statistic in the reference.",
    ["channel", "statistic", "model"],
    buckets=TENTHS,
)
prediction_signal = ManyHistogram(
    "legible_prediction_signal",
    "Rank of a reading's signal in the reference.",
    ["channel", "signal", "model"],
    buckets=TENTHS,
)
unusual_images = Counter(
    "legible_unusual_images_total", "Images further out than 98 % of the reference's.", ["channel", "model"]
)
documents = Counter("legible_documents_total", "Documents that images named for the first time in an hour.", ["model"])
document_pairs = Counter(
    "legible_document_pairs_total",
    "Ordered pairs of images of one document: how bunched they are.",
    ["channel", "model"],
)
confidence = ManyHistogram("legible_confidence", "Confidence of readings.", ["model"], buckets=TENTHS)
unknown_characters = Counter(
    "legible_unknown_characters_total",
    "Characters read as the replacement character: the charset lacks them.",
    ["model"],
)
image_pixels = ManyHistogram("legible_image_pixels", "Pixels of images as decoded.", ["model"], buckets=PIXELS)
reading_length = ManyHistogram("legible_reading_length", "Characters of readings.", ["model"], buckets=LENGTHS)
shadow_readings = Counter(
    "legible_shadow_readings_total", "Images that a candidate read in the shadow.", ["model", "outcome"]
)
shadow_confidence = ManyHistogram(
    "legible_shadow_confidence", "Confidence of its readings in the shadow.", ["model"], buckets=TENTHS
)
shadow_seconds = Histogram(
    "legible_shadow_seconds", "Seconds of reading one image in the shadow.", ["model"], buckets=SECONDS
)
in_flight = Gauge("legible_in_flight", "Requests being read.", multiprocess_mode="livesum")
pages = Counter("legible_pages_total", "Pages read, by where their text comes from.", ["source"])
page_seconds = Histogram("legible_page_seconds", "Time that reading a page took.", buckets=PAGE_SECONDS)
page_lines = Histogram("legible_page_lines", "Lines found on a page.", buckets=LINE_COUNTS)
page_confidence = Histogram("legible_page_confidence", "Mean confidence of a page's lines.", buckets=TENTHS)
page_tilt = Histogram("legible_page_tilt_degrees", "Degrees by which a page's text leaned.", buckets=TILTS)
pages_turned = Counter("legible_pages_turned_total", "Pages that lay on a side or upside down.")
documents_in_flight = Gauge("legible_documents_in_flight", "Documents being read.", multiprocess_mode="livesum")
page_processes_ended = Counter("legible_page_processes_ended_total", "Page processes that ended.", ["reason"])
observations_dropped = Counter("legible_observations_dropped_total", "Observations that were not written.")
images_dropped = Counter("legible_images_dropped_total", "Images that were to be kept, and were not written.")
log_lines_dropped = Counter("legible_log_lines_dropped_total", "Lines of the log that were not written.")
corrections_dropped = Counter("legible_corrections_dropped_total", "Corrections that were not written.")
drift_constant = Gauge("legible_drift_constant", "c of the drift rule.", ["kind", "model"], multiprocess_mode="max")
drift_reference_size = Gauge(
    "legible_drift_reference_size", "m of the drift rule.", ["kind", "model"], multiprocess_mode="max"
)
drift_smallest_window = Gauge(
    "legible_drift_smallest_window",
    "Images below which there is no verdict.",
    ["kind", "model"],
    multiprocess_mode="max",
)
drift_correlation = Gauge(
    "legible_drift_correlation", "Correlation of images of one document.", ["kind", "model"], multiprocess_mode="max"
)
drift_bunching = Gauge(
    "legible_drift_bunching",
    "Images of the document of an image in the reference, on average.",
    ["model"],
    multiprocess_mode="max",
)
model_info = Gauge(
    "legible_model_info",
    "1 for the folders of the bundle and of the baseline of a model.",
    ["model", "folder", "baseline"],
    multiprocess_mode="max",
)
reference_confidence = Gauge(
    "legible_reference_confidence", "Mean confidence in the reference.", ["model"], multiprocess_mode="max"
)
reference_confidence_deviation = Gauge(
    "legible_reference_confidence_deviation",
    "Its standard deviation from reading to reading.",
    ["model"],
    multiprocess_mode="max",
)
bundle_info = Gauge(
    "legible_bundle_info",
    "1 for a bundle that is served, 0 for one that it has replaced.",
    ["bundle", "model"],
    multiprocess_mode="max",
)


def prepare(*, routes: Iterable[str]) -> None:
    """Make the label children that no model has, at zero."""
    for reason in REASONS:
        errors.labels(reason)
    for route in routes:
        request_seconds.labels(route)


def prepare_model(model: str, *, channels: Iterable[str]) -> None:
    """Make the label children of a model's readings, at zero."""
    for channel in channels:
        readings.labels(channel, model)
    for metric in (confidence, image_pixels, reading_length, unknown_characters, documents):
        metric.labels(model)


def prepare_ranks(model: str, reference: Reference, *, channels: Iterable[str]) -> None:
    """Make the label children of a model's ranks in each of these channels, at zero."""
    known = {kind: tuple(part.quantiles) for kind, part in reference.known.items()}
    for channel in channels:
        for statistic in known["image"]:
            image_statistic.labels(channel, statistic, model)
        for signal in known["prediction"]:
            prediction_signal.labels(channel, signal, model)
        for counter in (unusual_images, document_pairs):
            counter.labels(channel, model)


def prepare_shadow(model: str) -> None:
    """Make the label children of a candidate that reads in the shadow, at zero."""
    for outcome in ("same", "other", "failed", "skipped"):
        shadow_readings.labels(model, outcome)
    shadow_confidence.labels(model)
    shadow_seconds.labels(model)


def state_bundle(model: str, bundle: str, reference: Reference) -> None:
    """Set the gauges of the bundle that a model is served by, and of its reference's confidence."""
    bundle_info.labels(bundle, model).set(1)
    edges = reference.quantiles["confidence"]
    cells = (edges[1:] + edges[:-1]) / 2  # of equal probability
    reference_confidence.labels(model).set(cells.mean())
    reference_confidence_deviation.labels(model).set(cells.std())


def state_rules(model: str, reference: Reference) -> None:
    """Set the gauges of the drift rules' constants."""
    for kind, rule in reference.rules.items():
        _state_rule(kind, model, constant=rule.c, size=rule.m, correlation=rule.correlation)
        drift_smallest_window.labels(kind, model).set(reference.smallest_window)
    if unusual := reference.unusual:
        _state_rule("unusual", model, constant=unusual.level, size=unusual.m, correlation=unusual.correlation)
    drift_bunching.labels(model).set(reference.bunching)


def _state_rule(kind: str, model: str, *, constant: float, size: float, correlation: float) -> None:
    drift_constant.labels(kind, model).set(constant)
    drift_reference_size.labels(kind, model).set(size)
    drift_correlation.labels(kind, model).set(correlation)


class Exposition:
    """All metrics of all workers in Prometheus' text format; made anew when a tenth of the time allows for it."""

    REST = 10.0
    """The time for which an exposition serves, by the time that it took: a worker spends no more than a tenth on it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._content = b""
        self._until = -math.inf

    def __call__(self) -> bytes:
        started = self._clock()
        if started >= self._until:
            self._content = _exposed()
            ended = self._clock()
            self._until = ended + self.REST * (ended - started)
        return self._content


exposition = Exposition()


def _exposed() -> bytes:
    """Return all metrics of all workers; what dead ones counted is folded into one file first."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    with locked(folder):
        fold_dead_workers(folder)
        return generate_latest(registry)
