"""A service with keys, over HTTP and from the page; and what its log says of it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import drawn_word
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from serving import served
from test_page import CHROMIUM, QUIET
from waiting import wait_until

from legible.service.keys import entry

pytestmark = pytest.mark.slow
KEY, WATCHER = "open sesame", "a watcher's"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def address(folder: Path, bundle_folder: Path) -> Iterator[str]:
    (folder / "keys").write_text(entry("shop", KEY) + "\n")
    settings = {
        "LEGIBLE_KEYS_FILE": str(folder / "keys"),
        "LEGIBLE_METRICS_KEYS": entry("prometheus", WATCHER),
        "LEGIBLE_CORS_ORIGINS": "https://example.org",
    }
    with served(folder, LEGIBLE_BUNDLE=str(bundle_folder), **settings) as found:
        yield found


def word(face: Path) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(drawn_word("Hamburg", face)).save(buffer, "PNG")
    return buffer.getvalue()


def test_reading_needs_a_key(address: str, print_face: Path) -> None:
    files = {"image": word(print_face)}
    assert httpx.post(f"{address}/read", files=files).status_code == 401
    assert httpx.post(f"{address}/read_batch", files={"images": word(print_face)}).status_code == 401
    answer = httpx.post(f"{address}/read", files=files, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.json()["text"] == "Hamburg"
    assert httpx.post(f"{address}/read", files=files, headers={"X-API-Key": WATCHER}).status_code == 401


@pytest.mark.parametrize("call", ["/read", "/read_batch", "/feedback", "/metrics"])
def test_no_key_and_a_wrong_one_are_told_apart_on_every_call(address: str, call: str) -> None:
    method = "GET" if call == "/metrics" else "POST"
    without = httpx.request(method, address + call)
    wrong = httpx.request(method, address + call, headers={"Authorization": "Bearer nobody's"})
    told = [(one.json()["error"]["code"], one.headers["www-authenticate"]) for one in (without, wrong)]
    assert told == [("missing_key", "Bearer"), ("wrong_key", 'Bearer error="invalid_token"')]


def test_metrics_have_a_key_of_their_own_and_health_has_none(address: str) -> None:
    assert httpx.get(f"{address}/metrics").status_code == 401
    assert httpx.get(f"{address}/metrics", headers={"X-API-Key": KEY}).status_code == 401
    answer = httpx.get(f"{address}/metrics", headers={"X-API-Key": WATCHER})
    assert 'legible_errors_total{reason="wrong_key"}' in answer.text
    for path in ("/livez", "/readyz", "/", "/openapi.json"):
        assert httpx.get(address + path).status_code == 200


def test_corrections_are_off_unless_switched_on(address: str) -> None:
    answer = httpx.post(f"{address}/feedback", json={"reading_id": "x", "text": "x"}, headers={"X-API-Key": KEY})
    assert answer.status_code == 404
    assert "LEGIBLE_FEEDBACK=1" in answer.json()["error"]["message"]


def test_listed_sites_may_call_and_others_may_not(address: str) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    listed, other = (
        httpx.options(f"{address}/read", headers={"Origin": origin, **asks})
        for origin in ("https://example.org", "https://evil.example")
    )
    assert listed.headers["access-control-allow-origin"] == "https://example.org"
    assert "access-control-allow-origin" not in other.headers


def whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_the_log_holds_a_line_a_request_and_no_secret(address: str, folder: Path, print_face: Path) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": "mine-1"}
    answer = httpx.post(f"{address}/read?accept=0.5", files={"image": word(print_face)}, headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    path = folder / "service.log"
    (line,) = wait_until(lambda: [json.loads(line) for line in whole_lines(path) if '"mine-1"' in line])
    log = path.read_text()
    assert (line["path"], line["status"], line["key"], line["method"]) == ("/read", 200, "shop", "POST")
    assert KEY not in log
    assert "Hamburg" not in log


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium")
def test_the_page_asks_for_the_key_and_reads_then(address: str, tmp_path: Path, print_face: Path) -> None:
    (tmp_path / "word.png").write_bytes(word(print_face))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        page.goto(address)
        page.locator("#file").set_input_files(tmp_path / "word.png")
        expect(page.locator("#error")).to_contain_text("asks for a key")
        page.locator("#key").fill(KEY)
        page.locator("#use").click()
        expect(page.locator("#text")).to_have_text("Hamburg")
        expect(page.locator("#ask")).to_be_hidden()
        browser.close()
