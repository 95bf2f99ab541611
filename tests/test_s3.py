"""Bulk reading and observations on S3, with a server of this machine that is slow, failing, full or forbidden."""

import io
import itertools
import json
import logging
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, drawn_word
from PIL import Image
from reference_rows import HOUR, MONDAY, rows_like
from s3_server import BUCKET, S3Server

from legible.errors import DataError
from legible.monitoring.check import Standard, check
from legible.monitoring.compact import check_summaries, compact
from legible.observations.forget_stored import StoredForgotten, forget_stored
from legible.observations.layout import hour
from legible.observations.sending import BatchSender, ParquetDestination
from legible.observations.window import read_back
from legible.recognition.bundle import load_bundle
from legible.scale.blocks import list_blocks
from legible.scale.bulk import read_bulk
from legible.scale.plan import BulkJob, only_driver
from legible.stores import store_of

pytestmark = pytest.mark.slow
pytest.importorskip("moto", reason="moto is not installed: no S3 server")
NUMBERS = itertools.count()
"""The numbers of the buckets."""
SHIPPED = Standard(PROJECT / "models/bundle")
NAMES = ("00.png", "01.png", "02.png", "03.png")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    one = S3Server()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of its own for each test, found as S3's tools find it, by the environment alone.

    What a test's threads still send after it goes nowhere else.
    """
    import s3fs  # noqa: PLC0415

    for name, value in {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    server.mend()
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"{BUCKET}-{next(NUMBERS)}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    server.mend()


@pytest.fixture(scope="module")
def words(print_face: Path) -> dict[str, bytes]:
    found = {}
    for name, text in zip(NAMES, ("Hamburg", "2026", "and", "Kiel"), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(drawn_word(text, print_face, size=24)).save(buffer, "PNG")
        found[name] = buffer.getvalue()
    return found


def shard_of(words: dict[str, bytes], names: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(words[name])
            tar.addfile(info, io.BytesIO(words[name]))
    return buffer.getvalue()


@pytest.fixture
def source(bucket: str, words: dict[str, bytes]) -> str:
    """Two loose words and a shard of two: two blocks."""
    store = store_of(bucket)
    for name in NAMES[:2]:
        store.write(f"{bucket}/scans/{name}", words[name])
    store.write(f"{bucket}/scans/shard-000.tar", shard_of(words, NAMES[2:]))
    return f"{bucket}/scans"


def job(source: str, bundle: Path) -> BulkJob:
    return BulkJob((source,), load_bundle(bundle).id)


def rows(output: str) -> list[dict[str, Any]]:
    store = store_of(output)
    parts = [name for name in sorted(store.sizes(output)) if name.startswith("part-")]
    found = []
    for name in parts:
        with store.open(f"{output}/{name}") as file:
            found += [json.loads(line) for line in file.read().decode().splitlines()]
    return found


def test_a_bucket_is_read_into_a_bucket_as_a_folder_into_a_folder(
    source: str, bucket: str, tmp_path: Path, words: dict[str, bytes], bundle_folder: Path
) -> None:
    for name in NAMES[:2]:
        (tmp_path / "scans").mkdir(exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(words[name])
    (tmp_path / "scans/shard-000.tar").write_bytes(shard_of(words, NAMES[2:]))
    read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    read_bulk(job(str(tmp_path / "scans"), bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    there, here = rows(f"{bucket}/out"), rows(str(tmp_path / "out"))
    assert [row["id"].removeprefix(bucket) for row in there] == [row["id"].removeprefix(str(tmp_path)) for row in here]
    assert [(row["text"], row["confidence"]) for row in there] == [(row["text"], row["confidence"]) for row in here]


@pytest.mark.parametrize("fault", ["failing", "full", "forbidden"])
def test_a_part_that_cannot_be_written_ends_the_run_and_the_next_run_goes_on(
    source: str, bucket: str, server: S3Server, bundle_folder: Path, fault: str
) -> None:
    server.break_down(fault, methods="PUT", where="part-000001")
    with pytest.raises(DataError, match=f"{bucket}/out: "):
        read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    assert len(rows(f"{bucket}/out")) == 2
    server.mend()
    report = read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    assert (report.images_before, report.images_now) == (2, 2)
    assert sorted(row["id"].rsplit("/", 1)[-1] for row in rows(f"{bucket}/out")) == list(NAMES)


def test_an_image_that_cannot_be_fetched_is_no_reading(
    source: str, bucket: str, server: S3Server, bundle_folder: Path
) -> None:
    server.break_down("failing", methods="GET", where="01.png")
    with pytest.raises(DataError, match="run again"):
        read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    assert rows(f"{bucket}/out") == [] or all("01.png" not in row["id"] for row in rows(f"{bucket}/out"))


def test_a_slow_store_loses_nothing(source: str, bucket: str, server: S3Server, bundle_folder: Path) -> None:
    server.break_down("slow", times=6)
    read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    assert server.met == 6
    assert len(rows(f"{bucket}/out")) == 4


def test_a_bucket_without_rights_is_one_line_and_nothing_is_written(
    source: str, bucket: str, server: S3Server, bundle_folder: Path
) -> None:
    server.break_down("forbidden", methods="PUT", where="out/")
    with pytest.raises(DataError, match="no right to read or write there"):
        read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    server.mend()
    assert store_of(bucket).sizes(f"{bucket}/out") == {}


def test_a_shard_that_is_cut_is_named_before_anything_is_read(
    source: str, bucket: str, words: dict[str, bytes], bundle_folder: Path
) -> None:
    store_of(bucket).write(f"{source}/shard-001.tar", shard_of(words, NAMES)[:2600])
    with pytest.raises(DataError, match=r"shard-001\.tar: .*fetch"):
        read_bulk(job(source, bundle_folder), f"{bucket}/out", bundle=str(bundle_folder))
    assert store_of(bucket).sizes(f"{bucket}/out") == {}


def test_two_drivers_do_not_write_to_one_prefix(bucket: str) -> None:
    with only_driver(f"{bucket}/out"), pytest.raises(DataError, match="another driver"), only_driver(f"{bucket}/out"):
        pass
    with only_driver(f"{bucket}/out"):  # the first has ended
        pass


def test_an_endpoint_that_is_none_is_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs  # noqa: PLC0415

    monkeypatch.setenv("AWS_ENDPOINT_URL", "not an address")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(DataError, match="Invalid endpoint"):
        check(f"{bucket}/observations", SHIPPED, at=MONDAY)


def test_a_bucket_that_is_not_there_is_one_line(bucket: str) -> None:
    del bucket
    with pytest.raises(DataError, match="s3://nowhere/scans: nothing there"):
        list(list_blocks(["s3://nowhere/scans"]))
    with pytest.raises(DataError, match="no file or folder of observations"):
        read_back("s3://nowhere/observations")


@pytest.mark.parametrize("fault", ["failing", "full", "forbidden"])
def test_a_reading_is_forgotten_in_a_bucket_once_the_store_lets_it(bucket: str, server: S3Server, fault: str) -> None:
    """A part that cannot be written is told and stays whole; the others lose the reading, and the next run ends it."""
    sent = rows_like(90, seed=3)
    for number, some in enumerate((sent[:40], sent[40:]), start=1):
        ParquetDestination(bucket, worker="47").send(some, number=number)
    gone = [sent[0].reading_id, sent[50].reading_id, sent[70].reading_id]
    server.break_down(fault, methods="PUT", where=f"hour={hour(sent[0].at)}/47-000002")
    first = forget_stored(bucket, gone)
    assert first.rows == 2
    assert len(first.unreached) == 1
    assert "47-000002.parquet: " in first.unreached[0]
    assert len(read_back(bucket).observations) == 88
    server.mend()
    assert forget_stored(bucket, gone) == StoredForgotten(1)
    left = {row.reading_id: row for row in read_back(bucket).observations}
    assert left == {row.reading_id: row for row in sent if row.reading_id not in gone}


def test_a_bucket_that_cannot_be_listed_is_told(bucket: str, server: S3Server) -> None:
    ParquetDestination(bucket, worker="47").send(rows_like(5, seed=3), number=1)
    server.break_down("forbidden")
    (told,) = forget_stored(bucket, [rows_like(5, seed=3)[0].reading_id]).unreached
    assert told.startswith(f"{bucket}: no right to read or write there")


def sender_to(address: str, **settings: Any) -> BatchSender:
    usual = {"every_seconds": 0.05, "max_waiting": 10_000, "first_pause_seconds": 0.05}
    return BatchSender(ParquetDestination(address, worker="47"), **{**usual, **settings})


@pytest.mark.parametrize("fault", ["slow", "failing", "full", "forbidden"])
def test_observations_get_there_once_though_the_store_fails_for_a_while(
    bucket: str, server: S3Server, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    observed = rows_like(200, seed=1)
    server.break_down(fault, methods="PUT", where="v1/")
    sender = sender_to(f"{bucket}/observations")
    with caplog.at_level(logging.WARNING):
        assert all(map(sender.put, observed))
        until = time.monotonic() + 60
        while server.met < 1:
            assert time.monotonic() < until
            time.sleep(0.01)
        server.mend()
        sender.close(timeout_seconds=60)
    assert (sender.sent, sender.lost) == (200, 0)
    assert read_back(f"{bucket}/observations").observations == tuple(observed)
    assert fault == "slow" or "tried again" in caplog.text


def test_observations_that_a_store_never_takes_are_counted(bucket: str, server: S3Server) -> None:
    server.break_down("full", methods="PUT", where="v1/")
    sender = sender_to(f"{bucket}/observations", max_waiting=50)
    for row in rows_like(80, seed=2):
        sender.put(row)
    sender.close(timeout_seconds=1)
    assert (sender.sent, sender.lost) == (0, 80)


def test_drift_and_compact_work_on_a_bucket(bucket: str, server: S3Server) -> None:
    del server
    at, observed = MONDAY + 24 * HOUR, rows_like(200, seed=3)
    ParquetDestination(f"{bucket}/observations", worker="47").send(observed, number=1)
    report = compact(f"{bucket}/observations", SHIPPED, f"{bucket}/summaries", at=at)
    assert (report.written, report.images) == (4, 200)
    assert compact(f"{bucket}/observations", SHIPPED, f"{bucket}/summaries", at=at).up_to_date == 4
    by_rows = check(f"{bucket}/observations", SHIPPED, at=at, last=None)
    by_hours = check_summaries(f"{bucket}/summaries", SHIPPED, at=at)
    assert by_rows.verdict == by_hours.verdict
    assert by_rows.estimate == by_hours.estimate
