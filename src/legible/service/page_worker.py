"""The page process: it reads documents that come by a pipe, one after the other, until its worker ends it.

Whatever a document does to it (a crash of the PDF library, memory, time) costs the worker nothing but a new process.
Nothing of HTTP, metrics or logs is here.
"""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2

from legible.arrays import GreyImage
from legible.drift.reference import Reference
from legible.errors import BundleError, ImageError, ImageTooLargeError
from legible.observations.layout import new_reading_id
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation, observe
from legible.pages.clock import naming_page
from legible.pages.from_json import ReadingError, document_of
from legible.pages.open import Document, OpenedPage, PageLimits
from legible.pages.read import PageOptions, PageReader
from legible.pages.result import DocumentResult, PageFormat, PageResult
from legible.pages.shipped import open_reader
from legible.reading import Reading
from legible.recognition.bundle import load_bundle
from legible.service.page_files import PageFile, file_of, json_of, picture_of
from legible.service.page_images import LineKeeper
from legible.service.page_messages import (
    MAX_ANSWER_BYTES,
    READY,
    PageJob,
    PageReply,
    PageSetup,
    framed,
    job_of,
    read_frame,
    sent,
    setup_of,
)

NICENESS = 5
"""Single words and lines, which take milliseconds, go before pages."""
GRACE_SECONDS = 10
"""The seconds after which a process whose worker is gone ends itself."""


class DocumentTimeoutError(ImageError):
    """The document took longer than it may."""

    code = "page_timeout"
    status = 413


class LongAnswerError(ImageTooLargeError):
    """The answer for a document has more bytes than a worker holds."""

    def __init__(self) -> None:
        super().__init__(
            f"the answer for the document has more than {MAX_ANSWER_BYTES} bytes; send it in parts, or ask for no "
            "pictures"
        )


class PageWorker:
    """Reads one document after the other, and keeps the rows of what it read."""

    def __init__(self, setup: PageSetup) -> None:
        """Open the bundle in service. Raise BundleError where its folder holds another one, or a damaged one."""
        bundle = load_bundle(Path(setup.bundle))
        if bundle.id != setup.bundle_id:
            raise BundleError(f"{setup.bundle} holds bundle {bundle.id}, and {setup.bundle_id} is in service")
        self._setup = setup
        self._bundle_id = bundle.id
        self._limits = PageLimits(setup.max_bytes, setup.max_pages, setup.max_pixels)
        options = PageOptions(limits=self._limits, seconds=setup.page_seconds)
        self._reader: PageReader = open_reader(
            bundle, detector=Path(setup.detector), options=options, observe=self._observe
        )
        self._keeper = LineKeeper(setup.keep_images, Reference.load(bundle.folder)) if setup.keep_images else None
        self._number = 0
        self._lines: list[Observation] = []
        self._pages: list[PageObservation] = []

    def reply(self, job: PageJob, data: bytes, reading: bytes = b"") -> PageReply:
        """Return the answer for a document, or an earlier `reading` of it in another format.

        Errors of the document's making are answered as such.
        """
        self._lines, self._pages = [], []
        if self._keeper:
            self._keeper.begin()
        try:
            answer = self._answer(job, data, reading)
            if len(answer.body) > MAX_ANSWER_BYTES:
                raise LongAnswerError
        except ImageError as error:
            return refusal(error)
        except MemoryError:
            return refusal(ImageTooLargeError("the document takes more memory than is given; send it in parts"))
        return PageReply(
            200,
            answer.body,
            media_type=answer.media_type,
            file_name=answer.file_name,
            pages="\n".join(row.to_json() for row in self._pages),
            lines="\n".join(row.to_json() for row in self._lines),
            images=self._keeper.to_json() if self._keeper else "",
            images_lost=self._keeper.lost if self._keeper else 0,
        )

    def _answer(self, job: PageJob, data: bytes, reading: bytes) -> PageFile:
        pictures: list[str] = []
        result = self._earlier(reading, data) if reading else DocumentResult(tuple(self._read(job, data, pictures)))
        form = PageFormat(job.form)
        if form is PageFormat.json:
            return json_of(result, accept=job.accept, bundle=self._bundle_id, pictures=pictures)
        return file_of(result, form, data=data, limits=self._limits)

    def _earlier(self, reading: bytes, data: bytes) -> DocumentResult:
        """Return what was read of a document before. Raise ReadingError where it is of another document."""
        result, count = document_of(reading), Document(data, limits=self._limits).page_count
        if len(result.pages) != count:
            raise ReadingError(f"the reading has {len(result.pages)} pages, the document {count}; send what was read")
        return result

    def _read(self, job: PageJob, data: bytes, pictures: list[str]) -> Iterator[PageResult]:
        until = time.monotonic() + job.seconds
        picture_bytes = 0
        document = Document(data, limits=self._limits)
        if job.corners and document.page_count > 1:
            raise ImageError(f"the document has {document.page_count} pages; corners are those of a single picture")
        for page in document.pages():
            left = until - time.monotonic()
            if left <= 0:
                raise DocumentTimeoutError(
                    f"{page.number - 1} of {document.page_count} pages were read within {job.seconds:.3g} seconds; "
                    "send the document in parts"
                )
            with naming_page(page.number, of=document.page_count):
                yield self._read_page(job, page, left)
            if job.with_pictures:
                pictures.append(picture_of(page.image))
                picture_bytes += len(pictures[-1])
                if picture_bytes > MAX_ANSWER_BYTES:
                    raise LongAnswerError

    def _read_page(self, job: PageJob, page: OpenedPage, seconds_left: float) -> PageResult:
        self._number = page.number
        began, at = time.monotonic(), time.time()
        seconds = min(self._setup.page_seconds, seconds_left)
        result = self._reader.read_opened(page, corners=job.corners, seconds=seconds)
        sure = [line.confidence for line in result.lines]
        self._pages.append(
            PageObservation(
                at=round(at, 3),
                number=page.number,
                width=result.width,
                height=result.height,
                lines=len(sure),
                accepted=sum(confidence >= job.accept for confidence in sure),
                confidence=round(sum(sure) / max(len(sure), 1), 4),
                angle=round(result.angle, 2),
                turns=result.turns,
                has_outline=bool(result.outline),
                source=result.source,
                seconds=round(time.monotonic() - began, 3),
                bundle=self._bundle_id,
            )
        )
        return result

    def _observe(self, image: GreyImage, reading: Reading) -> str:
        at = time.time()
        reading_id = new_reading_id(at, self._setup.worker)
        document = str(self._number)
        row = observe(
            image, reading, channel="", at=at, reading_id=reading_id, bundle=self._bundle_id, document=document
        )
        self._lines.append(row)
        if self._keeper:
            self._keeper.offer(row, image)
        return reading_id


def refusal(error: ImageError) -> PageReply:
    """Return an error as the answer for a document."""
    return PageReply(error.status, str(error).encode(), code=error.code)


def work(worker: PageWorker, received: BinaryIO, answers: BinaryIO) -> None:
    """Answer one document after the other, until no more come."""
    while True:
        try:
            job, data, reading = job_of(read_frame(received)), read_frame(received), read_frame(received)
        except EOFError:
            return
        signal.alarm(int(job.seconds) + GRACE_SECONDS)
        answers.write(sent(_reply(worker, job, data, reading)))
        answers.flush()
        signal.alarm(0)


def _reply(worker: PageWorker, job: PageJob, data: bytes, reading: bytes) -> PageReply:
    try:
        return worker.reply(job, data, reading)
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            traceback.print_exc()
            return PageReply(500, b"the service failed; the fault is logged", code="internal")
        return refusal(ImageTooLargeError("the document takes more memory than is given; send it in parts"))
    except Exception:  # noqa: BLE001  # a fault of ours costs one answer
        traceback.print_exc()
        return PageReply(500, b"the service failed; the fault is logged", code="internal")


def main() -> None:
    """Be the page process of a worker: setup and jobs on standard input, answers on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    for number in (signal.SIGINT, signal.SIGTERM):  # both reach all processes of a service; the worker ends this one
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    received = sys.stdin.buffer
    setup = setup_of(read_frame(received))
    resource.setrlimit(resource.RLIMIT_DATA, (setup.max_memory_bytes, setup.max_memory_bytes))
    try:
        worker = PageWorker(setup)
    except BundleError as error:
        answers.write(framed(str(error).encode()))
        answers.flush()
        return
    answers.write(framed(READY))
    answers.flush()
    work(worker, received, answers)


if __name__ == "__main__":
    main()
