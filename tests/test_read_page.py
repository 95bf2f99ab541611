"""`/read_page` over HTTP, with a real page process: pages, formats, corrections of lines, and what is no page.

The detector is one of a few lines (`ink_detector`): what is tested is the way of a page, not how well lines are found.
"""

import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pypdfium2 as pdfium
import pytest
from hostile import damaged
from ink_detector import write_ink_detector
from page_documents import (
    LINES,
    drawn_page,
    empty_pdf,
    encoded_page,
    locked_pdf,
    page_corpus,
    pages_as_pdf,
    pages_as_tiff,
    specks,
    written_pdf,
)
from PIL import Image
from serving import Service, started
from waiting import wait_until

from legible.client import Client, ServiceError
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation

pytestmark = pytest.mark.slow
SECONDS = 10.0
BODY_SECONDS = 20.0
"""The default of the time in which a body arrives."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    limits = {
        "LEGIBLE_MAX_DOCUMENT_PAGES": "20",
        "LEGIBLE_DOCUMENT_SECONDS": str(SECONDS),
        "LEGIBLE_FEEDBACK": "1",
        "LEGIBLE_DETECTOR": str(write_ink_detector(folder / "detector.tflite")),
    }
    with started(folder, LEGIBLE_BUNDLE=str(bundle_folder), **limits) as found:
        yield found


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(print_face: Path) -> np.ndarray:
    return drawn_page(print_face)


def read(client: httpx.Client, file: bytes, query: str = "", **fields: str) -> httpx.Response:
    return client.post(f"/read_page{query}", files={"image": ("scan.pdf", file)}, data=fields)


def texts(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return [[line["text"] for block in page["blocks"] for line in block["lines"]] for page in answer.json()["pages"]]


def page_process(service: Service) -> psutil.Process:
    children = [child for worker in service.workers for child in worker.children()]
    (found,) = [child for child in children if "legible.service.page_worker" in " ".join(child.cmdline())]
    return found


def test_pictures_and_documents_of_several_pages_are_read(client: httpx.Client, page: np.ndarray) -> None:
    assert texts(read(client, encoded_page(page, "JPEG"))) == [list(LINES)]
    assert texts(read(client, pages_as_tiff(page, page))) == [list(LINES)] * 2
    assert texts(read(client, pages_as_pdf(page, page, page))) == [list(LINES)] * 3
    assert texts(read(client, written_pdf("Written on a screen"))) == [["Written on a screen"]]


def test_places_are_those_of_the_picture_as_it_is_seen(client: httpx.Client, page: np.ndarray) -> None:
    """A telephone stores the picture on its side, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(np.rot90(page)).save(buffer, "JPEG", exif=exif, quality=95)
    upright = read(client, encoded_page(page)).json()["pages"][0]
    turned = read(client, buffer.getvalue()).json()["pages"][0]
    assert turned["size"] == upright["size"] == [600, 400]
    places = [np.array(found["blocks"][0]["lines"][0]["polygon"]) for found in (upright, turned)]
    assert places[0] == pytest.approx(places[1], abs=4)


def test_a_searchable_pdf_holds_the_words(client: httpx.Client, page: np.ndarray) -> None:
    answer = read(client, pages_as_pdf(page, page), "?format=pdf")
    assert answer.headers["content-type"] == "application/pdf"
    found = [sheet.get_textpage().get_text_range().split() for sheet in pdfium.PdfDocument(answer.content)]
    assert found == [" ".join(LINES).split()] * 2


def test_a_line_is_corrected_by_its_id(client: httpx.Client, page: np.ndarray) -> None:
    (answer,) = read(client, encoded_page(page)).json()["pages"]
    line = answer["blocks"][0]["lines"][0]
    kept = client.post("/feedback", json={"reading_id": line["reading_id"], "text": "Same words of a page"})
    assert kept.status_code == 202


def documents_logged(folder: Path) -> set[str]:
    logged = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return {PageObservation.from_json(line).document for line in logged}


def test_lines_and_pages_are_observed(service: Service, client: httpx.Client, page: np.ndarray) -> None:
    answer = read(client, pages_as_tiff(page, page), document="invoice 4711").json()
    ids = {line["reading_id"] for found in answer["pages"] for block in found["blocks"] for line in block["lines"]}
    folder, rows = service.log.parent / "observations", list[Observation]()
    until = time.monotonic() + 10
    while len(rows) < len(ids) and time.monotonic() < until:
        time.sleep(0.1)
        lines = [line for path in (folder / "v1").glob("*.jsonl") for line in path.read_text().splitlines()]
        rows = [row for row in map(Observation.from_json, lines) if row.reading_id in ids]
    assert len(rows) == len(ids) == 6
    assert {row.channel for row in rows} == {"page"}
    assert len({row.document for row in rows}) == 2
    wait_until(lambda: {row.document for row in rows} <= documents_logged(folder / "pages/v1"))
    counted = client.get("/metrics").text
    assert 'legible_readings_total{channel="page"' in counted
    assert "legible_page_seconds_count" in counted


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (b"", 400, "not_an_image"),
        (b"no page", 400, "not_an_image"),
        (locked_pdf(), 400, "locked"),
        (empty_pdf(5000), 413, "too_many_pages"),
        (encoded_page(np.zeros((8000, 6000), np.uint8)), 413, "too_large"),
        (b"%PDF-1.7\n" + bytes(1000), 400, "damaged_image"),
    ],
    ids=["nothing", "text", "locked", "5000 pages", "pixels", "damaged"],
)
def test_what_is_no_page_gets_a_clear_word(client: httpx.Client, document: bytes, status: int, code: str) -> None:
    answer = read(client, document)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_blank_pages_and_pages_of_specks_have_no_line(client: httpx.Client) -> None:
    for image in (np.full((600, 400), 255, np.uint8), np.zeros((600, 400), np.uint8), specks(100_000)):
        answer = read(client, encoded_page(image))
        if answer.status_code == 200:
            assert texts(answer) == [[]]
        else:
            assert answer.json()["error"]["code"] in ("crowded_page", "page_timeout")


def test_a_page_of_noise_ends_in_time_with_an_answer(client: httpx.Client) -> None:
    """400 dpi. Whether lines are invented is a matter of the detector, and this one knows no better."""
    noise = encoded_page(np.random.default_rng(1).integers(0, 256, (4400, 3300)).astype(np.uint8))
    began = time.monotonic()  # to compress noise takes seconds of its own
    answer = read(client, noise)
    assert answer.status_code == 200 or answer.json()["error"]["code"] in ("crowded_page", "page_timeout")
    assert time.monotonic() - began < BODY_SECONDS + SECONDS + 2  # what a request may take in all


def test_damaged_documents_are_answered_and_the_worker_lives(
    service: Service, client: httpx.Client, page: np.ndarray, print_face: Path
) -> None:
    """A few of those that `benchmarks/service/damaged_pages.py` sends."""
    before = {worker.pid for worker in service.workers}
    for document in damaged(page_corpus(print_face), 60, seed=7):
        answer = read(client, document)
        assert answer.status_code in (200, 400, 413, 415, 422), answer.text
    assert {worker.pid for worker in service.workers} == before
    assert texts(read(client, encoded_page(page))) == [list(LINES)]


def signal_at_work(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process as soon as it has worked a little."""
    before = process.cpu_times().user
    while process.cpu_times().user < before + 0.2:
        time.sleep(0.01)
    process.send_signal(number)


def test_a_document_is_read_to_its_end_where_the_service_is_told_to_end(
    tmp_path: Path, bundle_folder: Path, page: np.ndarray
) -> None:
    """A supervisor sends SIGTERM to all processes at once, and they are told so one by one as well."""
    detector = str(write_ink_detector(tmp_path / "detector.tflite"))
    with started(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_DETECTOR=detector) as service:
        with httpx.Client(base_url=service.address, timeout=60) as client:
            read(client, encoded_page(page))
            process = page_process(service)
            stopper = threading.Thread(target=signal_at_work, args=(process, signal.SIGTERM))
            stopper.start()
            answer = read(client, pages_as_tiff(*[page] * 10))
            stopper.join()
        assert texts(answer) == [list(LINES)] * 10
        service.process.terminate()
        service.process.wait(60)
        assert not process.is_running()


def test_the_page_process_may_be_killed_while_it_reads(
    service: Service, client: httpx.Client, page: np.ndarray
) -> None:
    read(client, encoded_page(page))
    process = page_process(service)
    killer = threading.Thread(target=signal_at_work, args=(process,))
    killer.start()
    answer = read(client, pages_as_tiff(*[np.kron(page, np.ones((2, 2), np.uint8))] * 20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "page_failed")
    assert texts(read(client, encoded_page(page))) == [list(LINES)]
    assert page_process(service).pid != process.pid


def test_a_stopped_process_is_ended_and_the_answer_says_so(
    service: Service, client: httpx.Client, page: np.ndarray
) -> None:
    """What a document can do to a library: it never comes back."""
    read(client, encoded_page(page))
    os.kill(page_process(service).pid, signal.SIGSTOP)
    began = time.monotonic()
    answer = read(client, encoded_page(page))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "page_timeout")
    assert SECONDS - 1 < time.monotonic() - began < SECONDS + 5
    assert texts(read(client, encoded_page(page))) == [list(LINES)]


def test_a_caller_who_hangs_up_ends_the_reading(service: Service, client: httpx.Client, page: np.ndarray) -> None:
    read(client, encoded_page(page))
    before = page_process(service).pid
    long = pages_as_tiff(*[np.kron(page, np.ones((2, 2), np.uint8))] * 20)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{service.address}/read_page", files={"image": long}, timeout=0.5)
    assert texts(read(client, encoded_page(page))) == [list(LINES)]
    assert page_process(service).pid != before


def test_words_are_read_while_pages_are(client: httpx.Client, page: np.ndarray, print_face: Path) -> None:
    """The event loop waits for no page."""
    long = pages_as_tiff(*[page] * 20)
    word = encoded_page(drawn_page(print_face, "Hamburg", size=(260, 130)))
    reading = threading.Thread(target=read, args=(client, long))
    reading.start()
    seconds = []
    while reading.is_alive():
        began = time.monotonic()
        assert client.post("/read", files={"image": word}).json()["text"] == "Hamburg"
        seconds.append(time.monotonic() - began)
    reading.join()
    assert len(seconds) > 5
    assert np.median(seconds) < 0.5


def test_the_client_reads_pages(service: Service, page: np.ndarray) -> None:
    with Client(service.address) as caller:
        document = caller.read_page(pages_as_tiff(page, page))
        assert [[line.text for line in found.lines] for found in document.pages] == [list(LINES)] * 2
        assert caller.read_page(encoded_page(page), form="text").decode().split("\n")[0] == LINES[0]
        with pytest.raises(ServiceError, match="locked"):
            caller.read_page(locked_pdf())


def test_a_page_that_is_sent_as_a_line_gets_a_hint(client: httpx.Client, print_face: Path) -> None:
    many = drawn_page(print_face, *["many lines of a page"] * 14, size=(500, 1000), letters=30)
    assert json.loads(client.post("/read", files={"image": encoded_page(many)}).text)["hint"] == "page"
    refused = client.post("/read", files={"image": empty_pdf(1)}).json()["error"]
    assert "/read_page" in refused["message"]
