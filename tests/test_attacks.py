"""A service as an attacker meets it: what one connection, one file or one broken pipe may cost the others."""

import contextlib
import io
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from conftest import drawn_word
from hostile_files import many_scans, png, tiff_of_parts
from PIL import Image
from serving import Service, started, wait_until_ready

pytestmark = pytest.mark.slow
MIB = 2**20
MAX_WORKER_MIB = 700
"""Of the 1,024 that deploy/kubernetes grants."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("attacked")
    with started(folder, LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_FEEDBACK="1", open_files=400) as found:
        yield found


def connection(service: Service) -> socket.socket:
    host, _, port = service.address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def word(face: Path) -> bytes:
    content = io.BytesIO()
    Image.fromarray(drawn_word("Hamburg", face)).save(content, "PNG")
    return content.getvalue()


def read(service: Service, data: bytes) -> httpx.Response:
    return httpx.post(f"{service.address}/read", files={"image": ("a.png", data)}, timeout=120)


@contextlib.contextmanager
def watched(worker: psutil.Process) -> Iterator[list[float]]:
    """The most MiB that a process holds meanwhile."""
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peak[0] = max(peak[0], worker.memory_info().rss / MIB)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def until_closed(open_connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := open_connection.recv(65_536):
            received += part
    return received


def test_trailers_without_end_take_no_memory_and_end_the_connection(service: Service) -> None:
    (worker,) = service.workers
    before = worker.memory_info().rss / MIB
    with watched(worker) as peak, connection(service) as attacker, contextlib.suppress(ConnectionError):
        attacker.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        for _ in range(20_000):
            attacker.sendall(b"X-More: " + b"x" * 8000 + b"\r\n")
    assert peak[0] - before < 20


def test_requests_with_long_addresses_are_let_go_with_their_answers(service: Service) -> None:
    """A timer of the framework kept each for more than a minute: 30 MB here."""
    (worker,) = service.workers
    with connection(service) as caller, caller.makefile("rb") as answers, watched(worker) as peak:
        before = worker.memory_info().rss / MIB
        for _ in range(1500):
            caller.sendall(b"GET /livez?" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            while answers.readline().strip():
                pass
            answers.read(1)
    assert peak[0] - before < 20


def test_stray_line_ends_hold_no_connection(service: Service) -> None:
    with connection(service) as attacker:
        attacker.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        attacker.recv(1000)
        attacker.sendall(b"\r\n")
        started_at = time.monotonic()
        until_closed(attacker)
    assert time.monotonic() - started_at < 20


def test_idle_connections_shut_nobody_out(service: Service, print_face: Path) -> None:
    """Of 400 open files, 600 connections; the longest idle ones go."""
    held = []
    for _ in range(600):
        one = connection(service)
        one.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\n")
        held.append(one)
    assert read(service, word(print_face)).json()["text"] == "Hamburg"
    for one in held:
        one.close()


def test_white_pages_of_many_callers_fit_into_memory(service: Service) -> None:
    page, codes = png(6320, 6320), list[int]()
    with watched(service.workers[0]) as peak:
        callers = [threading.Thread(target=lambda: codes.append(read(service, page).status_code)) for _ in range(32)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert set(codes) <= {200, 429}
    assert peak[0] < MAX_WORKER_MIB


@pytest.mark.parametrize("output", ["a full disk", "a pipe that nobody reads"])
def test_a_log_that_cannot_be_written_delays_no_answer(
    output: str, tmp_path: Path, bundle_folder: Path, print_face: Path
) -> None:
    reading, writing = (None, os.open("/dev/full", os.O_WRONLY)) if output == "a full disk" else os.pipe()
    image = word(print_face)
    try:
        with started(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder), output=writing) as service:
            with httpx.Client(base_url=service.address, timeout=20) as client:
                texts = [client.post("/read", files={"image": image}).json()["text"] for _ in range(1500)]
                lost = re.search(r"^legible_log_lines_dropped_total (.*)$", client.get("/metrics").text, re.MULTILINE)
            assert httpx.get(f"{service.address}/livez").status_code == 200
    finally:
        os.close(writing)
        if reading is not None:
            os.close(reading)
    assert texts == ["Hamburg"] * 1500
    assert lost is not None
    assert float(lost[1]) > 0


def test_a_pipe_that_nobody_reads_for_errors_delays_no_answer(
    tmp_path: Path, bundle_folder: Path, print_face: Path
) -> None:
    """libtiff writes a line of its own to standard error for each of these files."""
    reading, writing = os.pipe()
    image, damaged = word(print_face), tiff_of_parts(316, 316, many_scans((316, 316), 200), 1, compression=7, rows=316)
    try:
        with (
            started(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder), errors=writing) as service,
            httpx.Client(base_url=service.address, timeout=60) as client,
        ):
            files = [("images", ("a.tiff", damaged))] * 60
            codes = [client.post("/read_batch", files=files).status_code for _ in range(20)]
            text = client.post("/read", files={"image": image}).json()["text"]
    finally:
        os.close(writing)
        os.close(reading)
    assert (codes, text) == ([200] * 20, "Hamburg")


def test_every_error_has_the_one_shape(service: Service) -> None:
    answer = httpx.post(f"{service.address}/read/", content=b"x", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert set(json.loads(answer.text)["error"]) == {"code", "message"}


def test_a_killed_worker_leaves_no_request_in_flight(tmp_path: Path, bundle_folder: Path) -> None:
    page = png(6320, 6320)
    with started(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder)) as service:
        (worker,) = service.workers
        callers = [threading.Thread(target=failing_read, args=(service, page)) for _ in range(6)]
        for caller in callers:
            caller.start()
        time.sleep(2)
        worker.kill()
        for caller in callers:
            caller.join()
        wait_until_ready(service)
        text = httpx.get(f"{service.address}/metrics", timeout=60).text
    assert re.search(r"^legible_in_flight 0\.0$", text, re.MULTILINE)


def failing_read(service: Service, data: bytes) -> None:
    with contextlib.suppress(httpx.HTTPError):
        read(service, data)
