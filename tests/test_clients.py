"""The clients in other languages, each compiled and run against the real service and against one that misbehaves."""

import contextlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import drawn_word
from page_documents import LINES, drawn_page, encoded_page, locked_pdf
from PIL import Image
from serving import served

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parents[1] / "clients"
READING = {
    "text": "a",
    "confidence": 0.9,
    "accepted": True,
    "characters": [],
    "reading_id": "r",
    "bundle": "b",
    "new": [1],
}

Command = list[str]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("service"), LEGIBLE_BUNDLE=str(bundle_folder)) as found:
        yield found


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Command:
    if not shutil.which("javac"):
        pytest.skip("javac is not installed: the Java client was not compiled")
    folder = tmp_path_factory.mktemp("java")
    command = ["javac", "--release", "17", "-Xlint:all", "-Werror", "-d", str(folder)]
    subprocess.run([*command, str(CLIENTS / "java/LegibleClient.java")], check=True)
    return ["java", "-cp", str(folder), "LegibleClient"]


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory, address: str) -> Command:
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: the TypeScript client was not compiled")
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(CLIENTS / "typescript", folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
    types = ["npx", "openapi-typescript", f"{address}/openapi.json", "-o", "src/openapi.d.ts"]
    subprocess.run(types, cwd=folder, check=True, capture_output=True)
    subprocess.run(["npx", "tsc", "-p", "."], cwd=folder, check=True)
    return ["node", str(folder / "dist/example.js")]


@pytest.fixture(params=["java", "typescript"])
def client(request: pytest.FixtureRequest) -> Command:
    command: Command = request.getfixturevalue(request.param)
    return command


def saved(image: np.ndarray, path: Path) -> str:
    Image.fromarray(image).save(path)
    return str(path)


def run(command: Command, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=180)


def test_readings_and_refusals_come_in_the_order_of_the_images(
    client: Command, address: str, tmp_path: Path, print_face: Path
) -> None:
    word = saved(drawn_word("Hamburg", print_face), tmp_path / "word.png")
    (tmp_path / "text.png").write_text("no picture")
    other = saved(drawn_word("2026", print_face), tmp_path / "other.png")
    outcome = run(client, address, word, str(tmp_path / "text.png"), other)
    texts = [line.split("\t")[1] for line in outcome.stdout.splitlines()]
    assert (texts[0], texts[2]) == ("Hamburg", "2026")
    assert texts[1].startswith("not_an_image: ")
    assert outcome.returncode == 1


def test_a_page_comes_back_as_its_lines_and_as_a_file(
    client: Command, address: str, tmp_path: Path, print_face: Path
) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(encoded_page(drawn_page(print_face)))
    outcome = run(client, address, "--page", str(page))
    rows = [line.split("\t") for line in outcome.stdout.splitlines()]
    assert [text for _, text in rows] == list(LINES), outcome.stderr
    assert all(0 < float(confidence) <= 1 for confidence, _ in rows)
    assert run(client, address, "--page=text", str(page)).stdout.split() == " ".join(LINES).split()


def test_a_locked_document_is_refused_by_its_code(client: Command, address: str, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pdf"
    locked.write_bytes(locked_pdf())
    outcome = run(client, address, "--page", str(locked))
    assert outcome.returncode != 0
    assert "locked" in outcome.stderr


class Scripted(BaseHTTPRequestHandler):
    """Answers one prepared answer after the other: status, headers and body."""

    answers: list[tuple[int, dict[str, str], str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, body = self.answers.pop(0)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def scripted() -> Iterator[tuple[str, list[tuple[int, dict[str, str], str]]]]:
    """The address of a server, and the answers that it will give."""
    answers: list[tuple[int, dict[str, str], str]] = []
    handler = type("Own", (Scripted,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


Server = tuple[str, list[tuple[int, dict[str, str], str]]]


@pytest.mark.parametrize("said", ["0", "soon", "-1", "1e999"])
def test_a_full_service_is_asked_again_whatever_its_retry_after_says(
    client: Command, scripted: Server, tmp_path: Path, said: str
) -> None:
    address, answers = scripted
    full = json.dumps({"error": {"code": "busy", "message": "full"}})
    answers += [(429, {"Retry-After": said}, full), (200, {}, json.dumps({"readings": [READING]}))]
    outcome = run(client, address, saved(np.zeros((8, 8), np.uint8), tmp_path / "a.png"))
    assert outcome.stdout == "0.900\ta\n", outcome.stderr


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"readings": [READING, READING]}),  # two readings of one image
        "{",
        "[" * 100_000,
        json.dumps({"readings": ["a"]}),
        "null",
    ],
)
def test_an_answer_that_cannot_be_right_is_an_error(
    client: Command, scripted: Server, tmp_path: Path, body: str
) -> None:
    address, answers = scripted
    answers.append((200, {}, body))
    outcome = run(client, address, saved(np.zeros((8, 8), np.uint8), tmp_path / "a.png"))
    assert outcome.returncode != 0
    assert "wrong_answer" in outcome.stderr


@pytest.mark.parametrize(
    "body", ['{"pages": [{"blocks": 1}], "bundle": "b"}', '{"pages": 1, "bundle": "b"}', "[]", "{"]
)
def test_a_document_that_cannot_be_right_is_an_error(
    client: Command, scripted: Server, tmp_path: Path, body: str
) -> None:
    address, answers = scripted
    answers.append((200, {}, body))
    outcome = run(client, address, "--page", saved(np.zeros((8, 8), np.uint8), tmp_path / "a.png"))
    assert outcome.returncode != 0
    assert "wrong_answer" in outcome.stderr


def test_what_is_too_large_together_is_sent_in_halves(client: Command, scripted: Server, tmp_path: Path) -> None:
    address, answers = scripted
    one = json.dumps({"readings": [READING]})
    answers += [(413, {}, json.dumps({"error": {"code": "too_large", "message": ""}})), (200, {}, one), (200, {}, one)]
    image = saved(np.zeros((8, 8), np.uint8), tmp_path / "a.png")
    assert run(client, address, image, image).stdout == "0.900\ta\n" * 2


HURRIED = """
import java.time.Duration;
import java.util.Map;

public class Hurried {
    public static void main(String[] arguments) throws Exception {
        new LegibleClient(arguments[0], "", 1, Duration.ofSeconds(1)).read(new byte[] {1}, Map.of());
    }
}
"""


def test_an_answer_that_drips_is_given_up_after_the_time_by_the_java_client(java: Command, tmp_path: Path) -> None:
    class Dripping(Scripted):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(60):
                    self.wfile.write(b" ")
                    time.sleep(0.5)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    classes = java[java.index("-cp") + 1]
    (tmp_path / "Hurried.java").write_text(HURRIED)
    subprocess.run(["javac", "-cp", classes, "-d", str(tmp_path), str(tmp_path / "Hurried.java")], check=True)
    began = time.monotonic()
    outcome = run(["java", "-cp", f"{classes}:{tmp_path}", "Hurried"], f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    assert "the answer took more than 1 s" in outcome.stderr
    assert time.monotonic() - began < 20
