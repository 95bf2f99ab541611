"""From the bytes of an image to an answer, and from the answer to metrics and the log; no HTTP here."""

import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from legible.config import ServiceSettings
from legible.ctc.lexicon import LexiconPrior
from legible.drift.baseline import Baseline
from legible.drift.reference import Reference, rank
from legible.drift.summary import unusualness
from legible.errors import ImageError, ImageTooLargeError
from legible.image.decode import GreyImage, Limits, decode_opened, open_image
from legible.observations.corrections import Correction
from legible.observations.image_log import ImageLog, ImageSampler
from legible.observations.layout import new_reading_id
from legible.observations.log import RowLog, is_logged
from legible.observations.row import Observation, observe
from legible.reading import Alternative, Character, Reading
from legible.recognition.bundle import Bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer
from legible.service import metrics
from legible.service.batching import QUICK_PIXELS

OTHER = "other"
QUICK_BYTES, QUICK_SHAPE = 100_000, 8
"""An image of at most so many, of few pixels and at most so many times as wide as high is read in milliseconds."""
TALLEST, SLENDEREST = 1000, 20
"""Higher images, more than so many times as high as wide, hold no line; framing their ink would fill the memory."""


@dataclass(frozen=True)
class Answer:
    """A reading of one image, with the id under which it is logged."""

    image: GreyImage
    reading: Reading
    reading_id: str
    at: float
    """When it was read, in Unix seconds."""
    is_quick: bool = True
    """Whether it was read in the event loop, and is to be observed there."""

    @property
    def pixels(self) -> int:
        return self.image.size

    def fields(self, *, accept: float, bundle: str, alternatives: bool = False) -> dict[str, Any]:
        """As it is sent."""
        reading = self.reading
        return {
            "text": reading.text,
            "confidence": round(reading.confidence, 4),
            "accepted": reading.confidence >= accept,
            "characters": _sent(reading.characters),
            **({"alternatives": _sent(reading.alternatives)} if alternatives else {}),
            "reading_id": self.reading_id,
            "bundle": bundle,
        }


@dataclass(frozen=True)
class Observed:
    """An answer that was sent, and the channel that its image came by."""

    answer: Answer
    channel: str

    @property
    def pixels(self) -> int:
        return self.answer.pixels


def _sent(parts: Sequence[Character | Alternative]) -> list[dict[str, Any]]:
    return [{"text": part.text, "confidence": round(part.confidence, 4)} for part in parts]


@dataclass
class Room:
    """Pixels that the images of a request may still hold."""

    left: int

    def take(self, pixels: int) -> None:
        """Raises ImageTooLargeError where there is no room for them."""
        if pixels > self.left:
            raise ImageTooLargeError(
                f"the image has {pixels} pixels, and those of one request only {self.left} left; send fewer at a time"
            )
        self.left -= pixels


class Upload:
    """Bytes of an image, whose header is read once."""

    def __init__(self, data: bytes, limits: Limits, room: Room | None = None) -> None:
        self._data = data
        self._limits = limits
        self._room = room or Room(limits.max_pixels)

    @cached_property
    def is_quick(self) -> bool:
        """Whether the header promises little work."""
        if len(self._data) > QUICK_BYTES:
            return False
        width, height = self._size
        return width * height <= QUICK_PIXELS and width <= QUICK_SHAPE * height

    @property
    def pixels(self) -> int:
        """By the header."""
        width, height = self._size
        return width * height

    def decode(self) -> GreyImage:
        """Raises ImageError, as for what is too slender to hold a line."""
        opened = self._opened
        del self._opened  # else its pixels would be held as long as the upload
        self._room.take(opened.width * opened.height)
        image = decode_opened(opened)
        check_shape(image)
        return image

    @cached_property
    def _size(self) -> tuple[int, int]:
        """Nothing of what is no image, as is said when it is decoded."""
        try:
            return self._opened.size
        except ImageError:
            return 0, 0

    @cached_property
    def _opened(self) -> Image.Image:
        return open_image(self._data, limits=self._limits)


@dataclass(frozen=True)
class Wanted:
    """An upload, and how its text is to be found."""

    upload: Upload
    decoding: Decoding

    @property
    def pixels(self) -> int:
        return self.upload.pixels


def check_shape(image: GreyImage) -> None:
    """Raises ImageTooLargeError for an image that is too slender to hold a line."""
    height, width = image.shape
    if height > max(TALLEST, SLENDEREST * width):
        raise ImageTooLargeError(
            f"the image is {width} pixels wide and {height} high; lines are at most {SLENDEREST} times as high as wide"
        )


def image_log(settings: ServiceSettings) -> ImageLog:
    return ImageLog(
        Path(settings.images_folder),
        retention_days=settings.images_retention_days,
        retention_bytes=settings.images_retention_bytes,
        on_lost=metrics.images_dropped.inc,
    )


def check(settings: ServiceSettings, bundle: Bundle) -> None:
    """Raises SettingsError or BundleError for what no Worker can be made of."""
    ImageSampler(settings.keep_images, random.Random())
    _normal(settings.baseline, bundle)


def _normal(folder: str, bundle: Bundle) -> Reference | None:
    """The reference of a deployment's baseline, where it has one."""
    return Baseline.load(Path(folder), bundle=bundle.id).reference if folder else None


class Worker:
    """One worker's recogniser, reference and log."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, *, worker: str) -> None:
        self._worker = worker
        self._observations_folder = Path(settings.observations_folder)
        self._log = RowLog(
            self._observations_folder,
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=settings.observations_retention_days,
            retention_bytes=settings.observations_retention_bytes,
            on_lost=metrics.observations_dropped.inc,
        )
        self._corrections = RowLog(
            Path(settings.corrections_folder),
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=None,
            on_lost=metrics.corrections_dropped.inc,
        )
        self._random = random.Random()  # breaks ties of ranks and keeps some images blindly, nothing else
        self._choice = ImageSampler(settings.keep_images, self._random)
        self._images = image_log(settings) if settings.keep_images else None
        self.bundle_id = bundle.id
        self.card = bundle.card
        self._recognizer = Recognizer.from_bundle(bundle)
        self._bundle = bundle
        self._priors: dict[str, LexiconPrior] = {}
        trained = Reference.load(bundle.folder)
        self._reference = _normal(settings.baseline, bundle) or trained
        self._limits = Limits(settings.max_image_bytes, settings.max_pixels)
        self._channels = frozenset(settings.channels)
        self._uncounted: deque[Observation] = deque()
        metrics.prepare(
            channels=(*settings.channels, OTHER),
            routes=(),
            statistics=self._reference.known["image"].quantiles,
            signals=self._reference.known["prediction"].quantiles,
        )
        metrics.state_bundle(bundle.id, trained)
        metrics.state_rules(self._reference.rules, smallest_window=self._reference.smallest_window)

    def channel(self, named: str) -> str:
        return named if named in self._channels else OTHER

    @property
    def lexicons(self) -> tuple[str, ...]:
        return self._bundle.lexicons

    def decoding(self, *, lexicon: str, alternatives: int) -> Decoding:
        """With one of the lexicons, or with none for an empty name; the first time, a lexicon is loaded."""
        return Decoding(self._prior(lexicon) if lexicon else None, alternatives)

    def _prior(self, lexicon: str) -> LexiconPrior:
        if lexicon not in self._priors:
            self._priors[lexicon] = self._recognizer.prior(self._bundle.lexicon(lexicon))
        return self._priors[lexicon]

    def uploads(self, images: Iterable[bytes]) -> deque[Upload]:
        """Of one request."""
        room = Room(self._limits.max_pixels)
        return deque(Upload(data, self._limits, room) for data in images)

    def read(self, uploads: Sequence[Upload], decoding: Decoding) -> list[Answer | ImageError]:
        """An answer to each, or why there is none."""
        images = [self.decoded(upload) for upload in uploads]
        readable = [image for image in images if not isinstance(image, ImageError)]
        at = time.time()
        readings = iter(self._recognizer.read(readable, decoding=decoding))
        return [
            image if isinstance(image, ImageError)
            else Answer(image, next(readings), new_reading_id(at, self._worker), at, upload.is_quick)
            for image, upload in zip(images, uploads, strict=True)
        ]  # fmt: skip

    def read_singly(self, wanted: Sequence[Wanted]) -> list[Answer | ImageError]:
        """The same where each is to be read in its own way."""
        return [self.read([one.upload], one.decoding)[0] for one in wanted]

    @staticmethod
    def decoded(upload: Upload) -> GreyImage | ImageError:
        try:
            return upload.decode()
        except ImageError as error:
            error.__cause__ = error.__context__ = None  # in their tracebacks the images would live on in a cycle
            return error.with_traceback(None)

    def observe(self, observed: Sequence[Observed]) -> list[Observation]:
        """Log what was answered, and keep it to be counted; called when the answers have been sent."""
        rows = [self._row(one.answer, one.channel) for one in observed]
        for one, row in zip(observed, rows, strict=True):
            self._log.put(row)
            self._uncounted.append(row)
            if self._images and self._choice.takes(confidence=row.confidence, unusual=self._unusual(row)):
                self._images.put(row.reading_id, one.answer.image, at=row.at)
        return rows

    def _row(self, answer: Answer, channel: str) -> Observation:
        return observe(
            answer.image,
            answer.reading,
            channel=channel,
            at=answer.at,
            reading_id=answer.reading_id,
            bundle=self.bundle_id,
        )

    @property
    def uncounted(self) -> int:
        """Rows that the metrics lack."""
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

    def correct(self, reading_id: str, text: str) -> bool | None:
        """Keep what a reading should have been; False where there is no room for it, None where no such reading is."""
        if not is_logged(self._observations_folder, reading_id):
            return None
        return self._corrections.put(Correction(round(time.time(), 3), reading_id, text))

    def close(self) -> None:
        self.count()
        for log in (self._log, self._corrections, self._images):
            if log:
                log.close(timeout_seconds=2.0)

    def _rank(self, row: Observation, name: str) -> float:
        return rank(self._reference, name, row.signal(name), uniform=self._random.random())

    def _unusual(self, row: Observation) -> float:
        """How far its image lies from the reference, over all statistics."""
        ranks = [self._rank(row, name) for name in self._reference.known["image"].quantiles]
        return float(unusualness(np.array([ranks]))[0])
