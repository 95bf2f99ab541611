"""What a worker writes to disk for all its bundles: observations, corrections, and the images that are kept."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from legible.arrays import GreyImage
from legible.config import ServiceSettings
from legible.observations.corrections import Correction, CorrectionLog, CorrectionRoom
from legible.observations.image_log import ImageLog, ImageSampler
from legible.observations.log import RowLog
from legible.observations.lookup import is_logged
from legible.observations.origin import digest, shared_key
from legible.observations.row import Observation
from legible.observations.sending import BatchSender, CollectorDestination, Destination, ParquetDestination
from legible.service import metrics
from legible.service.read_job import Origin

log = logging.getLogger(__name__)
DEFAULT_CHANNEL = "default"
OTHER = "other"
"""The channel of callers who name a channel that is not listed."""
PAGE = "page"
"""The channel of the lines of pages."""
MAX_CORRECTIONS = 10
"""The most corrections of one reading."""
MAX_REMEMBERED = 10_000
"""The most readings whose corrections a worker counts."""


class Corrected(Enum):
    """The fate of a correction."""

    KEPT = auto()
    UNKNOWN = auto()
    """No such reading is logged."""
    UNWRITTEN = auto()
    """The disk does not take it."""
    FULL = auto()
    """All corrections together have as many bytes as they may."""
    TOO_OFTEN = auto()


class ServiceLogs:
    """The logs of one worker. The rows of all its bundles are in one log, and each row names its bundle."""

    def __init__(self, settings: ServiceSettings, *, worker: str) -> None:
        self._observations_folder = Path(settings.observations_folder)
        self._observations = RowLog(
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
        self._corrections = CorrectionLog(Path(settings.corrections_folder), worker=worker)
        self._room = CorrectionRoom(Path(settings.corrections_folder), max_bytes=settings.max_corrections_bytes)
        self._corrected: Counter[str] = Counter()
        self._sampler = ImageSampler(settings.keep_images)
        self._images = image_log(settings) if settings.keep_images else None
        self._channels = frozenset(settings.channels)
        self._key = settings.document_key.encode() or shared_key(self._observations_folder)

    def origin(self, *, channel: str = "", document: str = "", sender: str = "") -> Origin:
        """Return the origin that is counted for what a caller named: a known channel, and digests."""
        named = channel or DEFAULT_CHANNEL
        known = named if named in self._channels else OTHER
        return Origin(known, self.digest(document), self.digest(sender))

    def digest(self, name: str) -> str:
        """Return the digest by which rows name a document or a sender."""
        return digest(name, self._key)

    def put(self, row: Observation, image: GreyImage, *, unusual: Callable[[Observation], float]) -> None:
        """Write a row, and perhaps keep its image; `unusual` says how far it lies from its bundle's reference."""
        self.put_row(row)
        if self._images and self._sampler.takes(row.reading_id, confidence=row.confidence, unusual=unusual(row)):
            self._images.put(row.reading_id, image, at=row.at)

    def keep_image(self, reading_id: str, image: GreyImage, *, at: float) -> None:
        """Keep an image that was chosen elsewhere; nothing where no images are kept."""
        if self._images:
            self._images.put(reading_id, image, at=at)

    def put_row(self, row: Observation) -> None:
        """Write a row whose image is not here."""
        self._observations.put(row)
        for sender in self._senders:
            sender.put(row)

    def correct(self, reading_id: str, text: str) -> Corrected:
        """Keep what a reading should have been; it is on the disk when KEPT is returned. Call it in one thread."""
        if self._corrected[reading_id] >= MAX_CORRECTIONS:
            return Corrected.TOO_OFTEN
        if not is_logged(self._observations_folder, reading_id):
            return Corrected.UNKNOWN
        correction = Correction(round(time.time(), 3), reading_id, text)
        if not self._room.take(len(correction.to_json().encode()) + 1):
            metrics.corrections_dropped.inc()
            return Corrected.FULL
        try:
            self._corrections.append(correction)
        except OSError as error:
            log.error("a correction could not be kept: %s", error.strerror)  # noqa: TRY400
            metrics.corrections_dropped.inc()
            return Corrected.UNWRITTEN
        self._corrected[reading_id] += 1
        if len(self._corrected) > MAX_REMEMBERED:
            self._corrected.pop(next(iter(self._corrected)))
        return Corrected.KEPT

    def close(self) -> None:
        for one in (self._observations, *self._senders, self._images):
            if one:
                one.close(timeout_seconds=2.0)


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
