"""Requests at a rate, or as fast as they are answered, from one thread.

Bytes that were made once go out, and of what comes back the status and the body are looked at: a client library costs
more than the service it is to measure.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOST = 0
"""The status of a request without an answer."""
BOUNDARY = b"legible-benchmark"


@dataclass(frozen=True)
class Answer:
    status: int
    seconds: float
    body: bytes = b""


@dataclass
class Outcome:
    """Of a load: its answers, and how long it took."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    def rate(self, status: int = 200) -> float:
        """Such answers a second."""
        return self.statuses[status] / self.seconds

    def quantile(self, share: float, status: int = 200) -> float:
        """Seconds within which this share of such answers came; infinite where there is none."""
        found = sorted(answer.seconds for answer in self.answers if answer.status == status)
        return found[min(int(share * len(found)), len(found) - 1)] if found else float("inf")


def upload(path: str, images: Sequence[bytes], *, name: str = "image") -> bytes:
    """A whole request that sends these images."""
    about = b'Content-Disposition: form-data; name="%s"; filename="word.png"\r\nContent-Type: image/png' % name.encode()
    parts = [b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY, about, image) for image in images]
    body = b"".join(parts) + b"--%s--\r\n" % BOUNDARY
    kind = b"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d" % (BOUNDARY, len(body))
    return b"POST %s HTTP/1.1\r\nHost: service\r\n%s\r\n\r\n%s" % (path.encode(), kind, body)


class Connection:
    """One that is kept, and made anew where the service has ended it, as it does after idle seconds."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._place = (parts.hostname or "", parts.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """LOST where the connection broke, or could not be made; the body says why."""
        started = time.perf_counter()
        try:
            status, body = await self._exchange(request)
        except (OSError, EOFError) as error:
            self.close()
            status, body = LOST, repr(error).encode()
        return Answer(status, time.perf_counter() - started, body)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._streams and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length:")
        body = await reader.readexactly(int(length.partition(b"\r\n")[0]))
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body


async def closed_loop(address: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Outcome:
    """Each connection asks again as soon as it is answered, with the requests in turn."""
    outcome, started = Outcome(), time.perf_counter()
    until = started + seconds

    async def ask(number: int) -> None:
        connection = Connection(address)
        while time.perf_counter() < until:
            outcome.answers.append(await connection.ask(requests[number % len(requests)]))
            number += 1
        connection.close()

    await asyncio.gather(*(ask(number) for number in range(connections)))
    outcome.seconds = time.perf_counter() - started
    return outcome


async def open_loop(
    address: str, requests: Sequence[bytes], *, rate: float, seconds: float, most: int = 500
) -> Outcome:
    """So many requests a second, whether the others are answered or not, over at most so many connections.

    A request that finds no connection free waits for one, and its waiting counts.
    """
    outcome, started = Outcome(), time.perf_counter()
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(most):
        free.put_nowait(Connection(address))

    async def ask(number: int) -> None:
        asked = time.perf_counter()
        connection = await free.get()
        waited = time.perf_counter() - asked
        answer = await connection.ask(requests[number % len(requests)])
        free.put_nowait(connection)
        outcome.answers.append(Answer(answer.status, answer.seconds + waited, answer.body))

    await _paced(ask, count=round(rate * seconds), rate=rate)
    outcome.seconds = time.perf_counter() - started
    while not free.empty():
        free.get_nowait().close()
    return outcome


async def _paced(ask: Callable[[int], Awaitable[None]], *, count: int, rate: float) -> None:
    """Each at its own time; those that are late are sent at once."""
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            pause = started + number / rate - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            elif number % 50 == 0:
                await asyncio.sleep(0)
            group.create_task(ask(number))  # type: ignore[arg-type]
