"""Admission control: bypasses BentoML's middleware; at capacity it answers 429 from the headers, without the body.

BentoML's middleware serves its own routes: for each request it makes spans that nobody exports, and a timer that lives
for a minute. So the server calls the application itself, unless spans are exported. A refusal must cost next to
nothing, or a service under ten times its load does little else.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from legible.service.middleware.concurrency_limit import Slots
from legible.service.middleware.request_log import RequestLog
from legible.service.refusals import RETRY_AFTER, Count, error_bytes

Headers = Sequence[tuple[bytes, bytes]]
ODD = frozenset({b"origin", b"expect"})
"""Headers of requests whose refusal says more, and is left to the application."""


class AdmissionControl:
    """Admission control, closed until `is_open` is set; then it promises a slot to each request that it lets through.

    slots: those of each path that it leads to.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        slots: Mapping[str, Slots],
        count: Count,
        request_log: RequestLog | None,
        is_draining: Callable[[], bool],
    ) -> None:
        self.app = app
        self.is_open = False
        self._slots = slots
        self._slots_of_urls = {path.encode(): of_path for path, of_path in slots.items()}
        self._count = count
        self._request_log = request_log
        self._is_draining = is_draining

    def leads_to(self, url: bytes) -> bool:
        return self.is_open and url.partition(b"?")[0] in self._slots_of_urls

    def refusal(self, url: bytes, headers: Headers) -> bytes | None:
        """Return a 429, or None for a request that may come in."""
        slots = self._slots_of(url)
        if not slots.are_taken or self._is_draining() or any(name in ODD for name, _ in headers):
            return None
        began = time.perf_counter()
        self._count("busy")
        lines = {"retry-after": RETRY_AFTER}
        if self._request_log:
            asked = next((value for name, value in headers if name == b"x-request-id"), b"")
            request_id = self._request_log.request_id(asked.decode("latin-1"))
            lines["x-request-id"] = request_id
            asked_for = {"method": "POST", "path": url.partition(b"?")[0].decode()}
            self._request_log.note(request_id, asked_for, status=429, seconds=time.perf_counter() - began)
        return error_bytes(429, "busy", slots.refusal, headers=lines)

    def promise(self, url: bytes) -> None:
        """Promise a slot, which calling the application takes."""
        self._slots_of(url).promised += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._slots[scope["path"]].promised -= 1  # the middleware asks for it before anything else is heard
        await self.app(scope, receive, send)

    def _slots_of(self, url: bytes) -> Slots:
        return self._slots_of_urls[url.partition(b"?")[0]]
