"""The telemetry of one worker, after its answers: observations, kept images, corrections and metrics."""

import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

import numpy as np

from legible.arrays import GreyImage
from legible.charset import REJECT
from legible.config import ServiceSettings
from legible.drift.baseline import Baseline
from legible.drift.reference import Reference, rank
from legible.drift.summary import unusualness
from legible.observations.corrections import Correction
from legible.observations.image_log import ImageLog, ImageSampler
from legible.observations.log import RowLog
from legible.observations.lookup import is_logged
from legible.observations.origin import digest, shared_key
from legible.observations.row import Observation, observe
from legible.observations.sending import BatchSender, CollectorDestination, Destination, ParquetDestination
from legible.reading import Reading
from legible.recognition.bundle import Bundle
from legible.service import metrics
from legible.service.read_job import Origin, ReadJob

DEFAULT_CHANNEL = "default"
MAX_CORRECTIONS = 10
"""The most corrections of one reading."""
MAX_REMEMBERED = 10_000
"""The most readings whose corrections a worker counts."""
OTHER = "other"
"""The channel of callers who name a channel that is not listed."""


class Corrected(Enum):
    """The fate of a correction."""

    KEPT = auto()
    UNKNOWN = auto()
    """No such reading is logged."""
    NO_ROOM = auto()
    TOO_OFTEN = auto()


class Telemetry:
    """Observes jobs that were read and answered, and counts them."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, *, worker: str) -> None:
        self._bundle_id = bundle.id
        self._observations_folder = Path(settings.observations_folder)
        self._log = RowLog(
            self._observations_folder,
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=settings.observations_retention_days,
            retention_bytes=settings.observations_retention_bytes,
            on_lost=metrics.observations_dropped.inc,
        )
        self._senders = [
            BatchSender(
                destination,
                every_seconds=settings.observations_send_seconds,
                max_waiting=settings.observations_max_waiting,
                on_lost=metrics.observations_dropped.inc,
            )
            for destination in destinations(settings, worker=worker)
        ]
        self._corrections = RowLog(
            Path(settings.corrections_folder),
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=None,
            on_lost=metrics.corrections_dropped.inc,
        )
        self._corrected: Counter[str] = Counter()
        self._random = random.Random()  # breaks ties of ranks and keeps some images blindly, nothing else
        self._sampler = ImageSampler(settings.keep_images, self._random)
        self._images = image_log(settings) if settings.keep_images else None
        trained = Reference.load(bundle.folder)
        self._reference = _baseline(settings.baseline, bundle) or trained
        self._channels = frozenset(settings.channels)
        key = settings.document_key.encode()
        self._key = key or shared_key(Path(settings.observations_folder))
        self._uncounted: deque[Observation] = deque()
        metrics.prepare(
            channels=(*settings.channels, OTHER),
            routes=(),
            statistics=self._reference.known["image"].quantiles,
            signals=self._reference.known["prediction"].quantiles,
        )
        metrics.state_bundle(bundle.id, trained)
        bunching = self._reference.bunching
        rules = {kind: rule.counted_singly(bunching) for kind, rule in self._reference.rules.items()}
        metrics.state_rules(rules, smallest_window=self._reference.smallest_window)

    def origin(self, *, channel: str = "", document: str = "", sender: str = "") -> Origin:
        """Return the origin that is counted for what a caller named: a known channel, and digests."""
        named = channel or DEFAULT_CHANNEL
        known = named if named in self._channels else OTHER
        return Origin(known, digest(document, self._key), digest(sender, self._key))

    def observe(self, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        """Log what was answered, keep it to be counted, and let the images go; called when the answers were sent."""
        for job in jobs:
            image, reading = job.take_image(), job.reading
            if image is None or reading is None:
                raise ValueError("a job that was not read cannot be observed")
            row = self._row(job, image, reading)
            self._log.put(row)
            metrics.unknown_characters.inc(reading.text.count(REJECT))
            for sender in self._senders:
                sender.put(row)
            self._uncounted.append(row)
            if self._images and self._sampler.takes(confidence=row.confidence, unusual=self._unusual(row)):
                self._images.put(row.reading_id, image, at=row.at)
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
            metrics.readings.labels(channel).inc(count)
        metrics.confidence.observe_all([row.confidence for row in rows])
        metrics.reading_length.observe_all([row.length for row in rows])
        metrics.image_pixels.observe_all([row.width * row.height for row in rows])
        known = self._reference.known
        for part, histogram in (
            (known["image"], metrics.image_statistic),
            (known["prediction"], metrics.prediction_signal),
        ):
            for name in part.quantiles:
                histogram.labels(name).observe_all([self._rank(row, name) for row in rows])

    def correct(self, reading_id: str, text: str) -> Corrected:
        """Keep what a reading should have been."""
        if self._corrected[reading_id] >= MAX_CORRECTIONS:
            return Corrected.TOO_OFTEN
        if not is_logged(self._observations_folder, reading_id):
            return Corrected.UNKNOWN
        if not self._corrections.put(Correction(round(time.time(), 3), reading_id, text)):
            return Corrected.NO_ROOM
        self._corrected[reading_id] += 1
        if len(self._corrected) > MAX_REMEMBERED:
            self._corrected.pop(next(iter(self._corrected)))
        return Corrected.KEPT

    def close(self) -> None:
        self.count()
        for log in (self._log, *self._senders, self._corrections, self._images):
            if log:
                log.close(timeout_seconds=2.0)

    def _row(self, job: ReadJob, image: GreyImage, reading: Reading) -> Observation:
        return observe(
            image,
            reading,
            channel=job.origin.channel,
            document=job.origin.document,
            sender=job.origin.sender,
            at=job.at,
            reading_id=job.reading_id,
            bundle=self._bundle_id,
        )

    def _rank(self, row: Observation, name: str) -> float:
        return rank(self._reference, name, row.signal(name), uniform=self._random.random())

    def _unusual(self, row: Observation) -> float:
        """Return how far its image lies from the reference, over all statistics."""
        ranks = [self._rank(row, name) for name in self._reference.known["image"].quantiles]
        return float(unusualness(np.array([ranks]))[0])


def image_log(settings: ServiceSettings) -> ImageLog:
    return ImageLog(
        Path(settings.images_folder),
        retention_days=settings.images_retention_days,
        retention_bytes=settings.images_retention_bytes,
        on_lost=metrics.images_dropped.inc,
    )


def destinations(settings: ServiceSettings, *, worker: str) -> list[Destination]:
    """Return where observations are sent. Raise SettingsError for what is no store or collector."""
    found: list[Destination] = []
    if settings.observations_store:
        found.append(ParquetDestination(settings.observations_store, worker=worker))
    if settings.observations_collector:
        found.append(CollectorDestination(settings.observations_collector))
    return found


def check(settings: ServiceSettings, bundle: Bundle) -> None:
    """Raise SettingsError or BundleError where no worker can start with these settings."""
    ImageSampler(settings.keep_images, random.Random())
    destinations(settings, worker="none")
    _baseline(settings.baseline, bundle)


def _baseline(folder: str, bundle: Bundle) -> Reference | None:
    """Return the reference of a deployment's baseline, where it has one."""
    return Baseline.load(Path(folder), bundle=bundle.id).reference if folder else None
