"""What stands before the application: each guard is one small ASGI class that refuses or lets through.

Errors have one shape, `{"error": {"code", "message"}}`.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
