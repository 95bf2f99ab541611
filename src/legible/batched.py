"""Items a few at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """In order, so many at a time; itertools has it from Python 3.12 on."""
    left = iter(items)
    while some := list(islice(left, most)):
        yield some
