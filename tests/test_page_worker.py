"""The page process from inside: a document becomes a reply, whatever it is, with a row for each line and page."""

import dataclasses
import io
import json
import shutil
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ink_detector import InkDetector
from page_documents import (
    LINES,
    drawn_page,
    empty_pdf,
    encoded_page,
    locked_pdf,
    pages_as_pdf,
    pages_as_tiff,
    specks,
    written_pdf,
)
from pydantic import TypeAdapter

from legible.drift.reference import Reference
from legible.errors import BundleError
from legible.observations.layout import READING_ID, new_reading_id
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation, check_of, observe, statistics_of
from legible.pages.open import Document, OpenedPage
from legible.pages.result import PageFormat
from legible.pages.shipped import open_reader
from legible.reading import Reading
from legible.recognition.bundle import load_bundle, read_manifest
from legible.service import page_images, page_worker
from legible.service.page_images import LineKeeper, kept_lines
from legible.service.page_messages import PageJob, PageReply, PageSetup, job_of, reply_of, sent, setup_of
from legible.service.page_types import DocumentAnswer
from legible.service.page_worker import PageWorker

JOB = PageJob("json", accept=0.5, seconds=60)


def setup_with(folder: Path, *, detector: str) -> PageSetup:
    bundle_id = read_manifest(folder).bundle_id
    return PageSetup(str(folder), bundle_id, detector, "4711", 2_000_000, 5, 4_000_000, 30, 10**9)


@pytest.fixture(scope="module")
def worker(bundle_folder: Path) -> PageWorker:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("legible.pages.shipped.LineDetector", lambda _: InkDetector())
        setup = setup_with(bundle_folder, detector="model")
        return PageWorker(setup)


@pytest.fixture(scope="module")
def page(print_face: Path) -> bytes:
    return encoded_page(drawn_page(print_face))


def content(reply: PageReply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    found: dict[str, Any] = json.loads(reply.body)
    return found


def texts(page: dict[str, Any]) -> list[str]:
    return [line["text"] for block in page["blocks"] for line in block["lines"]]


def test_the_json_is_what_openapi_says(worker: PageWorker, page: bytes) -> None:
    answer = content(worker.reply(JOB, page))
    assert TypeAdapter(DocumentAnswer).validate_python(answer, strict=True) == answer  # and no key more
    (first,) = answer["pages"]
    assert texts(first) == list(LINES)
    assert [line["accepted"] for block in first["blocks"] for line in block["lines"]] == [
        line["confidence"] >= 0.5 for block in first["blocks"] for line in block["lines"]
    ]


def test_a_page_process_trusts_lines_as_the_bundle_says(bundle_folder: Path, page: bytes, tmp_path: Path) -> None:
    """The detector is named by its path, as the service does; it is the bundle's own all the same."""
    bundle = load_bundle(bundle_folder)
    setup = setup_with(bundle_folder.resolve(), detector=str(bundle.detector))
    (answered,) = content(PageWorker(setup).reply(JOB, page))["pages"]
    lines = open_reader(bundle).read(page).pages[0].lines
    assert [line["confidence"] for block in answered["blocks"] for line in block["lines"]] == pytest.approx(
        [line.confidence for line in lines], abs=1e-3
    )
    copied = Path(shutil.copy(bundle.detector, tmp_path))
    other = open_reader(bundle, detector=copied).read(page).pages[0].lines
    assert [line.confidence for line in other] != [line.confidence for line in lines]


def test_a_page_process_opens_the_bundle_in_service_and_no_other(bundle_folder: Path) -> None:
    setup = setup_with(bundle_folder, detector="model")
    with pytest.raises(BundleError, match=f"holds bundle {setup.bundle_id}, and 0123456789ab is in service"):
        PageWorker(dataclasses.replace(setup, bundle_id="0123456789ab"))


def test_each_line_has_a_row_with_its_page_as_its_document(worker: PageWorker, print_face: Path) -> None:
    image = drawn_page(print_face)
    reply = worker.reply(JOB, pages_as_tiff(image, image))
    answer = content(reply)
    rows = [Observation.from_json(line) for line in reply.lines.splitlines()]
    lines = [line for page in answer["pages"] for block in page["blocks"] for line in block["lines"]]
    assert [row.document for row in rows] == ["1"] * 3 + ["2"] * 3
    assert {row.reading_id for row in rows} == {line["reading_id"] for line in lines}
    assert all(READING_ID.fullmatch(row.reading_id) and "-4711-" in row.reading_id for row in rows)
    by_id = {row.reading_id: row for row in rows}
    for line in lines:
        assert by_id[line["reading_id"]].check == check_of(line["reading_id"], line["text"])


def test_lines_are_kept_for_labelling_where_images_are_kept(
    worker: PageWorker, print_face: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each under the id of its reading, as it was read; none where no images are kept, and none of the page before."""
    monkeypatch.setattr("legible.pages.shipped.LineDetector", lambda _: InkDetector())
    keeping = PageWorker(dataclasses.replace(worker._setup, keep_images=1.0))  # noqa: SLF001
    page = encoded_page(drawn_page(print_face))
    for _ in range(2):
        reply = keeping.reply(JOB, page)
        rows = {row.reading_id: row for row in map(Observation.from_json, reply.lines.splitlines())}
        kept = {line.reading_id: line for line in kept_lines(reply.images)}
        assert kept.keys() == rows.keys()
        assert len(kept) == len(LINES)
        for name, row in rows.items():
            image = kept[name].image()
            assert (image.shape, kept[name].at) == ((row.height, row.width), row.at)
            assert statistics_of(image) == row.statistics
    assert worker.reply(JOB, page).images == ""


def test_images_of_a_crowded_document_are_bounded_and_the_others_counted(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_images, "MAX_BYTES", 3000)
    keeper = LineKeeper(1.0, Reference.load(bundle_folder))
    image = np.random.default_rng(0).integers(0, 255, (20, 50)).astype(np.uint8)
    keeper.begin()
    for number in range(5):
        name = new_reading_id(float(number), "1")
        keeper.offer(observe(image, Reading("a", 0.5, ()), channel="", at=1.0, reading_id=name), image)
    assert (len(list(kept_lines(keeper.to_json()))), keeper.lost) == (2, 3)


def test_each_page_has_a_row(worker: PageWorker, print_face: Path) -> None:
    blank = np.full((300, 200), 255, np.uint8)
    reply = worker.reply(JOB, pages_as_tiff(drawn_page(print_face), blank))
    first, second = (PageObservation.from_json(line) for line in reply.pages.splitlines())
    assert (first.number, first.width, first.height, first.lines, first.source) == (1, 600, 400, 3, "image")
    assert first.accepted <= 3
    assert 0 < first.confidence <= 1
    assert first.seconds > 0
    assert (second.number, second.lines, second.confidence) == (2, 0, 0)


@pytest.mark.parametrize("form", [form for form in PageFormat if form is not PageFormat.json])
def test_a_document_is_answered_in_each_format(worker: PageWorker, page: bytes, form: PageFormat) -> None:
    reply = worker.reply(dataclasses.replace(JOB, form=form), page)
    assert reply.status == 200
    starts = {"text": LINES[0].encode(), "pdf": b"%PDF-"}
    assert reply.body.startswith(starts.get(form, b"<?xml"))
    assert reply.media_type.partition(";")[0] in (
        "text/plain",
        "application/xhtml+xml",
        "application/xml",
        "application/pdf",
    )
    assert reply.file_name.startswith("document.")


def test_several_pages_of_a_format_for_one_page_are_a_zip(worker: PageWorker, print_face: Path) -> None:
    image = drawn_page(print_face)
    reply = worker.reply(dataclasses.replace(JOB, form="alto"), pages_as_tiff(image, image))
    assert (reply.media_type, reply.file_name) == ("application/zip", "document.zip")
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.namelist() == ["document-1.alto.xml", "document-2.alto.xml"]
        assert LINES[0].split()[1].encode() in archive.read("document-2.alto.xml")


def test_pictures_are_sent_where_asked_and_are_small(worker: PageWorker, print_face: Path) -> None:
    image = np.repeat(np.repeat(drawn_page(print_face), 3, axis=0), 3, axis=1)
    job = dataclasses.replace(JOB, with_pictures=True)
    (page,) = content(worker.reply(job, pages_as_pdf(image)))["pages"]
    assert page["picture"].startswith("data:image/jpeg;base64,")
    assert "picture" not in content(worker.reply(JOB, encoded_page(image)))["pages"][0]


def test_text_that_a_pdf_brings_is_kept(worker: PageWorker) -> None:
    reply = worker.reply(JOB, written_pdf("Written on a screen"))
    (page,) = content(reply)["pages"]
    assert (page["source"], texts(page)) == ("text layer", ["Written on a screen"])
    assert reply.lines == ""  # nothing was read from an image


def test_a_blank_page_has_no_line(worker: PageWorker) -> None:
    for document in (empty_pdf(1), encoded_page(np.full((600, 400), 255, np.uint8))):
        (page,) = content(worker.reply(JOB, document))["pages"]
        assert page["blocks"] == []


@pytest.mark.parametrize(
    ("document", "status", "code", "said"),
    [
        (b"", 400, "not_an_image", "the image is empty"),
        (b"a letter", 400, "not_an_image", "this is not an image"),
        (b"GIF89a", 415, "unsupported_format", "GIF is not read"),
        (b"%PDF-1.7 and no more", 400, "damaged_image", "the PDF is damaged"),
        (locked_pdf(), 400, "locked", "locked by a password"),
        (empty_pdf(5000), 413, "too_many_pages", "the file has 5000 pages; at most 5 are read"),
        (bytes(2_000_001), 413, "too_large", "at most 2000000 are read"),
        (encoded_page(np.zeros((2001, 2000), np.uint8)), 413, "too_large", "at most 4000000 are read"),
    ],
    ids=["nothing", "text", "GIF", "damaged PDF", "locked", "5000 pages", "bytes", "pixels"],
)
def test_what_cannot_be_read_gets_a_clear_word(
    worker: PageWorker, document: bytes, status: int, code: str, said: str
) -> None:
    reply = worker.reply(JOB, document)
    assert (reply.status, reply.code) == (status, code)
    assert said in reply.body.decode()


def test_an_answer_that_a_worker_cannot_hold_is_refused(
    worker: PageWorker, page: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_worker, "MAX_ANSWER_BYTES", 3000)
    with_pictures = dataclasses.replace(JOB, with_pictures=True)
    assert worker.reply(JOB, page).status == 200
    for job, document in ((with_pictures, page), (JOB, written_pdf("i " * 30))):
        reply = worker.reply(job, document)
        assert (reply.status, reply.code) == (413, "too_large")
        assert "more than 3000 bytes" in reply.body.decode()


def test_pages_of_a_picture_are_drawn_into_a_pdf_one_by_one(
    worker: PageWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = [np.full((40, 30), 255, np.uint8)] * 5
    document = pages_as_tiff(*blank)
    earlier = worker.reply(JOB, document).body
    alive: set[int] = set()
    held: list[int] = []
    decoded = Document._picture  # noqa: SLF001

    def picture(self: Document, number: int) -> OpenedPage:
        opened = decoded(self, number)
        alive.add(number)
        weakref.finalize(opened.image, alive.discard, number)
        held.append(len(alive))
        return opened

    monkeypatch.setattr(Document, "_picture", picture)
    assert worker.reply(dataclasses.replace(JOB, form="pdf"), document, earlier).status == 200
    assert len(held) == 5
    assert max(held) <= 2


@pytest.mark.slow
def test_a_page_of_specks_is_crowded_or_holds_no_line(worker: PageWorker) -> None:
    reply = worker.reply(JOB, encoded_page(specks(100_000)))
    if reply.status == 200:
        assert content(reply)["pages"][0]["blocks"] == []
    else:
        assert reply.code in ("crowded_page", "page_timeout")


def test_a_document_that_takes_too_long_says_how_far_it_came(
    worker: PageWorker, print_face: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = drawn_page(print_face)
    times = iter([0.0, 1.0, 1.0, 1.1])
    monkeypatch.setattr(page_worker.time, "monotonic", lambda: next(times, 99.0))
    reply = worker.reply(JOB, pages_as_tiff(image, image))
    assert (reply.status, reply.code) == (413, "page_timeout")
    assert reply.body == b"1 of 2 pages were read within 60 seconds; send the document in parts"


def test_corners_make_a_photograph_flat_and_places_stay_those_of_the_picture(
    worker: PageWorker, print_face: Path
) -> None:
    image = np.full((700, 900), 90, np.uint8)
    image[150:550, 200:800] = drawn_page(print_face)
    corners = ((200.0, 150.0), (800.0, 150.0), (800.0, 550.0), (200.0, 550.0))
    (page,) = content(worker.reply(dataclasses.replace(JOB, corners=corners), encoded_page(image)))["pages"]
    assert "".join(texts(page)).replace(" ", "") == "".join(LINES).replace(" ", "")
    assert page["outline"] == [list(corner) for corner in corners]
    left, top = page["blocks"][0]["lines"][0]["polygon"][0]
    assert (left, top) == pytest.approx((258, 212), abs=12)


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        (((0, 0), (600, 0), (600, 900), (0, 400)), "outside the picture"),
        (((0, 0), (600, 0), (600, 400), (590, 10)), "make no sheet"),
        (((5, 5), (6, 5), (6, 6), (5, 6)), "make no sheet"),
        (((0, 0), (300, 0), (600, 20), (300, 20)), "too slanted"),
    ],
)  # fmt: skip
def test_corners_that_make_no_sheet_are_refused(
    worker: PageWorker, page: bytes, corners: tuple[tuple[float, float], ...], said: str
) -> None:
    reply = worker.reply(dataclasses.replace(JOB, corners=corners), page)
    assert (reply.status, reply.code) == (400, "bad_corners")
    assert said in reply.body.decode()


def test_corners_of_several_pages_are_refused(worker: PageWorker) -> None:
    corners = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))
    reply = worker.reply(dataclasses.replace(JOB, corners=corners), empty_pdf(2))
    assert "corners are those of a single picture" in reply.body.decode()


def test_an_earlier_reading_is_written_as_it_was_corrected(
    worker: PageWorker, page: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = content(worker.reply(JOB, page))
    reading["pages"][0]["blocks"][0]["lines"][0]["text"] = "Other words"
    monkeypatch.setattr(worker, "_read", None)  # nothing is read
    reply = worker.reply(dataclasses.replace(JOB, form="text"), page, json.dumps(reading).encode())
    assert reply.body.decode().split("\n")[0] == "Other words"
    assert (reply.pages, reply.lines) == ("", "")


def test_an_earlier_reading_of_another_document_is_refused(worker: PageWorker, page: bytes) -> None:
    reading = worker.reply(JOB, page).body
    for other, said in ((empty_pdf(2), "has 1 pages, the document 2"), (b"none", "this is not an image")):
        reply = worker.reply(dataclasses.replace(JOB, form="pdf"), other, reading)
        assert reply.status == 400
        assert said in reply.body.decode()


def test_messages_come_through_as_they_were_sent() -> None:
    setup = PageSetup("b", "0123456789ab", "d", "w", 1, 2, 3, 4.0, 5)
    job = PageJob("pdf", accept=0.25, seconds=3.5, corners=((1.0, 2.0), (3.0, 4.0)))
    reply = PageReply(200, b"\0body", media_type="a/b", pages="p", lines="l")
    assert setup_of(sent(setup)[4:]) == setup
    assert job_of(sent(job)[4:]) == job
    frames = sent(reply)
    length = int.from_bytes(frames[:4], "big")
    assert reply_of(frames[4 : 4 + length], frames[8 + length :]) == reply
