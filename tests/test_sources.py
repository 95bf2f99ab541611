import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from iam_layout import as_archives, picture
from kills import KilledError, killed_after

from legible.data import sources
from legible.data.dataset import Tally
from legible.data.options import SourceOptions
from legible.data.pages import open_pages
from legible.data.transcribed import open_transcribed
from legible.errors import DataError
from legible.files import sha256_of
from legible.untrusted_files import check_regular

ROWS = "path\tpage\ttext\nimages/1.png\tp1\tDear Sir,\nimages/2.png\tp2\tYours\n"


def transcribed(folder: Path, rows: str = ROWS) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        (folder / f"images/{number}.png").write_bytes(picture(number))
    (folder / "index.tsv").write_text(rows, encoding="utf-8")
    return folder


def test_an_added_source_is_listed_with_its_counts_and_sums(tmp_path: Path) -> None:
    added = sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"), terms="research only")
    assert added.counts == {"line": 2, "word": 4, "damaged": 0}
    assert set(added.sha256) == {"forms.txt", "lines.tar", "lines.txt", "words.tar", "words.txt"}
    assert sources.listed(tmp_path) == [added]
    assert (tmp_path / "data/raw/iam/words.tar").is_file()


def test_a_dropped_source_is_gone_from_the_list_and_its_files_stay(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"))
    sources.drop(tmp_path, "iam")
    assert sources.listed(tmp_path) == []
    assert (tmp_path / "data/raw/iam/words.tar").is_file()


def test_dropping_what_is_not_listed_names_what_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'iam' is no listed source; listed: none"):
        sources.drop(tmp_path, "iam")


def test_a_listed_source_that_is_not_here_stops_with_two_ways_on(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"))
    (tmp_path / "data/raw/iam").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"legible data drop iam\. .*: dvc pull data/raw/iam\.dvc\."):
        sources.require(tmp_path)


def test_several_that_are_not_here_are_one_command_away(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / f"there-{name}"), name=name)
    for name in ("one", "three"):
        (tmp_path / f"data/raw/{name}").rename(tmp_path / f"elsewhere-{name}")
    with pytest.raises(DataError, match=r"not here: one, three\. Go on without: legible data drop --absent\. "):
        sources.require(tmp_path)
    assert sources.absent_from(tmp_path) == ["one", "three"]


def test_a_source_that_is_added_while_another_is_counted_stays_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: transcribed(tmp_path / f"there-{name}") for name in ("slow", "fast")}
    count = sources.count_samples

    def count_slowly(kind: str, path: Path, options: SourceOptions | None = None) -> dict[str, int]:
        if path == folders["slow"]:
            sources.add(tmp_path, kind="transcribed", path=folders["fast"], name="fast")
        return count(kind, path, options)

    monkeypatch.setattr(sources, "count_samples", count_slowly)
    sources.add(tmp_path, kind="transcribed", path=folders["slow"], name="slow")
    assert {source.name for source in sources.listed(tmp_path)} == {"fast", "slow"}


def test_sources_that_are_added_and_dropped_at_once_are_all_listed_or_gone(tmp_path: Path) -> None:
    folders = [transcribed(tmp_path / f"there-{number}") for number in range(16)]
    for folder in folders[:8]:
        sources.add(tmp_path, kind="transcribed", path=folder)
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(sources.add, tmp_path, kind="transcribed", path=folder) for folder in folders[8:]]
        work += [pool.submit(sources.drop, tmp_path, folder.name) for folder in folders[:8]]
    assert [done.exception() for done in work] == [None] * 16
    assert {source.name for source in sources.listed(tmp_path)} == {folder.name for folder in folders[8:]}


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'cvl' is no kind of source; known: iam, transcribed, pages, emnist"):
        sources.add(tmp_path, kind="cvl", path=tmp_path)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../raw", "A", "-x", ".hid", "letters.dvc", "a b", "a\n"])
def test_a_name_that_is_no_folder_of_its_own_is_refused_and_nothing_is_touched(tmp_path: Path, name: str) -> None:
    sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="is no name of a source; name it with --name"):
        sources.add(tmp_path, kind="iam", path=tmp_path / "there", name=name)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_folder_one_stands_in_gives_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(transcribed(tmp_path / "letters"))
    assert sources.add(tmp_path / "project", kind="transcribed", path=Path()).name == "letters"


def test_the_names_of_generated_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'generated-print' is the name of generated samples"):
        sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"), name="generated-print")


def test_a_source_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    iam = sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"))
    with pytest.raises(DataError, match=r"'iam' is listed as iam; .* legible data drop iam first"):
        sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "letters"), name="iam")
    assert sources.listed(tmp_path) == [iam]
    assert (tmp_path / "data/raw/iam/words.tar").is_file()


def test_a_source_is_added_again_under_its_name(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "letters"))
    fewer = transcribed(tmp_path / "fewer", rows="".join(ROWS.splitlines(keepends=True)[:2]))
    sources.add(tmp_path, kind="transcribed", path=fewer, name="letters")
    assert [source.counts["line"] for source in sources.listed(tmp_path)] == [1]


def test_a_source_added_again_unchanged_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = transcribed(tmp_path / "letters")
    added = sources.add(tmp_path, kind="transcribed", path=folder)
    monkeypatch.setattr(sources, "count_samples", None)
    assert sources.add(tmp_path, kind="transcribed", path=folder) == added
    assert sources.listed(tmp_path) == [added]


@pytest.mark.parametrize("changed", ["letters/images/1.png", "data/raw/letters/images/1.png"])
def test_a_source_whose_files_or_copy_have_changed_is_taken_anew(tmp_path: Path, changed: str) -> None:
    folder = transcribed(tmp_path / "letters")
    sources.add(tmp_path, kind="transcribed", path=folder)
    (tmp_path / changed).write_bytes(picture(3))
    added = sources.add(tmp_path, kind="transcribed", path=folder)
    assert sources.listed(tmp_path) == [added]
    for name in added.sha256:
        assert (tmp_path / "data/raw/letters" / name).read_bytes() == (folder / name).read_bytes()


def test_a_copy_that_was_never_listed_is_taken_anew_and_listed(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "letters")
    transcribed(tmp_path / "data/raw/letters")
    (tmp_path / "data/raw/letters/left").touch()
    added = sources.add(tmp_path, kind="transcribed", path=folder)
    assert sources.listed(tmp_path) == [added]
    assert not (tmp_path / "data/raw/letters/left").exists()


@pytest.mark.parametrize("step", range(3))
def test_after_a_kill_at_any_step_the_former_copy_or_the_new_one_is_whole(tmp_path: Path, step: int) -> None:
    there = as_archives(tmp_path / "there")
    added = sources.add(tmp_path, kind="iam", path=there)
    (there / "words.txt").write_text((there / "words.txt").read_text() + "# changed\n")
    with killed_after(step), pytest.raises(KilledError):
        sources.add(tmp_path, kind="iam", path=there)
    (here,) = sources.require(tmp_path)
    assert here == added
    copy = sources.raw_folder(tmp_path, "iam")
    assert {path.name for path in copy.iterdir()} == set(added.sha256)
    assert ("# changed" in (copy / "words.txt").read_text()) == bool(step)
    again = sources.add(tmp_path, kind="iam", path=there)
    assert sources.listed(tmp_path) == [again]
    assert [path.name for path in (tmp_path / "data/raw").iterdir()] == ["iam"]


@pytest.mark.parametrize("within", ["data/raw/letters/inner", "."])
def test_a_source_within_its_copy_or_around_it_is_refused(tmp_path: Path, within: str) -> None:
    transcribed(tmp_path / within)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="lie within each other"):
        sources.add(tmp_path, kind="transcribed", path=tmp_path / within, name="letters")
    assert sorted(tmp_path.rglob("*")) == before


def test_dropping_a_source_leaves_one_whose_name_begins_likewise_under_dvc(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "there")
    for name in ("letters", "letters.2"):
        sources.add(tmp_path, kind="transcribed", path=folder, name=name)
        (tmp_path / f"data/raw/{name}.dvc").touch()
    sources.drop(tmp_path, "letters.2")
    assert sorted(path.name for path in (tmp_path / "data/raw").glob("*.dvc")) == ["letters.dvc"]


@pytest.mark.slow
def test_dvc_carries_an_added_source(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "letters"))
    assert (tmp_path / "data/raw/letters.dvc").is_file()


def test_a_transcribed_folder_gives_texts_and_writers(tmp_path: Path) -> None:
    found = list(open_transcribed(transcribed(tmp_path / "letters")).images(Tally()))
    assert [(row.text, row.writer, row.kind) for row, _ in found] == [
        ("Dear Sir,", "p1", "line"),
        ("Yours", "p2", "word"),
    ]


def test_a_transcribed_archive_gives_the_same(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "letters")
    with tarfile.open(tmp_path / "letters.tar", "w") as tar:
        tar.add(folder, arcname="")
    packed = tmp_path / "packed"
    packed.mkdir()
    (tmp_path / "letters.tar").rename(packed / "letters.tar")
    assert len(list(open_transcribed(packed).images(Tally()))) == 2


def test_an_image_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "letters")
    (folder / "images/1.png").write_bytes(b"no png")
    (folder / "images/2.png").unlink()
    tally = Tally()
    assert list(open_transcribed(folder).images(tally)) == []
    assert tally.damaged == ["images/1.png", "images/2.png"]


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("images/1.png", "line 2"),
        ("images/1.png\ta\nimages/2.png\n\n\tb", "lines 3, 5"),
        ("images/1.png\tDear\tSir", "line 2"),
        ("\n".join(["images/1.png"] * 11), r"lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 \.\.\."),
    ],
)
def test_rows_that_lack_a_column_or_have_one_too_many_are_named(tmp_path: Path, lines: str, named: str) -> None:
    with pytest.raises(DataError, match=f"needs a path in it, a tab and a text without tabs; mend {named}$"):
        sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "letters", f"path\ttext\n{lines}\n"))
    assert not (tmp_path / "data").exists()


def test_an_image_outside_the_folder_is_refused_as_no_copy_would_hold_it(tmp_path: Path) -> None:
    elsewhere = transcribed(tmp_path / "elsewhere") / "images/1.png"
    with pytest.raises(DataError, match=r"needs a path in it, .* mend line 2$"):
        open_transcribed(transcribed(tmp_path / "letters", f"path\ttext\n{elsewhere}\tDear\n"))


def test_a_row_may_end_before_its_writer_or_with_a_tab(tmp_path: Path) -> None:
    rows = "path\ttext\twriter\nimages/1.png\tDear\nimages/2.png\tSir\tw\t\n"
    found = open_transcribed(transcribed(tmp_path / "letters", rows)).rows
    assert [(row.text, row.writer) for row in found] == [("Dear", "images/1.png"), ("Sir", "w")]


def test_images_without_a_text_are_counted_apart(tmp_path: Path) -> None:
    rows = "path\ttext\nimages/1.png\t\nimages/2.png\tSir\n"
    added = sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "letters", rows))
    assert added.counts == {"without text": 1, "word": 1, "damaged": 0}


def test_a_source_without_any_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one image of this source can be read and has a text"):
        sources.add(tmp_path, kind="transcribed", path=transcribed(tmp_path / "q", "path\ttext\nimages/1.png\t\n"))


@pytest.mark.parametrize(("mark", "end"), [("\ufeff", "\n"), ("", "\r\n"), ("", "\r")])
def test_an_index_of_a_spreadsheet_is_read(tmp_path: Path, mark: str, end: str) -> None:
    folder = transcribed(tmp_path / "letters")
    (folder / "index.tsv").write_bytes((mark + ROWS.replace("\n", end)).encode())
    assert [row.text for row in open_transcribed(folder).rows] == ["Dear Sir,", "Yours"]
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "letters.tar", "w") as tar:
        tar.add(folder / "index.tsv", arcname="index.tsv")
    assert [row.text for row in open_transcribed(packed).rows] == ["Dear Sir,", "Yours"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_index_that_is_not_utf_8_is_told_with_the_line(tmp_path: Path, mark: bytes) -> None:
    folder = transcribed(tmp_path / "letters")
    (folder / "index.tsv").write_bytes(mark + b"path\ttext\nimages/1.png\tcaf\xe9\n")
    with pytest.raises(DataError, match=r"index\.tsv is not UTF-8 in line 2; save it as UTF-8"):
        open_transcribed(folder)


@pytest.mark.parametrize("kept", [0, 100, 700, 3000])
def test_an_archive_that_is_none_or_cut_off_is_one_clear_error(tmp_path: Path, kept: int) -> None:
    folder = transcribed(tmp_path / "letters")
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(folder / "images/1.png", arcname="images/1.png")
        tar.add(folder / "index.tsv", arcname="index.tsv")
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "letters.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:kept])
    with pytest.raises(DataError, match=r"letters\.tar: no .*; (pack it anew|add one with)"):
        open_transcribed(packed)


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "x", "GNU.sparse.size": "20"},
        {"GNU.sparse.size": "x"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    ],
)
@pytest.mark.parametrize("name", ["index.tsv", "images/1.png"])
@pytest.mark.parametrize("open_source", [open_transcribed, open_pages])
def test_an_archive_with_a_bad_header_is_one_clear_error(
    tmp_path: Path, headers: dict[str, str], name: str, open_source: Callable[[Path], object]
) -> None:
    folder = transcribed(tmp_path / "letters")
    with tarfile.open(tmp_path / "letters.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for path in ("index.tsv", "images/1.png"):
            member = tar.gettarinfo(folder / path, path)
            member.pax_headers = headers if path == name else {}
            with (folder / path).open("rb") as file:
                tar.addfile(member, file)
    with pytest.raises(DataError, match=r"letters\.tar: no tar archive, or a damaged one; pack it anew"):
        open_source(tmp_path / "letters.tar")


def test_an_index_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks the column text"):
        open_transcribed(transcribed(tmp_path / "letters", rows="path\tlabel\n"))


def test_a_source_added_again_keeps_its_terms_unless_others_are_given(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "letters")
    given = [
        sources.add(tmp_path, kind="transcribed", path=folder, terms=terms).terms for terms in ("ours", "", "theirs")
    ]
    assert given == ["ours", "ours", "theirs"]
    assert [source.terms for source in sources.listed(tmp_path)] == ["theirs"]


def test_a_text_longer_than_a_cell_can_be_is_told_with_its_line(tmp_path: Path) -> None:
    folder = transcribed(tmp_path / "source", f"path\ttext\n0.png\tone\n1.png\t{'x' * 200_000}\n")
    with pytest.raises(DataError, match=r"index\.tsv: line 3 cannot be taken apart"):
        open_transcribed(folder)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(DataError, match=r"circle \(a link\)"):
        check_regular(tmp_path)


def test_of_two_sources_added_at_once_under_one_name_the_later_is_listed_with_what_was_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later was the former content again: it was listed, and what lay there was of the other."""
    one, two = (transcribed(tmp_path / name, ROWS.replace("Yours", name)) for name in ("one", "two"))
    untold, lock = SourceOptions(untold=("case",)), sources._locked_source  # noqa: SLF001
    sources.add(tmp_path, kind="transcribed", path=one, name="own", terms="of one")

    @contextmanager
    def after_another(root: Path, name: str) -> Iterator[None]:
        monkeypatch.setattr(sources, "_locked_source", lock)
        sources.add(tmp_path, kind="transcribed", path=two, name="own", terms="of two", options=untold)
        with lock(root, name):
            yield

    monkeypatch.setattr(sources, "_locked_source", after_another)
    sources.add(tmp_path, kind="transcribed", path=one, name="own")
    (listed,) = sources.listed(tmp_path)
    assert (listed.terms, listed.options) == ("of two", untold)
    assert "one" in (tmp_path / "data/raw/own/index.tsv").read_text()


def test_of_two_sources_added_at_once_under_one_name_the_later_is_there_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_at_once = shutil.copyfile

    def copy_slowly(*arguments: Any, **options: Any) -> object:
        time.sleep(0.1)
        return copy_at_once(*arguments, **options)

    monkeypatch.setattr(sources.shutil, "copyfile", copy_slowly)
    places = [transcribed(tmp_path / name, ROWS.replace("Yours", name)) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda place: sources.add(tmp_path, kind="transcribed", path=place, name="own"), places))
    (listed,) = sources.listed(tmp_path)
    own = tmp_path / "data/raw/own"
    assert listed.sha256 == {name: sha256_of(own / name) for name in ("images/1.png", "images/2.png", "index.tsv")}
    assert (tmp_path / "data/raw/own/index.tsv").read_text() in {(place / "index.tsv").read_text() for place in places}


@pytest.mark.parametrize("name", ["../../x", "/etc", "a/b", "", ".dvc", 7])
def test_a_list_that_names_a_source_outside_its_folder_is_refused(tmp_path: Path, name: object) -> None:
    source = {"name": name, "kind": "iam", "terms": "", "counts": {}, "sha256": {}}
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/sources.json").write_text(json.dumps({"version": 1, "sources": [source]}))
    (tmp_path / "x.dvc").touch()
    with pytest.raises(DataError, match="damaged list of sources"):
        sources.drop(tmp_path, str(name))
    assert (tmp_path / "x.dvc").exists()
