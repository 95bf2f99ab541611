"""The head of a request before a real uvicorn: its bounds, and that nothing else changed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from serving import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from legible.service import protocol
from legible.service.protocol import MAX_HEAD_BYTES, GuardedProtocol


async def echo_length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@asynccontextmanager
async def running() -> AsyncIterator[int]:
    app, port = Starlette(routes=[Route("/", echo_length, methods=["POST"])]), free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=GuardedProtocol, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await task


def exchanged(*parts: bytes) -> bytes:
    """What comes back, until the connection is closed, for parts sent one after the other."""

    async def run() -> bytes:
        async with running() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.01)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answer

    return asyncio.run(run())


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


def test_a_head_that_does_not_arrive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    assert status_and_code(exchanged(POST)) == (408, "too_slow")


def test_a_connection_on_which_nothing_is_asked_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    assert exchanged(b"") == b""
