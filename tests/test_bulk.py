"""Reading in bulk: every image once, the same bytes whoever reads them, on again after a kill, clear errors."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from conftest import drawn_word
from PIL import Image
from pyarrow import parquet

from legible.errors import BundleError, DataError, SettingsError
from legible.image.decode import decode
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer
from legible.scale import plan as planning
from legible.scale.blocks import ImageBlock, block_images, list_blocks
from legible.scale.bulk import read_bulk
from legible.scale.cluster import _call
from legible.scale.plan import BulkJob, make_plan, only_driver
from legible.scale.worker import BulkWorker
from legible.stores import LocalStore


def png(text: str, face: Path) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(drawn_word(text, face, size=24)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def words(print_face: Path) -> dict[str, bytes]:
    return {f"{number:02}.png": png(text, print_face) for number, text in enumerate(["Hamburg", "2026", "and", "Kiel"])}


@pytest.fixture
def folder(tmp_path: Path, words: dict[str, bytes]) -> Path:
    """Two loose words, and two in a tar with their facts, as WebDataset has them."""
    source = tmp_path / "source"
    source.mkdir()
    names = sorted(words)
    for name in names[:2]:
        (source / name).write_bytes(words[name])
    with tarfile.open(source / "shard-000.tar", "w") as tar:
        for name in names[2:]:
            for member, content in ((name, words[name]), (f"{name[:-4]}.json", b"{}")):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return source


def job(source: Path, bundle: Path, **settings: str) -> BulkJob:
    return BulkJob((str(source),), load_bundle(bundle).id, **settings)  # type: ignore[arg-type]


def rows(output: Path) -> list[dict[str, object]]:
    parts = sorted(output.glob("part-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]


def test_images_of_folders_and_archives_are_read_as_the_recogniser_reads_them(
    folder: Path, tmp_path: Path, bundle_folder: Path, words: dict[str, bytes]
) -> None:
    report = read_bulk(job(folder, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    found = rows(tmp_path / "out")
    expected = Recognizer.from_bundle(load_bundle(bundle_folder)).read([decode(words[name]) for name in sorted(words)])
    by_name = {str(row["id"]).rsplit("/", 1)[-1]: row["text"] for row in found}
    assert by_name == dict(zip(sorted(words), (reading.text for reading in expected), strict=True))
    assert (report.images, report.images_now, report.errors_now) == (4, 4, 0)


def test_blocks_hold_a_few_hundred_images_each_of_one_source(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").touch()
    blocks = list(list_blocks([str(tmp_path)], size=2))
    assert [block.images for block in blocks] == [2, 2, 1]
    assert [block.number for block in blocks] == [0, 1, 2]


def test_parquet_with_image_bytes_is_a_source(tmp_path: Path, words: dict[str, bytes]) -> None:
    table = pa.table({"id": ["a", "b"], "image": [{"bytes": words["00.png"]}, {"bytes": words["01.png"]}]})
    parquet.write_table(table, tmp_path / "images.parquet")
    (block,) = list_blocks([str(tmp_path)])
    found = dict(block_images(block))
    assert found == {
        f"{tmp_path}/images.parquet/a": words["00.png"],
        f"{tmp_path}/images.parquet/b": words["01.png"],
    }


def test_a_damaged_image_is_a_row_with_its_error(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    report = read_bulk(job(folder, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    (bad,) = [row for row in rows(tmp_path / "out") if row["error"]]
    assert str(bad["error"]).startswith("not_an_image: ")
    assert (bad["text"], report.errors_now) == (None, 1)


def test_names_that_are_no_utf8_are_escaped_and_read_back(
    tmp_path: Path, words: dict[str, bytes], bundle_folder: Path
) -> None:
    source, name = tmp_path / "scans", os.fsdecode(b"K\xf6ln.png")
    source.mkdir()
    (source / name).write_bytes(words["00.png"])
    read_bulk(job(source, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    (row,) = rows(tmp_path / "out")
    assert (row["id"], row["error"]) == (f"{source}/{name}", None)
    read_bulk(job(source, bundle_folder, format="parquet"), str(tmp_path / "columns"), bundle=str(bundle_folder))
    (shown,) = parquet.read_table(tmp_path / "columns/part-000000.parquet")["id"].to_pylist()
    assert shown == f"{source}/K\\udcf6ln.png"


def test_a_file_larger_than_memory_is_a_row_with_its_error(tmp_path: Path, bundle_folder: Path) -> None:
    source = tmp_path / "scans"
    source.mkdir()
    with (source / "huge.png").open("wb") as file:
        file.truncate(2**43)
    read_bulk(job(source, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    (row,) = rows(tmp_path / "out")
    assert str(row["error"]).startswith("too_large: ")


@pytest.mark.parametrize("column", [["text"], [1], [[b"a"]], [{"path": "a.png"}], [{"bytes": "text"}]])
def test_a_column_that_holds_no_bytes_is_refused_by_its_type(tmp_path: Path, column: list[object]) -> None:
    parquet.write_table(pa.table({"image": column}), tmp_path / "images.parquet")
    with pytest.raises(DataError, match=r"images\.parquet: column 'image' is of .*; it has to hold the bytes"):
        list(list_blocks([str(tmp_path)]))


def test_damaged_rows_of_parquet_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "images.parquet"
    parquet.write_table(pa.table({"image": [os.urandom(1000) for _ in range(99)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[30:3000] = bytes(2970)
    path.write_bytes(content)
    (block,) = list_blocks([str(path)])
    with pytest.raises(DataError, match="a damaged Parquet file"):
        list(block_images(block))


def test_a_full_disk_leaves_nothing_that_stops_the_next_run(
    folder: Path, tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"

    def fill(path: Path, _: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(DataError, match="No space left on device"):
            make_plan(job(folder, bundle_folder), str(output))
    assert list(output.iterdir()) == []
    (output / "plan.jsonl.0123456789abcdef.new").touch()  # as a kill leaves it
    assert read_bulk(job(folder, bundle_folder), str(output), bundle=str(bundle_folder)).images == 4


def test_relative_sources_are_not_read_from_another_folder(
    folder: Path, tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, output = BulkJob((folder.name,), load_bundle(bundle_folder).id), tmp_path / "out"
    monkeypatch.chdir(folder.parent)
    before = make_plan(asked, str(output))
    assert make_plan(asked, str(output)) == before
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"begun in the folder .*, to which its sources are relative; run it there"):
        make_plan(asked, str(output))


def test_a_run_that_was_cut_off_reads_only_what_is_missing(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    output = tmp_path / "out"
    read_bulk(job(folder, bundle_folder), str(output), bundle=str(bundle_folder))
    whole = {path.name: path.read_bytes() for path in output.glob("part-*")}
    (output / "part-000001.jsonl").unlink()
    report = read_bulk(job(folder, bundle_folder), str(output), bundle=str(bundle_folder))
    assert {path.name: path.read_bytes() for path in output.glob("part-*")} == whole
    assert (report.images_before, report.images_now) == (2, 2)


def test_images_that_came_later_do_not_change_a_plan(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    output = str(tmp_path / "out")
    before = make_plan(job(folder, bundle_folder), output)
    (folder / "00-new.png").write_bytes(b"x")
    assert make_plan(job(folder, bundle_folder), output) == before


def test_an_output_of_another_job_is_refused_by_what_differs(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    output = str(tmp_path / "out")
    make_plan(job(folder, bundle_folder), output)
    with pytest.raises(DataError, match="begun with lexicon '', not 'english'"):
        make_plan(job(folder, bundle_folder, lexicon="english"), output)


def test_a_folder_of_other_files_is_no_output(folder: Path, bundle_folder: Path) -> None:
    with pytest.raises(DataError, match="name an empty folder"):
        make_plan(job(folder, bundle_folder), str(folder))


def test_a_worker_with_another_bundle_reads_nothing(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    other = BulkJob((str(folder),), "0123456789ab")
    with pytest.raises(BundleError, match="the job was begun with 0123456789ab"):
        BulkWorker(other, str(tmp_path), str(bundle_folder))


@pytest.mark.parametrize(
    ("other", "said"),
    [({"bundle": "0123456789ab"}, "bundle .* begun with 0123456789ab"), ({"legible": "0.0.1"}, "legible .* 0.0.1")],
)
def test_workers_of_another_bundle_or_version_leave_nothing_behind(
    folder: Path, tmp_path: Path, bundle_folder: Path, other: dict[str, str], said: str
) -> None:
    output, right = tmp_path / "out", job(folder, bundle_folder)
    with pytest.raises(BundleError, match=f"a worker has {said}"):
        read_bulk(replace(right, **other), str(output), bundle=str(bundle_folder))  # type: ignore[arg-type]
    assert list(output.iterdir()) == []
    assert read_bulk(right, str(output), bundle=str(bundle_folder)).images_now == 4


def test_a_worker_that_is_replaced_by_another_midway_leaves_the_parts_before_it_whole(
    folder: Path, tmp_path: Path, bundle_folder: Path
) -> None:
    output, right = tmp_path / "out", job(folder, bundle_folder)
    read_bulk(right, str(output), bundle=str(bundle_folder))
    whole = {path.name: path.read_bytes() for path in output.glob("part-*")}
    (output / "part-000001.jsonl").unlink()
    plan = (output / "plan.jsonl").read_text().replace(right.bundle, "0123456789ab")
    (output / "plan.jsonl").write_text(plan)
    with pytest.raises(BundleError, match="begun with 0123456789ab"):
        read_bulk(replace(right, bundle="0123456789ab"), str(output), bundle=str(bundle_folder))
    assert {path.name: path.read_bytes() for path in output.glob("part-*")} == {
        "part-000000.jsonl": whole["part-000000.jsonl"]
    }
    assert (output / "plan.jsonl").read_text() == plan


@pytest.mark.slow
def test_processes_with_another_bundle_say_so(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    other = BulkJob((str(folder),), "0123456789ab")
    with pytest.raises(BundleError, match="begun with 0123456789ab"):
        read_bulk(other, str(tmp_path / "out"), bundle=str(bundle_folder), workers=2)


def test_a_call_on_a_cluster_by_a_driver_of_another_version_is_refused() -> None:
    with pytest.raises(BundleError, match=r"the driver 0\.0\.1; install that one there"):
        _call("0.0.1", len, [1])


def test_a_part_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync, replace_path = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("sync") or sync(handle))
    monkeypatch.setattr(Path, "replace", lambda path, to: steps.append("rename") or replace_path(path, to))
    LocalStore().write(str(tmp_path / "part"), b"rows")
    assert steps == ["sync", "rename"]
    assert (tmp_path / "part").read_bytes() == b"rows"


def test_two_drivers_do_not_write_to_one_output(tmp_path: Path) -> None:
    with only_driver(str(tmp_path)), pytest.raises(DataError, match="another driver"), only_driver(str(tmp_path)):
        pass
    with only_driver(str(tmp_path)):  # the first has ended
        pass


def test_a_driver_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    held = {"host": planning.socket.gethostname(), "process": 2**22 + 1}  # beyond the greatest process id
    (tmp_path / "driver.json").write_text(json.dumps(held))
    with only_driver(str(tmp_path)):
        pass


def test_a_driver_that_the_system_kills_leaves_no_worker(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    command = [sys.executable, "-m", "legible", "bulk", folder, "--output", "out", "--bundle", bundle_folder]
    for number in range(600):
        (folder / f"{number:03}.png").write_bytes((folder / "00.png").read_bytes())
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and not list(tmp_path.glob("out/part-*")):
            time.sleep(0.01)
        workers = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGKILL)
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=10)[1] == []


@pytest.mark.parametrize("kept", ["within the first image", "within a header", "between members"])
def test_a_shard_that_is_cut_off_is_named_before_anything_is_read(
    folder: Path, tmp_path: Path, bundle_folder: Path, kept: str
) -> None:
    shard = folder / "shard-000.tar"
    with tarfile.open(shard) as tar:
        second = tar.getmembers()[1]
    size = {"within the first image": 700, "within a header": second.offset + 100, "between members": second.offset}[
        kept
    ]
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(DataError, match=r"shard-000\.tar: .*fetch"):
        read_bulk(job(folder, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))
    assert not list((tmp_path / "out").glob("*"))


def test_a_shard_with_a_bad_header_is_one_clear_error(folder: Path) -> None:
    with tarfile.open(folder / "shard-000.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a.png")
        member.pax_headers = {"GNU.sparse.size": "x"}
        tar.addfile(member)
    with pytest.raises(DataError, match=r"shard-000\.tar: no tar archive, or a damaged one .*; fetch it anew"):
        list(list_blocks([str(folder)]))


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[]\n", b'{"sources": 5}\n', b"\xff"])
def test_a_damaged_plan_is_one_line(tmp_path: Path, bundle_folder: Path, content: bytes) -> None:
    (tmp_path / "plan.jsonl").write_bytes(content)
    with pytest.raises(DataError, match="name another output"):
        make_plan(job(tmp_path, bundle_folder), str(tmp_path))


def test_a_source_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image there"):
        list(list_blocks([str(tmp_path)]))
    with pytest.raises(DataError, match="no such file"):
        list(list_blocks([str(tmp_path / "none")]))


@pytest.mark.parametrize(
    ("settings", "said"), [({"engine": "spark"}, "known: local, ray"), ({"workers": 0}, "1 or more")]
)
def test_an_engine_or_number_that_cannot_be_is_named(
    folder: Path, tmp_path: Path, bundle_folder: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        read_bulk(job(folder, bundle_folder), str(tmp_path / "out"), bundle="", **settings)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="known: jsonl, parquet"):
        job(folder, bundle_folder, format="xml")


def test_parquet_parts_hold_the_same_rows(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    for format_ in ("jsonl", "parquet"):
        read_bulk(job(folder, bundle_folder, format=format_), str(tmp_path / format_), bundle=str(bundle_folder))
    parts = sorted((tmp_path / "parquet").glob("part-*.parquet"))
    assert [row for part in parts for row in parquet.read_table(part).to_pylist()] == rows(tmp_path / "jsonl")


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    for workers in (1, 2):
        read_bulk(job(folder, bundle_folder), str(tmp_path / str(workers)), bundle=str(bundle_folder), workers=workers)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / str(n)).glob("part-*")} for n in (1, 2))
    assert one == two


def test_an_archive_says_where_its_members_lie(folder: Path, words: dict[str, bytes]) -> None:
    tar = next(block for block in list_blocks([str(folder)]) if block.kind == "tar")
    assert isinstance(tar, ImageBlock)
    assert [content for _, content in block_images(tar)] == [words["02.png"], words["03.png"]]
    assert np.array_equal(decode(words["02.png"]), decode(dict(block_images(tar))[f"{folder}/shard-000.tar/02.png"]))


def bitmaps(print_face: Path) -> dict[str, bytes]:
    """Two pictures whose files have the same size."""
    return {name: bmp(name, print_face) for name in ("river", "stone")}


def bmp(text: str, face: Path) -> bytes:
    picture, buffer = Image.new("L", (200, 60), 255), io.BytesIO()
    picture.paste(Image.fromarray(drawn_word(text, face, size=24)).crop((0, 0, 180, 50)), (5, 5))
    picture.save(buffer, "BMP")
    return buffer.getvalue()


def pack(shard: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(shard, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("long", ["", "a" * 100, "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_an_archive_that_was_packed_anew_is_not_read_by_the_plan_of_the_former_one(
    tmp_path: Path, bundle_folder: Path, print_face: Path, long: str
) -> None:
    """Its pictures were read under each other's names."""
    shard, output = tmp_path / "shard.tar", tmp_path / "out"
    files = {f"{name}{long}.bmp": content for name, content in bitmaps(print_face).items()}
    pack(shard, files)
    make_plan(job(shard, bundle_folder), str(output))
    if not long:
        pack(shard, dict(reversed(files.items())))
        with pytest.raises(DataError, match=r"shard\.tar: river\.bmp is not where it was when the run was begun"):
            read_bulk(job(shard, bundle_folder), str(output), bundle=str(bundle_folder))
    pack(shard, files)
    read_bulk(job(shard, bundle_folder), str(output), bundle=str(bundle_folder))
    assert [str(row["id"]).rpartition("/")[2] for row in rows(output)] == list(files)
    assert all(row["error"] is None for row in rows(output))


def test_an_archive_that_was_cut_off_after_the_run_was_begun_is_an_error(
    folder: Path, tmp_path: Path, bundle_folder: Path
) -> None:
    make_plan(job(folder, bundle_folder), str(tmp_path / "out"))
    with tarfile.open(folder / "shard-000.tar") as tar:
        start = tar.getmembers()[0].offset_data
    os.truncate(folder / "shard-000.tar", start + 5)
    with pytest.raises(DataError, match=r"shard-000\.tar: 02\.png is not where it was"):
        read_bulk(job(folder, bundle_folder), str(tmp_path / "out"), bundle=str(bundle_folder))


@pytest.mark.parametrize("packed", ["symbolic link", "hard link", "with holes"])
def test_an_image_whose_bytes_are_not_in_its_place_is_refused(tmp_path: Path, packed: str) -> None:
    """Links were left out without a word, and of a file with holes other bytes were read."""
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        info = tarfile.TarInfo("b.png")
        if packed == "with holes":
            info.pax_headers = {"GNU.sparse.map": "0,1,4096,1", "GNU.sparse.size": "5000"}
            info.size = 2
            tar.addfile(info, io.BytesIO(b"ab"))
        else:
            info.type, info.linkname = tarfile.SYMTYPE if packed == "symbolic link" else tarfile.LNKTYPE, "a.png"
            tar.addfile(info)
    with pytest.raises(DataError, match=r"shard\.tar: b\.png is a link, or was packed with holes; pack it with"):
        list(list_blocks([str(tmp_path)]))


def test_a_folder_of_this_machine_by_an_address_is_refused(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    """A part that a full disk had cut off counted as read."""
    with pytest.raises(SettingsError, match=rf"file://{tmp_path}/out: .* named by its path: {tmp_path}/out"):
        read_bulk(job(folder, bundle_folder), f"file://{tmp_path}/out", bundle=str(bundle_folder))


def test_the_command_reads_a_folder_and_says_how_much(folder: Path, tmp_path: Path, bundle_folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "legible",
        "bulk",
        str(folder),
        "--output",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    done = subprocess.run(
        [*command, "--bundle", str(bundle_folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("4 images read in ")
    assert len(rows(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "x"),
        ("number", 1),
        ("number", -1),
        ("kind", "folder"),
        ("source", 5),
        ("members", [["a.png", -1, 0]]),
        ("members", [["a.png", 0, -1]]),
        ("members", [["a.png", 0]]),
    ],
)
def test_a_plan_whose_blocks_cannot_be_is_refused(tmp_path: Path, field: str, value: object) -> None:
    """A block numbered anew was read a second time, and a length below zero read a whole file."""
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((20, 40), np.uint8)).save(tmp_path / "in/a.png")
    job, output = BulkJob((str(tmp_path / "in"),), "0123456789ab"), tmp_path / "out"
    make_plan(job, str(output))
    header, row = (output / "plan.jsonl").read_text().splitlines()
    (output / "plan.jsonl").write_text(f"{header}\n{json.dumps({**json.loads(row), field: value})}\n")
    with pytest.raises(DataError, match=r"plan\.jsonl: damaged, or of another legible"):
        make_plan(job, str(output))
