"""Errors as callers get them: one JSON shape, `{"error": {"code", "message"}}`, built and counted in this file
alone.
"""

import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus

from starlette.responses import JSONResponse

from legible.service import metrics
from legible.service.answers import ErrorAnswer

log = logging.getLogger(__name__)
RETRY_AFTER = "1"
"""Seconds until a slot is likely to be free."""
Count = Callable[[str], None]
"""A function that is called with the code of each refusal."""


def error_answer(code: str, message: str) -> ErrorAnswer:
    """Return the body of an error."""
    return {"error": {"code": code, "message": message}}


def error_response(status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(error_answer(code, message), status, headers)


def busy_response(message: str) -> JSONResponse:
    """Return a 429 that says when to come again."""
    return error_response(429, "busy", message, headers={"Retry-After": RETRY_AFTER})


def bundle_replaced_response(error: Exception) -> JSONResponse:
    """Return a 503 for a model whose folder was changed and not reloaded; the error names it in the log alone."""
    log.error("a model is not read with: %s; reload it, or put its bundle back", error)
    count_error("bundle_replaced")
    message = (
        "the folder of the model does not hold the bundle that is in service; it reads again when it is reloaded, or "
        "when its bundle is put back"
    )
    return error_response(503, "bundle_replaced", message, headers={"Retry-After": RETRY_AFTER})


def error_bytes(status: int, code: str, message: str, *, headers: Mapping[str, str]) -> bytes:
    """Return a whole HTTP/1.1 answer, for what is refused before there is an application to refuse it."""
    body = _error_body(code, message)
    lines = {**headers, "content-type": "application/json", "content-length": str(len(body))}
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in lines.items())]
    return "\r\n".join([*head, "", ""]).encode() + body


@lru_cache(maxsize=64)
def _error_body(code: str, message: str) -> bytes:
    return json.dumps(error_answer(code, message)).encode()


def count_error(code: str) -> None:
    metrics.errors.labels(code).inc()
