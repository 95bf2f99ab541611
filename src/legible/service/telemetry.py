"""The telemetry of one bundle in service, after its answers: observations and metrics."""

import random
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from legible.arrays import GreyImage
from legible.charset import REJECT
from legible.config import ServiceSettings
from legible.drift.baseline import Baseline
from legible.drift.reference import Reference, rank
from legible.drift.summary import unusualness
from legible.observations.image_log import ImageSampler
from legible.observations.row import Observation, observe
from legible.reading import Reading
from legible.recognition.bundle import Bundle
from legible.recognition.named_bundles import DEFAULT
from legible.service import metrics
from legible.service.read_job import ReadJob
from legible.service.service_logs import OTHER, PAGE, ServiceLogs, destinations


class Telemetry:
    """Observes jobs that one bundle read and that were answered, and counts them under the name of its model."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, logs: ServiceLogs, *, model: str = DEFAULT) -> None:
        self._bundle_id = bundle.id
        self._logs = logs
        self._model = model
        self._random = random.Random()  # breaks ties of ranks, nothing else
        self._trained = Reference.load(bundle.folder)
        self._reference = _baseline(settings.baseline, bundle, model) or self._trained
        self._channels = (*settings.channels, OTHER, PAGE)
        self._uncounted: deque[Observation] = deque()

    def state(self) -> None:
        """Make the metrics' label children, and set the gauges of the bundle and of its drift rules."""
        known = {kind: part.quantiles for kind, part in self._reference.known.items()}
        metrics.prepare_model(
            self._model, channels=self._channels, statistics=known["image"], signals=known["prediction"]
        )
        metrics.state_bundle(self._model, self._bundle_id, self._reference)
        bunching = self._reference.bunching
        rules = {kind: rule.counted_singly(bunching) for kind, rule in self._reference.rules.items()}
        metrics.state_rules(self._model, rules, smallest_window=self._reference.smallest_window)

    def observe(self, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        """Log what was answered, keep it to be counted, and let the images go; called when the answers were sent."""
        for job in jobs:
            image, reading = job.take_image(), job.reading
            if image is None or reading is None:
                raise ValueError("a job that was not read cannot be observed")
            row = self._row(job, image, reading)
            metrics.unknown_characters.labels(self._model).inc(reading.text.count(REJECT))
            if not job.bundle:  # what several have voted on says nothing of one's drift
                self._uncounted.append(row)
            self._logs.put(row, image, unusual=self._unusual)
        return jobs

    def unusual(self, image: GreyImage, reading: Reading) -> float:
        """Return how far an image lies from the reference, over all statistics; nothing is logged or counted."""
        return self._unusual(observe(image, reading, channel="", at=0.0))

    @property
    def uncounted(self) -> int:
        """The number of rows that the metrics lack."""
        return len(self._uncounted)

    def count(self) -> None:
        """Bring the metrics up to date: counted together, many rows cost little more than one."""
        rows = [self._uncounted.popleft() for _ in range(len(self._uncounted))]
        if not rows:
            return
        for channel, count in Counter(row.channel for row in rows).items():
            metrics.readings.labels(channel, self._model).inc(count)
        metrics.confidence.labels(self._model).observe_all([row.confidence for row in rows])
        metrics.reading_length.labels(self._model).observe_all([row.length for row in rows])
        metrics.image_pixels.labels(self._model).observe_all([row.width * row.height for row in rows])
        known = self._reference.known
        # a lexicon changes texts and confidences, whatever the images are
        compared = [row for row in rows if row.lexicon == self._reference.lexicon]
        for part, histogram, own in (
            (known["image"], metrics.image_statistic, rows),
            (known["prediction"], metrics.prediction_signal, compared),
        ):
            for name in part.quantiles:
                histogram.labels(name, self._model).observe_all([self._rank(row, name) for row in own])

    def _row(self, job: ReadJob, image: GreyImage, reading: Reading) -> Observation:
        return observe(
            image,
            reading,
            channel=job.origin.channel,
            document=job.origin.document,
            sender=job.origin.sender,
            at=job.at,
            reading_id=job.reading_id,
            bundle=job.bundle or self._bundle_id,
            lexicon=job.decoding.lexicon,
        )

    def _rank(self, row: Observation, name: str) -> float:
        return rank(self._reference, name, row.signal(name), uniform=self._random.random())

    def _unusual(self, row: Observation) -> float:
        """Return how far its image lies from the reference, over all statistics."""
        ranks = [self._rank(row, name) for name in self._reference.known["image"].quantiles]
        return float(unusualness(np.array([ranks]))[0])


def check(settings: ServiceSettings, bundle: Bundle, *, model: str = DEFAULT) -> None:
    """Raise SettingsError or BundleError where no worker can start with these settings."""
    ImageSampler(settings.keep_images)
    destinations(settings, worker="none")
    _baseline(settings.baseline, bundle, model)


def _baseline(setting: str, bundle: Bundle, model: str) -> Reference | None:
    """Return the reference of the baseline that a deployment has for this model: `FOLDER`, or `NAME=FOLDER,...`."""
    named = dict(part.strip().partition("=")[::2] for part in setting.split(",")) if "=" in setting else {}
    folder = named.get(model, "") if named else setting
    return Baseline.load(Path(folder), bundle=bundle.id).reference if folder else None
