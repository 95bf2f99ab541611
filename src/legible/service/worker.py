"""Recognition in one worker process: from the bytes of an image to its reading, without HTTP, metrics or log."""

import time
from collections.abc import Iterable, Sequence

from legible.arrays import GreyImage
from legible.config import ServiceSettings
from legible.ctc.lexicon import LexiconPrior
from legible.image.decode import Limits
from legible.image.page_hint import looks_like_page
from legible.observations.layout import new_reading_id
from legible.reading import Reading
from legible.recognition.bundle import Bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer
from legible.service.read_job import NOWHERE, PLAIN, Origin, ReadJob, jobs_of

PAGE_CONFIDENCE = 0.5
"""A reading from this confidence on is of a line, whatever its image looks like."""


class Worker:
    """Reads the images of requests with one bundle."""

    def __init__(self, bundle: Bundle, settings: ServiceSettings, *, worker: str) -> None:
        self.bundle_id = bundle.id
        self.card = bundle.card
        self.lexicons = bundle.lexicons
        self.characters = bundle.charset.characters
        self.name = worker
        self.bundle = bundle
        self._recognizer = Recognizer.from_bundle(bundle)
        self._lexicons = {name: bundle.lexicon_content(name) for name in bundle.lexicons}
        """The files of the lexicons: where they lie another bundle may be when one is first asked for."""
        self._priors: dict[str, LexiconPrior] = {}
        self._limits = Limits(settings.max_image_bytes, settings.max_pixels, settings.max_decode_bytes)

    def jobs(self, images: Iterable[bytes], *, decoding: Decoding = PLAIN, origin: Origin = NOWHERE) -> list[ReadJob]:
        """Return the jobs of one request."""
        return jobs_of(images, self._limits, decoding=decoding, origin=origin)

    def decoding(self, *, lexicon: str, alternatives: int, plain: bool = False) -> Decoding:
        """Return a decoding with one of the lexicons, or with none for an empty name; its first use loads a lexicon."""
        return Decoding(self._prior(lexicon) if lexicon else None, alternatives, plain, lexicon)

    def read(self, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        """Give each job, all with one decoding, its reading or the error in its place."""
        readable = [job for job in jobs if job.decode() is not None]
        at, started = time.time(), time.perf_counter()
        images = [job.image for job in readable if job.image is not None]
        readings = self._recognizer.read(images, decoding=jobs[0].decoding)
        seconds = (time.perf_counter() - started) / max(len(readable), 1)
        for job, image, reading in zip(readable, images, readings, strict=True):
            job.is_page = reading.confidence < PAGE_CONFIDENCE and looks_like_page(image)
            job.reading, job.reading_id, job.at, job.seconds = reading, new_reading_id(at, self.name), at, seconds
        return jobs

    def read_image(self, image: GreyImage, decoding: Decoding) -> Reading:
        """Read one decoded image."""
        return self._recognizer.read([image], decoding=decoding)[0]

    def _prior(self, lexicon: str) -> LexiconPrior:
        if lexicon not in self._priors:
            self._priors[lexicon] = self._recognizer.prior(
                self.bundle.lexicon(lexicon, content=self._lexicons[lexicon])
            )
        return self._priors[lexicon]
