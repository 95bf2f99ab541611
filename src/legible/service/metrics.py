"""What the service counts. Each worker writes its own files; `/metrics` sums them.

Label children are made at start, or the first event of each would be lost to `increase()`.
"""

import os
from collections.abc import Iterable

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

from legible.drift.reference import Rule

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TENTHS = tuple(i / 10 for i in range(1, 10))
PIXELS = (1e3, 1e4, 1e5, 1e6, 1e7)
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)
REASONS = ("not_an_image", "damaged_image", "too_large", "unsupported_format", "bad_request", "not_found",
           "method_not_allowed", "wrong_key", "too_slow", "busy", "disconnected", "internal")  # fmt: skip
CONTENT_TYPE = CONTENT_TYPE_LATEST

readings = Counter("legible_readings_total", "Images read.", ["channel"])
errors = Counter("legible_errors_total", "Images or requests refused.", ["reason"])
request_seconds = Histogram("legible_request_seconds", "From the request to its answer.", ["route"], buckets=SECONDS)
image_statistic = Histogram(
    "legible_image_statistic", "Rank of an image statistic in the bundle's reference.", ["statistic"], buckets=TENTHS
)
confidence = Histogram("legible_confidence", "Confidence of readings.", buckets=TENTHS)
image_pixels = Histogram("legible_image_pixels", "Pixels of images as decoded.", buckets=PIXELS)
reading_length = Histogram("legible_reading_length", "Characters of readings.", buckets=LENGTHS)
in_flight = Gauge("legible_in_flight", "Requests being read.", multiprocess_mode="livesum")
observations_dropped = Counter("legible_observations_dropped_total", "Observations that were not written.")
corrections_dropped = Counter("legible_corrections_dropped_total", "Corrections that were not written.")
drift_constant = Gauge("legible_drift_constant", "c of the drift rule.", multiprocess_mode="max")
drift_reference_size = Gauge("legible_drift_reference_size", "m of the drift rule.", multiprocess_mode="max")
bundle_info = Gauge("legible_bundle_info", "1 for the bundle that is served.", ["bundle"], multiprocess_mode="max")


def prepare(*, channels: Iterable[str], routes: Iterable[str], statistics: Iterable[str]) -> None:
    """Make every label child, at zero."""
    for channel in channels:
        readings.labels(channel)
    for reason in REASONS:
        errors.labels(reason)
    for route in routes:
        request_seconds.labels(route)
    for statistic in statistics:
        image_statistic.labels(statistic)


def state_bundle(bundle: str, rule: Rule) -> None:
    """The bundle that is served, and the constants of its drift rule."""
    bundle_info.labels(bundle).set(1)
    drift_constant.set(rule.c)
    drift_reference_size.set(rule.m)


def exposition() -> bytes:
    """All metrics of all workers, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
