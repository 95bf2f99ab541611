"""The labelling page of the real service: its calls over HTTP, and Chromium driven by keyboard alone."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import drawn_word
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import Service, free_port, started
from test_page import CHROMIUM, QUIET

from legible.labelling.labels import LabelBook, read_rows
from legible.service.keys import entry

pytestmark = pytest.mark.slow

KEYS = ",".join(entry(name, name * 3) for name in ("ann", "ben"))
WORDS = 55


def keep_words(folder: Path, face: Path, count: int) -> None:
    """Images as a service keeps them."""
    place = folder / "images/v1/20261129T10"
    place.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(drawn_word(f"Word{number}", face)).save(place / f"20261129T10-7-{number:012x}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, print_face: Path) -> Path:
    found = tmp_path_factory.mktemp("label")
    keep_words(found, print_face, 12)
    return found


@pytest.fixture(scope="module")
def service(folder: Path, bundle_folder: Path) -> Iterator[Service]:
    with started(folder, **variables(folder, bundle_folder)) as found:
        yield found


def variables(folder: Path, bundle: Path) -> dict[str, str]:
    return {
        "LEGIBLE_BUNDLE": str(bundle),
        "LEGIBLE_LABEL_KEYS": KEYS,
        "LEGIBLE_LABELS_FOLDER": str(folder / "labels"),
    }


@pytest.fixture
def ann(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, headers={"Authorization": "Bearer annannann"}) as client:
        yield client


def test_without_a_key_of_its_own_nothing_is_shown(service: Service) -> None:
    for call in ("/label/next", "/label/image/20261129T10-7-000000000000"):
        answer = httpx.get(service.address + call, headers={"Authorization": "Bearer benben"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "wrong_key")
        answer = httpx.get(service.address + call)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_key")
        assert "LEGIBLE_LABEL_KEYS" in answer.json()["error"]["message"]
    assert httpx.get(service.address + "/label").status_code == 200


def test_an_image_comes_with_its_reading_and_its_pixels(ann: httpx.Client) -> None:
    state = ann.get("/label/next").json()
    assert state["item"]["read"].startswith("Word")
    assert (state["labeller"], state["progress"]["images"]) == ("ann", 12)
    assert "é" in state["charset"]
    image = ann.get(f"/label/image/{state['item']['reading_id']}")
    assert Image.open(io.BytesIO(image.content)).format == "PNG"


def sent(ann: httpx.Client, **changes: object) -> httpx.Response:
    item = ann.get("/label/next").json()["item"]
    label = {"reading_id": item["reading_id"], "verdict": "text", "text": "a", "revision": item["revision"]}
    return ann.post("/label", json={**label, **changes})


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"text": "x" * 1001}, 400, "1001 characters"),
        ({"text": "a\x00"}, 400, "U+0000"),
        ({"reading_id": "20261129T10-7-ffffffffffff"}, 404, "no image"),
        ({"reading_id": "../../../etc/passwd"}, 400, "no reading id"),
        ({"revision": 7}, 409, "labelled meanwhile"),
        ({"revision": "0"}, 400, "wrong here: revision"),
        ({"text": None}, 400, "wrong here: text"),
    ],
)
def test_a_label_that_cannot_be_kept_is_answered_with_a_clear_word(
    ann: httpx.Client, changes: dict[str, object], status: int, said: str
) -> None:
    answer = sent(ann, **changes)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 10_000])
def test_a_body_that_is_no_label_is_answered_alike(ann: httpx.Client, body: bytes) -> None:
    assert ann.post("/label", content=body).status_code == 400


def test_a_label_is_kept_and_taken_back(ann: httpx.Client, folder: Path) -> None:
    first = ann.get("/label/next").json()["item"]["reading_id"]
    assert sent(ann, text="typed").json()["item"]["reading_id"] != first
    assert LabelBook.of(read_rows(folder / "labels")).labels[first, "ann"].text == "typed"
    assert ann.post("/label/undo", json={}).json()["item"]["reading_id"] == first
    assert (first, "ann") not in LabelBook.of(read_rows(folder / "labels")).labels


def test_an_undo_that_a_telephone_sends_twice_takes_one_label_back(ann: httpx.Client) -> None:
    own = [sent(ann, text="typed").json()["progress"]["own"] for _ in range(2)][-1]
    assert ann.post("/label/undo", json={"own": own}).json()["progress"]["own"] == own - 1
    again = ann.post("/label/undo", json={"own": own})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "stale")
    assert ann.post("/label/undo", json={"own": "1"}).status_code == 400


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium")
class TestByKeyboard:
    """The page as somebody uses it who has no mouse."""

    @pytest.fixture
    def page(self) -> Iterator[Page]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            opened = browser.new_page(viewport={"width": 390, "height": 760})
            faults: list[str] = []
            opened.on("pageerror", lambda error: faults.append(str(error)))
            yield opened
            browser.close()
        assert faults == []

    @staticmethod
    def begin(page: Page, address: str) -> None:
        page.goto(f"{address}/label")
        page.keyboard.type("annannann")
        page.keyboard.press("Enter")
        expect(page.locator("#text")).to_be_focused()

    def test_fifty_labels_with_the_service_killed_in_between_are_kept_once_each(
        self, page: Page, tmp_path: Path, bundle_folder: Path, print_face: Path
    ) -> None:
        keep_words(tmp_path, print_face, WORDS)
        port, own = free_port(), variables(tmp_path, bundle_folder)
        with started(tmp_path, port=port, **own) as service:
            self.begin(page, service.address)
            self.label(page, range(25))
            for worker in service.workers:
                worker.kill()
            service.process.kill()
            service.process.wait()
            page.keyboard.type("lost?")
            page.keyboard.press("Enter")
            expect(page.locator("#said")).to_contain_text("still here")
        with started(tmp_path, port=port, **own):
            expect(page.locator("#text")).to_have_value("lost?")
            self.label(page, range(25, 50))
        rows = [row for row in read_rows(tmp_path / "labels") if row.verdict == "text"]
        assert [row.text for row in rows] == [f"label {number}" for number in range(50)]
        assert len({row.reading_id for row in rows}) == 50

    @staticmethod
    def label(page: Page, numbers: range) -> None:
        for number in numbers:
            page.keyboard.press("Control+a")
            page.keyboard.type(f"label {number}")
            page.keyboard.press("Enter")
            expect(page.locator("#progress")).to_contain_text(f", {number + 1} by you")
            expect(page.locator("#text")).not_to_have_value(f"label {number}")

    def test_keys_skip_undo_and_say_that_there_is_no_text(self, page: Page, service: Service) -> None:
        self.begin(page, service.address)
        first = page.locator("#text").input_value()
        page.keyboard.press("Escape")
        expect(page.locator("#text")).not_to_have_value(first)
        page.keyboard.press("Alt+z")
        expect(page.locator("#text")).to_have_value(first)
        page.keyboard.press("Alt+n")
        expect(page.locator("#text")).not_to_have_value(first)
        page.keyboard.press("Alt+z")
        expect(page.locator("#text")).to_have_value(first)

    def test_a_character_outside_the_charset_is_said_at_once(self, page: Page, service: Service) -> None:
        self.begin(page, service.address)
        page.keyboard.type("caf☃")
        expect(page.locator("#warning")).to_contain_text("☃ (U+2603)")
        page.keyboard.press("Backspace")
        expect(page.locator("#warning")).to_have_text("")
        page.reload()
        expect(page.locator("#text")).to_have_value("caf")
        page.evaluate("localStorage.clear()")

    def test_a_wrong_key_is_asked_for_again(self, page: Page, service: Service) -> None:
        page.goto(f"{service.address}/label")
        page.keyboard.type("nobody")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("key of its own")
        expect(page.locator("#key")).to_be_focused()

    def test_an_image_that_was_deleted_meanwhile_makes_room_for_the_next(
        self, page: Page, service: Service, folder: Path
    ) -> None:
        self.begin(page, service.address)
        gone = page.evaluate("item.reading_id")
        next((folder / "images").rglob(f"{gone}.png")).unlink()
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("past its retention")
        page.wait_for_function("gone => item.reading_id !== gone", arg=gone)
        page.keyboard.press("Escape")
        expect(page.locator("#said")).to_have_text("")
