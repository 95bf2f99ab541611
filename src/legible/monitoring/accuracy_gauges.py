"""The exact match by day, channel and bundle as Prometheus gauges.

The day is a label, not the time of the sample: labels arrive days after the readings they are of, and change what is
known of a day that is over.
"""

from prometheus_client import CollectorRegistry, Gauge

from legible.drift.accuracy import AccuracyGroup, AccuracyInterval
from legible.monitoring.accuracy import Accuracy

LABELS = ("by", "name", "day")
ALL = "all"
"""The name of all readings, and the day of all days."""


class AccuracyGauges:
    """The groups of the last count; those that are gone are no longer exported."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, help_text: str) -> Gauge:
            return Gauge(f"legible_accuracy_{name}", help_text, LABELS, registry=registry)

        self._estimated = [
            gauge("estimated", "Exact match of a day by confidences."),
            gauge("estimated_low", "Lower end of its 95 % interval."),
            gauge("estimated_high", "Upper end of its 95 % interval."),
        ]
        self._labelled = [
            gauge("labelled", "Exact match of a day by labels drawn at random; absent for too few."),
            gauge("labelled_low", "Lower end of its 95 % interval."),
            gauge("labelled_high", "Upper end of its 95 % interval."),
        ]
        self._images = gauge("images", "Readings of a day.")
        self._labels = gauge("labels", "Readings of a day with a label drawn at random.")
        self._at_most = gauge("at_most", "Exact match of a day if all but the corrected readings were right.")

    def publish(self, accuracy: Accuracy) -> None:
        for one in (*self._estimated, *self._labelled, self._images, self._labels, self._at_most):
            one.clear()
        for group in accuracy.groups:
            self._publish(group)

    def _publish(self, group: AccuracyGroup) -> None:
        labels = (group.by, group.name or ALL, group.day or ALL)
        _set(self._estimated, labels, group.estimated)
        if group.labelled:
            _set(self._labelled, labels, group.labelled)
        self._images.labels(*labels).set(group.images)
        self._labels.labels(*labels).set(group.labels)
        if group.corrected:
            self._at_most.labels(*labels).set(group.at_most)


def _set(gauges: list[Gauge], labels: tuple[str, ...], interval: AccuracyInterval) -> None:
    for gauge, value in zip(gauges, (interval.value, interval.low, interval.high), strict=True):
        gauge.labels(*labels).set(value)
