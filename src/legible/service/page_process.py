"""The process of a worker that reads pages, seen from the worker: started when it is first needed, ended when a
document takes too long, its caller is gone, or nobody has needed it for a while; the next document starts another.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from legible.errors import ImageError, LegibleError
from legible.service.page_messages import READY, PageJob, PageReply, PageSetup, framed, receive_frame, reply_of, sent

COMMAND = (sys.executable, "-m", "legible.service.page_worker")
IDLE_SECONDS = 300.0
"""The seconds after which a process that nobody needs is ended; it holds about as much memory as a worker."""
OWN_FRACTION = 0.9
"""The fraction of the time that is left in which the process has to answer by itself, and can say how far it came."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class EndReason(StrEnum):
    """Why a page process ended."""

    TIMEOUT = "timeout"
    DIED = "died"
    CANCELLED = "cancelled"
    IDLE = "idle"
    CLOSED = "closed"


class PagesBusyError(Exception):
    """Other documents took all the time that this one had."""


class BundleReplacedError(LegibleError):
    """The folder of the bundle in service holds another bundle or a damaged one, so no page process can open it."""


class StuckDocumentError(ImageError):
    """The document held the process for longer than it may."""

    code = "page_timeout"
    status = 413


class DeadlyDocumentError(ImageError):
    """The process that read the document died."""

    code = "page_failed"
    status = 422


class PageProcess:
    """One page process. `read` may be called as often as one likes: documents wait for their turn.

    `turn` may be shared by several processes, of which one reads at a time: each may take all the memory there is.
    """

    def __init__(
        self,
        setup: PageSetup,
        *,
        command: Sequence[str] = COMMAND,
        idle_seconds: float = IDLE_SECONDS,
        on_end: Callable[[EndReason], None] = lambda _: None,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self._setup = setup
        self._command = command
        self._idle_seconds = idle_seconds
        self._on_end = on_end
        self._turn = turn or asyncio.Lock()
        self._unanswered = 0
        self._process: Process | None = None
        self._is_ready = False
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while there is none."""
        return self._process.pid if self._process else None

    @property
    def is_busy(self) -> bool:
        """Whether a document is read, or waits for its turn."""
        return self._unanswered > 0

    async def read(self, job: PageJob, data: bytes, *, seconds: float, reading: bytes = b"") -> PageReply:
        """Return the answer for a document; `reading` is an earlier one, which is only written in another format.

        `seconds` hold for its wait and its reading together.
        Raise PagesBusyError where its turn did not come, BundleReplacedError where the process cannot open the bundle
        in service, StuckDocumentError and DeadlyDocumentError where the process
        had to be ended. A caller who is cancelled ends the process too, unless it waits for its turn.
        """
        until = asyncio.get_running_loop().time() + seconds
        self._unanswered += 1
        try:
            await self._take_turn(until)
            try:
                self._keep()
                return await self._read_until(until, job, framed(data) + framed(reading), seconds)
            finally:
                self._turn.release()
        finally:
            self._unanswered -= 1
            self._end_when_idle()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._keep()
        self._end(EndReason.CLOSED)

    async def _take_turn(self, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._turn.acquire()
        except TimeoutError:
            raise PagesBusyError from None

    async def _read_until(self, until: float, job: PageJob, frames: bytes, seconds: float) -> PageReply:
        try:
            async with asyncio.timeout_at(until):
                process = await self._started_at_last()
                left = OWN_FRACTION * (until - asyncio.get_running_loop().time())
                return await self._exchange(process, replace(job, seconds=left), frames)
        except TimeoutError:
            self._end(EndReason.TIMEOUT)
            message = f"the document was not read within {seconds:g} seconds; send it in parts, or a smaller picture"
            raise StuckDocumentError(message) from None
        except (EOFError, ConnectionError) as error:
            self._end(EndReason.DIED)
            message = "the document ended the process that read it; save it anew, or as pictures, and send it again"
            raise DeadlyDocumentError(message) from error
        except BundleReplacedError:
            self._end(EndReason.CLOSED)
            raise
        except BaseException:
            self._end(EndReason.CANCELLED)
            raise

    async def _exchange(self, process: Process, job: PageJob, frames: bytes) -> PageReply:
        """Send a document and return its answer."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the page process has no pipes")
        stdin.write(sent(job) + frames)
        await stdin.drain()
        return reply_of(await receive_frame(stdout), await receive_frame(stdout))

    async def _started_at_last(self) -> Process:
        """Return the process; one that dies as it starts, as for want of memory, is followed by another, once."""
        with suppress(EOFError, ConnectionError):
            return await self._started()
        self._end(EndReason.DIED)
        try:
            return await self._started()
        except (EOFError, ConnectionError) as error:
            self._end(EndReason.DIED)
            raise RuntimeError("the page process did not start; what it printed says why") from error

    async def _started(self) -> Process:
        """Return the process, a new one where none is running."""
        if self._process is not None and self._process.returncode is None and self._is_ready:
            return self._process
        self._is_ready = False
        environment = {**os.environ, **ONE_THREAD}
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, env=environment)
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the page process has no pipes")
        process.stdin.write(sent(self._setup))
        await process.stdin.drain()
        greeting = await receive_frame(process.stdout)
        if greeting != READY:
            raise BundleReplacedError(greeting.decode(errors="replace"))
        self._is_ready = True
        return process

    def _end(self, reason: EndReason) -> None:
        """Kill the process at once; the event loop collects it."""
        process, self._process, self._is_ready = self._process, None, False
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            self._on_end(reason)

    def _keep(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end_when_idle(self) -> None:
        if self._process is not None and not self.is_busy:
            self._keep()
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._end, EndReason.IDLE)
