"""The child process of page reading for tests: how it takes and sends frames; what it does with them, a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

FRAMES = """
import json, os, struct, sys, time
def read():
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack(">I", head)[0]) if head else sys.exit()
def write(*frames):
    for frame in frames:
        sys.stdout.buffer.write(struct.pack(">I", len(frame)) + frame)
    sys.stdout.buffer.flush()
"""
"""The begin of its source: `read()` returns the next frame, `write(*frames)` sends some."""


@contextlib.asynccontextmanager
async def until_all_are_gone() -> AsyncIterator[None]:
    """Wait in the end until the event loop has collected all processes that were started within; at most 10 seconds.

    A process that was killed is not gone at once; an event loop that is closed before warns of it.
    """
    made: list[asyncio.subprocess.Process] = []
    real = asyncio.create_subprocess_exec

    async def create(*command: Any, **settings: Any) -> asyncio.subprocess.Process:
        made.append(await real(*command, **settings))
        return made[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncio, "create_subprocess_exec", create)
        yield
    async with asyncio.timeout(10):
        for process in made:
            while not process._transport.is_closing():  # type: ignore[attr-defined]  # noqa: SLF001, ASYNC110
                await asyncio.sleep(0.01)
