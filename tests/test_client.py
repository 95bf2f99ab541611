"""The client: what it sends, when it tries again, and what it makes of answers."""

import gzip
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from legible import client as module
from legible.client import Client, Guess, RemoteReading, ServiceError
from legible.image.tiff import ORIENTATION
from legible.image_input import image_file
from legible.remote_pages import RemoteDocument, RemoteLine, RemotePage, RemoteWord

READING = {
    "text": "a",
    "confidence": 0.9,
    "accepted": True,
    "characters": [{"text": "a", "confidence": 0.9}],
    "reading_id": "r",
    "bundle": "b",
}
ANSWER = RemoteReading(
    "a", 0.9, accepted=True, characters=(Guess("a", 0.9),), alternatives=(), reading_id="r", bundle="b"
)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(module.time, "sleep", found.append)
    return found


def client(handle: Callable[[httpx.Request], httpx.Response], **settings: object) -> Client:
    return Client("http://service", transport=httpx.MockTransport(handle), **settings)  # type: ignore[arg-type]


def test_an_image_is_sent_with_its_options_and_key(tmp_path: Path) -> None:
    (tmp_path / "word.png").write_bytes(b"pixels")
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={**READING, "alternatives": [{"text": "o", "confidence": 0.1}]})

    with client(handle, key="sesame") as service:
        reading = service.read(tmp_path / "word.png", lexicon="english", alternatives=1, channel="mobile")
    assert reading.alternatives == (Guess("o", 0.1),)
    (request,) = seen
    assert dict(request.url.params) == {"lexicon": "english", "alternatives": "1"}
    assert request.headers["authorization"] == "Bearer sesame"
    assert b"pixels" in request.content
    assert b"mobile" in request.content


def test_it_waits_as_long_as_it_is_told_to_and_tries_again(pauses: list[float]) -> None:
    answers = iter(
        [httpx.Response(429, headers={"Retry-After": "2"}), httpx.Response(503), httpx.Response(200, json=READING)]
    )
    assert client(lambda _: next(answers)).read(b"x") == ANSWER
    assert pauses == [2.0, 1.0]


def test_a_lost_connection_is_tried_again_and_then_said(pauses: list[float]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone", request=request)

    with pytest.raises(httpx.ConnectError):
        client(fail, tries=3).read(b"x")
    assert len(pauses) == 2


def test_a_refusal_is_an_error_with_its_code_and_not_tried_again(pauses: list[float]) -> None:
    refusal = {"error": {"code": "not_an_image", "message": "no picture"}}
    with pytest.raises(ServiceError, match="not_an_image: no picture") as caught:
        client(lambda _: httpx.Response(400, json=refusal)).read(b"x")
    assert caught.value.code == "not_an_image"
    assert pauses == []


def test_an_answer_of_something_else_is_an_error_too(pauses: list[float]) -> None:
    with pytest.raises(ServiceError, match="502: <html>"):
        client(lambda _: httpx.Response(502, text="<html>"), tries=2).read(b"x")
    assert len(pauses) == 1


@pytest.mark.parametrize("charset", ["hex", "zlib", "rot13", "idna"])
def test_a_refusal_in_no_charset_of_texts_is_an_error_too(charset: str) -> None:
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    with pytest.raises(ServiceError, match="400: no word of a service"):
        client(lambda _: httpx.Response(400, content=b"no word of a service", headers=headers)).read(b"x")


def test_many_images_go_in_batches_and_come_back_in_order() -> None:
    sizes: list[int] = []

    def handle(request: httpx.Request) -> httpx.Response:
        count = request.content.count(b'name="images"')
        sizes.append(count)
        rows = [READING] * (count - 1) + [{"error": {"code": "damaged_image", "message": "cut"}}]
        return httpx.Response(200, json={"readings": rows})

    found = list(client(handle).read_many([b"x"] * 5, batch=2))
    assert sizes == [2, 2, 1]
    assert [isinstance(one, ServiceError) for one in found] == [False, True, False, True, True]


def test_what_is_too_large_together_is_sent_in_halves_and_the_channel_with_each() -> None:
    seen: list[tuple[int, bool]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        count = request.content.count(b'name="images"')
        seen.append((count, b"mobile" in request.content))
        if count > 1 or b"huge" in request.content:
            return httpx.Response(413, json={"error": {"code": "too_large", "message": "send fewer"}})
        return httpx.Response(200, json={"readings": [READING] * count})

    found = list(client(handle).read_many([b"x", b"huge", b"y"], batch=3, channel="mobile"))
    assert [isinstance(one, ServiceError) for one in found] == [False, True, False]
    assert seen == [(3, True), (1, True), (2, True), (1, True), (1, True)]


def test_open_files_that_are_too_large_together_are_sent_whole_in_their_halves(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    alone: list[bytes] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.content.count(b'name="images"') > 1:
            return httpx.Response(413, json={"error": {"code": "too_large", "message": "send fewer"}})
        alone.append(request.content)
        return httpx.Response(200, json={"readings": [READING]})

    with (tmp_path / "a").open("rb") as first, (tmp_path / "b").open("rb") as second:
        assert len(list(client(handle).read_many([first, second], batch=2))) == 2
    assert [b"first" in alone[0], b"second" in alone[1]] == [True, True]


def test_a_correction_is_sent() -> None:
    sent: list[object] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(202, json={"reading_id": "r"})

    client(handle).correct("r", "text")
    assert sent == [{"reading_id": "r", "text": "text"}]


@pytest.mark.parametrize(
    "given",
    [
        str,
        lambda path: path.open("rb"),
        lambda path: np.asarray(Image.open(path)),
        Image.open,
    ],
    ids=["a path as a string", "an open file", "an array", "a PIL image"],
)
def test_any_kind_of_image_is_sent(given: Callable[[Path], Any], tmp_path: Path) -> None:
    Image.new("L", (8, 4), 200).save(tmp_path / "word.png")
    seen: list[bytes] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.read())
        return httpx.Response(200, json=READING)

    image = given(tmp_path / "word.png")
    assert client(handle).read(image) == ANSWER
    assert b"\x89PNG" in seen[0]
    getattr(image, "close", lambda: None)()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_a_photograph_that_is_opened_is_sent_upright_in_colours_that_png_has(mode: str) -> None:
    held, turn = Image.new(mode, (8, 4)), Image.Exif()
    turn[ORIENTATION] = 6
    photograph = io.BytesIO()
    held.save(photograph, "JPEG", exif=turn)
    with Image.open(photograph) as opened:
        _, content = image_file(opened)
    with Image.open(io.BytesIO(content)) as sent:
        assert (sent.format, sent.size, sent.getexif().get(ORIENTATION, 1)) == ("PNG", (4, 8), 1)


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        ("3", 3.0), ("0.5", 0.5), ("-5", 0.0), ("9" * 5000, 30.0), ("1e400", 30.0), ("nan", 0.5), ("\u00b2", 0.5),
        ("soon", 0.5), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 30.0),
    ],
)  # fmt: skip
def test_whatever_retry_after_says_it_waits_a_sensible_time(said: str, waited: float, pauses: list[float]) -> None:
    header = {"Retry-After": said.encode("latin-1", "replace")}
    answers = iter([httpx.Response(429, headers=header), httpx.Response(200, json=READING)])
    assert client(lambda _: next(answers)).read(b"x") == ANSWER
    assert pauses == [waited]


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 10_000)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(ServiceError, match=r"bad_answer: .*more than 10000 bytes"):
        client(lambda _: httpx.Response(200, content=endless())).read(b"x")


@pytest.mark.usefixtures("pauses")
def test_a_compressed_answer_is_never_unpacked() -> None:
    """One of 2,600 bytes, packed twice, took 3 GB before its bytes were counted."""
    packed = gzip.compress(gzip.compress(json.dumps(READING).encode()))

    def answer(status: int) -> httpx.Response:
        return httpx.Response(status, stream=httpx.ByteStream(packed), headers={"Content-Encoding": "gzip, gzip"})

    with pytest.raises(ServiceError, match=r"bad_answer: .*compressed"):
        client(lambda _: answer(200)).read(b"x")
    answers = iter([answer(503), httpx.Response(200, json=READING)])

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return next(answers)

    assert client(handle).read(b"x") == ANSWER


def test_an_answer_that_drips_is_given_up_after_the_time() -> None:
    def dripping() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    with pytest.raises(httpx.ReadTimeout, match=r"took more than 0\.2 s"):
        client(lambda _: httpx.Response(200, content=dripping()), timeout_seconds=0.2, tries=1).read(b"x")


@pytest.mark.parametrize("rows", [[], [READING] * 3, None, "two"])
def test_as_many_readings_come_back_as_images_went(rows: object) -> None:
    with pytest.raises(ServiceError, match=r"bad_answer: .* readings of 2 images"):
        list(client(lambda _: httpx.Response(200, json={"readings": rows})).read_many([b"x", b"y"]))


@pytest.mark.parametrize("content", [{}, [], "text", {**READING, "confidence": "high"}, {**READING, "characters": 3}])
def test_an_answer_of_another_shape_is_an_error_of_ours(content: object) -> None:
    with pytest.raises(ServiceError, match="bad_answer"):
        client(lambda _: httpx.Response(200, json=content)).read(b"x")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        json.dumps({**READING, "confidence": math.nan}),
        json.dumps({**READING, "confidence": 10**400}),
        json.dumps({**READING, "text": None}),
        json.dumps({**READING, "reading_id": {"a": 1}}),
    ],
)
def test_what_no_service_answers_is_no_reading(content: str) -> None:
    with pytest.raises(ServiceError, match="bad_answer"):
        client(lambda _: httpx.Response(200, text=content)).read(b"x")
    with pytest.raises(ServiceError):
        client(lambda _: httpx.Response(500, text=content), tries=1).read(b"x")


def test_fields_that_are_new_are_left_alone() -> None:
    characters = [{"text": "a", "confidence": 0.9, "box": [1, 2, 3, 4]}]
    newer = {**READING, "characters": characters, "language": "en", "hint": "page"}
    reading = client(lambda _: httpx.Response(200, json=newer)).read(b"x")
    assert (reading.characters, reading.hint) == ((Guess("a", 0.9),), "page")


BOX = [[1, 2], [9, 2], [9, 5], [1, 5]]
PLACE = ((1.0, 2.0), (9.0, 2.0), (9.0, 5.0), (1.0, 5.0))
LINE = {
    "text": "a line", "confidence": 0.9, "accepted": True, "reading_id": "r", "row": 0, "polygon": BOX,
    "words": [{"text": "a", "confidence": 0.9, "polygon": BOX}], "new": 1,
}  # fmt: skip
PAGE = {
    "number": 1, "size": [10, 20], "outline": BOX, "angle": 0.5, "turns": 1, "source": "image",
    "blocks": [{"lines": [LINE]}, {"lines": []}],
}  # fmt: skip
DOCUMENT = {"pages": [PAGE], "bundle": "b"}


def test_a_document_comes_back_with_its_lines_and_words() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=DOCUMENT)

    found = client(handle).read_page(b"scan", corners=PLACE, document="invoice")
    line = RemoteLine(
        "a line", 0.9, accepted=True, polygon=PLACE, words=(RemoteWord("a", 0.9, PLACE),), block=0, row=0,
        reading_id="r",
    )  # fmt: skip
    assert found == RemoteDocument((RemotePage(1, (10, 20), PLACE, 0.5, 1, "image", (line,)),), "b")
    assert found.text == "a line"
    (request,) = seen
    assert request.url.path == "/read_page"
    assert dict(request.url.params) == {"corners": "1,2,9,2,9,5,1,5", "format": "json"}
    assert b"invoice" in request.content


def test_a_document_in_another_format_comes_back_as_its_bytes() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"%PDF-" + request.url.params["format"].encode())

    assert client(handle).read_page(b"scan", form="pdf") == b"%PDF-pdf"


@pytest.mark.parametrize(
    "content",
    [{}, [], "text", {**DOCUMENT, "pages": 3}, {**DOCUMENT, "pages": [{**PAGE, "size": [1, 2, 3]}]},
     {**DOCUMENT, "pages": [{**PAGE, "blocks": [{"lines": [{**LINE, "confidence": "high"}]}]}]},
     {**DOCUMENT, "pages": [{**PAGE, "number": "1"}]}, {**DOCUMENT, "bundle": None}],
)  # fmt: skip
def test_a_document_of_another_shape_is_an_error_of_ours(content: object) -> None:
    with pytest.raises(ServiceError, match="bad_answer"):
        client(lambda _: httpx.Response(200, json=content)).read_page(b"x")


def test_a_refused_document_is_an_error_with_its_code(pauses: list[float]) -> None:
    refusal = {"error": {"code": "locked", "message": "the PDF is locked"}}
    with pytest.raises(ServiceError, match="locked") as caught:
        client(lambda _: httpx.Response(400, json=refusal)).read_page(b"x", form="pdf")
    assert caught.value.code == "locked"
    assert pauses == []
