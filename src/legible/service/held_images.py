"""The memory of decoded images: how much all requests of a worker may hold, from decoding to observation."""

import asyncio
from collections import deque

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send


class HeldImages:
    """Bytes that decoded images hold; a request takes those of all its images before the first is decoded."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> "Hold":
        """Wait until there is room, and return the hold on it; what is more than all gets all."""
        count = min(count, self.limit)
        if self.held + count > self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give_back(count)
                raise
        else:
            self.held += count
        return Hold(self, count)

    def give_back(self, count: int) -> None:
        self.held -= count
        while self._waiting and self.held + self._waiting[0][0] <= self.limit:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self.held += wanted
                turn.set_result(None)


class Hold:
    """The bytes that one request holds."""

    def __init__(self, all_held: HeldImages, count: int) -> None:
        self._all = all_held
        self._count = count

    def release(self) -> None:
        """Give them back; again does nothing."""
        count, self._count = self._count, 0
        if count:
            self._all.give_back(count)


class HoldingResponse(JSONResponse):
    """An answer whose images are observed after it was sent, and let go then, whatever happens."""

    def __init__(self, content: object, *, observe: BackgroundTask, hold: Hold) -> None:
        super().__init__(content, background=observe)
        self._hold = hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hold.release()
