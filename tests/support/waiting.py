"""Waiting for what a service writes or counts after its answer, from threads that a busy machine may hold back."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 30.0


def wait_until(find: Callable[[], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first true value that `find` returns. Raise AssertionError where there is none for so long."""
    until = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < until, f"after {seconds} s it is still {found!r}"
        time.sleep(0.02)
    return found
