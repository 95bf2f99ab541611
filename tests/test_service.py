"""The real service over HTTP: readings, errors, metrics, observations, and uploads that break services."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import drawn_word
from disk import full_disk
from hostile import Upload, uploads
from PIL import Image
from serving import served
from waiting import wait_until

from legible.client import Client, RemoteReading, ServiceError
from legible.drift.reference import Reference
from legible.image.statistics import STATISTICS
from legible.observations.layout import READING_ID

pytestmark = pytest.mark.slow
MAX_BODY_BYTES = 2_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path, bundle_folder: Path) -> Iterator[httpx.Client]:
    limits = {
        "LEGIBLE_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "LEGIBLE_MAX_BATCH_IMAGES": "4",
        "LEGIBLE_CHANNELS": "mobile",
        "LEGIBLE_FEEDBACK": "1",
    }
    with (
        served(folder, LEGIBLE_BUNDLE=str(bundle_folder), **limits) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def word(text: str, face: Path) -> bytes:
    return png(drawn_word(text, face))


@pytest.mark.parametrize("text", ["Hamburg", "reading", "2026"])
def test_a_printed_word_is_read(service: httpx.Client, print_face: Path, text: str) -> None:
    answer = service.post("/read", files={"image": word(text, print_face)})
    assert answer.status_code == 200
    reading = answer.json()
    assert reading["text"] == text
    assert "".join(character["text"] for character in reading["characters"]) == text
    assert reading["accepted"] == (reading["confidence"] >= 0.9)
    assert READING_ID.fullmatch(reading["reading_id"])


def test_the_threshold_of_acceptance_is_the_callers(service: httpx.Client, print_face: Path) -> None:
    files = {"image": word("Hamburg", print_face)}
    assert service.post("/read?accept=0", files=files).json()["accepted"]
    assert not service.post("/read?accept=1", files=files).json()["accepted"]


def test_alternatives_and_a_lexicon_are_there_where_asked(service: httpx.Client, print_face: Path) -> None:
    files = {"image": word("Hamburg", print_face)}
    assert "alternatives" not in service.post("/read", files=files).json()
    reading = service.post("/read?alternatives=3&lexicon=english", files=files).json()
    assert reading["text"] == "Hamburg"
    others = [other["text"] for other in reading["alternatives"]]
    assert 1 <= len(others) <= 3
    assert "Hamburg" not in others
    assert reading["confidence"] >= max(other["confidence"] for other in reading["alternatives"])
    (together,) = service.post("/read_batch?alternatives=3&lexicon=english", files=[("images", files["image"])]).json()[
        "readings"
    ]
    assert {**reading, "reading_id": ""} == {**together, "reading_id": ""}


def test_statistics_are_sent_where_asked(service: httpx.Client, print_face: Path) -> None:
    answer = service.post("/read?statistics=1", files={"image": word("Hamburg", print_face)})
    assert tuple(answer.json()["statistics"]) == STATISTICS
    images = [("images", word("Hamburg", print_face)), ("images", b"no image")]
    first, second = service.post("/read_batch?statistics=1", files=images).json()["readings"]
    assert first["statistics"] == answer.json()["statistics"]
    assert set(second) == {"error"}


def test_a_batch_gives_a_reading_or_an_error_for_each_image_in_order(service: httpx.Client, print_face: Path) -> None:
    images = [("images", word("one", print_face)), ("images", b"no image"), ("images", word("two", print_face))]
    readings = service.post("/read_batch", files=images).json()["readings"]
    assert readings[0]["text"] == "one"
    assert readings[1]["error"]["code"] == "not_an_image"
    assert readings[2]["text"] == "two"


def test_an_image_reads_the_same_alone_and_in_a_batch(service: httpx.Client, print_face: Path) -> None:
    image = word("same", print_face)
    alone = service.post("/read", files={"image": image}).json()
    (together,) = service.post("/read_batch", files=[("images", image)]).json()["readings"]
    assert {**alone, "reading_id": ""} == {**together, "reading_id": ""}


@pytest.mark.parametrize("upload", uploads(), ids=lambda upload: upload.name)
def test_a_hostile_upload_is_answered_and_the_next_image_is_read(
    service: httpx.Client, print_face: Path, upload: Upload
) -> None:
    data = upload.make()
    answer = service.post("/read", files={"image": (upload.file_name, data)})
    assert answer.status_code in (upload.statuses if len(data) < MAX_BODY_BYTES else (413,))
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"code", "message"}
    assert service.post("/read", files={"image": word("next", print_face)}).json()["text"] == "next"


@pytest.mark.parametrize(
    ("request_of", "status", "code"),
    [
        ({"files": {"picture": b"x"}}, 400, "bad_request"),  # another field
        ({"data": {"image": "text"}}, 400, "bad_request"),  # text in place of a file
        ({"json": {"image": "http://localhost/a.png"}}, 400, "bad_request"),  # addresses are not fetched
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400, "bad_request"),
        ({"files": {"image": b"x" * 3_000_000}}, 413, "too_large"),
        ({"files": {"image": b"GIF89a" + b"\0" * 50}}, 415, "unsupported_format"),
        ({"files": {"image": b"x"}, "params": {"language": "en"}}, 400, "bad_request"),  # an unknown option
        ({"files": {"image": b"x"}, "params": {"lexicon": "klingon"}}, 400, "bad_request"),
        ({"files": {"image": b"x"}, "params": {"alternatives": "11"}}, 400, "bad_request"),
        ({"files": {"image": b"x"}, "params": {"alternatives": "1.5"}}, 400, "bad_request"),
        ({"files": {"image": b"x"}, "params": {"accept": "often"}}, 400, "bad_request"),
        ({"files": {"image": b"x"}, "params": {"statistics": "all"}}, 400, "bad_request"),
        ({"files": {"image": b"x"}, "params": [("accept", "0.5"), ("accept", "0.9")]}, 400, "bad_request"),  # which?
        ({"files": {"image": b"x"}, "params": [("model", ""), ("model", "default")]}, 400, "bad_request"),
    ],
)
def test_a_wrong_request_is_a_documented_error(
    service: httpx.Client, request_of: dict[str, object], status: int, code: str
) -> None:
    answer = service.post("/read", **request_of)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


def test_too_many_images_are_refused(service: httpx.Client) -> None:
    answer = service.post("/read_batch", files=[("images", b"x")] * 5)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_an_unknown_path_and_a_wrong_method_have_the_same_shape(service: httpx.Client) -> None:
    answer = service.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.headers["X-Request-ID"]
    answer = service.get("/read")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_it_lives_and_is_ready(service: httpx.Client) -> None:
    assert service.get("/livez").status_code == 200
    assert service.get("/readyz").status_code == 200


def test_the_calls_are_described(service: httpx.Client) -> None:
    paths = service.get("/openapi.json").json()["paths"]
    assert {"/read", "/read_batch", "/livez", "/readyz"} <= set(paths)
    assert "curl -F image=@word.png" in service.get("/docs").text


def test_the_model_card_can_be_read(service: httpx.Client, bundle_folder: Path) -> None:
    assert service.get("/card").text == (bundle_folder / "card.md").read_text()
    assert 'href="/page/card.html"' in service.get("/").text


def counts(service: httpx.Client) -> dict[str, str]:
    """The metrics by name and labels; readings are counted after their answer."""
    text = service.get("/metrics").text
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def logged_rows(folder: Path, reading_id: str) -> list[dict[str, Any]]:
    """The rows of a reading in a log; they are written after the answer."""
    lines = "".join(path.read_text() for path in (folder / "v1").glob("*.jsonl")).splitlines(keepends=True)
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return [row for row in rows if row["reading_id"] == reading_id]


def test_readings_errors_latency_and_ranks_are_counted(
    service: httpx.Client, print_face: Path, bundle_folder: Path
) -> None:
    service.post("/read", files={"image": word("count", print_face)}, data={"channel": "mobile"})
    service.post("/read", files={"image": b"no image"})
    service.get("/no/such/path/as/a/label")
    wait_until(lambda: float(counts(service)['legible_readings_total{channel="mobile",model="default"}']) >= 1)
    lines = counts(service)
    assert float(lines['legible_errors_total{reason="not_an_image"}']) >= 1
    assert float(lines['legible_request_seconds_count{route="/read"}']) >= 1
    for name in Reference.load(bundle_folder).known["image"].quantiles:
        assert (
            float(lines[f'legible_image_statistic_count{{channel="mobile",model="default",statistic="{name}"}}']) >= 1
        )
    for name in Reference.load(bundle_folder).known["prediction"].quantiles:
        assert float(lines[f'legible_prediction_signal_count{{channel="mobile",model="default",signal="{name}"}}']) >= 1
    for kind in ("image", "prediction"):
        assert float(lines[f'legible_drift_smallest_window{{kind="{kind}",model="default"}}']) == 50
    assert 0 < float(lines['legible_reference_confidence{model="default"}']) < 1
    assert "no/such/path" not in str(lines)


def test_observations_hold_no_text_and_no_image(service: httpx.Client, folder: Path, print_face: Path) -> None:
    answer = service.post("/read", files={"image": word("private", print_face)}).json()
    (row,) = wait_until(lambda: logged_rows(folder / "observations", answer["reading_id"]))
    assert row["length"] == len("private")
    assert set(row["statistics"]) == set(STATISTICS)
    assert "private" not in json.dumps(row)


def test_a_correction_is_kept_for_a_reading_that_was_made(
    service: httpx.Client, folder: Path, print_face: Path
) -> None:
    reading_id = service.post("/read", files={"image": word("Hamburg", print_face)}).json()["reading_id"]
    wait_until(lambda: logged_rows(folder / "observations", reading_id))
    answer = service.post("/feedback", json={"reading_id": reading_id, "text": "Homburg"})
    assert (answer.status_code, answer.json()) == (202, {"reading_id": reading_id})
    (row,) = wait_until(lambda: logged_rows(folder / "corrections", reading_id))
    assert (row["text"], row["version"]) == ("Homburg", 1)


@pytest.mark.parametrize("reading_id", ["20200101T00-1-0123456789ab", "../../etc/passwd", "", "x" * 5000])
def test_a_correction_of_no_reading_is_404(service: httpx.Client, reading_id: str) -> None:
    assert service.post("/feedback", json={"reading_id": reading_id, "text": "x"}).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 19_000,
        b'{"reading_id": 1, "text": "x"}',
        b'{"reading_id": "x"}',
        b'{"reading_id": "x", "text": 1}',
        b'{"reading_id": "x", "text": "\\ud800"}',  # half a character, which no file can hold
    ],
)
def test_a_correction_of_another_shape_is_400(service: httpx.Client, content: bytes) -> None:
    assert service.post("/feedback", content=content).status_code == 400


def test_a_correction_that_is_a_book_is_400(service: httpx.Client) -> None:
    assert service.post("/feedback", json={"reading_id": "x", "text": "x" * 1001}).status_code == 400


def test_a_correction_of_many_bytes_is_413(service: httpx.Client) -> None:
    assert service.post("/feedback", content=b" " * 20_001).status_code == 413


HALF_A_REQUEST = (
    b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 500\r\n\r\n--x"
)


def send_raw(service: httpx.Client, content: bytes) -> socket.socket:
    connection = socket.create_connection((service.base_url.host, service.base_url.port or 80), timeout=20)
    connection.sendall(content)
    return connection


def test_a_head_without_end_is_refused(service: httpx.Client) -> None:
    with send_raw(service, b"POST /read HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_slow_senders_take_no_place_from_others(service: httpx.Client, print_face: Path) -> None:
    """A hundred, where 32 requests may be read at a time."""
    slow = [send_raw(service, HALF_A_REQUEST) for _ in range(100)]
    answers = [service.post("/read", files={"image": word("quick", print_face)}) for _ in range(5)]
    for connection in slow:
        connection.close()
    assert [answer.status_code for answer in answers] == [200] * 5


def test_a_caller_who_hangs_up_is_counted_and_no_fault_of_the_service(service: httpx.Client, folder: Path) -> None:
    send_raw(service, HALF_A_REQUEST).close()
    wait_until(lambda: float(counts(service).get('legible_errors_total{reason="disconnected"}', "0")) >= 1)
    assert "Traceback" not in (folder / "service.log").read_text()


@pytest.fixture(params=["a full disk", "a file in place of the folder"])
def unwritable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "observations"
    if request.param == "a full disk":
        with full_disk(place):
            yield place
    else:
        place.touch()
        yield place


def test_a_log_that_cannot_be_written_changes_no_answer(
    tmp_path: Path, bundle_folder: Path, print_face: Path, unwritable: Path
) -> None:
    settings = {"LEGIBLE_OBSERVATIONS_FOLDER": str(unwritable), "LEGIBLE_BUNDLE": str(bundle_folder)}
    with served(tmp_path, **settings) as address:
        answers = [httpx.post(f"{address}/read", files={"image": word("still", print_face)}) for _ in range(20)]
        with httpx.Client(base_url=address) as client:
            wait_until(lambda: float(counts(client)["legible_observations_dropped_total"]) >= 10)
    assert [answer.json()["text"] for answer in answers] == ["still"] * 20


def test_the_client_reads_and_corrects(service: httpx.Client, print_face: Path) -> None:
    with Client(str(service.base_url)) as client:
        reading = client.read(word("Hamburg", print_face), alternatives=2)
        assert (reading.text, len(reading.alternatives)) == ("Hamburg", 2)
        first, second = client.read_many([word("one", print_face), b"no image"], batch=2)
        assert isinstance(first, RemoteReading)
        assert first.text == "one"
        assert isinstance(second, ServiceError)
        assert second.code == "not_an_image"
        client.correct(reading.reading_id, "Homburg")
