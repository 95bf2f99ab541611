import tarfile
from pathlib import Path

import pytest

from legible.synth.archive import Archive, Table

HEADING = "# rows\n"
CONTENTS = [b"a" * 700, b"b" * 512, b"c"]


def archive_in(folder: Path) -> Archive:
    return Archive((Table(folder / "words.txt", HEADING), Table(folder / "boxes.jsonl")), folder / "words.tar")


def fill(folder: Path, *, start: int = 0) -> Archive:
    archive = archive_in(folder)
    with archive.opened() as add:
        for number in range(start, len(CONTENTS)):
            add([f"row {number}\n", f"[{number}]\n"], f"{number}.png", CONTENTS[number])
    return archive


def new(folder: Path) -> Archive:
    archive = archive_in(folder)
    assert archive.recover() == 0
    return archive


def files(archive: Archive) -> list[bytes]:
    return [path.read_bytes() for path in (*(table.path for table in archive.tables), archive.tar)]


def test_what_was_added_is_there(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    assert archive.tables[0].path.read_text() == HEADING + "row 0\nrow 1\nrow 2\n"
    assert archive.tables[1].path.read_text() == "[0]\n[1]\n[2]\n"
    with tarfile.open(archive.tar) as tar:
        assert [(m.name, m.size) for m in tar] == [("0.png", 700), ("1.png", 512), ("2.png", 1)]


@pytest.mark.parametrize("tar_bytes", [0, 1, 511, 512, 1000, 1536, 2048, 2500, 2560, 3000, 3584, 4000, 10_240])
@pytest.mark.parametrize(
    ("index_bytes", "boxes_bytes"), [(0, 4), (6, 12), (7, 12), (9, 12), (25, 3), (14, 0), (20, 12), (25, 12)]
)
def test_cut_off_anywhere_it_goes_on_to_the_same_bytes(
    tmp_path: Path, tar_bytes: int, index_bytes: int, boxes_bytes: int
) -> None:
    new(tmp_path)
    wanted = files(fill(tmp_path))
    archive = archive_in(tmp_path)
    cuts = ((archive.tables[0].path, index_bytes), (archive.tables[1].path, boxes_bytes), (archive.tar, tar_bytes))
    for path, size in cuts:
        path.write_bytes(path.read_bytes()[:size])
    start = archive.recover()
    assert start <= 3
    assert files(fill(tmp_path, start=start)) == wanted


def test_a_whole_archive_has_nothing_left_to_add(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    wanted = files(archive)
    assert archive.recover() == 3
    assert files(fill(tmp_path, start=3)) == wanted


def test_a_missing_half_is_begun_again(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    archive.tables[0].path.unlink()
    assert archive.recover() == 0
