"""Forms before a three-line application: in memory, in UTF-8, with a word on what to send instead."""

import asyncio
import codecs
import tempfile
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from legible.service.uploads import uploaded


async def sizes(request: Request) -> JSONResponse:
    images, fields = await uploaded(request, field="image", max_images=2)
    return JSONResponse({"sizes": [len(image) for image in images], "fields": fields})


async def on_refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code)


def post(**request: Any) -> httpx.Response:
    app = Starlette(routes=[Route("/", sizes, methods=["POST"])], exception_handlers={HTTPException: on_refusal})

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as caller:
            return await caller.post("/", **request)

    return asyncio.run(ask())


def form(part: str, *, kind: str = "multipart/form-data; boundary=x") -> dict[str, Any]:
    content = f"--x\r\nContent-Disposition: form-data; {part}\r\n\r\n{'a' * 2000}\r\n--x--\r\n"
    return {"content": content.encode(), "headers": {"content-type": kind}}


def test_images_and_channel_are_taken() -> None:
    answer = post(files=[("image", b"abc"), ("image", b"de")], data={"channel": "mobile"})
    assert answer.json() == {"sizes": [3, 2], "fields": {"channel": "mobile"}}


def test_a_field_that_is_sent_twice_is_refused() -> None:
    answer = post(files=[("image", b"abc")], data={"sender": ["me", "you"]})
    assert answer.status_code == 400
    assert "sender is sent more than once" in answer.json()["message"]


@pytest.mark.parametrize("option", ["model", "lexicon", "format"])
def test_an_option_as_a_field_is_refused_and_not_passed_over(option: str) -> None:
    answer = post(files=[("image", b"abc")], data={option: "other"})
    assert answer.status_code == 400
    assert f"send it in the address: ?{option}=" in answer.json()["message"]


def test_a_part_without_a_file_name_is_told_to_have_one() -> None:
    answer = post(**form('name="image"'))
    assert answer.status_code == 400
    assert "no file name; send the image as a file, with a file name" in answer.json()["message"]


@pytest.mark.parametrize("boundary", [r"x\"; charset=undefined", r"x\"; charset=hex; y=\"z"])
def test_a_boundary_that_would_name_a_charset_is_refused(boundary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    look_up = codecs.lookup
    monkeypatch.setattr(
        "starlette.formparsers.codecs",
        type("Codecs", (), {"lookup": staticmethod(lambda name: asked.append(name) or look_up(name))}),
    )
    answer = post(**form('name="image"; filename="a"', kind=f'multipart/form-data; boundary="{boundary}"'))
    assert (answer.status_code, asked) == (400, [])


@pytest.mark.parametrize("charset", ["undefined", "utf-16", "x" * 30_000, "idna", "hex"])
def test_other_charsets_are_refused_and_never_looked_up(charset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(name: str) -> codecs.CodecInfo:
        raise AssertionError(name)

    monkeypatch.setattr("starlette.formparsers.codecs", type("Codecs", (), {"lookup": staticmethod(look_up)}))
    answer = post(**form('name="image"; filename="a"', kind=f"multipart/form-data; boundary=x; charset={charset}"))
    assert answer.status_code == 400
    assert "send UTF-8" in answer.json()["message"]


def test_utf_8_may_be_named() -> None:
    part = form('name="image"; filename="a"', kind="multipart/form-data; boundary=x; charset=UTF-8")
    assert post(**part).json()["sizes"] == [2000]


def test_a_large_upload_touches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", no_disk)
    assert post(files={"image": b"x" * 3_000_000}).json()["sizes"] == [3_000_000]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "", "multipart/form-data"])
def test_another_content_is_told_what_to_send(kind: str) -> None:
    answer = post(content=b"image=x", headers={"content-type": kind})
    assert answer.status_code == 400
    assert "multipart" in answer.json()["message"]
