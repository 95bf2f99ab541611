"""Nothing is ever lost or half written, whenever its writer is killed; a damaged file is said in one line."""

import gzip
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kills import KilledError, killed_after

from legible.errors import BundleError, LegibleError
from legible.files import JsonFormat, intact_folder, recover_folder, replace_file, replace_folder, sha256_of, write_text
from legible.locks import lock_file_at_once

STEPS = 3
"""Of a folder that is there already: away, into its place, and the deletion of the former."""


def write(folder: Path, content: str) -> None:
    with replace_folder(folder) as fresh:
        for name in ("one", "other"):
            (fresh / name).write_text(content)


def read(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in ("one", "other")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "inside/folder", "former")
    return tmp_path / "inside/folder"


@pytest.mark.parametrize("step", range(STEPS))
def test_after_a_kill_at_any_step_the_folder_is_whole_and_is_written_again(folder: Path, step: int) -> None:
    with killed_after(step), pytest.raises(KilledError):
        write(folder, "new")
    assert read(intact_folder(folder)) == ({"new"} if step else {"former"})
    with killed_after(0), pytest.raises(KilledError):
        recover_folder(folder)
    assert read(intact_folder(folder)) == ({"new"} if step else {"former"})
    write(folder, "third")
    assert read(folder) == {"third"}
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_it_takes_no_more_steps_than_these(folder: Path) -> None:
    with killed_after(STEPS):
        write(folder, "new")
    assert read(folder) == {"new"}


def test_an_error_while_writing_leaves_the_folder_as_it_was(folder: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_folder(folder) as fresh:
        (fresh / "one/within").write_text("half")
    assert read(intact_folder(folder)) == {"former"}
    recover_folder(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_folder_that_was_taken_away_by_hand_stays_away(folder: Path) -> None:
    with killed_after(2), pytest.raises(KilledError):
        write(folder, "new")
    folder.rename(folder.with_name("elsewhere"))
    assert not intact_folder(folder).exists()


def test_a_link_to_a_folder_stays_a_link_to_what_is_new(folder: Path) -> None:
    link = folder.parent.parent / "link"
    link.symlink_to(folder)
    write(link, "new")
    assert link.is_symlink()
    assert read(folder) == {"new"}


def test_a_file_is_the_former_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "former")
    with pytest.raises(UnicodeEncodeError), replace_file(path) as fresh:
        fresh.write_text("half\udc80", encoding="utf-8")
    assert path.read_text() == "former"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append((stat.S_ISREG(os.fstat(number).st_mode), number)))
    with replace_file(tmp_path / "file") as fresh:
        fresh.touch()
        assert not flushed
    assert [is_file for is_file, _ in flushed] == [True]


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(LegibleError, match="a pipe or device, in whose place no file is written"):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo()


def test_of_two_writers_of_one_file_each_writes_it_whole(tmp_path: Path) -> None:
    path, begun = tmp_path / "file", threading.Event()

    def write_slowly() -> None:
        with replace_file(path) as fresh, fresh.open("w") as file:
            file.write("slow " * 1000)
            file.flush()
            begun.set()
            time.sleep(0.3)
            file.write("end")

    slow = threading.Thread(target=write_slowly)
    slow.start()
    begun.wait(10)
    write_text(path, "fast")
    after_fast = path.read_text()
    slow.join()
    assert after_fast == path.read_text() == "fast"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_of_two_writers_of_one_folder_each_writes_it_whole(folder: Path) -> None:
    begun = threading.Event()

    def write_slowly() -> None:
        with replace_folder(folder) as fresh:
            (fresh / "one").write_text("slow")
            begun.set()
            time.sleep(0.3)
            (fresh / "other").write_text("slow")

    slow = threading.Thread(target=write_slowly)
    slow.start()
    begun.wait(10)
    recover_folder(folder)
    assert read(folder) == {"slow"}
    slow.join()
    many = [threading.Thread(target=write, args=(folder, str(number))) for number in range(20)]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert len(read(folder)) == 1
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_sum_is_the_one_that_sha256sum_prints(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "abc")
    assert sha256_of(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


THING = JsonFormat("thing", 2, "make it again", BundleError, older_versions=(1,))


def parsed(path: Path) -> str:
    with THING.parse(path) as content:
        return str(content["name"].upper())


def test_what_is_saved_is_parsed(tmp_path: Path) -> None:
    THING.save(tmp_path / "thing.json", {"name": "été"})
    assert parsed(tmp_path / "thing.json") == "ÉTÉ"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "damaged thing (Expecting value: line 1 column 1 (char 0)); make it again"),
        ("[]", "damaged thing (not an object); make it again"),
        ("{}", "damaged thing (no 'version'); make it again"),
        ('{"version": 2}', "damaged thing (no 'name'); make it again"),
        ('{"version": 1, "name": 3}', "damaged thing ('int' object has no attribute 'upper'); make it again"),
        ("[" * 100_000, "damaged thing (maximum recursion depth exceeded while decoding a JSON array"),
        ('{"version": 3}', "thing format 3 is not 2, the one this legible reads; install the legible that wrote it"),
        ('{"version": {}}', "thing format {} is not 2"),
    ],
    ids=["empty", "no object", "no version", "no key", "another type", "too deep", "newer", "no number"],
)
def test_a_damaged_file_is_one_line_with_its_name_and_the_way_out(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "thing.json"
    path.write_text(content)
    with pytest.raises(BundleError) as caught:
        parsed(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file; make it again"):
        parsed(tmp_path / "thing.json")


def test_a_compressed_file_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "thing.gz"
    path.write_bytes(gzip.compress(b'{"version": 2, "name": "long enough to be cut"}')[:20])
    with (
        pytest.raises(BundleError, match=r"damaged thing \(Compressed file ended"),
        THING.parse(path, read=lambda file: gzip.decompress(file.read_bytes())),
    ):
        pass


HOLDS = """
import sys, time
from pathlib import Path
from legible.locks import lock_file

with lock_file(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_that_another_process_holds_is_said_at_once_and_a_killed_one_holds_it_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LegibleError, match="wait for it"), lock_file_at_once(path, busy="wait for it"):
            pass
        other.kill()
    with lock_file_at_once(path, busy="wait for it"):
        pass
