"""Attacks on a running service, one after the other, each beside a caller who only wants a word read.

A bystander asks without pause. Under each attack it has to be answered, each time within seconds, and the service has
to stay within its memory. The letters are those of the attacks that once worked; all of it stays on this machine.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import _support  # noqa: F401
import httpx
import psutil
from hostile_files import FILES, encoded, png, word
from load import LOST, Answer, Connection, upload
from rows import AT_MOST, IMAGES, READS, Row
from serving import Service, started
from tqdm import tqdm

from legible.service.read_job import QUICK_BYTES

MAX_SECONDS = 5.0
"""The longest that the bystander may wait for an answer; the one thread that reads may be at a large image."""
MAX_MIB = 800
"""The memory of a service of one worker, as docs/deploy.md states it."""
PAUSE_SECONDS = 0.05
MIB = 2**20


@dataclass
class Watched:
    """What was seen while an attack went on."""

    answers: list[Answer]
    mib: float = 0.0

    @property
    def unanswered(self) -> int:
        return sum(answer.status not in (200, 429) for answer in self.answers)

    @property
    def slowest(self) -> float:
        return max((answer.seconds for answer in self.answers), default=float("inf"))


class Target:
    """A service under attack."""

    def __init__(self, service: Service) -> None:
        self.service = service
        parts = urlsplit(service.address)
        self.place = (parts.hostname or "", parts.port or 80)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(*self.place)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def feed(self, head: bytes, parts: Iterator[bytes], *, pause: float = 0.0) -> bytes:
        """Send parts until the service ends the connection; return what it said."""
        async with self.connection() as (reader, writer):
            said = asyncio.create_task(_until_closed(reader))
            with contextlib.suppress(ConnectionError):
                writer.write(head)
                for part in parts:
                    if said.done():
                        break
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
            said.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                return await said
        return b""

    async def ask_each(self, requests: Iterator[bytes], *, callers: int) -> None:
        """Send requests from so many callers, each as soon as its last one is answered."""

        async def ask() -> None:
            connection = Connection(self.service.address)
            for request in requests:
                await connection.ask(request)
            connection.close()

        await asyncio.gather(*(ask() for _ in range(callers)))

    def memory(self) -> float:
        processes = [psutil.Process(self.service.process.pid)]
        processes += processes[0].children(recursive=True)
        total = 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss / MIB
        return total


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    received = b""
    while part := await reader.read(65_536):
        received = (received + part)[-100_000:]
    return received


Attack = Callable[[Target], Awaitable[None]]
CHUNKED = b"%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def trailers(target: Target) -> None:
    """a: trailers, extensions and line ends without end."""
    more = b"X-More: " + b"x" * 8000 + b"\r\n"
    for method, first, part in (
        (b"GET /livez", b"0\r\n", more),
        (b"POST /read", b"0\r\nX: ", b"x" * 8000),
        (b"POST /read", b"1;x=", b"x" * 8000),
        (b"GET /", b"", b"\r\n" * 4000),
    ):
        await target.feed(CHUNKED % method + first, itertools.repeat(part, 1000))


async def tiny_chunks(target: Target) -> None:
    """a: a body in chunks of one byte."""
    await target.feed(CHUNKED % b"POST /read", itertools.repeat(b"1\r\nx\r\n" * 5000, 100))


async def idle_connections(target: Target) -> None:
    """b: more connections than there are open files, each a line end after an answer."""
    async with contextlib.AsyncExitStack() as held:
        for number in range(600):
            with contextlib.suppress(OSError):
                _, writer = await held.enter_async_context(target.connection())
                writer.write(
                    b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\r\n" if number % 2 else b"POST /read HTTP/1.1\r\n"
                )
        await asyncio.sleep(3)


async def files(target: Target) -> None:
    """c, d: the files that cost most, alone and many in a request."""
    images = [make() for name, (make, _) in FILES.items()]
    requests = [upload("/read", [image]) for image in images]
    small = [image for image in images if len(image) < QUICK_BYTES]
    requests += [upload("/read_batch", small[:60], name="images")]
    await target.ask_each(iter(requests), callers=8)


async def many_large(target: Target) -> None:
    """g: white pages of 40 megapixels of 32 callers."""
    await target.ask_each(itertools.repeat(upload("/read", [png(6320, 6320)]), 64), callers=32)


async def charsets(target: Target) -> None:
    """h: a charset that was never seen, each time."""
    names = (b"a%d" % number + b"x" * 20_000 for number in range(300))
    body = upload("/read", [IMAGES[0]])
    requests = (body.replace(b"form-data; b", b"form-data; charset=" + name + b"; b", 1) for name in names)
    await target.ask_each(requests, callers=4)


async def corrections(target: Target) -> None:
    """i: corrections of one reading, and of readings that nobody made."""
    async with httpx.AsyncClient(base_url=target.service.address, timeout=30) as client:
        asked = {"image": ("a.png", encoded(word(), "PNG"))}
        reading_id = (await client.post("/read", files=asked)).json()["reading_id"]
        hour, worker, _ = reading_id.split("-")
        ids = [reading_id, f"{hour}-{worker}-000000000000", f"{hour}-{'9' * 300}-000000000000", "../../etc/passwd"]
        for number in range(100):
            content = {"reading_id": ids[number % 4], "text": "x" * 1000}
            answer = await client.post("/feedback", json=content)
            if answer.status_code >= 500:  # noqa: PLR2004
                raise AssertionError(f"/feedback answers {answer.status_code}")


async def paths(target: Target) -> None:
    """k: paths and hosts that a redirect might follow, and methods."""
    async with httpx.AsyncClient(base_url=target.service.address, timeout=30) as client:
        for path in (
            "/read/",
            "//read",
            "/read/../read",
            "/label/",
            "/metrics/",
            "/%2e%2e/read",
            "/read?x=" + "y" * 9000,
        ):
            for method in ("GET", "POST", "PUT", "OPTIONS", "TRACE"):
                answer = await client.request(method, path, headers={"Host": "elsewhere.example"})
                if 300 <= answer.status_code < 400 or answer.status_code >= 500:  # noqa: PLR2004
                    raise AssertionError(f"{method} {path} answers {answer.status_code}")


async def scrapes(target: Target) -> None:
    """l: metrics, asked for as fast as they come."""
    await target.ask_each(itertools.repeat(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400), callers=8)


async def killed_worker(target: Target) -> None:
    """l: the worker is killed; another takes its place."""
    (worker,) = target.service.workers
    os.kill(worker.pid, signal.SIGKILL)
    until = time.monotonic() + 120
    async with httpx.AsyncClient(base_url=target.service.address, timeout=5) as client:
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.2)
    raise AssertionError("no worker is ready two minutes after one was killed")


async def slow_senders(target: Target) -> None:
    """Bodies that drip, and answers that nobody reads."""

    async def drip() -> None:
        await target.feed(READS[0][:200], itertools.repeat(b"x", 20), pause=0.3)

    async def deaf() -> None:
        async with target.connection() as (_, writer):
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 15)
            await asyncio.sleep(5)

    await asyncio.gather(*(drip() for _ in range(100)), *(deaf() for _ in range(20)))


ATTACKS: Mapping[str, Attack] = {
    "a, trailers": trailers, "a, chunks of a byte": tiny_chunks, "b, idle connections": idle_connections,
    "c and d, costly files": files, "g, white pages": many_large, "h, charsets": charsets,
    "i, corrections": corrections, "k, paths": paths, "l, scrapes": scrapes, "slow callers": slow_senders,
}  # fmt: skip
"""Attacks e, j, m and n are of the start, the disk, two hosts and the clock: tests hold them."""


async def watched(target: Target, attack: Attack) -> Watched:
    """Attack, and see how the bystander fares."""
    seen, over = Watched([]), asyncio.Event()

    async def stand_by() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            connection = Connection(target.service.address)
            answer = await connection.ask(READS[number % len(READS)])
            if answer.status == LOST:  # its connection made room for another before it had asked: clients ask again
                answer = await connection.ask(READS[number % len(READS)])
            connection.close()
            seen.answers.append(answer)
            await asyncio.sleep(PAUSE_SECONDS)

    async def weigh() -> None:
        while not over.is_set():
            seen.mib = max(seen.mib, target.memory())
            await asyncio.sleep(0.1)

    others = [asyncio.create_task(stand_by()), asyncio.create_task(weigh())]
    try:
        await attack(target)
    finally:
        over.set()
        await asyncio.gather(*others)
    return seen


def attack_rows(*, most_seconds: float = MAX_SECONDS) -> Iterator[Row]:
    """Attack a service of one worker with its errors in a pipe that nobody reads (f)."""
    reading, writing = os.pipe()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            started(Path(folder), LEGIBLE_FEEDBACK="1", open_files=400, errors=writing) as service,
        ):
            target = Target(service)
            for name, attack in tqdm(ATTACKS.items(), desc="attacks", unit="attack"):
                seen = asyncio.run(watched(target, attack))
                print(f"{name}: {summary(seen)}", file=sys.stderr)
                yield Row(f"under attack {name}: unanswered of {len(seen.answers)}", seen.unanswered, "", AT_MOST, 0)
                yield Row("  slowest answer", seen.slowest, "s", AT_MOST, most_seconds)
                yield Row("  memory", seen.mib, "MiB", AT_MOST, MAX_MIB)
            workers = [worker.pid for worker in service.workers]
            asyncio.run(killed_worker(target))
            yield Row(
                "under attack l, killed worker: still alive",
                workers == [w.pid for w in service.workers],
                "",
                AT_MOST,
                0,
            )
            text = httpx.get(f"{service.address}/metrics", timeout=60).text
            in_flight = re.search(r"^legible_in_flight ([0-9.]+)", text, re.MULTILINE)
            yield Row("  requests in flight afterwards", float(in_flight[1]) if in_flight else -1, "", AT_MOST, 0)
            answer = httpx.post(f"{service.address}/read", files={"image": ("a.png", IMAGES[0])}, timeout=60)
            yield Row("  reads no more", float(not json.loads(answer.text).get("text")), "", AT_MOST, 0)
    finally:
        os.close(reading)
        os.close(writing)


def summary(seen: Watched) -> str:
    lost = sum(answer.status == LOST for answer in seen.answers)
    return f"{len(seen.answers)} answers, {lost} lost, slowest {seen.slowest:.2f} s, {seen.mib:.0f} MiB"
