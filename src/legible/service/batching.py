"""Quick work in the event loop: handing it to a thread and back costs more.

One piece at a time, after all else that is ready, so that refusals and health checks wait for one piece at most. What
several requests want done alike is one piece, of a few small items: one after the other they would find the processor's
caches cold.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from legible.recognition.recognizer import TOGETHER

QUICK_PIXELS = 100_000
"""Of all items of a piece together."""


class Sized(Protocol):
    """An image, or what holds one."""

    @property
    def pixels(self) -> int: ...


Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")


def pieces(items: deque[Item], *, alone: Callable[[Item], bool]) -> Iterator[list[Item]]:
    """In order, emptying `items`: neighbours that are one piece of work, and each that is to be worked on alone."""
    while items:
        piece = [items.popleft()]
        while not alone(piece[0]) and items and not alone(items[0]) and is_piece([*piece, items[0]]):
            piece.append(items.popleft())
        yield piece


def is_piece(items: Collection[Sized], *, most: int = TOGETHER) -> bool:
    return len(items) <= most and sum(item.pixels for item in items) <= QUICK_PIXELS


@dataclass(frozen=True)
class _Waiting(Generic[Item, Result]):
    items: Sequence[Item]
    results: asyncio.Future[Sequence[Result]]


class EventLoopQueue:
    """Who works in the event loop, one after the other."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def take(self, call: Callable[[], Result]) -> Result:
        """The result of a call, when its turn has come."""
        async with self._turn:
            await asyncio.sleep(0)
            return call()


class BatchQueue(Generic[Item, Result]):
    """Work that is the same for all who want it done: items in, as many results out; a line of its own for a turn."""

    def __init__(
        self,
        event_loop: EventLoopQueue,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        most: int = TOGETHER,
    ) -> None:
        self._event_loop = event_loop
        self._work = work
        self._most = most
        self._line: deque[_Waiting[Item, Result]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def do(self, items: Sequence[Item]) -> Sequence[Result]:
        """The results of one piece, perhaps worked on with what else waits."""
        own = _Waiting[Item, Result](items, asyncio.get_running_loop().create_future())
        self._line.append(own)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work_off())
        return await own.results

    async def at_most(self, most: int) -> None:
        """Waits until no more than so many pieces wait."""
        while len(self._line) > most:
            await asyncio.wait([self._line[0].results])

    async def _work_off(self) -> None:
        while self._line:
            done = await self._event_loop.take(self._do_next)
            for _ in range(done - 1):  # each time around, the event loop accepts but one connection
                await asyncio.sleep(0)

    def _do_next(self) -> int:
        """What waits longest, and what makes one piece with it, but for those who have gone; how many items."""
        some: list[_Waiting[Item, Result]] = []
        items: list[Item] = []
        while self._line and (not items or is_piece([*items, *self._line[0].items], most=self._most)):
            one = self._line.popleft()
            if not one.results.cancelled():
                some.append(one)
                items += one.items
        try:
            self._hand_out(some, items)
        except Exception as error:  # noqa: BLE001  # it is raised where it is waited for
            self._do_each(some, error)
        return len(items)

    def _hand_out(self, some: Sequence[_Waiting[Item, Result]], items: Sequence[Item]) -> None:
        results = self._work(items)
        if len(results) != len(items):
            raise RuntimeError(f"{len(results)} results of {len(items)} items")
        left = iter(results)
        for one in some:
            one.results.set_result([next(left) for _ in one.items])

    def _do_each(self, some: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
        """A fault is of one item: what waited with it is done without it."""
        if len(some) == 1:
            some[0].results.set_exception(error)
            return
        for one in some:
            try:
                self._hand_out([one], one.items)
            except Exception as own:  # noqa: BLE001
                one.results.set_exception(own)
