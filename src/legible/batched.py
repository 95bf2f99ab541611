"""Batches of an iterable; `itertools.batched` has them from Python 3.12 on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`, the last one perhaps shorter: `batched("abcde", 2)` -> ab, cd, e."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
