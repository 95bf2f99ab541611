"""The telemetry of one bundle in service, after its answers: observations and metrics."""

import random
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from legible.arrays import GreyImage
from legible.charset import REJECT
from legible.config import ServiceSettings
from legible.drift.baseline import Baseline
from legible.drift.reference import Reference
from legible.drift.summary import unusualness
from legible.observations.image_log import ImageSampler
from legible.observations.row import Observation, observe
from legible.reading import Reading
from legible.recognition.bundle import Bundle
from legible.recognition.named_bundles import DEFAULT, folder_of_model
from legible.recognition.recalibration import LiveRecalibration
from legible.service import metrics
from legible.service.document_table import DocumentTable
from legible.service.read_job import ReadJob
from legible.service.service_logs import OTHER, PAGE, ServiceLogs, destinations
from legible.service.signal_counts import RankChannels, SignalCounts, grouped, ranked_singly


class Telemetry:
    """Observes jobs that one bundle read and that were answered, and counts them under the name of its model."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, logs: ServiceLogs, *, model: str = DEFAULT) -> None:
        self._bundle_id, self._folder = bundle.id, bundle.folder
        self._logs = logs
        self._model = model
        self._random = random.Random()  # breaks ties of ranks, nothing else
        self._trained = Reference.load(bundle.folder)
        self._baseline_folder = folder_of_model(settings.baseline, model)
        self._reference = _baseline(self._baseline_folder, bundle) or self._trained
        self._channels = (*settings.channels, OTHER, PAGE)
        self._rank_channels = RankChannels(settings.channels)
        documents = DocumentTable.of_environment(model)
        self._signals = SignalCounts(self._reference, documents, self._random, model=model)
        self._uncounted: deque[Observation] = deque()

    def state(self) -> None:
        """Make the metrics' label children, and set the gauges of the bundle and of its drift rules."""
        metrics.prepare_model(self._model, channels=self._channels)
        metrics.prepare_ranks(self._model, self._reference, channels=self._rank_channels.names)
        metrics.state_bundle(self._model, self._bundle_id, self._reference)
        metrics.state_rules(self._model, self._reference)
        metrics.model_info.labels(self._model, str(self._folder), self._baseline_folder).set(1)

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
        for channel, own in grouped(rows, lambda row: row.channel).items():
            metrics.readings.labels(channel, self._model).inc(len(own))
        for channel, own in grouped(rows, self._rank_channels.of).items():
            self._signals.count(channel, own)
        metrics.confidence.labels(self._model).observe_all([row.confidence for row in rows])
        metrics.reading_length.labels(self._model).observe_all([row.length for row in rows])
        metrics.image_pixels.labels(self._model).observe_all([row.width * row.height for row in rows])

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

    def _unusual(self, row: Observation) -> float:
        """Return how far its image lies from the reference, over all statistics."""
        return float(unusualness(ranked_singly(self._reference, "image", [row], self._random))[0])


def check(settings: ServiceSettings, bundle: Bundle, *, model: str = DEFAULT) -> None:
    """Raise SettingsError or BundleError where no worker can start with these settings."""
    ImageSampler(settings.keep_images)
    destinations(settings, worker="none")
    _baseline(folder_of_model(settings.baseline, model), bundle)
    recalibration = folder_of_model(settings.recalibration, model)
    LiveRecalibration(Path(recalibration) if recalibration else None, bundle=bundle.id)


def _baseline(folder: str, bundle: Bundle) -> Reference | None:
    return Baseline.load(Path(folder), bundle=bundle.id).reference if folder else None
