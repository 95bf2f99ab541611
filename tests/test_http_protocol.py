"""The head of a request before a real uvicorn: its bounds, and that nothing else changed."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
import uvloop
from serving import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from legible.service.admission import AdmissionControl
from legible.service.connections import ConnectionLimits, Connections
from legible.service.http_protocol import LimitedHttpProtocol
from legible.service.middleware.concurrency_limit import ConcurrencyLimitMiddleware, Slots
from legible.service.middleware.request_log import RequestLog

LIMITS = ConnectionLimits()
MAX_HEAD_BYTES = LIMITS.max_overhead_bytes


async def echo_length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def quick(_: Request) -> PlainTextResponse:
    return PlainTextResponse("at once, whatever else arrives")


async def long(_: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * 20_000_000)


@asynccontextmanager
async def running(
    admission: AdmissionControl | None = None,
    limits: ConnectionLimits = LIMITS,
    busy: Any = quick,
    connections: Connections | None = None,
) -> AsyncIterator[int]:
    routes = [Route("/", echo_length, methods=["POST"]), Route("/quick", quick), Route("/long", long)]
    routes.append(Route("/busy", busy))
    app, port = Starlette(routes=routes), free_port()
    http = cast(
        "Any",
        partial(
            LimitedHttpProtocol,
            admission=admission,
            connections=Connections(limits) if connections is None else connections,
        ),
    )
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, http=http, log_config=None, lifespan="off", timeout_keep_alive=1)
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await task


def exchanged(
    *parts: bytes,
    admission: AdmissionControl | None = None,
    limits: ConnectionLimits = LIMITS,
    pause: float = 0.01,
    reads_late: bool = False,
) -> bytes:
    """What comes back, until the connection is closed, for parts sent one after the other.

    reads_late: read nothing of the answer before all parts are sent.
    """

    async def run() -> bytes:
        async with running(admission, limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sent = asyncio.Event()
            answer = asyncio.create_task(until_closed(reader, after=sent))
            if not reads_late:
                sent.set()
            for part in parts:
                if answer.done():  # a write that fails would throw away what has come
                    break
                writer.write(part)
                await asyncio.sleep(pause)
            sent.set()
            received = await asyncio.wait_for(answer, 10)
            writer.close()
            return received

    return asyncio.run(run())


async def until_closed(reader: asyncio.StreamReader, *, after: asyncio.Event) -> bytes:
    """All that comes after an event, also where the other side closes before it has read what was sent."""
    received = b""
    await after.wait()
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(65_536):
            received += part
    return received


def status_and_code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"


def test_requests_on_one_connection_are_answered() -> None:
    answer = exchanged(POST + b"\r\nabc", POST + b"Connection: close\r\n\r\nabc")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_a_body_may_be_larger_than_a_head_and_come_with_it() -> None:
    length = 3 * MAX_HEAD_BYTES
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    assert exchanged(head.encode() + b"x" * length).endswith(str(length).encode())


@pytest.mark.parametrize(
    "parts",
    [
        [POST + b"X-Long: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\nabc"],  # at once
        [POST + b"X-Long: ", *([b"x" * 5000] * 7)],  # one header that never ends
        [POST, *([b"X-More: " + b"x" * 990 + b"\r\n"] * 33)],  # many
        [b"POST /?" + b"x" * (MAX_HEAD_BYTES + 100)],  # the address
    ],
)
def test_a_head_that_is_too_large_is_refused_while_it_arrives(parts: list[bytes]) -> None:
    assert status_and_code(exchanged(*parts)) == (431, "too_large")


def test_what_is_no_http_is_an_error_of_the_same_shape() -> None:
    assert status_and_code(exchanged(b"hello\r\n\r\n")) == (400, "bad_request")


HURRIED = ConnectionLimits(head_seconds=0.1, message_seconds=0.1, stalled_seconds=0.1)


def test_a_head_that_does_not_arrive_is_refused() -> None:
    assert status_and_code(exchanged(POST, limits=HURRIED)) == (408, "too_slow")


def test_a_connection_on_which_nothing_is_asked_is_closed() -> None:
    assert exchanged(b"", limits=HURRIED) == b""


def test_a_connection_that_sends_stray_line_ends_after_an_answer_is_closed() -> None:
    started = time.monotonic()
    answer = exchanged(POST + b"\r\nabc", *[b"\r\n"] * 5, limits=HURRIED, pause=0.05)
    assert answer.startswith(b"HTTP/1.1 200")
    assert time.monotonic() - started < 2


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
PART = b"x" * 5000


@pytest.mark.parametrize(
    "parts",
    [
        [b"3\r\nabc\r\n0\r\n", *[b"X-More: " + PART + b"\r\n"] * 8],  # trailers
        [b"3\r\nabc\r\n0\r\nX-Long: ", *[PART] * 8],  # a trailer that never ends
        [b"3;x=", *[PART] * 8],  # the extension of a chunk
        [*[b"1;" + b"x" * 500 + b"\r\na\r\n"] * 68],  # the extensions of many
    ],
    ids=["trailers", "one trailer", "extension", "extensions"],
)
def test_what_frames_a_body_has_the_budget_of_a_head(parts: list[bytes]) -> None:
    assert status_and_code(exchanged(CHUNKED, *parts)) == (431, "too_large")


def test_line_ends_before_a_request_have_the_budget_of_a_head() -> None:
    assert status_and_code(exchanged(*[b"\r\n" * 2500] * 8)) == (431, "too_large")


def test_a_body_in_small_chunks_is_no_large_head() -> None:
    chunk = b"10\r\n" + b"x" * 16 + b"\r\n"
    answer = exchanged(CHUNKED.replace(b"Host", b"Connection: close\r\nHost"), chunk * 8000, b"0\r\n\r\n")
    assert answer.endswith(str(16 * 8000).encode())


def test_a_body_in_a_hundred_thousand_chunks_of_a_byte_is_refused() -> None:
    assert status_and_code(exchanged(CHUNKED, *[b"1\r\nx\r\n" * 5000] * 20)) == (431, "too_large")


GET = b"GET /quick HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_trailers_after_the_answer_end_the_connection_with_a_431() -> None:
    answer = exchanged(GET, b"0\r\n", *[b"X-More: " + PART + b"\r\n"] * 8)
    assert statuses(answer) == [200, 431]
    assert status_and_code(answer[answer.rindex(b"HTTP/1.1") :]) == (431, "too_large")


def test_trailers_under_an_answer_are_not_answered_in_the_midst_of_it() -> None:
    """The answer is longer than a socket holds, and is not read before the trailers have come."""
    long_one = GET.replace(b"quick", b"long")
    answer = exchanged(long_one, b"0\r\n", *[b"X-More: " + PART + b"\r\n"] * 8, pause=0.05, reads_late=True)
    assert statuses(answer) == [200]


def test_what_was_refused_before_its_body_may_not_go_on_for_ever() -> None:
    chunked = READ.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked")
    answer = exchanged(chunked + b"\r\n", *[b"1;" + PART + b"\r\na\r\n"] * 8, admission=admission(Slots(0)))
    assert statuses(answer) == [429, 431]


def test_trailers_are_not_kept() -> None:
    """What a trailer says is no header of the request."""
    trailer = CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + b"3\r\nabc\r\n0\r\nX-Late: x\r\n\r\n"
    assert statuses(exchanged(trailer)) == [200]


def test_a_body_that_drips_after_its_answer_ends_the_connection() -> None:
    started = time.monotonic()
    answer = exchanged(GET, *[b"1\r\nx\r\n"] * 5, limits=HURRIED, pause=0.05)
    assert statuses(answer) == [200]
    assert time.monotonic() - started < 2


def test_a_head_of_many_headers_is_refused_while_it_arrives() -> None:
    """4,650 headers of 7 bytes took 800 KB of memory, and 1,800 such heads, none of them complete, 1.4 GB."""
    head = b"POST /read HTTP/1.1\r\n" + b"ab:cd\r\n" * (LIMITS.max_headers + 2)
    assert status_and_code(exchanged(head)) == (431, "too_large")
    allowed = POST + b"ab:cd\r\n" * (LIMITS.max_headers - 3) + LAST + b"\r\nabc"
    assert exchanged(allowed).startswith(b"HTTP/1.1 200 OK")


def test_requests_that_queue_up_on_a_connection_are_limited() -> None:
    assert statuses(exchanged((POST + b"\r\nabc") * 100))[:16].count(200) < 20


def test_the_longest_idle_connection_goes_first_where_there_are_too_many() -> None:
    async def run() -> list[bytes]:
        async with running(limits=ConnectionLimits(max_connections=3)) as port:
            ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            ends[0][1].write(POST + b"\r\nab")  # asks, and holds its place
            await asyncio.sleep(0.05)
            late = await asyncio.open_connection("127.0.0.1", port)
            late[1].write(POST + LAST + b"\r\nabc")
            first = await asyncio.wait_for(ends[1][0].read(), 2)
            ends[0][1].write(b"c")
            ends[2][1].write(POST + LAST + b"\r\nabc")
            answers = [first, await late[0].read(), await ends[0][0].readuntil(b"\r\n"), await ends[2][0].read()]
            for _, writer in (*ends, late):
                writer.close()
            return answers

    evicted, *others = asyncio.run(run())
    assert evicted == b""
    assert [statuses(answer) for answer in others] == [[200], [200], [200]]


@pytest.mark.slow
def test_a_caller_who_reads_no_answer_is_hung_up_on() -> None:
    async def run() -> float:
        async with running(limits=HURRIED) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            started = time.monotonic()
            writer.write(GET.replace(b"quick", b"long") + b"0\r\n\r\n")
            await asyncio.sleep(0.8)
            with contextlib.suppress(ConnectionError):
                while await asyncio.wait_for(reader.read(1_000_000), 5):
                    pass
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            return time.monotonic() - started

    assert asyncio.run(run()) < 5


def test_a_web_socket_is_not_opened_and_its_request_is_one_like_others() -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    get = b"GET /quick HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\n" + upgrade + b"\r\n"
    assert statuses(exchanged(get, limits=HURRIED)) == [200]
    began = time.monotonic()
    assert statuses(exchanged(POST + upgrade + b"\r\nabc", limits=HURRIED))
    assert time.monotonic() - began < 5


LONG = b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.slow
def test_a_caller_who_reads_slowly_gets_all_of_its_answer() -> None:
    limits = ConnectionLimits(stalled_seconds=0.6)

    async def run() -> int:
        async with running(limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(LONG)
            received = 0
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(500_000):
                    received += len(part)
                    await asyncio.sleep(len(part) / 5_000_000)
            writer.close()
            return received

    assert asyncio.run(run()) > 20_000_000


@pytest.mark.slow
def test_who_reads_nothing_goes_first_where_answers_hold_too_much_unread() -> None:
    limits = ConnectionLimits(max_unread_bytes=30_000_000)

    async def run() -> list[int]:
        async with running(limits=limits) as port:
            callers = []
            for _ in range(3):
                callers.append(await asyncio.open_connection("127.0.0.1", port, limit=1))
                callers[-1][1].write(LONG)
                await asyncio.sleep(0.6)
            received = []
            for reader, writer in callers:
                size = 0
                with contextlib.suppress(ConnectionError):
                    while part := await asyncio.wait_for(reader.read(1_000_000), 5):
                        size += len(part)
                received.append(size)
                writer.close()
            return received

    first, *_, last = asyncio.run(run())
    assert first < 20_000_000 < last


def test_requests_that_wait_on_their_connections_keep_no_new_caller_out() -> None:
    """As many connections as there may be, sixteen requests on each: new callers waited for nearly all of them."""
    answered, callers = 0, 60

    async def busy(request: Request) -> PlainTextResponse:
        nonlocal answered
        answered += 1
        time.sleep(0.002)  # noqa: ASYNC251  # it computes
        return PlainTextResponse(request.url.path)

    async def run() -> tuple[bytes, int]:
        limits = ConnectionLimits(max_connections=callers)
        async with running(limits=limits, busy=busy) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(callers)]
            await asyncio.sleep(0.5)
            for _, writer in held:
                writer.write(b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n" * limits.max_pipelined)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                answer = await asyncio.wait_for(reader.read(), 10)
            before = answered
            for _, one in [*held, (reader, writer)]:
                one.transport.abort()
            return answer, before

    answer, before = uvloop.run(run())
    assert statuses(answer) == [200]
    assert before < 3 * callers


def test_bodies_that_wait_on_their_connections_are_bounded_together_and_let_go() -> None:
    callers, body, found = 20, 60_000, list[int]()

    async def run() -> int:
        limits = ConnectionLimits(max_waiting_bytes=500_000)
        shared = Connections(limits)

        async def slow(_: Request) -> PlainTextResponse:
            await asyncio.sleep(0.5)
            found.append(shared.waiting_bytes)
            return PlainTextResponse("")

        async with running(limits=limits, busy=slow, connections=shared) as port:
            waiting = POST.replace(b" 3", b" %d" % body) + LAST + b"\r\n" + b"x" * body
            first = b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n"
            answers = await asyncio.gather(*(one(port, first + waiting) for _ in range(callers)))
            await asyncio.sleep(0.1)
            found.append(shared.waiting_bytes)
            return sum(statuses(answer) == [200, 200] for answer in answers)

    async def one(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            writer.write(request)
            received = await asyncio.wait_for(reader.read(), 5)
        writer.transport.abort()
        return received

    served = asyncio.run(run())
    assert 0 < served <= 500_000 // body
    assert 0 < found[0] <= 500_000
    assert found[-1] == 0


def test_heads_that_wait_on_their_connections_are_bounded_too() -> None:
    async def run() -> tuple[int, int]:
        limits = ConnectionLimits(max_waiting_bytes=100_000)
        shared = Connections(limits)

        async def slow(_: Request) -> PlainTextResponse:
            await asyncio.sleep(0.2)
            return PlainTextResponse("")

        async with running(limits=limits, busy=slow, connections=shared) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = b"GET /busy HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 10_000 + b"\r\n\r\n"
            writer.write(request * limits.max_pipelined)
            received = b""
            with contextlib.suppress(ConnectionError):
                received = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            await asyncio.sleep(0.1)
            return received.count(b"HTTP/1.1 200"), shared.waiting_bytes

    assert asyncio.run(run()) == (0, 0)


def test_who_always_has_a_request_that_waits_is_not_hung_up_on() -> None:
    """Bodies that were read long ago were counted as waiting, until a moment at which nothing waited."""
    body, count = 20_000, 20
    request = b"GET /busy HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % body + b"x" * body

    async def slow(asked: Request) -> PlainTextResponse:
        await asyncio.sleep(0.02)
        return await echo_length(asked)

    async def run() -> tuple[int, int]:
        shared = Connections(ConnectionLimits(max_waiting_bytes=5 * body))
        async with running(busy=slow, connections=shared) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request * 3)
            answered = 0
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while answered < count:
                    await reader.readuntil(b"\r\n\r\n%d" % body)
                    answered += 1
                    writer.write(request)
            writer.transport.abort()
            await asyncio.sleep(0.1)
            return answered, shared.waiting_bytes

    assert asyncio.run(run()) == (count, 0)


@pytest.mark.parametrize("who", ["caller", "service"])
def test_where_a_connection_ends_with_several_requests_none_of_them_is_a_fault(
    who: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first, which is being answered, wrote on to the closed connection: a traceback for each."""
    limits = ConnectionLimits(stalled_seconds=0.3 if who == "service" else 30.0)

    async def run() -> None:
        async with running(limits=limits) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(LONG.replace(b"Connection: close\r\n", b"") * 3)
            await asyncio.sleep(0.2 if who == "caller" else 1.5)
            writer.transport.abort()
            await asyncio.sleep(0.3)

    uvloop.run(run())  # as uvicorn does; asyncio's own loop says nothing of a write to a closed connection
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def admission(
    slots: Slots, *, handler: Any = echo_length, lines: list[str] | None = None, counted: list[str] | None = None
) -> AdmissionControl:
    """One that leads to an application of its own."""
    inner = Starlette(routes=[Route("/read", handler, methods=["POST"])])
    found = AdmissionControl(
        ConcurrencyLimitMiddleware(inner, slots=slots, paths=("/read",), count=lambda _: None),
        slots={"/read": slots},
        count=([] if counted is None else counted).append,
        request_log=None if lines is None else RequestLog(lines.append, paths=("/read",)),
        is_draining=lambda: False,
    )
    found.is_open = True
    return found


READ = POST.replace(b"POST /", b"POST /read?a=1")
LAST = b"Connection: close\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_what_is_to_be_read_goes_past_the_framework_and_the_rest_to_it() -> None:
    slots = Slots(1)
    answer = exchanged(READ + b"\r\nabc", POST + LAST + b"\r\nabc", admission=admission(slots))
    assert statuses(answer) == [200, 200]
    assert (slots.promised, slots.are_taken) == (0, False)


def test_a_closed_entrance_leads_nowhere() -> None:
    closed = admission(Slots(1))
    closed.is_open = False
    assert statuses(exchanged(READ + LAST + b"\r\nabc", admission=closed)) == [404]


def test_one_too_many_is_refused_before_its_body_and_may_ask_again_on_the_connection() -> None:
    slots, lines, counted = Slots(0), list[str](), list[str]()
    asked = READ + b"X-Request-ID: mine\r\n\r\n"
    parts = (asked, b"a", b"bc" + READ + b"\r\nabc", POST + LAST + b"\r\nabc")
    answer = exchanged(*parts, admission=admission(slots, lines=lines, counted=counted))
    assert statuses(answer) == [429, 429, 200]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nretry-after: 1\r\n" in head
    assert b"\r\nx-request-id: mine" in head
    assert json.loads(body.partition(b"HTTP/1.1")[0])["error"]["code"] == "busy"
    assert counted == ["busy", "busy"]
    first, second = map(json.loads, lines)
    assert (first["request_id"], first["path"], first["status"]) == ("mine", "/read", 429)
    assert len(second["request_id"]) == 32


def test_of_those_that_come_at_the_same_moment_no_more_are_let_in_than_there_are_places() -> None:
    release, counted = asyncio.Event(), list[str]()

    async def waiting(request: Request) -> PlainTextResponse:
        await request.body()
        await release.wait()
        return PlainTextResponse("read")

    async def run() -> list[bytes]:
        slots = Slots(2)
        async with running(admission(slots, handler=waiting, counted=counted)) as port:
            ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            for _, writer in ends:
                writer.write(READ + b"\r\nabc")
            while len(counted) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            release.set()
            answers = [await reader.readuntil(b"\r\n") for reader, _ in ends]
            for _, writer in ends:
                writer.close()
                await writer.wait_closed()
            return answers

    assert sorted(statuses(b"".join(asyncio.run(run())))) == [200, 200, 429, 429, 429]


def test_requests_that_are_refused_keep_no_new_caller_out() -> None:
    """A caller sends thousands of them at once, whose refusals took their turn before anything else."""
    counted: list[str] = []
    refused = admission(Slots(0), counted=counted)

    async def run() -> bytes:
        async with running(refused) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /read HTTP/1.1\r\n\r\n" * 8000)
            received = b""
            with contextlib.suppress(ConnectionError):
                while part := await asyncio.wait_for(reader.read(65_536), 5):
                    received += part
            writer.transport.abort()
            return received

    answer = asyncio.run(run())
    assert len(counted) == LIMITS.max_pipelined
    assert statuses(answer)[-1] in (429, 431)


def test_who_is_refused_more_than_once_at_a_time_reads_all_of_it_and_may_ask_again() -> None:
    some = READ + b"\r\nabc"
    answer = exchanged(some * 10, some * 10, POST + LAST + b"\r\nabc", admission=admission(Slots(0)))
    assert statuses(answer) == [429] * 20 + [200]


@pytest.mark.parametrize("odd", [LAST, b"Origin: https://example.org\r\n" + LAST])
def test_whose_refusal_says_more_gets_it_from_the_application(odd: bytes) -> None:
    counted: list[str] = []
    answer = exchanged(READ + odd + b"\r\nabc", admission=admission(Slots(0), counted=counted))
    assert (statuses(answer), counted) == ([429], [])


@pytest.mark.slow
def test_who_was_refused_and_sends_no_more_is_hung_up_on() -> None:
    answer = exchanged(READ.replace(b"3", b"9") + b"\r\nabc", admission=admission(Slots(0)))
    assert statuses(answer) == [429]
