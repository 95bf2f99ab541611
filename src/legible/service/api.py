"""The ASGI application: routes, their answers, and errors of one shape."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from legible.config import ServiceSettings
from legible.errors import ImageError
from legible.image.statistics import measure
from legible.service import metrics
from legible.service.guards import BodyGuard, InFlightGuard, error_response
from legible.service.openapi import DOCS_PAGE, describe
from legible.service.reading import Answer, Reader

PAGE = Path(__file__).parent / "page"
READ, READ_BATCH = "/read", "/read_batch"
ROUTES = (READ, READ_BATCH)
DEFAULT_CHANNEL = "default"
PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
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
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")

    def start(self, reader: Reader) -> None:
        metrics.prepare(channels=(), routes=ROUTES, statistics=())
        self._reader = reader

    @property
    def is_ready(self) -> bool:
        return self._reader is not None

    @property
    def reader(self) -> Reader:
        if self._reader is None:
            raise HTTPException(503, "the model is being loaded; ask /readyz")
        return self._reader

    async def read(self, request: Request) -> Response:
        options = read_options(request, self.settings)
        async with request.form(max_files=1, max_fields=8, max_part_size=1000) as form:
            (data,) = await image_bytes(form, field="image", most=1)
            channel = self.reader.channel(str(form.get("channel") or DEFAULT_CHANNEL))
        outcome = await self._in_thread(self.reader.read, data)
        if isinstance(outcome, ImageError):
            return image_error(outcome)
        fields = outcome.fields(accept=options.accept, bundle=self.reader.bundle_id)
        if options.statistics:
            fields["statistics"] = await self._in_thread(measure, outcome.image)
        return self._observed(fields, [outcome], channel)

    async def read_batch(self, request: Request) -> Response:
        options = read_options(request, self.settings)
        most = self.settings.max_batch_images
        async with request.form(max_files=most + 1, max_fields=8, max_part_size=1000) as form:
            images = await image_bytes(form, field="images", most=most)
            channel = self.reader.channel(str(form.get("channel") or DEFAULT_CHANNEL))
        outcomes = [await self._in_thread(self.reader.read, data) for data in images]
        bundle = self.reader.bundle_id
        fields = [
            error_fields(outcome)
            if isinstance(outcome, ImageError)
            else outcome.fields(accept=options.accept, bundle=bundle)
            for outcome in outcomes
        ]
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        return self._observed({"readings": fields}, answers, channel)

    def _observed(self, fields: dict[str, Any], answers: Sequence[Answer], channel: str) -> Response:
        """Observations are made after the answer is sent."""

        async def observe() -> None:
            await self._in_thread(self._observe, list(answers), channel)

        return JSONResponse(fields, background=BackgroundTask(observe))

    def _observe(self, answers: list[Answer], channel: str) -> None:
        self.reader.observe(answers, channel=channel)

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


class ReadOptions:
    """The query of a request to read: from which confidence on to accept, and whether to send image statistics."""

    def __init__(self, *, accept: float, statistics: bool) -> None:
        self.accept = accept
        self.statistics = statistics


def read_options(request: Request, settings: ServiceSettings) -> ReadOptions:
    unknown = sorted(set(request.query_params) - {"accept", "statistics"})
    if unknown:
        raise BadRequestError(f"unknown option {', '.join(unknown)}; known: accept, statistics")
    accept = request.query_params.get("accept", str(settings.accept))
    value = -1.0
    with suppress(ValueError):
        value = float(accept)
    if not 0 <= value <= 1:
        raise BadRequestError(f"accept is {accept!r}; it needs a number from 0 to 1")
    return ReadOptions(accept=value, statistics=request.query_params.get("statistics") == "1")


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


async def on_fault(_: Request, __: Exception) -> Response:
    """A fault of ours: the traceback is logged, the caller gets the same shape as for any error."""
    count_error("internal")
    return error_response(500, "internal", "the service failed; the fault is logged")


def count_error(code: str) -> None:
    metrics.errors.labels(code).inc()


def timed(route: str, handler: Handler) -> Handler:
    """The same handler, its time counted."""
    seconds = metrics.request_seconds

    async def handle(request: Request) -> Response:
        started = time.perf_counter()
        with metrics.in_flight.track_inprogress():
            response = await handler(request)
        seconds.labels(route).observe(time.perf_counter() - started)
        return response

    return handle


def build_app(api: Api) -> ASGIApp:
    """All routes behind the guards."""
    settings = api.settings
    routes = [
        Route(READ, timed(READ, api.read), methods=["POST"]),
        Route(READ_BATCH, timed(READ_BATCH, api.read_batch), methods=["POST"]),
        Route("/", lambda _: page_file("index.html"), methods=["GET"]),
        Route("/page/{name}", lambda request: page_file(request.path_params["name"]), methods=["GET"]),
        Route("/metrics", lambda _: Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE), methods=["GET"]),
        Route("/openapi.json", lambda _: JSONResponse(describe(settings)), methods=["GET"]),
        Route("/docs", lambda _: HTMLResponse(DOCS_PAGE), methods=["GET"]),
    ]
    guards = [
        Middleware(InFlightGuard, most=settings.max_in_flight, paths=ROUTES, count=count_error),
        Middleware(BodyGuard, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds, count=count_error),
    ]
    handlers = {HTTPException: on_http_error, Exception: on_fault}
    return Starlette(routes=routes, middleware=guards, exception_handlers=handlers)


def page_file(name: str) -> Response:
    if name not in {path.name for path in PAGE.iterdir()}:
        raise HTTPException(404, "Not Found")
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return FileResponse(PAGE / name, headers=headers)
