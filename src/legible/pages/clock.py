"""The time that a page may take, and errors that name the page of a document."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from legible.errors import ImageError


class PageTimeoutError(ImageError):
    """The page took longer than it may."""

    code = "page_timeout"
    status = 413


class PageClock:
    """Counts the seconds of one page from now on; 0 seconds are no limit."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._deadline = clock() + seconds if seconds else np.inf

    def check(self) -> None:
        """Raise PageTimeoutError where the time is over."""
        if self._clock() > self._deadline:
            raise PageTimeoutError(
                f"the page was not read within {self._seconds:.3g} seconds; send a smaller picture, or its parts"
            )


@contextmanager
def naming_page(number: int, *, of: int) -> Iterator[None]:
    """Name the page in the message of an ImageError, where the document has several."""
    try:
        yield
    except ImageError as error:
        if of > 1:
            error.args = (f"page {number}: {error}",)
        raise
