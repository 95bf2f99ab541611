"""`/read_page` in the application, before a page process that only plays one: what is asked, refused and recorded."""

import asyncio
import io
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from bundle_variants import variant
from page_child import FRAMES, until_all_are_gone
from page_documents import drawn_page, encoded_page
from PIL import Image

from legible.config import ServiceSettings
from legible.errors import SettingsError
from legible.observations.image_log import kept_images
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation
from legible.recognition.bundle import DETECTOR, read_manifest
from legible.service import metrics
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.keys import entry
from legible.service.models import open_models
from legible.service.page_api import PageApi, check_detector
from legible.service.page_images import KeptLine, kept_lines
from legible.service.page_process import COMMAND

CHILD = f"""{FRAMES}
read()
write(b"ready")
while True:
    job, data, reading = read(), read(), read()
    if data.startswith(b"sleep"): time.sleep(float(data[5:]))
    answer = json.loads(data) if data.startswith(b"{{") else {{"status": 200, "media_type": "application/json"}}
    write(json.dumps(answer).encode(), reading or job)
"""
"""It answers with the job, or with the reply that is sent to it as a document."""
PAGE_ROW = PageObservation(
    at=1.0, number=1, width=10, height=20, lines=2, accepted=1, confidence=0.5, angle=0.0, turns=1, has_outline=False,
    source="image", seconds=0.4,
)  # fmt: skip
LINE_ROW = Observation(
    at=1.0, channel="", width=9, height=9, length=3, confidence=0.5, statistics={}, reading_id="r", document="1"
)
Act = Callable[[httpx.AsyncClient, PageApi], Awaitable[None]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "detector.tflite").write_bytes(b"model")
    return tmp_path


@pytest.fixture
def run(folder: Path, bundle_folder: Path) -> Callable[..., None]:
    def acted(act: Act, *, command: Sequence[str] = (), **settings: Any) -> None:
        usual = {
            "bundles": (f"english={bundle_folder}",),
            "observations_folder": str(folder),
            "corrections_folder": str(folder),
            "request_log": False,
            "detector": str(folder / "detector.tflite"),
        }
        own = ServiceSettings(**usual | settings)
        api = Api(own)
        api.start(open_models(own, worker="1"))
        pages = PageApi(api, command=command or [sys.executable, "-S", str(folder / "child.py")])

        async def run() -> None:
            transport = httpx.ASGITransport(build_app(api, pages))
            async with until_all_are_gone(), httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                await act(client, pages)
                pages.close()

        asyncio.run(run())
        api.close()

    return acted


def sent(content: bytes | dict[str, Any] = b"page", **fields: str) -> dict[str, Any]:
    document = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"files": {"image": ("scan.pdf", document)}, "data": fields}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_the_job_is_what_was_asked_for(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        asked = "/read_page?format=pdf&accept=0.5&pictures=1&corners=1,2,3,4,5,6,7,8"
        job = (await client.post(asked, **sent())).json()
        assert {**job, "seconds": 0} == {
            "form": "pdf",
            "accept": 0.5,
            "seconds": 0,
            "with_pictures": True,
            "corners": [[1, 2], [3, 4], [5, 6], [7, 8]],
        }
        assert 0 < job["seconds"] < 30

    run(act, document_seconds=30.0)


def test_an_earlier_reading_goes_along(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        files = {"image": ("scan.pdf", b"page"), "reading": ("reading.json", b'{"pages": []}')}
        assert (await client.post("/read_page?format=pdf", files=files)).content == b'{"pages": []}'

    run(act)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("format=docx", "there: text, json, hocr, alto, page, pdf"),
        ("accept=2", "from 0 to 1"),
        ("pictures=yes", "1 or 0"),
        ("corners=1,2,3", "eight numbers"),
        ("corners=1,2,3,4,5,6,7,nan", "eight numbers"),
        ("lexicon=english", "unknown option"),
        ("format=text&format=pdf", "format is sent more than once"),
    ],
)
def test_wrong_options_are_named(run: Callable[..., None], query: str, said: str) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        answer = await client.post(f"/read_page?{query}", **sent())
        assert code(answer) == (400, "bad_request")
        assert said in answer.json()["error"]["message"]

    run(act)


def without_detector(bundle: Path, folder: Path) -> Path:
    shutil.copytree(bundle, folder, ignore=shutil.ignore_patterns(DETECTOR))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"].pop(DETECTOR, None)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_canary_without_a_detector_leaves_pages_to_the_default(
    run: Callable[..., None], bundle_folder: Path, tmp_path: Path
) -> None:
    without = without_detector(bundle_folder, tmp_path / "without")

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        assert (await client.post("/read_page", **sent())).status_code == 200
        assert code(await client.post("/read_page?model=next", **sent())) == (404, "no_detector")

    bundles = (f"english={bundle_folder}", f"next={without}")
    run(act, detector="", bundles=bundles, candidate="next", canary=1.0)


def test_a_bundle_without_a_detector_reads_no_pages_and_says_so(
    run: Callable[..., None], bundle_folder: Path, tmp_path: Path
) -> None:
    without = without_detector(bundle_folder, tmp_path / "without")

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        answer = await client.post("/read_page", **sent())
        assert code(answer) == (404, "no_detector")
        assert "holds no line detector" in answer.json()["error"]["message"]

    run(act, detector="", bundles=(f"english={without}",))


@pytest.mark.slow
def test_pages_are_read_with_the_bundle_in_service_and_no_other(
    run: Callable[..., None], bundle_folder: Path, tmp_path: Path, print_face: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a real page process, which opens the folder when it starts."""
    served, kept = variant(bundle_folder, tmp_path / "served", {}), tmp_path / "kept"
    shutil.copytree(served, kept)
    page = sent(encoded_page(drawn_page(print_face)))
    messages = []

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        variant(kept, served, {"card.md": lambda _: "staged"})
        for spoil in (lambda: None, (served / DETECTOR).unlink, lambda: shutil.rmtree(served)):
            spoil()
            answer = await client.post("/read_page", **page)
            assert code(answer) == (503, "bundle_replaced")
            assert answer.headers["retry-after"]
            messages.append(answer.json()["error"]["message"])
        variant(kept, served, {})
        answer = await client.post("/read_page", **page)
        assert answer.json()["bundle"] == read_manifest(kept).bundle_id

    run(act, command=COMMAND, bundles=(f"english={served}",), detector="", document_seconds=60.0)
    assert not any(str(tmp_path) in message for message in messages)
    assert f"{served} holds bundle" in caplog.text


@pytest.mark.slow
def test_two_models_of_one_bundle_read_pages_each_from_its_own_folder(
    run: Callable[..., None], bundle_folder: Path, tmp_path: Path, print_face: Path
) -> None:
    """As after a promotion, which copies the candidate: the next candidate takes the folder of the former one."""
    first, twin = (variant(bundle_folder, tmp_path / name, {}) for name in ("first", "twin"))
    page = sent(encoded_page(drawn_page(print_face)))

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        variant(bundle_folder, first, {"card.md": lambda _: "the next one"})
        answer = await client.post("/models/first/reload", headers={"X-API-Key": "secret"})
        assert answer.json()["bundle"] == read_manifest(first).bundle_id
        for model, folder in (("twin", twin), ("first", first), ("twin", twin)):
            answer = await client.post(f"/read_page?model={model}", **page)
            assert answer.json()["bundle"] == read_manifest(folder).bundle_id

    keys = (entry("ops", "secret"),)
    run(act, command=COMMAND, bundles=(f"first={first}", f"twin={twin}"), detector="", reload_keys=keys)


def test_a_file_is_answered_as_one_to_keep(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        answer = await client.post(
            "/read_page", **sent({"status": 200, "media_type": "application/pdf", "file_name": "document.pdf"})
        )
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == 'attachment; filename="document.pdf"'
        assert answer.headers["x-content-type-options"] == "nosniff"

    run(act)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"status": 422, "code": "crowded_page"}, (422, "crowded_page")),
        ({"status": 400, "code": "locked"}, (400, "locked")),
        ({"status": 200, "code": ""}, None),
        ({"status": 500, "code": "internal"}, (500, "internal")),
        ({"status": 299, "code": "made up"}, (500, "internal")),
    ],
)
def test_an_error_of_the_process_is_answered_and_counted(
    run: Callable[..., None], reply: dict[str, Any], expected: tuple[int, str] | None
) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        counted = {name: metrics.errors.labels(name)._value.get() for name in metrics.REASONS}  # noqa: SLF001
        answer = await client.post("/read_page", **sent({"media_type": "application/json", **reply}))
        if expected is None:
            assert answer.status_code == 200
        else:
            assert code(answer) == expected
            assert metrics.errors.labels(expected[1])._value.get() == counted[expected[1]] + 1  # noqa: SLF001

    run(act)


def test_a_document_that_takes_too_long_is_ended(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        assert code(await client.post("/read_page", **sent(b"sleep60"))) == (413, "page_timeout")
        assert (await client.post("/read_page", **sent())).status_code == 200

    run(act, document_seconds=0.5)


def test_more_documents_than_slots_are_refused(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        asked = [client.post("/read_page", **sent(b"sleep0.3")) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 200, 429, 429]
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)

    run(act, max_page_requests=2, document_seconds=5.0)


def test_a_caller_who_hangs_up_ends_the_reading(run: Callable[..., None]) -> None:
    async def act(client: httpx.AsyncClient, pages: PageApi) -> None:
        await client.post("/read_page", **sent())
        assert len(pages.pids) == 1
        request = client.build_request("POST", "/read_page", **sent(b"sleep30"))
        app = client._transport.app  # type: ignore[attr-defined]  # noqa: SLF001
        body = await request.aread()
        messages = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
        answered: list[int] = []

        async def receive() -> dict[str, Any]:
            message = next(messages)
            if message["type"] == "http.disconnect":
                await asyncio.sleep(0.3)  # until it is read; who has gone before begins no reading
            return message

        async def send(message: dict[str, Any]) -> None:
            answered.append(message.get("status", 0))

        headers = [(name.lower(), value) for name, value in request.headers.raw]
        scope = {"type": "http", "method": "POST", "path": "/read_page", "query_string": b"", "headers": headers}
        await app(scope, receive, send)
        assert answered[0] == 499
        await asyncio.sleep(0.05)
        assert pages.pids == []
        assert (await client.post("/read_page", **sent())).status_code == 200

    run(act)


def test_lines_and_pages_are_logged_with_their_page_as_document(run: Callable[..., None], folder: Path) -> None:
    rows = {"pages": PAGE_ROW.to_json(), "lines": LINE_ROW.to_json()}
    reply = {"status": 200, "media_type": "application/json", **rows}

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        turned = metrics.pages_turned._value.get()  # noqa: SLF001
        for fields in ({"document": "invoice", "sender": "me"}, {"document": "invoice"}, {}, {}):
            assert (await client.post("/read_page", **sent(reply, **fields))).status_code == 200
        assert metrics.pages_turned._value.get() == turned + 4  # noqa: SLF001
        text = (await client.get("/metrics")).text
        assert 'legible_pages_total{source="image"}' in text
        assert 'legible_page_processes_ended_total{reason="timeout"}' in text

    run(act)
    lines = [Observation.from_json(row) for row in logged(folder / "v1")]
    pages = [PageObservation.from_json(row) for row in logged(folder / "pages/v1")]
    assert {line.channel for line in lines} == {"page"}
    documents = [line.document for line in lines]
    assert documents[0] == documents[1]  # the same document again
    assert len(set(documents)) == 3
    assert [page.document for page in pages] == documents
    assert [bool(line.sender) for line in lines] == [True, False, False, False]


def kept(name: str, *, width: int = 20) -> str:
    buffer = io.BytesIO()
    Image.new("L", (width, 8), 200).save(buffer, "PNG")
    return KeptLine(name, 1_795_392_000.0, buffer.getvalue()).to_json()


def test_images_of_lines_are_kept_and_their_row_names_the_page(run: Callable[..., None], folder: Path) -> None:
    """More than wait for the disk at once; an image that could not be kept is counted."""
    names = [f"20261123T00-7-{number:012x}" for number in range(60)]
    rows = [replace(LINE_ROW, at=1_795_392_000.0, reading_id=name) for name in names]
    reply = {
        "status": 200,
        "media_type": "application/json",
        "lines": "\n".join(row.to_json() for row in rows),
        "images": "\n".join(map(kept, names)),
        "images_lost": 2,
    }

    async def act(client: httpx.AsyncClient, _: PageApi) -> None:
        before = metrics.images_dropped._value.get()  # noqa: SLF001
        assert (await client.post("/read_page", **sent(reply, document="invoice"))).status_code == 200
        assert metrics.images_dropped._value.get() == before + 2  # noqa: SLF001

    run(act, keep_images=1.0, images_folder=str(folder / "images"))
    assert {path.stem for path in kept_images(folder / "images")} == set(names)
    (documents,) = {Observation.from_json(row).document for row in logged(folder / "v1")}
    assert documents


@pytest.mark.parametrize("line", [kept("../../etc/passwd"), kept("20261123T00-7-000000000001", width=200_000), "[]"])
def test_what_a_page_process_must_not_name_is_no_image(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        [one.image() for one in kept_lines(line)]


def test_the_process_of_a_bundle_that_was_replaced_ends(
    run: Callable[..., None], folder: Path, bundle_folder: Path
) -> None:
    """Each reload would leave one behind for minutes, and each may hold as much memory as a worker."""
    served = variant(bundle_folder, folder / "served", {})

    async def act(client: httpx.AsyncClient, pages: PageApi) -> None:
        for number in range(3):
            variant(bundle_folder, served, {"card.md": lambda text, number=number: f"{text}{number}"})
            pages._api.models.reload("english")  # noqa: SLF001
            assert (await client.post("/read_page", **sent({"status": 200}))).status_code == 200
            assert len(pages.pids) == 1

    run(act, bundles=(f"english={served}",))


def logged(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_a_detector_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LEGIBLE_DETECTOR"):
        check_detector(ServiceSettings(detector=str(tmp_path / "none.tflite")))


def test_a_row_of_another_format_is_refused() -> None:
    for line in ("{}", '{"version": 2}', "[]", '{"version": 1}', PAGE_ROW.to_json().replace("0.5", "NaN")):
        with pytest.raises(ValueError):  # noqa: PT011
            PageObservation.from_json(line)
    assert PageObservation.from_json(PAGE_ROW.to_json()) == PAGE_ROW
