import tarfile
from pathlib import Path

import pytest

from legible.synth.archive import Archive

HEADING = "# rows\n"
CONTENTS = [b"a" * 700, b"b" * 512, b"c"]


def fill(folder: Path, *, start: int = 0) -> Archive:
    archive = Archive(folder / "words.txt", folder / "words.tar")
    with archive.opened() as add:
        for number in range(start, len(CONTENTS)):
            add(f"row {number}\n", f"{number}.png", CONTENTS[number])
    return archive


def new(folder: Path) -> Archive:
    archive = Archive(folder / "words.txt", folder / "words.tar")
    assert archive.recover(heading=HEADING) == 0
    return archive


def both(archive: Archive) -> tuple[bytes, bytes]:
    return archive.index.read_bytes(), archive.tar.read_bytes()


def test_what_was_added_is_there(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    assert archive.index.read_text() == HEADING + "row 0\nrow 1\nrow 2\n"
    with tarfile.open(archive.tar) as tar:
        assert [(m.name, m.size) for m in tar] == [("0.png", 700), ("1.png", 512), ("2.png", 1)]


@pytest.mark.parametrize("tar_bytes", [0, 1, 511, 512, 1000, 1536, 2048, 2500, 2560, 3000, 3584, 4000, 10_240])
@pytest.mark.parametrize("index_bytes", [0, 6, 7, 9, 13, 14, 20, 25])
def test_cut_off_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, tar_bytes: int, index_bytes: int) -> None:
    new(tmp_path)
    wanted = both(fill(tmp_path))
    archive = Archive(tmp_path / "words.txt", tmp_path / "words.tar")
    for path, size in ((archive.index, index_bytes), (archive.tar, tar_bytes)):
        path.write_bytes(path.read_bytes()[:size])
    start = archive.recover(heading=HEADING)
    assert start <= 3
    assert both(fill(tmp_path, start=start)) == wanted


def test_a_whole_archive_has_nothing_left_to_add(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    wanted = both(archive)
    assert archive.recover(heading=HEADING) == 3
    assert both(fill(tmp_path, start=3)) == wanted


def test_a_missing_half_is_begun_again(tmp_path: Path) -> None:
    new(tmp_path)
    archive = fill(tmp_path)
    archive.index.unlink()
    assert archive.recover(heading=HEADING) == 0
