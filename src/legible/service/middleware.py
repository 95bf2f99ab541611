"""What stands before the application: each guard is one small ASGI class that refuses or lets through.

Errors have one shape, `{"error": {"code", "message"}}`.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from legible.service.keys import KeyRing

UNLOGGED = frozenset({"/livez", "/readyz", "/metrics"})
RETRY_AFTER = "1"
"""Seconds until a place is likely to be free."""
Count = Callable[[str], None]
"""Told the code of each refusal."""


def error_response(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


class _RefusedError(Exception):
    """Ends the arriving of a body, with the answer to it."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__()
        self.response = response


async def _refusing(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs an application whose body may be refused while it arrives; then it is the refusal that is sent."""
    refused: list[JSONResponse] = []
    started = False

    async def listening() -> Message:
        try:
            return await receive()
        except _RefusedError as error:
            refused.append(error.response)
            raise

    async def watched(message: Message) -> None:
        nonlocal started
        if not refused:  # else the application is answering to a body that broke off
            started = True
            await send(message)

    with suppress(_RefusedError):
        await app(scope, listening, watched)
    if refused and not started:
        await refused[0](scope, receive, send)


def _is_last(message: Message) -> bool:
    return message["type"] != "http.request" or not message.get("more_body", False)


def _busy(message: str) -> JSONResponse:
    return error_response(429, "busy", message, headers={"Retry-After": RETRY_AFTER})


class BodyLimitMiddleware:
    """Counts the bytes of a body while they arrive, and gives them so many seconds: 413 and 408.

    Bodies may hold `max_held_bytes` together; what would be more is told to come again: 429. Those that still arrive
    count as MIN_HELD_BYTES each at least, and get half of it, so that slow senders leave room for quick ones.
    """

    MIN_HELD_BYTES = 50_000

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_held_bytes: int, seconds: float, count: Count) -> None:
        self.app = app
        self.count = count
        self.max_bytes = max_bytes
        self.max_held_bytes = max_held_bytes
        self.seconds = seconds
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._declared(scope) > self.max_bytes:
            await self._too_large()(scope, receive, send)
            return
        own = _Held(self)
        try:
            await _refusing(self.app, scope, self._limited(receive, own), send)
        finally:
            own.release()

    def _limited(self, receive: Receive, own: "_Held") -> Receive:
        seen = 0
        until = asyncio.get_running_loop().time() + self.seconds
        complete = False

        async def limited() -> Message:
            nonlocal seen, complete
            if complete:  # now only the disconnection is waited for
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _RefusedError(self._too_slow()) from None
            seen += len(message.get("body", b""))
            complete = _is_last(message)
            if seen > self.max_bytes:
                raise _RefusedError(self._too_large())
            most = self.max_held_bytes if complete else self.max_held_bytes // 2
            if not own.grows_to(seen if complete else max(seen, self.MIN_HELD_BYTES), most=most):
                raise _RefusedError(self._too_much())
            return message

        return limited

    def _too_slow(self) -> JSONResponse:
        self.count("too_slow")
        return error_response(408, "too_slow", f"the body did not arrive within {self.seconds:g} s")

    def _too_large(self) -> JSONResponse:
        self.count("too_large")
        message = f"the request is larger than {self.max_bytes} bytes; send fewer or smaller images"
        return error_response(413, "too_large", message, headers={"Connection": "close"})

    def _too_much(self) -> JSONResponse:
        self.count("busy")
        return _busy("other requests are arriving that are large together; try again in a second")

    @staticmethod
    def _declared(scope: Scope) -> int:
        value = dict(scope["headers"]).get(b"content-length", b"0")
        return int(value) if value.isdigit() else 0


class _Held:
    """What one body holds of its guard's bytes."""

    def __init__(self, guard: BodyLimitMiddleware) -> None:
        self.guard = guard
        self.size = 0

    def grows_to(self, size: int, *, most: int) -> bool:
        """Whether there was room for it, with all others."""
        more = size - self.size
        if more > 0 and self.guard.held + more > most:
            return False
        self.guard.held += more
        self.size = size
        return True

    def release(self) -> None:
        self.guard.held -= self.size
        self.size = 0


class Slots:
    """How many requests are read at a time, of the most that may be; `level` is told how many.

    A place is promised to a request whose head was let through, until it comes to the guard.
    """

    def __init__(self, most: int, *, level: Callable[[int], None] = lambda _: None) -> None:
        self.most = most
        self.promised = 0
        self._taken = 0
        self._level = level

    @property
    def are_taken(self) -> bool:
        return self._taken + self.promised >= self.most

    @property
    def refusal(self) -> str:
        return f"{self.most} requests are being read; try again in a second"

    def change(self, by: int) -> None:
        self._taken += by
        self._level(self._taken)


class ConcurrencyLimitMiddleware:
    """Refuses what would be one too many at a time on these paths: 429 with Retry-After.

    A place is taken when the body has arrived, so that slow senders hold none, and free again with the answer; while
    all are taken a request is refused before its body.
    """

    def __init__(self, app: ASGIApp, *, slots: Slots, paths: Collection[str], count: Count) -> None:
        self.app = app
        self.count = count
        self.slots = slots
        self.paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        if self.slots.are_taken:
            await self._full()(scope, receive, send)
            return
        has_arrived = holds_place = False

        async def arriving() -> Message:
            nonlocal has_arrived, holds_place
            message = await receive()
            if not has_arrived and _is_last(message):
                if self.slots.are_taken:
                    raise _RefusedError(self._full())
                has_arrived = holds_place = True
                self.slots.change(1)
            return message

        async def answering(message: Message) -> None:
            nonlocal holds_place
            await send(message)
            if holds_place and message["type"] == "http.response.body" and not message.get("more_body", False):
                holds_place = False
                self.slots.change(-1)

        try:
            await _refusing(self.app, scope, arriving, answering)
        finally:
            if holds_place:
                self.slots.change(-1)

    def _full(self) -> JSONResponse:
        self.count("busy")
        return _busy(self.slots.refusal)


class DrainMiddleware:
    """While draining, each answer ends its connection: no caller sends the next request into one that is closed."""

    def __init__(self, app: ASGIApp, *, is_draining: Callable[[], bool]) -> None:
        self.app = app
        self.is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def ending(message: Message) -> None:
            if message["type"] == "http.response.start" and self.is_draining():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, ending if scope["type"] == "http" else send)


class KeyMiddleware:
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
    """Writes one line of JSON for each request, without its content. Health checks and metrics are left out."""

    def __init__(self, write: Callable[[str], None], *, paths: Collection[str]) -> None:
        self._write = write
        self._paths = frozenset(paths)
        self._random = random.Random()  # names, not secrets: no call to the system for each

    def request_id(self, asked: str) -> str:
        """The caller's own, or one made."""
        return asked if REQUEST_ID.fullmatch(asked) else f"{self._random.getrandbits(128):032x}"

    def note(self, request_id: str, scope: Scope, *, status: int, seconds: float) -> None:
        """Paths that nobody serves are `other`, queries are left out."""
        path = scope["path"]
        if path in UNLOGGED:
            return
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": request_id,
            "method": scope["method"],
            "path": path if path in self._paths else "other",
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "key": scope.get("state", {}).get("key", ""),
        }
        self._write(json.dumps(line))


class RequestLogMiddleware:
    """Notes each request in the request_log; the caller's X-Request-ID, or one made, comes back in the answer."""

    def __init__(self, app: ASGIApp, *, request_log: RequestLog) -> None:
        self.app = app
        self.request_log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = self.request_log.request_id(Headers(scope=scope).get("x-request-id", ""))
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
                self.request_log.note(request_id, scope, status=status, seconds=time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, marked)
        finally:
            if not answered:
                self.request_log.note(request_id, scope, status=status, seconds=time.perf_counter() - started)
