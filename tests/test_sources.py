import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from iam_layout import as_archives, picture

from legible.data import sources
from legible.data.dataset import Tally
from legible.data.transcribed import open_transcribed
from legible.errors import DataError

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
    with pytest.raises(DataError, match=r"dvc pull data/raw/iam\.dvc, or legible data drop iam"):
        sources.require(tmp_path)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'cvl' is no kind of source; known: iam, transcribed, emnist"):
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


def test_an_index_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks the column text"):
        open_transcribed(transcribed(tmp_path / "letters", rows="path\tlabel\n"))
