"""Limits of a request's body: its bytes, its time, and the bytes of all bodies together."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from legible.service.middleware.refusable import RefusedError, is_last, run_refusable
from legible.service.refusals import Count, busy_response, error_response


class BodyLimitMiddleware:
    """Limits the bytes of a body while they arrive (413), and the seconds in which they must arrive (408).

    All bodies together may hold `max_held_bytes`; more is refused with 429. Bodies that still arrive count as at least
    MIN_HELD_BYTES and share half of it, so that slow senders leave room for quick ones.
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
        own = _HeldBytes(self)
        try:
            await run_refusable(self.app, scope, self._limited(receive, own), send)
        finally:
            own.release()

    def _limited(self, receive: Receive, own: "_HeldBytes") -> Receive:
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
                raise RefusedError(self._too_slow()) from None
            seen += len(message.get("body", b""))
            complete = is_last(message)
            if seen > self.max_bytes:
                raise RefusedError(self._too_large())
            most = self.max_held_bytes if complete else self.max_held_bytes // 2
            if not own.grows_to(seen if complete else max(seen, self.MIN_HELD_BYTES), most=most):
                raise RefusedError(self._too_much())
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
        return busy_response("other requests are arriving that are large together; try again in a second")

    @staticmethod
    def _declared(scope: Scope) -> int:
        value = dict(scope["headers"]).get(b"content-length", b"0")
        return int(value) if value.isdigit() else 0


class _HeldBytes:
    """The bytes that one body holds of those of all."""

    def __init__(self, guard: BodyLimitMiddleware) -> None:
        self.guard = guard
        self.size = 0

    def grows_to(self, size: int, *, most: int) -> bool:
        """Return whether there was room for it beside all others."""
        more = size - self.size
        if more > 0 and self.guard.held + more > most:
            return False
        self.guard.held += more
        self.size = size
        return True

    def release(self) -> None:
        self.guard.held -= self.size
        self.size = 0
