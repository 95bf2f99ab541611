"""Locks between processes, each on a file of its own, which stays there; one ends with the process that holds it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from legible.errors import LegibleError


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of a file, and wait for it while another process or thread holds it. Its folder must be there."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def lock_file_at_once(path: Path, *, busy: str) -> Iterator[int]:
    """Hold the lock of a file. Raise LegibleError with the text `busy` where another process or thread holds it.

    Yield its descriptor: a child process that gets it (`pass_fds`) holds the lock too, also after a kill of this one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LegibleError(busy) from error
        yield file.fileno()
