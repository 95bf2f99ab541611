"""The ASGI application: the routes behind their middleware, and errors of one shape."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from legible.config import ServiceSettings
from legible.errors import BundleError
from legible.service import metrics
from legible.service.admission import AdmissionControl
from legible.service.api import FEEDBACK, READ, READ_BATCH, READ_PAGE, ROUTES, Api
from legible.service.keys import KeyRing, reading_keys
from legible.service.label_api import LabelApi
from legible.service.middleware.body_limit import BodyLimitMiddleware
from legible.service.middleware.concurrency_limit import ConcurrencyLimitMiddleware, Slots
from legible.service.middleware.drain import DrainMiddleware
from legible.service.middleware.key import KeyMiddleware
from legible.service.middleware.request_log import RequestLogMiddleware
from legible.service.model_api import ModelApi
from legible.service.models import folders_of
from legible.service.openapi import describe
from legible.service.page_api import PageApi
from legible.service.page_parts import PAGE, html_of
from legible.service.refusals import bundle_replaced_response, count_error, error_response

MAX_JSON_BYTES = 20_000
"""The largest body of a correction, whose text may be spelt in six bytes a character."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
RELOAD = "/models/{name}/reload"
SECONDS_TO_ANSWER = 2.0
"""The time for what a document's answer takes beside its body and its reading."""
HUNG_UP = 499
"""The status in the request log, as proxies write it, of a caller who hung up; never sent."""
HTTP_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}

Handler = Callable[[Request], Awaitable[Response]]


def build_app(api: Api, pages: PageApi | None = None) -> ASGIApp:
    """Return all routes behind their middleware."""
    pages = pages or PageApi(api)
    settings = api.settings
    description = cache(lambda: describe(settings))
    correction_limit = body_limit(settings, max_bytes=MAX_JSON_BYTES)
    allowed = settings.request_seconds
    routes = [
        Route(READ, timed(READ, api.read, allowed), methods=["POST"]),
        Route(READ_BATCH, timed(READ_BATCH, api.read_batch, allowed), methods=["POST"]),
        Route(READ_PAGE, timed(READ_PAGE, pages.read_page, seconds_of_document(settings)), methods=["POST"]),
        Route(FEEDBACK, timed(FEEDBACK, api.feedback, allowed), methods=["POST"], middleware=[correction_limit]),
        Route("/", lambda _: page_file("index.html"), methods=["GET"]),
        Route("/page/settings.json", lambda _: JSONResponse(page_settings(api, pages)), methods=["GET"]),
        Route("/page/{name}", lambda request: page_file(request.path_params["name"]), methods=["GET"]),
        Route("/metrics", api.exposition, methods=["GET"]),
        Route("/openapi.json", lambda _: JSONResponse(description()), methods=["GET"]),
        *model_routes(api),
        Route("/docs", lambda _: page_file("docs.html"), methods=["GET"]),
        *(label_routes(api, correction_limit) if settings.label_keys else ()),
    ]
    middleware = middleware_of(api, pages)
    handlers = {
        HTTPException: on_http_error, ClientDisconnect: on_disconnect, BundleError: on_bundle_error, Exception: on_fault
    }  # fmt: skip
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would name whatever host the caller named, and repeat key and body
    return app


def model_routes(api: Api) -> list[Route]:
    """Return the calls about the models; nobody may replace one where no key for that is set."""
    calls = ModelApi(api)
    reload = [Route(RELOAD, calls.reload, methods=["POST"])] if api.settings.reload_keys else []
    return [
        Route("/models", calls.models, methods=["GET"]),
        Route("/card", calls.card, methods=["GET"]),
        *reload,
    ]


def label_routes(api: Api, limit: Middleware) -> list[Route]:
    """Return the labelling page and its calls; the page itself holds nothing that needs a key."""
    desk = LabelApi(api)
    return [
        Route("/label", lambda _: page_file("label.html"), methods=["GET"]),
        Route("/label", desk.label, methods=["POST"], middleware=[limit]),
        Route("/label/undo", desk.undo, methods=["POST"], middleware=[limit]),
        Route("/label/next", desk.next, methods=["GET"]),
        Route("/label/image/{reading_id}", desk.image, methods=["GET"]),
    ]


def admission_of(api: Api, pages: PageApi, app: ASGIApp) -> AdmissionControl:
    return AdmissionControl(
        app, slots={READ: api.slots, READ_BATCH: api.slots, READ_PAGE: pages.slots}, count=count_error,
        request_log=api.request_log, is_draining=lambda: api.is_draining,
    )  # fmt: skip


def seconds_of_document(settings: ServiceSettings) -> float:
    """Return the time in which a document has to be answered, its body included."""
    return settings.body_seconds + settings.document_seconds + SECONDS_TO_ANSWER


def middleware_of(api: Api, pages: PageApi) -> list[Middleware]:
    """Return the middleware, outermost first: what costs least to refuse is refused first."""
    settings = api.settings
    rings = dict.fromkeys((*ROUTES, "/models"), reading_keys(settings)) | {
        "/metrics": KeyRing.of(settings.metrics_keys)
    }
    rings |= reload_rings(settings)
    cors = Middleware(
        CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "X-API-Key", "X-Request-ID"], expose_headers=["X-Request-ID", "Retry-After"],
    )  # fmt: skip
    return [
        *([Middleware(RequestLogMiddleware, request_log=api.request_log)] if api.request_log else []),
        *([cors] if settings.cors_origins else []),
        Middleware(DrainMiddleware, is_draining=lambda: api.is_draining),
        *([Middleware(KeyMiddleware, rings=rings, count=count_error)] if any(rings.values()) else []),
        Middleware(ConcurrencyLimitMiddleware, slots=api.slots, paths=(READ, READ_BATCH), count=count_error),
        Middleware(
            ConcurrencyLimitMiddleware, slots=Slots(settings.max_in_flight), paths=(FEEDBACK,), count=count_error
        ),
        Middleware(ConcurrencyLimitMiddleware, slots=pages.slots, paths=(READ_PAGE,), count=count_error),
        body_limit(settings, max_bytes=settings.max_body_bytes),
    ]


def reload_rings(settings: ServiceSettings) -> dict[str, KeyRing]:
    """Return the keys that open the call to reload of each model."""
    ring = KeyRing.of(settings.reload_keys)
    return {RELOAD.format(name=name): ring for name in folders_of(settings)} if ring else {}


def body_limit(settings: ServiceSettings, *, max_bytes: int) -> Middleware:
    return Middleware(
        BodyLimitMiddleware, max_bytes=max_bytes, max_held_bytes=settings.max_held_bytes, seconds=settings.body_seconds,
        count=count_error,
    )  # fmt: skip


def page_settings(api: Api, pages: PageApi) -> dict[str, Any]:
    """Return what the page offers: whether it takes corrections and reads whole pages, lexicons, and the charset."""
    return {
        "feedback": api.settings.feedback, "pages": pages.is_available, "lexicons": api.worker.lexicons,
        "charset": api.worker.characters,
    }  # fmt: skip


def page_file(name: str) -> Response:
    if name not in {path.name for path in PAGE.iterdir()}:
        raise HTTPException(404, "Not Found")
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    is_html = name.endswith(".html")
    return HTMLResponse(html_of(name), headers=headers) if is_html else FileResponse(PAGE / name, headers=headers)


def timed(route: str, handler: Handler, seconds_allowed: float) -> Handler:
    """Return the handler with its time limited and counted."""
    seconds = metrics.request_seconds

    async def handle(request: Request) -> Response:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds_allowed):
                response = await handler(request)
        except TimeoutError:
            count_error("too_large")
            message = f"it takes more than {seconds_allowed:g} s to read this; send fewer or smaller images"
            response = error_response(413, "too_large", message)
        seconds.labels(route).observe(time.perf_counter() - started)
        return response

    return handle


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer wrong paths, methods and requests, and count them."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTP_CODES.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")  # noqa: PLR2004
    count_error(code)
    message = error.detail if error.status_code not in (404, 405) else f"{error.detail}; the calls are listed at /docs"
    return error_response(error.status_code, code, message)


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Answer a caller who hung up while sending: nobody gets the answer, the log shows its status."""
    count_error("disconnected")
    return error_response(HUNG_UP, "disconnected", "the caller hung up")


async def on_bundle_error(_: Request, error: Exception) -> Response:
    """Answer where a bundle that is opened when it is first asked for lies in its folder no more."""
    return bundle_replaced_response(error)


async def on_fault(_: Request, __: Exception) -> Response:
    """Answer after a fault of ours in the shape of any error; the traceback is logged."""
    count_error("internal")
    return error_response(500, "internal", "the service failed; the fault is logged")
