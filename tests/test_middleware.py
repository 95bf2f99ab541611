"""Each guard before a three-line application."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from legible.service.keys import KeyRing, entry
from legible.service.middleware.body_limit import BodyLimitMiddleware
from legible.service.middleware.concurrency_limit import ConcurrencyLimitMiddleware, Slots
from legible.service.middleware.drain import DrainMiddleware
from legible.service.middleware.key import KeyMiddleware
from legible.service.middleware.request_log import RequestLog, RequestLogMiddleware


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


def body_guard(counted: list[str], *, seconds: float = 5.0) -> BodyLimitMiddleware:
    return BodyLimitMiddleware(
        application(), max_bytes=1000, max_held_bytes=1_000_000, seconds=seconds, count=counted.append
    )


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

    async def waiting(request: Request) -> PlainTextResponse:
        await request.body()
        await release.wait()
        return PlainTextResponse("done")

    async def three() -> list[httpx.Response]:
        inner = Starlette(routes=[Route("/read", waiting, methods=["POST"]), Route("/livez", echo_length)])
        guard = ConcurrencyLimitMiddleware(inner, slots=Slots(2), paths=("/read",), count=lambda _: None)
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


def test_a_slow_sender_takes_no_place_and_a_body_that_comes_too_late_for_one_is_refused() -> None:
    release, levels = asyncio.Event(), list[int]()

    async def waiting(request: Request) -> PlainTextResponse:
        await request.body()
        await release.wait()
        return PlainTextResponse("done")

    async def one_slow_one_quick() -> tuple[httpx.Response, ...]:
        inner = Starlette(routes=[Route("/read", waiting, methods=["POST"])])
        guard = ConcurrencyLimitMiddleware(
            inner, slots=Slots(1, level=levels.append), paths=("/read",), count=lambda _: None
        )
        async with client(guard) as caller:
            slow = asyncio.create_task(caller.post("/read", content=chunks(3, pause=0.05)))
            await asyncio.sleep(0.02)
            quick = asyncio.create_task(caller.post("/read", content=b"x"))
            refused = await slow
            release.set()
            return refused, await quick, await caller.post("/read", content=b"x")

    refused, *rest = asyncio.run(one_slow_one_quick())
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert [answer.status_code for answer in rest] == [200, 200]
    assert levels == [1, 0, 1, 0]


def test_a_place_is_free_again_with_the_answer_whatever_is_done_after_it() -> None:
    levels = list[int]()

    async def run() -> list[int]:
        noted: list[int] = []

        async def note() -> None:
            noted.extend(levels)

        async def answer(request: Request) -> PlainTextResponse:
            await request.body()
            return PlainTextResponse("done", background=BackgroundTask(note))

        inner = Starlette(routes=[Route("/read", answer, methods=["POST"])])
        slots = Slots(1, level=levels.append)
        await send(ConcurrencyLimitMiddleware(inner, slots=slots, paths=("/read",), count=lambda _: None), b"x")
        return noted

    assert asyncio.run(run()) == [1, 0]
    assert levels == [1, 0]


def test_bodies_that_are_too_much_together_are_told_to_come_again() -> None:
    counted: list[str] = []
    guard = BodyLimitMiddleware(application(), max_bytes=1000, max_held_bytes=150_000, seconds=5, count=counted.append)

    async def two_at_a_time_then_one() -> list[httpx.Response]:
        async with client(guard) as caller:
            both = [caller.post("/read", content=chunks(4, pause=0.01)) for _ in range(2)]
            return [*(await asyncio.gather(*both)), await caller.post("/read", content=chunks(4))]

    first, second, later = asyncio.run(two_at_a_time_then_one())
    assert sorted([first.status_code, second.status_code]) == [200, 429]
    assert later.status_code == 200
    assert (counted, guard.held) == (["busy"], 0)


@pytest.mark.parametrize("is_draining", [True, False])
def test_a_draining_service_ends_each_connection_with_its_answer(is_draining: bool) -> None:  # noqa: FBT001
    answer = asyncio.run(send(DrainMiddleware(application(), is_draining=lambda: is_draining), b"x"))
    assert (answer.text, answer.headers.get("connection")) == ("1", "close" if is_draining else None)


def key_guard(counted: list[str]) -> KeyMiddleware:
    rings = {"/read": KeyRing.of([entry("shop", "open sesame")]), "/metrics": KeyRing()}
    return KeyMiddleware(application(), rings=rings, count=counted.append)


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer open sesame"}, {"X-API-Key": "open sesame"}, {"authorization": "bearer open sesame"}],
)
def test_a_key_opens(headers: dict[str, str]) -> None:
    async def run() -> httpx.Response:
        async with client(key_guard([])) as caller:
            return await caller.post("/read", content=b"x", headers=headers)

    assert asyncio.run(run()).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "missing_key", "Bearer"),
        ({"Authorization": "Basic open sesame"}, "missing_key", "Bearer"),
        ({"X-API-Key": ""}, "missing_key", "Bearer"),
        ({"Authorization": "Bearer wrong"}, "wrong_key", 'Bearer error="invalid_token"'),
        ({"X-API-Key": "wrong"}, "wrong_key", 'Bearer error="invalid_token"'),
    ],
)
def test_without_the_key_the_answer_is_401_and_the_body_is_not_read(
    headers: dict[str, str], code: str, challenge: str
) -> None:
    counted: list[str] = []

    async def run() -> tuple[httpx.Response, httpx.Response]:
        async with client(key_guard(counted)) as caller:
            return await caller.post("/read", content=b"x", headers=headers), await caller.get("/livez")

    refused, open_to_all = asyncio.run(run())
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, code)
    assert refused.headers["www-authenticate"] == challenge
    assert "sesame" not in refused.text
    assert open_to_all.status_code != 401
    assert counted == [code]


def logged(path: str, headers: dict[str, str]) -> tuple[httpx.Response, list[dict[str, object]]]:
    lines: list[str] = []

    async def run() -> httpx.Response:
        async with client(
            RequestLogMiddleware(key_guard([]), request_log=RequestLog(lines.append, paths={"/read"}))
        ) as caller:
            return await caller.post(path, content=b"secret text", headers=headers)

    return asyncio.run(run()), [json.loads(line) for line in lines]


def test_a_request_is_one_line_without_its_content_or_key() -> None:
    answer, lines = logged("/read?text=secret", {"X-Request-ID": "abc-1", "X-API-Key": "open sesame"})
    assert answer.headers["x-request-id"] == "abc-1"
    (line,) = lines
    assert {line["request_id"], line["path"], line["status"], line["key"]} == {"abc-1", "/read", 200, "shop"}
    assert "secret" not in json.dumps(line)
    assert "sesame" not in json.dumps(line)


def test_a_request_id_that_is_none_is_replaced_and_unknown_paths_are_other() -> None:
    answer, (line,) = logged("/secret", {"X-Request-ID": "a b\tc"})
    assert len(answer.headers["x-request-id"]) == 32
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["path"], line["status"]) == ("other", 404)


def test_health_checks_are_not_logged() -> None:
    assert logged("/livez", {})[1] == []
