"""What stands before the application: each guard is one small ASGI class that refuses or lets through.

Errors have one shape, `{"error": {"code", "message"}}`.
"""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from legible.service.keys import KeyRing

UNLOGGED = frozenset({"/livez", "/readyz", "/metrics"})
Count = Callable[[str], None]
"""Told the code of each refusal."""


def error_response(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


class _RefusedError(Exception):
    """Ends the reading of a body; the guard that raised it answers."""


class BodyGuard:
    """Counts the bytes of a body while they arrive, and gives them so many seconds: 413 and 408."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float, count: Count) -> None:
        self.app = app
        self.count = count
        self.max_bytes = max_bytes
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal: list[JSONResponse] = []
        limited = self._limited(receive, refusal)
        if self._declared(scope) > self.max_bytes:
            await self._too_large()(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if not refusal:  # else the application is answering to a body that broke off
                started = True
                await send(message)

        with suppress(_RefusedError):
            await self.app(scope, limited, watched)
        if refusal and not started:
            await refusal[0](scope, receive, send)

    def _limited(self, receive: Receive, refusal: list[JSONResponse]) -> Receive:
        seen = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + self.seconds
        complete = False

        async def limited() -> Message:
            nonlocal seen, complete
            if complete:  # now only the disconnection is waited for
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(until - loop.time(), 0.001))
            except TimeoutError:
                self.count("too_slow")
                refusal.append(error_response(408, "too_slow", f"the body did not arrive within {self.seconds:g} s"))
                raise _RefusedError from None
            seen += len(message.get("body", b""))
            complete = message["type"] != "http.request" or not message.get("more_body", False)
            if seen > self.max_bytes:
                refusal.append(self._too_large())
                raise _RefusedError
            return message

        return limited

    def _too_large(self) -> JSONResponse:
        self.count("too_large")
        message = f"the request is larger than {self.max_bytes} bytes; send fewer or smaller images"
        return error_response(413, "too_large", message, headers={"Connection": "close"})

    @staticmethod
    def _declared(scope: Scope) -> int:
        value = dict(scope["headers"]).get(b"content-length", b"0")
        return int(value) if value.isdigit() else 0


class InFlightGuard:
    """Refuses what would be one too many at a time on these paths: 429 with Retry-After."""

    def __init__(self, app: ASGIApp, *, most: int, paths: Collection[str], count: Count) -> None:
        self.app = app
        self.count = count
        self.most = most
        self.paths = frozenset(paths)
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        if self.in_flight >= self.most:
            self.count("busy")
            message = f"{self.most} requests are being read; try again in a second"
            await error_response(429, "busy", message, headers={"Retry-After": "1"})(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.in_flight -= 1


class KeyGuard:
    """Lets through who shows a key: `Authorization: Bearer KEY` or `X-API-Key: KEY`; 401 for others.

    `rings` names the keys that open each guarded path; a path whose ring is empty is open to all. The name of the key
    stands in the request's state as `key`.
    """

    def __init__(self, app: ASGIApp, *, rings: Mapping[str, KeyRing], count: Count) -> None:
        self.app = app
        self.count = count
        self.rings = {path: ring for path, ring in rings.items() if ring}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ring = self.rings.get(scope.get("path", "")) if scope["type"] == "http" else None
        if ring is None or scope["method"] == "OPTIONS":  # a browser asks without a key whether it may ask
            await self.app(scope, receive, send)
            return
        name = ring.name_of(_shown_key(Headers(scope=scope)))
        if name is None:
            self.count("wrong_key")
            message = "a key is needed here: send it as Authorization: Bearer KEY, or X-API-Key: KEY"
            await error_response(401, "wrong_key", message, headers={"WWW-Authenticate": "Bearer"})(
                scope, receive, send
            )
            return
        scope.setdefault("state", {})["key"] = name
        await self.app(scope, receive, send)


def _shown_key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class RequestLog:
    """One line of JSON for each request, without its content; the caller's X-Request-ID, or one made, in both.

    Paths that nobody serves are logged as `other`, queries not at all. Health checks and metrics are left out.
    """

    def __init__(self, app: ASGIApp, *, paths: Collection[str], write: Callable[[str], None]) -> None:
        self.app = app
        self.paths = frozenset(paths)
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        started = time.perf_counter()
        status = 500
        answered = False

        async def marked(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            elif not message.get("more_body", False):  # what is observed after the answer takes no time of the caller's
                answered = True
                self._note(scope, request_id, status, time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, marked)
        finally:
            if not answered:
                self._note(scope, request_id, status, time.perf_counter() - started)

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        if scope["path"] in UNLOGGED:
            return
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"] if scope["path"] in self.paths else "other",
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "key": scope.get("state", {}).get("key", ""),
        }
        self.write(json.dumps(line))
