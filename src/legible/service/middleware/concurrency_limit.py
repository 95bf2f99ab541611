"""The limit of the number of requests that are read at a time."""

from collections.abc import Callable, Collection

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from legible.service.middleware.refusable import RefusedError, is_last, run_refusable
from legible.service.refusals import Count, busy_response


class Slots:
    """The slots of requests that are read at a time; `level` is called with the number of taken slots.

    A slot is promised to a request whose headers were let through, until the request comes to the middleware.
    """

    def __init__(self, count: int, *, level: Callable[[int], None] = lambda _: None) -> None:
        self.count = count
        self.promised = 0
        self._taken = 0
        self._level = level

    @property
    def are_taken(self) -> bool:
        return self._taken + self.promised >= self.count

    @property
    def refusal(self) -> str:
        return f"{self.count} requests are being read; try again in a second"

    def change(self, by: int) -> None:
        self._taken += by
        self._level(self._taken)


class ConcurrencyLimitMiddleware:
    """Refuses requests to these paths while all slots are taken: 429 with Retry-After.

    A request takes a slot when its body has arrived, so that slow senders hold none, and frees it with the answer;
    while all are taken a request is refused before its body.
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
        has_arrived = holds_slot = False

        async def receive_into_slot() -> Message:
            nonlocal has_arrived, holds_slot
            message = await receive()
            if not has_arrived and is_last(message):
                if self.slots.are_taken:
                    raise RefusedError(self._full())
                has_arrived = holds_slot = True
                self.slots.change(1)
            return message

        async def send_and_free(message: Message) -> None:
            nonlocal holds_slot
            await send(message)
            if holds_slot and message["type"] == "http.response.body" and not message.get("more_body", False):
                holds_slot = False
                self.slots.change(-1)

        try:
            await run_refusable(self.app, scope, receive_into_slot, send_and_free)
        finally:
            if holds_slot:
                self.slots.change(-1)

    def _full(self) -> JSONResponse:
        self.count("busy")
        return busy_response(self.slots.refusal)
