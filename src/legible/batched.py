"""Items in batches, and batches through threads in their order, a few of them ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`, the last one perhaps shorter: `batched("abcde", 2)` -> ab, cd, e.

    `itertools.batched` does it from Python 3.12 on.
    """
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Yield the results in the order of the items; at most `ahead` items are taken before their results are.

    (`Executor.map` takes all items at once, and holds them in memory.)
    """
    left = iter(items)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(left, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(left, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
