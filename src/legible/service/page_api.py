"""The handler of `/read_page`: a document goes to the page process, and its answer comes back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from legible.config import ServiceSettings
from legible.errors import BundleError, ImageError, SettingsError
from legible.recognition.bundle import Bundle
from legible.service import metrics
from legible.service.answers import CODES, PAGE_CODES
from legible.service.api import Api
from legible.service.hanging_up import unless_hung_up
from legible.service.middleware.concurrency_limit import Slots
from legible.service.models import ServedModel
from legible.service.page_messages import PageJob, PageReply, PageSetup
from legible.service.page_process import COMMAND, BundleReplacedError, EndReason, PageProcess, PagesBusyError
from legible.service.page_telemetry import PageTelemetry
from legible.service.refusals import bundle_replaced_response, busy_response, count_error, error_response
from legible.service.requests import DocumentOptions, document_options
from legible.service.uploads import uploaded_form

KNOWN_CODES = frozenset(code for codes in (*CODES.values(), *PAGE_CODES.values()) for code in codes)
SOURCES = ("image", "text layer")
OK = 200
READING = "reading"
"""The field with the JSON of an earlier answer."""
BundlePlace = tuple[str, Path]
"""The id of a bundle and its folder: models of one bundle in two folders have page processes of their own."""


class PageApi:
    """The handler over a page process for each bundle that pages are read with, made with its first call."""

    def __init__(self, api: Api, *, command: Sequence[str] = COMMAND) -> None:
        self._api = api
        self._command = command
        self._settings = api.settings
        self.slots = Slots(api.settings.max_page_requests, level=metrics.documents_in_flight.set)
        self._processes: dict[BundlePlace, PageProcess] = {}
        self._turn = asyncio.Lock()
        self._telemetry: PageTelemetry | None = None

    @property
    def pids(self) -> list[int]:
        """The ids of the page processes that run."""
        return [process.pid for process in self._processes.values() if process.pid is not None]

    @property
    def is_available(self) -> bool:
        """Whether the default model reads pages."""
        return self._reads_pages(self._api.default)

    async def read_page(self, request: Request) -> Response:
        options = document_options(request, self._settings)
        model = await self._api.model_of(request)
        if not request.query_params.get("model") and not self._reads_pages(model):
            model = self._api.default  # a canary without a detector reads no pages
        try:
            process = self._opened(model)
        except BundleError as error:
            return refused("no_detector", 404, str(error))
        form = await uploaded_form(request, field="image", max_images=1, others=(READING,))
        try:
            work = self._read(process, options, form.images[0], form.others.get(READING, b""))
            reply = await unless_hung_up(request, work)
        except PagesBusyError:
            count_error("busy")
            return busy_response("other documents are being read; try again in a moment")
        except BundleReplacedError as error:
            return bundle_replaced_response(error)
        except ImageError as error:
            return refused(error.code, error.status, str(error))
        if reply.status != OK:
            return refused(reply.code, reply.status, reply.body.decode(errors="replace"))
        return self._answer(reply, model.name, form.texts)

    def close(self) -> None:
        """End the page process, and write what is still in the log's queue."""
        for process in self._processes.values():
            process.close()
        if self._telemetry is not None:
            self._telemetry.close()

    def _reads_pages(self, model: ServedModel) -> bool:
        return bool(self._settings.detector) or model.bundle.has_detector

    async def _read(self, process: PageProcess, options: DocumentOptions, document: bytes, reading: bytes) -> PageReply:
        job = PageJob(
            form=options.form,
            accept=options.accept,
            with_pictures=options.pictures,
            corners=options.corners,
        )
        return await process.read(job, document, seconds=self._settings.document_seconds, reading=reading)

    def _answer(self, reply: PageReply, model: str, fields: dict[str, str]) -> Response:
        told = {name: fields.get(name, "") for name in ("document", "sender")}
        headers = {
            "Content-Disposition": f'attachment; filename="{reply.file_name}"',
            "X-Content-Type-Options": "nosniff",
        }
        telemetry = self._telemetry_of()
        observe = BackgroundTask(telemetry.observe, reply, model=model, **told)
        return Response(reply.body, media_type=reply.media_type, headers=headers, background=observe)

    def _opened(self, model: ServedModel) -> PageProcess:
        """Return a page process, which starts when it first reads. Raise BundleError without a detector."""
        bundle, place = model.bundle, place_of_bundle(model.bundle)
        if place not in self._processes:
            settings = self._settings
            setup = PageSetup(
                bundle=str(bundle.folder.resolve()),
                bundle_id=bundle.id,
                detector=str(Path(settings.detector) if settings.detector else bundle.detector),
                worker=model.worker.name,
                max_bytes=settings.max_document_bytes,
                max_pages=settings.max_document_pages,
                max_pixels=settings.max_page_pixels,
                page_seconds=settings.page_seconds,
                max_memory_bytes=settings.max_page_memory_bytes,
                keep_images=settings.keep_images,
            )
            prepare_metrics()
            self._close_replaced()
            process = PageProcess(setup, command=self._command, on_end=count_end, turn=self._turn)
            self._processes[place] = process
        return self._processes[place]

    def _close_replaced(self) -> None:
        """End the processes of bundles that are served no more, or each reload would leave one for minutes."""
        models = self._api.models
        served = {place_of_bundle(models.bundle(name)) for name in models.names}
        for place, process in list(self._processes.items()):
            if place not in served and not process.is_busy:
                del self._processes[place]
                process.close()

    def _telemetry_of(self) -> PageTelemetry:
        if self._telemetry is None:
            self._telemetry = PageTelemetry(self._api.logs, self._settings, worker=self._api.worker.name)
        return self._telemetry


def place_of_bundle(bundle: Bundle) -> BundlePlace:
    return bundle.id, bundle.folder


def check_detector(settings: ServiceSettings) -> None:
    """Raise SettingsError for a detector that is named and not there."""
    if settings.detector and not Path(settings.detector).is_file():
        raise SettingsError(f"LEGIBLE_DETECTOR is {settings.detector!r}; no file is there")


def prepare_metrics() -> None:
    """Make every label child, at zero."""
    for source in SOURCES:
        metrics.pages.labels(source)
    for reason in EndReason:
        metrics.page_processes_ended.labels(reason)


def count_end(reason: EndReason) -> None:
    metrics.page_processes_ended.labels(reason).inc()


def refused(code: str, status: int, message: str) -> Response:
    """Return an error; what a page process says is not taken for more than it may be."""
    known = code if code in KNOWN_CODES else "internal"
    count_error(known)
    return error_response(status if known == code else 500, known, message)
