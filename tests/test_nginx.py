"""deploy/nginx/legible.conf in a real nginx, with TLS, before a small application of ours."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn
from conftest import PROJECT
from serving import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from legible.config import ServiceSettings

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
CONFIGURATION = (PROJECT / "deploy/nginx/legible.conf").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed; on Debian: apt install nginx-light"),
]


async def receive(request: Request) -> JSONResponse:
    """What arrived: its bytes, and the id it was given."""
    size = sum([len(part) async for part in request.stream()])
    return JSONResponse({"bytes": size, "request_id": request.headers["x-request-id"]})


@pytest.fixture(scope="module")
def application() -> Iterator[int]:
    port = free_port()
    app = Starlette(routes=[Route("/read", receive, methods=["POST"]), Route("/metrics", receive)])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the host, and the configuration on free ports."""
    made = tmp_path_factory.mktemp("nginx")
    subject = ["-subj", "/CN=legible.example.org", "-addext", "subjectAltName=DNS:legible.example.org"]
    files = ["-keyout", str(made / "privkey.pem"), "-out", str(made / "fullchain.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def address(folder: Path, application: int) -> Iterator[str]:
    plain, secure = free_port(), free_port()
    changes = {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "127.0.0.1:3000": f"127.0.0.1:{application}",
        "/etc/ssl/legible": str(folder),
    }
    content = CONFIGURATION
    for known, own in changes.items():
        assert known in content
        content = content.replace(known, own)
    (folder / "legible.conf").write_text(content)
    temporary = "".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""  # whose folder it is
    http = f"http {{ access_log off; {temporary} include {folder}/legible.conf; }}"
    (folder / "nginx.conf").write_text(f"daemon off; {user} pid {folder}/pid; events {{}} {http}")
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:
        until = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{plain}"):
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"https://127.0.0.1:{secure}"
        process.terminate()


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 308
    except httpx.TransportError:
        return False


@pytest.fixture
def client(address: str, folder: Path) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
    trusted.check_hostname = False  # asked by number
    headers = {"Host": "legible.example.org"}
    with httpx.Client(base_url=address, verify=trusted, headers=headers, timeout=60) as found:
        yield found
    time.sleep(2.5)  # the burst of the next test is there again


def test_an_upload_passes_whole_over_tls_with_an_id(client: httpx.Client) -> None:
    answer = client.post("/read", content=b"x" * 3_000_000)
    assert answer.json()["bytes"] == 3_000_000
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
    assert "strict-transport-security" in answer.headers


def test_one_address_that_asks_too_often_is_told_when_to_come_again(client: httpx.Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: client.post("/read", content=b"x"), range(120)))
    refused = [answer for answer in found if answer.status_code == 429]
    assert 40 <= len(found) - len(refused) < 120
    assert refused
    assert (refused[0].json()["error"]["code"], refused[0].headers["retry-after"]) == ("busy", "1")


def test_a_body_beyond_the_limit_is_refused_by_its_head_in_the_one_shape(address: str) -> None:
    host, _, port = address.removeprefix("https://").partition(":")
    trusting = ssl._create_unverified_context()  # noqa: S323, SLF001
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        trusting.wrap_socket(plain) as connection,
    ):
        connection.sendall(b"POST /read HTTP/1.1\r\nHost: legible.example.org\r\nContent-Length: 50000001\r\n\r\n")
        answer = connection.recv(4000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'{"error": {"code": "too_large", ' in answer


def test_metrics_are_not_for_the_world(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 404


def test_limits_are_those_of_the_service() -> None:
    own = ServiceSettings()
    assert f"client_max_body_size {own.max_body_bytes};" in CONFIGURATION
    assert f"client_body_timeout {own.body_seconds:g}s;" in CONFIGURATION
