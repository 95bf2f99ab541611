"""The ASGI application: routes, their answers, and errors of one shape."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from legible.config import ServiceSettings
from legible.errors import ImageError
from legible.image.statistics import measure
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import TOGETHER
from legible.service import metrics
from legible.service.admission import AdmissionControl
from legible.service.batching import BatchQueue, EventLoopQueue, pieces
from legible.service.keys import KeyRing
from legible.service.middleware import (
    BodyLimitMiddleware,
    ConcurrencyLimitMiddleware,
    DrainMiddleware,
    KeyMiddleware,
    RequestLog,
    RequestLogMiddleware,
    Slots,
    error_response,
)
from legible.service.openapi import DOCS_PAGE, MAX_ALTERNATIVES, MAX_CORRECTED, describe
from legible.service.worker import Answer, Observed, Upload, Wanted, Worker

Number = TypeVar("Number", int, float)

PAGE = Path(__file__).parent / "page"
READ, READ_BATCH, FEEDBACK = "/read", "/read_batch", "/feedback"
ROUTES = (READ, READ_BATCH, FEEDBACK)
PATHS = (*ROUTES, "/", "/page/settings.json", "/page/{name}", "/metrics", "/openapi.json", "/card", "/docs")
REQUEST_SECONDS = 50.0
"""For all of a request, its body included."""
OBSERVED_WITHIN = (0.0, 0.1, 0.3, 0.6)
"""Pauses in seconds between the looks for a reading that is corrected."""
COUNTED_WITHIN = 0.2
"""Seconds from a reading to the metrics it counts in."""
COUNTED_TOGETHER = 200
MAX_UNOBSERVED = 64
"""Answers that were sent and hold their images; before there are more, nothing else is read."""
MAX_JSON_BYTES = 20_000
"""Of a correction, whose text may be spelt in six bytes a character."""
DEFAULT_CHANNEL = "default"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HUNG_UP = 499
"""In the request log, as proxies have it; never sent."""
HTTP_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}

Handler = Callable[[Request], Awaitable[Response]]


class BadRequestError(HTTPException):
    """400 with a word on what to send instead."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class Api:
    """The routes over one worker's reader, which is there from `start` on."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self._reader: Worker | None = None
        self.is_draining = False
        self.slots = Slots(settings.max_in_flight, level=metrics.in_flight.set)
        self.request_log = RequestLog(partial(print, flush=True), paths=PATHS) if settings.request_log else None
        self._counting: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")

    def start(self, reader: Worker) -> None:
        metrics.prepare(channels=(), routes=ROUTES, statistics=(), signals=())
        self._reader = reader
        event_loop = EventLoopQueue()
        self._reading = BatchQueue(event_loop, partial(reader.read, decoding=Decoding()))
        self._reading_singly = BatchQueue(event_loop, reader.read_singly, most=1)
        self._observing = BatchQueue(event_loop, reader.observe, most=2 * TOGETHER)  # more than is read in between

    @property
    def is_ready(self) -> bool:
        return self._reader is not None and not self.is_draining

    @property
    def reader(self) -> Worker:
        if self._reader is None:
            raise HTTPException(503, "the model is being loaded; ask /readyz")
        return self._reader

    async def read(self, request: Request) -> Response:
        options = self._options(request)
        async with request.form(max_files=1, max_fields=8, max_part_size=1000) as form:
            (data,) = await image_bytes(form, field="image", most=1)
            channel = self.reader.channel(str(form.get("channel") or DEFAULT_CHANNEL))
        decoding = await self._decoding(options)
        (outcome,) = await self._read(self.reader.uploads([data]), decoding)
        if isinstance(outcome, ImageError):
            return image_error(outcome)
        fields = self._fields(outcome, options)
        if options.statistics:
            fields["statistics"] = await self._in_thread(measure, outcome.image)
        return self._observed(fields, [outcome], channel)

    async def read_batch(self, request: Request) -> Response:
        options = self._options(request)
        decoding = await self._decoding(options)
        most = self.settings.max_batch_images
        async with request.form(max_files=most + 1, max_fields=8, max_part_size=1000) as form:
            images = await image_bytes(form, field="images", most=most)
            channel = self.reader.channel(str(form.get("channel") or DEFAULT_CHANNEL))
        outcomes = await self._read(self.reader.uploads(images), decoding)
        fields = [
            error_fields(outcome) if isinstance(outcome, ImageError) else self._fields(outcome, options)
            for outcome in outcomes
        ]
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        return self._observed({"readings": fields}, answers, channel)

    async def feedback(self, request: Request) -> Response:
        if not self.settings.feedback:
            raise HTTPException(404, "corrections are switched off; LEGIBLE_FEEDBACK=1 switches them on")
        reading_id, text = correction_of(await request.body())
        kept = None
        for pause in OBSERVED_WITHIN:  # the observation is written after the answer to the reading
            await asyncio.sleep(pause)
            kept = await self._in_thread(self.reader.correct, reading_id, text)
            if kept is not None:
                break
        if kept is None:
            raise HTTPException(404, f"no reading {reading_id!r} is known")
        if not kept:
            count_error("busy")
            return error_response(429, "busy", "too many corrections at a time", headers={"Retry-After": "1"})
        return JSONResponse({"reading_id": reading_id}, 202)

    async def exposition(self, _: Request) -> Response:
        if self._reader is not None:
            self._count()
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    def _options(self, request: Request) -> "ReadOptions":
        return read_options(request, self.settings, lexicons=self.reader.lexicons)

    async def _decoding(self, options: "ReadOptions") -> Decoding:
        """In the thread where a lexicon may have to be loaded."""
        find = partial(self.reader.decoding, lexicon=options.lexicon, alternatives=options.alternatives)
        found: Decoding = await self._in_thread(find) if options.lexicon else find()
        return found

    def _fields(self, answer: Answer, options: "ReadOptions") -> dict[str, Any]:
        return answer.fields(accept=options.accept, bundle=self.reader.bundle_id, alternatives=options.alternatives > 0)

    def _observed(self, fields: dict[str, Any], answers: Sequence[Answer], channel: str) -> Response:
        """Observations are made after the answer is sent, and counted with those of the next moments."""

        async def observe() -> None:
            for piece in pieces(deque(answers), alone=lambda answer: not answer.is_quick):
                rows = [Observed(answer, channel) for answer in piece]
                if piece[0].is_quick:
                    await self._observing.do(rows)
                else:
                    await self._in_thread(self.reader.observe, rows)
            self._count_soon()

        return JSONResponse(fields, background=BackgroundTask(observe))

    def _count_soon(self) -> None:
        if self.reader.uncounted >= COUNTED_TOGETHER:
            self._count()
        elif self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(COUNTED_WITHIN, self._count)

    def _count(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        self.reader.count()

    async def _read(self, uploads: deque[Upload], decoding: Decoding) -> list[Answer | ImageError]:
        outcomes = list[Answer | ImageError]()
        is_plain = decoding == Decoding()
        for piece in pieces(uploads, alone=lambda upload: not (is_plain and upload.is_quick)):
            await self._observing.at_most(MAX_UNOBSERVED)
            if not piece[0].is_quick:
                outcomes += await self._in_thread(self.reader.read, piece, decoding)
            elif is_plain:
                outcomes += await self._reading.do(piece)
            else:  # a lexicon takes its time
                outcomes += await self._reading_singly.do([Wanted(upload, decoding) for upload in piece])
        return outcomes

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


@dataclass(frozen=True)
class ReadOptions:
    """The query of a request to read.

    From which confidence on to accept, whether to send image statistics, which lexicon's words to prefer, and how many
    alternatives to send.
    """

    accept: float
    statistics: bool
    lexicon: str
    alternatives: int


QUERY = ("accept", "alternatives", "lexicon", "statistics")


def read_options(request: Request, settings: ServiceSettings, *, lexicons: Sequence[str]) -> ReadOptions:
    """Raises BadRequestError for an option that is not known, or out of its range."""
    query = request.query_params
    unknown = sorted(set(query) - set(QUERY))
    if unknown:
        raise BadRequestError(f"unknown option {', '.join(unknown)}; known: {', '.join(QUERY)}")
    if query.get("statistics", "0") not in ("0", "1"):
        raise BadRequestError(f"statistics is {query['statistics']!r}; it needs 1 or 0")
    lexicon = query.get("lexicon", "")
    if lexicon and lexicon not in lexicons:
        raise BadRequestError(f"no lexicon {lexicon!r}; there: {', '.join(lexicons) or 'none'}")
    return ReadOptions(
        accept=_number(query.get("accept"), "accept", default=float(settings.accept), most=1.0),
        statistics=query.get("statistics") == "1",
        lexicon=lexicon,
        alternatives=_number(query.get("alternatives"), "alternatives", default=0, most=MAX_ALTERNATIVES),
    )


def _number(said: str | None, name: str, *, default: Number, most: Number) -> Number:
    """The default where nothing was said; of the default's type."""
    if said is None:
        return default
    with suppress(ValueError):
        value = type(default)(said)
        if 0 <= value <= most:
            return value
    kind = "whole number" if isinstance(default, int) else "number"
    raise BadRequestError(f"{name} is {said!r}; it needs a {kind} from 0 to {most}")


def correction_of(body: bytes) -> tuple[str, str]:
    """Reading id and text of a correction; 400 for another shape."""
    content: Any = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    reading_id, text = (content.get(name) for name in ("reading_id", "text")) if isinstance(content, dict) else (0, 0)
    if (
        not isinstance(reading_id, str)
        or not isinstance(text, str)
        or len(text) > MAX_CORRECTED
        or not _is_unicode(text)
    ):
        raise BadRequestError(
            f'send JSON such as {{"reading_id": "...", "text": "Hamburg"}}; at most {MAX_CORRECTED} characters of text'
        )
    return reading_id, text


def _is_unicode(text: str) -> bool:
    """No half of a surrogate pair, which JSON can spell and a file cannot hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


async def image_bytes(form: FormData, *, field: str, most: int) -> list[bytes]:
    """Contents of the files in a field; 400 for none, for text in its place, and for more than `most`."""
    found = form.getlist(field)
    files = [item for item in found if isinstance(item, UploadFile)]
    if not files or len(files) < len(found):
        raise BadRequestError(
            f"send the image as a file in the multipart field {field!r}; example: curl -F {field}=@word.png"
        )
    if len(files) > most:
        raise BadRequestError(f"{len(files)} images in {field!r}; at most {most} in a request")
    return [await file.read() for file in files]


def image_error(error: ImageError) -> Response:
    count_error(error.code)
    return error_response(error.status, error.code, str(error))


def error_fields(error: ImageError) -> dict[str, Any]:
    count_error(error.code)
    return {"error": {"code": error.code, "message": str(error)}}


async def on_http_error(_: Request, error: Exception) -> Response:
    """Wrong paths, methods and requests, counted where no image was looked at."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTP_CODES.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")  # noqa: PLR2004
    count_error(code)
    message = error.detail if error.status_code not in (404, 405) else f"{error.detail}; the calls are listed at /docs"
    return error_response(error.status_code, code, message)


async def on_disconnect(_: Request, __: Exception) -> Response:
    """The caller hung up while sending; nobody gets this answer, the log shows its status."""
    count_error("disconnected")
    return error_response(HUNG_UP, "disconnected", "the caller hung up")


async def on_fault(_: Request, __: Exception) -> Response:
    """A fault of ours: the traceback is logged, the caller gets the same shape as for any error."""
    count_error("internal")
    return error_response(500, "internal", "the service failed; the fault is logged")


def count_error(code: str) -> None:
    metrics.errors.labels(code).inc()


def timed(route: str, handler: Handler) -> Handler:
    """The same handler, its time bounded and counted."""
    seconds = metrics.request_seconds

    async def handle(request: Request) -> Response:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                response = await handler(request)
        except TimeoutError:
            count_error("too_large")
            message = f"it takes more than {REQUEST_SECONDS:g} s to read this; send fewer or smaller images"
            response = error_response(413, "too_large", message)
        seconds.labels(route).observe(time.perf_counter() - started)
        return response

    return handle


def build_app(api: Api) -> ASGIApp:
    """All routes behind the guards."""
    settings = api.settings
    correction_guard = body_guard(settings, max_bytes=MAX_JSON_BYTES)
    routes = [
        Route(READ, timed(READ, api.read), methods=["POST"]),
        Route(READ_BATCH, timed(READ_BATCH, api.read_batch), methods=["POST"]),
        Route(FEEDBACK, timed(FEEDBACK, api.feedback), methods=["POST"], middleware=[correction_guard]),
        Route("/", lambda _: page_file("index.html"), methods=["GET"]),
        Route("/page/settings.json", lambda _: JSONResponse(page_settings(api)), methods=["GET"]),
        Route("/page/{name}", lambda request: page_file(request.path_params["name"]), methods=["GET"]),
        Route("/metrics", api.exposition, methods=["GET"]),
        Route("/openapi.json", lambda _: JSONResponse(describe(settings)), methods=["GET"]),
        Route("/card", lambda _: PlainTextResponse(api.reader.card), methods=["GET"]),
        Route("/docs", lambda _: HTMLResponse(DOCS_PAGE), methods=["GET"]),
    ]
    middleware = middleware_of(api)
    handlers = {HTTPException: on_http_error, ClientDisconnect: on_disconnect, Exception: on_fault}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)


def admission_of(api: Api, app: ASGIApp) -> AdmissionControl:
    return AdmissionControl(
        app, slots=api.slots, paths=(READ, READ_BATCH), count=count_error, request_log=api.request_log,
        is_draining=lambda: api.is_draining,
    )  # fmt: skip


def middleware_of(api: Api) -> list[Middleware]:
    """Outermost first: refused is what costs least to refuse."""
    settings = api.settings
    ring = KeyRing.of(settings.keys)
    if settings.keys_file:
        ring = KeyRing(ring.digests + KeyRing.load(Path(settings.keys_file)).digests)
    rings = dict.fromkeys(ROUTES, ring) | {"/metrics": KeyRing.of(settings.metrics_keys)}
    cors = Middleware(
        CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "X-API-Key", "X-Request-ID"], expose_headers=["X-Request-ID", "Retry-After"],
    )  # fmt: skip
    return [
        *([Middleware(RequestLogMiddleware, request_log=api.request_log)] if api.request_log else []),
        *([cors] if settings.cors_origins else []),
        Middleware(DrainMiddleware, is_draining=lambda: api.is_draining),
        *([Middleware(KeyMiddleware, rings=rings, count=count_error)] if any(rings.values()) else []),
        Middleware(ConcurrencyLimitMiddleware, slots=api.slots, paths=ROUTES, count=count_error),
        body_guard(settings, max_bytes=settings.max_body_bytes),
    ]


def body_guard(settings: ServiceSettings, *, max_bytes: int) -> Middleware:
    return Middleware(
        BodyLimitMiddleware, max_bytes=max_bytes, max_held_bytes=settings.max_held_bytes, seconds=settings.body_seconds,
        count=count_error,
    )  # fmt: skip


def page_settings(api: Api) -> dict[str, Any]:
    """What the page offers: corrections, and the lexicons to prefer words of."""
    return {"feedback": api.settings.feedback, "lexicons": api.reader.lexicons}


def page_file(name: str) -> Response:
    if name not in {path.name for path in PAGE.iterdir()}:
        raise HTTPException(404, "Not Found")
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return FileResponse(PAGE / name, headers=headers)
