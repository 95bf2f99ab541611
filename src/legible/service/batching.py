"""Batches of quick work in the event loop, because a thread would cost more than the work.

One batch at a time, after everything else that is ready, so that refusals and health checks wait for at most one batch.
A batch takes a few small items of several requests: one after the other they would find the processor's caches cold.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from legible.recognition.recognizer import STEP_IMAGES
from legible.service.read_job import QUICK_PIXELS


class Costing(Protocol):
    """An item of work. The costs of a batch sum up to at most QUICK_PIXELS, unless it has a single item."""

    @property
    def cost(self) -> int: ...


Item = TypeVar("Item", bound=Costing)
Result = TypeVar("Result")


def batches(items: Sequence[Item], *, alone: Callable[[Item], bool]) -> Iterator[list[Item]]:
    """Yield the items in order: neighbours that make one batch, and each that is to be worked on alone."""
    batch: list[Item] = []
    for item in items:
        if batch and (alone(item) or alone(batch[0]) or not is_batch([*batch, item])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


async def in_turns(items: Sequence[Item]) -> AsyncIterator[Item]:
    """Yield the items, and give others a turn between two of them: to read one header may take milliseconds."""
    for number, item in enumerate(items):
        if number:
            await asyncio.sleep(0)
        yield item


def is_batch(items: Collection[Costing], *, max_items: int = STEP_IMAGES) -> bool:
    return len(items) <= max_items and sum(item.cost for item in items) <= QUICK_PIXELS


@dataclass(frozen=True)
class _Queued(Generic[Item, Result]):
    """The items of one request, and where it awaits their results."""

    items: Sequence[Item]
    results: asyncio.Future[Sequence[Result]]


class EventLoopQueue:
    """Calls in the event loop, one after the other."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def take(self, call: Callable[[], Result]) -> Result:
        """Return the result of a call, once it is its turn."""
        async with self._turn:
            await asyncio.sleep(0)
            return call()


class BatchQueue(Generic[Item, Result]):
    """Does one kind of work for all requests: items in, as many results out, in batches."""

    def __init__(
        self,
        event_loop: EventLoopQueue,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_items: int = STEP_IMAGES,
    ) -> None:
        self._event_loop = event_loop
        self._work = work
        self._max_items = max_items
        self._queue: deque[_Queued[Item, Result]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def do(self, items: Sequence[Item]) -> Sequence[Result]:
        """Return the results of one batch, which is perhaps worked on with others that wait."""
        own = _Queued[Item, Result](items, asyncio.get_running_loop().create_future())
        self._queue.append(own)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work_off())
        return await own.results

    async def until_at_most(self, count: int) -> None:
        """Wait until at most this many batches wait."""
        while len(self._queue) > count:
            await asyncio.wait([self._queue[0].results])

    async def _work_off(self) -> None:
        while self._queue:
            done = await self._event_loop.take(self._do_next)
            for _ in range(done - 1):  # each time around, the event loop accepts but one connection
                await asyncio.sleep(0)

    def _do_next(self) -> int:
        """Do what waits longest and what makes one batch with it, unless its caller has gone; return how many items."""
        batch: list[_Queued[Item, Result]] = []
        items: list[Item] = []
        while self._queue and (not items or is_batch([*items, *self._queue[0].items], max_items=self._max_items)):
            one = self._queue.popleft()
            if not one.results.cancelled():
                batch.append(one)
                items += one.items
        try:
            self._hand_out(batch, items)
        except Exception as error:  # noqa: BLE001  # it is raised where it is waited for
            self._do_each(batch, error)
        return len(items)

    def _hand_out(self, batch: Sequence[_Queued[Item, Result]], items: Sequence[Item]) -> None:
        results = self._work(items)
        if len(results) != len(items):
            raise RuntimeError(f"{len(results)} results of {len(items)} items")
        left = iter(results)
        for one in batch:
            one.results.set_result([next(left) for _ in one.items])

    def _do_each(self, batch: Sequence[_Queued[Item, Result]], error: Exception) -> None:
        """Do each alone, after a fault that only one of them has."""
        if len(batch) == 1:
            batch[0].results.set_exception(error)
            return
        for one in batch:
            try:
                self._hand_out([one], one.items)
            except Exception as own:  # noqa: BLE001
                one.results.set_exception(own)
