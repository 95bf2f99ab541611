"""Lines for standard output and standard error that never delay an answer, nor lose one.

A full disk, or a pipe that nobody reads, stops a thread here and nothing else: lines queue up, then are dropped and
counted.
"""

import io
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

MAX_LINES = 1000
"""The most lines that wait to be written."""
BATCH = MAX_LINES
SECONDS_TO_GATHER = 0.01
"""The time in which lines gather after the first: to wake the thread for each would slow down who writes them."""
MAX_LINE_BYTES = 4096
"""A longer line of a library is written as several."""


class LineWriter:
    """Writes lines to an open file from a thread of its own, which the first line starts."""

    def __init__(self, descriptor: int, *, on_lost: Callable[[int], None], max_lines: int = MAX_LINES) -> None:
        self._descriptor = descriptor
        self._on_lost = on_lost
        self._queue: queue.Queue[str | None] = queue.Queue(max_lines)
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Queue a line; it is dropped where too many wait already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._on_lost(1)

    def move_to(self, descriptor: int) -> None:
        """Write to another open file from the next line on."""
        self._descriptor = descriptor

    def close(self, *, timeout_seconds: float) -> None:
        """Write what is queued, for at most this long."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout_seconds)
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            self._thread = None

    def _run(self) -> None:
        lines: list[str | None] = []
        while None not in lines:
            lines = [self._queue.get()]
            if lines != [None]:
                time.sleep(SECONDS_TO_GATHER)
            while len(lines) < BATCH and not self._queue.empty():
                lines.append(self._queue.get())
            some = [line for line in lines if line is not None]
            try:
                self._write_all("".join(f"{line}\n" for line in some).encode(errors="backslashreplace"))
            except OSError:
                self._on_lost(len(some))

    def _write_all(self, content: bytes) -> None:
        """Write by the system's call, not by a file object, whose lock would be held while a pipe is full."""
        while content:
            content = content[os.write(self._descriptor, content) :]


class QueuedStream(io.TextIOBase):
    """A text stream of whole lines over a writer, for what else a process prints."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._rest = threading.local()

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._rest, "text", "") + text).split("\n")
        self._rest.text = rest
        for line in lines:
            self._writer.write(line)
        return len(text)

    def writable(self) -> bool:
        return True


def queue_descriptor(descriptor: int, writer: LineWriter) -> None:
    """Have what libraries write to an open file by themselves go through its writer too, which goes on with a copy.

    libtiff writes to standard error what it thinks of each damaged file; a full pipe would stop the thread that reads.
    """
    writer.move_to(os.dup(descriptor))
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    os.close(writing)
    threading.Thread(target=_forward, args=(reading, writer), name="library-lines", daemon=True).start()


def _forward(descriptor: int, writer: LineWriter) -> None:
    with os.fdopen(descriptor, "rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            writer.write(line.decode(errors="backslashreplace").rstrip("\n"))


def queue_output(out: LineWriter, error: LineWriter) -> None:
    """Have all that this process prints and logs go through the two writers."""
    former = {sys.stdout: QueuedStream(out), sys.stderr: QueuedStream(error)}
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if isinstance(handler, logging.StreamHandler) and handler.stream in former:
            handler.setStream(former[handler.stream])
    sys.stdout, sys.stderr = former[sys.stdout], former[sys.stderr]
