"""What the event loop does for a sender is little, however the sender makes it; the application in this process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hostile_files import encoded, png, word
from PIL import Image, ImageDraw, ImageFont

from legible.config import ServiceSettings
from legible.image.decode import Limits, open_image
from legible.recognition.decoding import Decoding
from legible.service import read_job
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.models import open_models
from legible.service.read_job import ReadJob
from legible.service.worker import Worker


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Api:
    folder = str(tmp_path_factory.mktemp("application"))
    settings = ServiceSettings(bundles=(f"english={bundle_folder}",), observations_folder=folder, request_log=False)
    made = Api(settings)
    made.start(open_models(settings, worker="1"))
    return made


@asynccontextmanager
async def calling(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(api))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def batch(images: list[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", ("a.png", image)) for image in images]


def test_others_have_their_turn_between_the_headers_of_a_batch(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, seen = [0], list[int]()

    def opened(data: bytes, *, limits: Limits) -> Image.Image:
        seen.append(turns[0])
        return open_image(data, limits=limits)

    monkeypatch.setattr(read_job, "open_image", opened)
    costly = png(160, 72, chunks=[(b"teXt", b"")] * 100)

    async def run() -> httpx.Response:
        async with calling(api) as client:
            asked = asyncio.create_task(client.post("/read_batch", files=batch([costly] * 20)))
            while not asked.done():
                turns[0] += 1
                await asyncio.sleep(0)
            return await asked

    answer = asyncio.run(run())
    assert len(answer.json()["readings"]) == 20
    assert len(seen) == len(set(seen)) == 20


def test_a_search_for_alternatives_in_a_long_line_is_left_to_a_thread() -> None:
    line = encoded(Image.fromarray(np.full((111, 888), 255, np.uint8)), "PNG")
    assert ReadJob(line, Limits()).is_quick
    assert not ReadJob(line, Limits(), decoding=Decoding(alternatives=10)).is_quick
    assert ReadJob(encoded(word(), "PNG"), Limits(), decoding=Decoding(alternatives=10)).is_quick


def test_a_job_holds_no_bytes_that_its_image_does_not_need() -> None:
    """Jobs wait for their turn; metadata that is removed would be held twice."""
    job = ReadJob(png(160, 72, chunks=[(b"zTXt", bytes(1_000_000))]), Limits())
    assert job.pixels == 160 * 72
    held = [len(value) for value in vars(job).values() if isinstance(value, bytes)]
    assert max(held, default=0) == 0
    assert job.decode() is not None


def page(lines: int) -> bytes:
    image = Image.new("L", (420, lines * 30 + 40), 255)
    font = ImageFont.load_default(size=20)
    for number in range(lines):
        ImageDraw.Draw(image).text((20, 20 + number * 30), "The quick brown fox jumps over it", font=font, fill=0)
    return encoded(image, "PNG")


def test_a_page_is_answered_with_a_hint_and_a_word_without(api: Api) -> None:
    async def run() -> list[httpx.Response]:
        async with calling(api) as client:
            return [
                await client.post("/read", files={"image": ("a.png", page(25))}),
                await client.post("/read", files={"image": ("a.png", encoded(word(), "PNG"))}),
                await client.post("/read_batch", files=batch([page(25), encoded(word(), "PNG"), b"no image"])),
            ]

    alone, plain, together = (answer.json() for answer in asyncio.run(run()))
    assert alone["hint"] == "page"
    assert "hint" not in plain
    assert [one.get("hint") for one in together["readings"]] == ["page", None, None]


LARGE = encoded(Image.fromarray(np.full((700, 900), 255, np.uint8)), "PNG")


async def call_and_hang_up(app: Any, path: str, images: list[bytes], *, after: asyncio.Event) -> None:
    """Send a request whole, and hang up after an event."""
    request = httpx.Request("POST", f"http://test{path}", files=batch(images))
    body = [{"type": "http.request", "body": request.read(), "more_body": False}]
    headers = [(name.lower(), value) for name, value in request.headers.raw]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await after.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        """Nobody is there to get it."""

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("test", 1), "server": ("test", 80),
    }  # fmt: skip
    await app(scope, receive, send)


def test_large_images_of_callers_who_have_gone_are_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty callers hung up, and the service read for a minute what nobody waited for."""
    read = list[int]()
    may_go_on = threading.Event()
    worker = api.worker

    def slow(jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        read.append(len(jobs))
        may_go_on.wait(10)
        return type(worker).read(worker, jobs)

    monkeypatch.setattr(worker, "read", slow)
    levels = [0]
    monkeypatch.setattr(api.slots, "_level", levels.append)

    async def run() -> int:
        app, gone = build_app(api), asyncio.Event()
        async with calling(api) as client:
            callers = [
                asyncio.create_task(call_and_hang_up(app, "/read_batch", [LARGE] * 3, after=gone)) for _ in range(5)
            ]
            while not read:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            gone.set()
            await asyncio.wait_for(asyncio.gather(*callers), 5)
            may_go_on.set()
            late = call_and_hang_up(app, "/read_batch", [LARGE], after=gone)  # who has gone before it begins
            await late
            return (await client.post("/read", files={"image": ("a.png", LARGE)})).status_code

    assert asyncio.run(run()) == 200
    assert read == [1, 1]  # the one that was begun, and that of who waited
    assert levels[-1] == 0


def test_nobody_waits_for_large_images_of_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one of forty million pixels is read, another waits for its turn, and both hold all the room they may."""
    go_on, read = threading.Event(), Worker.read

    def slow(self: Worker, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        if jobs[0].pixels > 10**7:
            go_on.wait(20)
        return read(self, jobs)

    monkeypatch.setattr(Worker, "read", slow)
    large = encoded(Image.new("L", (8000, 5000), 255), "PNG")
    quick, line = encoded(word(), "PNG"), encoded(Image.new("L", (2000, 100), 255), "PNG")

    async def run() -> None:
        async with calling(api) as client, asyncio.TaskGroup() as group:
            held = [group.create_task(client.post("/read", files={"image": large})) for _ in range(3)]
            await asyncio.sleep(1)
            async with asyncio.timeout(10):
                for image in (quick, line):
                    for options in ("", "?lexicon=english", "?statistics=1"):
                        assert (await client.post(f"/read{options}", files={"image": image})).status_code == 200
            assert not any(one.done() for one in held)
            go_on.set()

    asyncio.run(run())


def test_corrections_of_unknown_readings_keep_no_image_out(tmp_path: Path, bundle_folder: Path) -> None:
    """Each waits a second for its observation."""
    own = ServiceSettings(
        bundles=(f"english={bundle_folder}",), observations_folder=str(tmp_path), feedback=True, max_in_flight=4
    )
    api = Api(own)
    api.start(open_models(own, worker="1"))
    unknown = {"reading_id": "20261130T21-1-000000000000", "text": "x"}

    async def run() -> None:
        async with calling(api) as client, asyncio.TaskGroup() as group:
            corrections = [group.create_task(client.post("/feedback", json=unknown)) for _ in range(4)]
            await asyncio.sleep(0.2)
            assert (await client.post("/read", files={"image": encoded(word(), "PNG")})).status_code == 200
        assert [one.result().status_code for one in corrections] == [404] * 4

    asyncio.run(run())
    api.close()
