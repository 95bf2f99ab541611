"""What comes from a disk is not trusted: sources with links, pipes and holes, bundles with files that nobody listed."""

import gzip
import json
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from legible.data.dataset import Tally
from legible.data.idx import read_idx
from legible.data.sources import add
from legible.data.transcribed import open_transcribed
from legible.errors import BundleError, DataError
from legible.files import sha256_of
from legible.recognition.bundle import load_bundle
from legible.untrusted_files import check_regular, read_file, read_gzip, read_member


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "index.tsv").write_text("path\ttext\na.png\ta\n")
    (folder / "a.png").write_bytes(b"image")
    return folder


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "a link to a file elsewhere": lambda folder: (folder / "b.png").symlink_to("/etc/hostname"),
    "a link to a folder elsewhere": lambda folder: (folder / "more").symlink_to("/etc"),
    "a link to nowhere": lambda folder: (folder / "b.png").symlink_to("nowhere"),
    "a pipe": lambda folder: os.mkfifo(folder / "b.png"),
    "a pipe in a folder": lambda folder: ((folder / "more").mkdir(), os.mkfifo(folder / "more/b.png"))[0],  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("spoil", IRREGULAR.values(), ids=IRREGULAR)
def test_a_source_with_anything_but_regular_files_is_refused_before_it_is_read(
    spoil: Callable[[Path], None], letters: Path, tmp_path: Path
) -> None:
    spoil(letters)
    with pytest.raises(DataError, match=r"a source holds regular files alone, and .* are none"):
        add(tmp_path / "project", kind="transcribed", path=letters, name="own")
    assert not (tmp_path / "project/data/raw").exists()


def test_a_link_within_the_source_is_a_file_of_it(letters: Path) -> None:
    (letters / "b.png").symlink_to("a.png")
    check_regular(letters)


def test_a_file_with_more_bytes_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", limit=5) == b"12345"
    with pytest.raises(DataError, match="file has more than 4 bytes"):
        read_file(tmp_path / "file", limit=4)


def test_a_small_archive_of_many_bytes_is_not_unpacked_into_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "zeros.gz", "wb") as file:
        file.write(bytes(1_000_000))
    with pytest.raises(DataError, match="has more than 1000 bytes"):
        read_gzip(tmp_path / "zeros.gz", limit=1000)


@pytest.mark.parametrize("place", [0, 12, 500])
def test_a_damaged_compressed_file_is_one_line(tmp_path: Path, place: int) -> None:
    content = bytearray(gzip.compress(random.Random(0).randbytes(1000), mtime=0))
    content[place : place + 9] = b"\xff" * 9
    (tmp_path / "array.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"array\.gz: cannot be read"):
        read_gzip(tmp_path / "array.gz", limit=2000)


def test_a_compressed_array_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legible.data.idx.MAX_ARRAY_BYTES", 1000)
    with gzip.open(tmp_path / "zeros.gz", "wb") as file:
        file.write(bytes(2000))
    with pytest.raises(DataError, match="has more than 1000 bytes"):
        read_idx(tmp_path / "zeros.gz")


def test_a_sparse_member_counts_with_its_holes(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(3_000_000_000)
    (tmp_path / "index.tsv").write_text("path\ttext\na.png\ta\n")
    made = ["tar", "--sparse", "--format=gnu", "-cf", "letters.tar", "index.tsv", "a.png"]
    subprocess.run(made, cwd=tmp_path, check=True)
    assert (tmp_path / "letters.tar").stat().st_size < 100_000
    with pytest.raises(DataError, match=r"a\.png has 3000000000 bytes; at most 100000000 are read"):
        list(open_transcribed(tmp_path / "letters.tar").images(Tally()))


def test_what_is_no_file_in_an_archive_is_not_there(tmp_path: Path) -> None:
    link = tarfile.TarInfo("index.tsv")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(link)
    with tarfile.open(tmp_path / "a.tar") as tar, pytest.raises(KeyError):
        read_member(tar, tar.getmember("index.tsv"), limit=10)


@pytest.fixture
def bundle(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


def rewrite(bundle: Path, change: Callable[[dict[str, str]], object]) -> None:
    """Change the files that the manifest lists."""
    path = bundle / "manifest.json"
    content = json.loads(path.read_text())
    change(content["files"])
    path.write_text(json.dumps(content))


def test_a_bundle_whose_manifest_lacks_the_sum_of_a_file_is_refused(bundle: Path) -> None:
    rewrite(bundle, lambda files: files.pop("charset.json"))
    charset = json.loads((bundle / "charset.json").read_text())
    (bundle / "charset.json").write_text(json.dumps({**charset, "characters": charset["characters"][::-1]}))
    with pytest.raises(BundleError, match=r"charset\.json is not listed in manifest\.json"):
        load_bundle(bundle)


def test_a_bundle_with_a_file_that_nobody_listed_is_refused(bundle: Path) -> None:
    (bundle / "lexicon-more.gz").write_bytes(b"")
    with pytest.raises(BundleError, match=r"lexicon-more\.gz is not listed in manifest\.json"):
        load_bundle(bundle)


def test_a_bundle_that_lists_a_file_elsewhere_is_refused(bundle: Path) -> None:
    (bundle.parent / "other").write_text("other")
    rewrite(bundle, lambda files: files.update({"../other": sha256_of(bundle.parent / "other")}))
    with pytest.raises(BundleError, match=r"lists '\.\./other', which is no name of a file in it"):
        load_bundle(bundle)


def test_the_shipped_bundle_is_what_its_manifest_lists(bundle_folder: Path) -> None:
    load_bundle(bundle_folder)
