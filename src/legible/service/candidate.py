"""The traffic that a candidate bundle gets: a fraction in the shadow of the champion, a fraction as a canary.

Which requests these are follows from a hash of their ids alone, so that a caller who repeats a request meets the same
bundle again. A request that names a model gets that model.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.requests import Request

from legible.arrays import GreyImage
from legible.config import ServiceSettings
from legible.errors import SettingsError
from legible.observations.log import RowLog
from legible.observations.shadow import ShadowRow, TimedReading, compared
from legible.recognition.decoding import Decoding
from legible.service import metrics
from legible.service.models import ModelRegistry, ServedModel
from legible.service.read_job import ReadJob

MAX_WAITING = 8
"""The most answered requests that wait for the candidate: it may be slow, and their images fill the memory."""
Run = Callable[[ReadJob, Callable[[], None]], Awaitable[object]]
"""A function that makes a call about a job's image in a thread."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrafficSplit:
    """The candidate's name, and the fractions of requests that it reads in the shadow, and that it answers."""

    candidate: str
    shadow: float
    canary: float

    @staticmethod
    def of(settings: ServiceSettings, names: Sequence[str]) -> "TrafficSplit":
        """Return the split of these settings. Raise SettingsError where it needs a bundle that is not served."""
        wanted = settings.shadow or settings.canary
        if wanted and not settings.candidate:
            raise SettingsError("LEGIBLE_SHADOW and LEGIBLE_CANARY are of a candidate; name it in LEGIBLE_CANDIDATE")
        if settings.candidate and settings.candidate not in names[1:]:
            known = ", ".join(names[1:]) or "none"
            raise SettingsError(
                f"LEGIBLE_CANDIDATE is {settings.candidate!r}; it needs a bundle of LEGIBLE_BUNDLES that is not the "
                f"first: {known}"
            )
        return TrafficSplit(settings.candidate, settings.shadow, settings.canary)

    def is_canary(self, request_id: str) -> bool:
        return self.canary > 0 and place_of(request_id, purpose="canary") < self.canary

    def canary_of(self, request: Request, models: ModelRegistry) -> str:
        """Return the candidate where it answers a request; it has to hold the lexicon that is asked for."""
        if not self.is_canary(request_id_of(request)):
            return ""
        lexicon = request.query_params.get("lexicon", "")
        return self.candidate if lexicon in ("", *models.bundle(self.candidate).lexicons) else ""

    def is_shadowed(self, request_id: str) -> bool:
        return self.shadow > 0 and place_of(request_id, purpose="shadow") < self.shadow


def place_of(request_id: str, *, purpose: str) -> float:
    """Return a number in [0, 1) that depends on a request's id and the purpose alone."""
    digest = hashlib.sha256(f"{purpose}/{request_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class Shadow:
    """Has images read by a candidate after the answer, and logs how its readings compare. It raises nothing."""

    def __init__(self, settings: ServiceSettings, *, worker: str) -> None:
        metrics.prepare_shadow(settings.candidate)
        self._waiting = 0
        self._log = RowLog(
            Path(settings.shadow_folder),
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=settings.observations_retention_days,
            retention_bytes=settings.observations_retention_bytes,
            on_lost=metrics.observations_dropped.inc,
        )

    async def follow(
        self, jobs: Sequence[ReadJob], model: ServedModel, candidate: ServedModel, *, lexicon: str, run: Run
    ) -> None:
        """Have the images of an answered request read; a request is left out while MAX_WAITING others wait.

        One by one, so that other requests have their turn between them.
        """
        if self._waiting >= MAX_WAITING:
            metrics.shadow_readings.labels(candidate.name, "skipped").inc(len(jobs))
            return
        self._waiting += 1
        try:
            for job in jobs:
                await run(job, partial(self._read, job, candidate, lexicon, champion=model.worker.bundle_id))
        finally:
            self._waiting -= 1

    def _read(self, job: ReadJob, candidate: ServedModel, lexicon: str, *, champion: str) -> None:
        """Read the image of a job that still holds it; nothing is sent, and the job stays as it is."""
        try:
            known = lexicon if lexicon in candidate.worker.lexicons else ""
            decoding = candidate.worker.decoding(lexicon=known, alternatives=0)
            if job.image is not None and job.reading is not None:
                self._note(job, job.image, candidate, decoding, champion)
        except Exception:  # a candidate may fail in any way, and no caller is to notice
            log.exception("reading in the shadow failed")
            metrics.shadow_readings.labels(candidate.name, "failed").inc()

    def _note(self, job: ReadJob, image: GreyImage, candidate: ServedModel, decoding: Decoding, champion: str) -> None:
        started = time.perf_counter()
        reading = candidate.worker.read_image(image, decoding)
        seconds = time.perf_counter() - started
        assert job.reading is not None  # noqa: S101  # the caller's condition, for the type
        row = compared(
            job.reading_id,
            TimedReading(job.reading, champion, job.seconds),
            TimedReading(reading, candidate.worker.bundle_id, seconds),
            at=job.at,
        )
        self._log.put(row)
        _count(row, candidate.name)

    def close(self) -> None:
        self._log.close(timeout_seconds=2.0)


def _count(row: ShadowRow, model: str) -> None:
    metrics.shadow_readings.labels(model, "same" if row.agrees else "other").inc()
    metrics.shadow_confidence.labels(model).observe(row.candidate_confidence)
    metrics.shadow_seconds.labels(model).observe(row.candidate_seconds)


def request_id_of(request: Request) -> str:
    """Return the id of a request: that in the log, else the caller's, else a random one."""
    logged = request.scope.get("state", {}).get("request_id")
    return str(logged or request.headers.get("x-request-id") or secrets.token_hex(8))
