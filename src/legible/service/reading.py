"""From the bytes of an image to an answer, and from the answer to metrics and the log; no HTTP here."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from legible.config import ServiceSettings
from legible.drift.reference import Reference, rank
from legible.errors import ImageError
from legible.image.decode import GreyImage, Limits, decode
from legible.image.statistics import STATISTICS
from legible.observations import ObservationLog, observe
from legible.reader.bundle import Bundle
from legible.reader.recognizer import Decoding, Recognizer
from legible.reading import Alternative, Character, Reading
from legible.service import metrics

OTHER = "other"


@dataclass(frozen=True)
class Answer:
    """A reading of one image, with the id under which it is logged."""

    image: GreyImage
    reading: Reading
    reading_id: str

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


def _sent(parts: Sequence[Character | Alternative]) -> list[dict[str, Any]]:
    return [{"text": part.text, "confidence": round(part.confidence, 4)} for part in parts]


class Reader:
    """One worker's recogniser, reference and log."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, log: ObservationLog) -> None:
        self.bundle_id = bundle.id
        self._recognizer = Recognizer.from_bundle(bundle)
        self._priors = {name: self._recognizer.prior(bundle.lexicon(name)) for name in bundle.lexicons}
        self._reference = Reference.load(bundle.folder)
        self._limits = Limits(settings.max_image_bytes, settings.max_pixels)
        self._channels = frozenset(settings.channels)
        self._log = log
        self._dropped = 0
        self._random = np.random.default_rng()  # breaks ties of ranks, nothing else
        metrics.prepare(channels=(*settings.channels, OTHER), routes=(), statistics=STATISTICS)
        metrics.state_bundle(bundle.id, self._reference.rule)

    def channel(self, named: str) -> str:
        return named if named in self._channels else OTHER

    @property
    def lexicons(self) -> tuple[str, ...]:
        return tuple(self._priors)

    def decoding(self, *, lexicon: str, alternatives: int) -> Decoding:
        """With one of the lexicons, or with none for an empty name."""
        return Decoding(self._priors[lexicon] if lexicon else None, alternatives)

    def read(self, data: bytes, decoding: Decoding) -> Answer | ImageError:
        """An answer, or why there is none."""
        try:
            image = decode(data, limits=self._limits)
        except ImageError as error:
            return error
        return Answer(image, self._recognizer.read([image], decoding=decoding)[0], uuid.uuid4().hex)

    def observe(self, answers: list[Answer], *, channel: str) -> None:
        """Count and log what was answered; called when the answer has been sent."""
        for answer in answers:
            row = observe(answer.image, answer.reading, channel=channel, at=time.time(), reading_id=answer.reading_id)
            metrics.readings.labels(channel).inc()
            metrics.confidence.observe(row.confidence)
            metrics.reading_length.observe(row.length)
            for name, value in row.statistics.items():
                place = rank(self._reference, name, value, uniform=float(self._random.random()))
                metrics.image_statistic.labels(name).observe(place)
            self._log.put(row)
        self._count_dropped()

    def close(self) -> None:
        self._log.close(timeout_seconds=2.0)

    def _count_dropped(self) -> None:
        lost = self._log.dropped + self._log.failed
        metrics.observations_dropped.inc(max(lost - self._dropped, 0))
        self._dropped = lost
