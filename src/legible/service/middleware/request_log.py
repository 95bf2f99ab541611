"""The log of requests."""

import json
import random
import re
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNLOGGED = frozenset({"/livez", "/readyz", "/metrics"})
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class RequestLog:
    """Writes one line of JSON for each request, without its content, except for health checks and metrics."""

    def __init__(self, write: Callable[[str], None], *, paths: Collection[str]) -> None:
        self._write = write
        self._paths = frozenset(paths)
        self._random = random.Random()  # names, not secrets: no call to the system for each

    def request_id(self, asked: str) -> str:
        """Return the caller's own id where it is a valid one, else a new one."""
        return asked if REQUEST_ID.fullmatch(asked) else f"{self._random.getrandbits(128):032x}"

    def note(self, request_id: str, scope: Scope, *, status: int, seconds: float) -> None:
        """Write the line of a request; a path that is not served is `other`, and queries are left out."""
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
    """Writes each request to the log, and returns its X-Request-ID, the caller's or a new one, with the answer.

    The id is in the request's state as `request_id`.
    """

    def __init__(self, app: ASGIApp, *, request_log: RequestLog) -> None:
        self.app = app
        self.request_log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = self.request_log.request_id(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500
        answered = False

        async def send_marked(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            elif not message.get("more_body", False):  # what is observed after the answer takes no time of the caller's
                answered = True
                self.request_log.note(request_id, scope, status=status, seconds=time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        finally:
            if not answered:
                self.request_log.note(request_id, scope, status=status, seconds=time.perf_counter() - started)
