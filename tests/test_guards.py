"""Each guard before a three-line application."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from legible.service.guards import BodyGuard, InFlightGuard


async def echo_length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


def application() -> Starlette:
    return Starlette(routes=[Route("/read", echo_length, methods=["POST"]), Route("/livez", echo_length)])


async def chunks(count: int, *, pause: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b"x" * 100


async def send(app: ASGIApp, content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    async with client(app) as caller:
        return await caller.post("/read", content=content)


def body_guard(counted: list[str], *, seconds: float = 5.0) -> BodyGuard:
    return BodyGuard(application(), max_bytes=1000, seconds=seconds, count=counted.append)


def test_a_body_within_its_limit_passes() -> None:
    assert asyncio.run(send(body_guard([]), b"x" * 1000)).text == "1000"


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_its_limit_is_refused_with_and_without_a_content_length(declared: bool) -> None:  # noqa: FBT001
    counted: list[str] = []
    answer = asyncio.run(send(body_guard(counted), b"x" * 1001 if declared else chunks(11)))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    assert counted == ["too_large"]


def test_a_body_that_does_not_arrive_is_refused() -> None:
    counted: list[str] = []
    answer = asyncio.run(send(body_guard(counted, seconds=0.1), chunks(5, pause=0.08)))
    assert answer.status_code == 408
    assert counted == ["too_slow"]


def test_one_too_many_at_a_time_is_told_when_to_come_again() -> None:
    release = asyncio.Event()

    async def waiting(_: Request) -> PlainTextResponse:
        await release.wait()
        return PlainTextResponse("done")

    async def three() -> list[httpx.Response]:
        inner = Starlette(routes=[Route("/read", waiting, methods=["POST"]), Route("/livez", echo_length)])
        guard = InFlightGuard(inner, most=2, paths=("/read",), count=lambda _: None)
        async with client(guard) as caller:
            first = [asyncio.create_task(caller.post("/read")) for _ in range(2)]
            await asyncio.sleep(0.05)
            refused, lives = await caller.post("/read"), await caller.get("/livez")
            release.set()
            return [refused, lives, *(await asyncio.gather(*first)), await caller.post("/read")]

    refused, lives, *rest = asyncio.run(three())
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert lives.status_code == 200
    assert [answer.status_code for answer in rest] == [200, 200, 200]
