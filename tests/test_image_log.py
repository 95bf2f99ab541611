"""Images that a service keeps where that is switched on, and the label queue that is made of them."""

import csv
import io
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from conftest import drawn_word
from disk import full_disk
from drawn_words import inverted, observed, words_drawn
from findings import drifted
from PIL import Image
from serving import served
from waiting import wait_until

from legible.arrays import GreyImage
from legible.data.dataset import Tally
from legible.data.transcribed import open_transcribed
from legible.drift.summary import UNUSUAL
from legible.errors import DataError, SettingsError
from legible.labelling.exchange import export_index
from legible.labelling.labels import Label, LabelLog
from legible.labelling.queue import make_queue, order
from legible.monitoring.check import ReportTarget, Standard, check
from legible.monitoring.report import with_finding
from legible.observations.image_log import MAX_PIXELS, ImageLog, ImageSampler, kept_image, kept_images
from legible.observations.lookup import is_logged
from legible.observations.row import write_observations

START = 1_763_700_000.0
HOUR = 3600.0
DAY = 24 * HOUR


def image(seed: int = 0, height: int = 40) -> GreyImage:
    return np.random.default_rng(seed).integers(0, 256, (height, 90)).astype(np.uint8)


def reading_id(number: int, at: float = START) -> str:
    return f"{time.strftime('%Y%m%dT%H', time.gmtime(at))}-7-{number:012x}"


def log_of(folder: Path, *, days: int = 30, most: int = 10_000_000, lost: list[int] | None = None) -> ImageLog:
    told: list[int] = [] if lost is None else lost
    return ImageLog(folder, retention_days=days, retention_bytes=most, on_lost=told.append)


def keep(folder: Path, numbers: range, *, at: float = START, days: int = 30, most: int = 10_000_000) -> None:
    log = log_of(folder, days=days, most=most)
    for number in numbers:
        log.put(reading_id(number, at), image(number), at=at)
    log.close(timeout_seconds=30)


def test_a_kept_image_is_found_by_its_reading_and_is_as_it_was_read(tmp_path: Path) -> None:
    keep(tmp_path, range(2))
    path = kept_image(tmp_path, reading_id(1))
    assert path is not None
    assert np.array_equal(np.asarray(Image.open(path)), image(1))
    assert kept_image(tmp_path, reading_id(5)) is None
    assert kept_image(tmp_path, f"../{path.parent.name}/{reading_id(1)}") is None


def test_kept_images_are_for_their_owner_alone(tmp_path: Path) -> None:
    keep(tmp_path / "images", range(1))
    assert (tmp_path / "images/v1").stat().st_mode & 0o077 == 0


def test_images_past_their_days_are_deleted(tmp_path: Path) -> None:
    keep(tmp_path, range(2), days=2)
    keep(tmp_path, range(2, 3), at=START + DAY, days=2)
    keep(tmp_path, range(3, 4), at=START + 2.5 * DAY, days=2)
    assert [path.stem for path in kept_images(tmp_path)] == [
        reading_id(2, START + DAY),
        reading_id(3, START + 2.5 * DAY),
    ]


def test_a_clock_that_jumps_ahead_deletes_nothing_before_a_second_hour_agrees(tmp_path: Path) -> None:
    keep(tmp_path, range(2))
    keep(tmp_path, range(2, 3), at=START + 90 * DAY)
    assert len(list(kept_images(tmp_path))) == 3


def test_the_oldest_images_go_where_they_hold_too_much(tmp_path: Path) -> None:
    keep(tmp_path, range(3))
    size = sum(path.stat().st_size for path in kept_images(tmp_path))
    keep(tmp_path, range(3, 5), at=START + HOUR, most=size)
    left = [path.stem for path in kept_images(tmp_path)]
    assert left[-2:] == [reading_id(3, START + HOUR), reading_id(4, START + HOUR)]
    assert sum(path.stat().st_size for path in kept_images(tmp_path)) <= size


def test_what_is_too_large_or_meets_a_full_disk_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    lost: list[int] = []
    with full_disk(tmp_path / "full") as place:
        log = log_of(place / "images", lost=lost)
        log.put(reading_id(1), np.zeros((1, MAX_PIXELS + 1), np.uint8), at=START)
        assert lost == [1]
        log.put(reading_id(2), image(height=400), at=START)
        log.close(timeout_seconds=10)
        assert lost == [1, 1]
        assert not [path for path in place.rglob("*") if path.suffix in (".png", ".new")]


def taken(share: float, values: list[tuple[float, float]]) -> list[bool]:
    choice = ImageSampler(share)
    return [
        choice.takes(reading_id(number), confidence=confidence, unusual=unusual)
        for number, (confidence, unusual) in enumerate(values)
    ]


def test_about_the_share_is_kept_the_doubtful_and_the_unusual_first() -> None:
    rng = np.random.default_rng(1)
    values = list(zip(rng.random(4000).tolist(), rng.random(4000).tolist(), strict=True))
    kept = np.asarray(taken(0.1, values))
    confidences, unusual = np.asarray(values).T
    assert kept.mean() == pytest.approx(0.1, abs=0.02)
    compared = np.arange(4000) > 100  # with enough that went before
    assert kept[compared & (confidences < 0.02)].all()
    assert kept[compared & (unusual > 0.98)].all()
    usual = (confidences > 0.2) & (unusual < 0.8)
    assert kept[usual].mean() == pytest.approx(0.01, abs=0.008)


def test_none_or_all_are_kept_where_that_is_asked_for() -> None:
    values = [(0.5, 0.5)] * 200
    assert not any(taken(0.0, values))
    assert all(taken(1.0, values))
    with pytest.raises(SettingsError, match="LEGIBLE_KEEP_IMAGES is 5; it needs a fraction from 0 to 1"):
        ImageSampler(5)


def test_a_queue_takes_turns_and_ends_with_a_tenth_at_random() -> None:
    confidences, unusual = np.linspace(0, 1, 100), np.linspace(0, 1, 100)
    chosen = order(unusual, confidences.tolist(), most=20, rng=np.random.default_rng(0))
    assert chosen[:18] == [i for low in range(9) for i in (low, 99 - low)]
    assert len(set(chosen)) == 20


def test_no_images_or_a_queue_that_is_there_is_an_error(tmp_path: Path, bundle_folder: Path) -> None:
    with pytest.raises(DataError, match="LEGIBLE_KEEP_IMAGES"):
        make_queue(tmp_path / "images", tmp_path / "queue", most=9, bundle=bundle_folder)
    (tmp_path / "index.tsv").write_text("path\ttext\n")
    with pytest.raises(DataError, match="somebody's work"):
        make_queue(tmp_path / "images", tmp_path, most=9, bundle=bundle_folder)


@pytest.mark.parametrize("what", ["queue", "export"])
def test_images_that_go_while_they_are_copied_are_left_out(
    tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Their retention is over, or they are forgotten."""
    images, out, copyfile = tmp_path / "images", tmp_path / "out", shutil.copyfile
    keep(images, range(3))
    before, after, stays = kept_images(images)

    def copy(source: Path, target: Path) -> None:
        before.unlink(missing_ok=True)
        copyfile(source, target)
        if source == after:
            after.unlink()

    monkeypatch.setattr(shutil, "copyfile", copy)
    if what == "queue":
        assert make_queue(images, out, most=9, bundle=bundle_folder).to_fill == 1
    else:
        log = LabelLog(tmp_path / "labels", worker="1")
        for path in (before, after, stays):
            log.append(Label(START, path.stem, "ann", "text", "x"))
        assert export_index(tmp_path / "labels", images, out) == 1
    assert [path.name for path in (out / "images").iterdir()] == [stays.name]
    (row,) = csv.DictReader((out / "index.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    assert row["path"] == f"images/{stays.name}"


def test_the_report_opens_with_the_finding_and_holds_its_pictures(tmp_path: Path) -> None:
    keep(tmp_path, range(1))
    page = with_finding('<html><body class="x">drawn</body></html>', drifted(pictures=tuple(kept_images(tmp_path))))
    assert page.startswith('<html><body class="x"><style>')
    assert page.endswith("drawn</body></html>")
    assert page.index("Drift: unlike") < page.index("drawn</body>")
    assert f"{reading_id(0)}</figcaption>" in page
    assert 'src="data:image/png;base64,' in page


@pytest.mark.slow
def test_the_evidently_report_of_a_drift_shows_the_most_unusual_images(tmp_path: Path, bundle_folder: Path) -> None:
    pictures = inverted(words_drawn(60, seed=2))
    rows = [replace(row, reading_id=reading_id(n, row.at)) for n, row in enumerate(observed(pictures, at=START))]
    write_observations(tmp_path / "log.jsonl", rows)
    log = log_of(tmp_path / "images")
    for row, picture in zip(rows, pictures, strict=True):
        log.put(row.reading_id, picture, at=row.at)
    log.close(timeout_seconds=30)
    standard = Standard(bundle_folder, kept=tmp_path / "images")
    target = ReportTarget(path=tmp_path / "drift.html")
    made = check(tmp_path / "log.jsonl", standard, at=START + HOUR, target=target)
    page = (tmp_path / "drift.html").read_text(encoding="utf-8")
    assert len(page.partition("<section>")[0]) > 1_000_000  # Evidently brings its pages along
    assert 0 < len(made.pictures) <= UNUSUAL  # the queue of images may have been full
    assert page.count('src="data:image/png;base64,') == len(made.pictures)
    assert all(picture.stem in page for picture in made.pictures)


def png(text: str, face: Path) -> bytes:
    content = io.BytesIO()
    Image.fromarray(drawn_word(text, face)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path, print_face: Path) -> Iterator[dict[str, str]]:
    """Texts by reading id, of a service that keeps all; `folder` is where."""
    folder = tmp_path_factory.mktemp("kept")
    switches = {"LEGIBLE_KEEP_IMAGES": "1", "LEGIBLE_FEEDBACK": "1", "LEGIBLE_BUNDLE": str(bundle_folder)}
    with served(folder, **switches) as address, httpx.Client(base_url=address) as client:
        texts = {}
        for text in ("Hamburg", "reading", "2026"):
            answer = client.post("/read", files={"image": png(text, print_face)}).json()
            texts[answer["reading_id"]] = text
        wait_until(lambda: all(is_logged(folder / "observations", reading_id) for reading_id in texts))
        last = next(reversed(texts))
        assert client.post("/feedback", json={"reading_id": last, "text": "2027"}).status_code == 202
        wait_until(lambda: len(list(kept_images(folder / "images"))) == len(texts))
        wait_until(lambda: "2027" in "".join(path.read_text() for path in (folder / "corrections").rglob("*.jsonl")))
        yield {**texts, "folder": str(folder)}


@pytest.mark.slow
def test_the_service_keeps_what_it_read_and_a_queue_is_made_of_it(
    kept: dict[str, str], tmp_path: Path, bundle_folder: Path
) -> None:
    folder = Path(kept.pop("folder"))
    assert {path.stem for path in kept_images(folder / "images")} == set(kept)
    queue = tmp_path / "queue"
    made = make_queue(folder / "images", queue, most=9, bundle=bundle_folder, corrections=folder / "corrections")
    assert (made.to_fill, made.filled, made.skipped) == (2, 1, ())
    rows = list(csv.DictReader((queue / "index.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    assert [row["text"] for row in rows] == ["", "", "2027"]
    assert {row["read"] for row in rows} == {"Hamburg", "reading", "2026"}
    transcribed = [row.text for row, _ in open_transcribed(queue).images(Tally())]
    assert transcribed == ["", "", "2027"]

    rows_at = time.time()
    made_check = check(folder / "observations", Standard(bundle_folder, kept=folder / "images"), at=rows_at, last=50)
    assert {path.stem for path in made_check.pictures} == set(kept)
    assert {Path(path).stem for path in json.loads(made_check.to_json())["pictures"]} == set(kept)


@pytest.mark.slow
def test_a_service_that_was_not_told_to_keeps_none(tmp_path: Path, bundle_folder: Path, print_face: Path) -> None:
    with served(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder)) as address:
        assert httpx.post(f"{address}/read", files={"image": png("Hamburg", print_face)}).status_code == 200
        time.sleep(1)
    assert not (tmp_path / "images").exists()
