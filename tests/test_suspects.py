from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import drawn_word
from PIL import Image
from typer.testing import CliRunner

from legible.cli import app
from legible.data.census import Census
from legible.data.dataset import Dataset, Sample, write_dataset
from legible.errors import DataError
from legible.image.contact_sheet import Cell, draw_sheet
from legible.labelling.suspects import find_suspects
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer

RUNNER = CliRunner()
PROJECT = Path(__file__).parents[1]
WORDS = ("Hamburg", "reading", "station", "letters", "margins")


def samples(face: Path, *, wrong: str = "margins") -> list[Sample]:
    """Words as drawn, one with the label of another."""
    return [
        Sample(
            f"drawn/{n}",
            drawn_word(word, face),
            "nonsense" if word == wrong else word,
            f"w{n % 2}",
            "drawn",
            "train",
            "word",
        )
        for n, word in enumerate(WORDS)
    ]


@pytest.fixture
def recognizer(bundle_folder: Path) -> Recognizer:
    return Recognizer.from_bundle(load_bundle(bundle_folder))


def test_a_wrong_label_is_the_first_suspect(recognizer: Recognizer, print_face: Path) -> None:
    suspects = find_suspects(samples(print_face), recognizer, count=10)
    assert suspects[0].sample.id == "drawn/4"
    assert suspects[0].read == "margins"
    assert suspects[0].gap > 5
    assert all(one.gap >= other.gap for one, other in pairwise(suspects))


def test_a_label_too_long_for_its_picture_is_infinitely_unlikely(recognizer: Recognizer, print_face: Path) -> None:
    (word,) = [sample for sample in samples(print_face) if sample.text == "Hamburg"]
    long = Sample(word.id, word.image, "n" * 400, word.writer, word.source, word.split, word.kind)
    assert find_suspects([long], recognizer, count=1)[0].gap == np.inf


def test_a_sample_outside_the_charset_is_passed_by(recognizer: Recognizer, print_face: Path) -> None:
    word = samples(print_face)[0]
    foreign = Sample(word.id, word.image, "Ελλάς", word.writer, word.source, word.split, word.kind)
    assert find_suspects([foreign], recognizer, count=5) == []


def test_a_census_counts_and_names_rare_characters(print_face: Path) -> None:
    report = Census.of(samples(print_face) * 30).report("abe~")
    assert "train       drawn/word                          150        2                       60, 60, 90" in report
    assert "writers, most samples first:\ndrawn/w0 90  drawn/w1 60\n" in report
    assert "4 to 7                                          120" in report
    assert "fewer than 50 times: 'b' 30  '~' 0" in report


def test_a_census_counts_a_writer_over_splits_and_kinds_and_names_those_of_most(print_face: Path) -> None:
    word = samples(print_face)[0]
    many = [replace(word, writer=f"w{n}") for n in range(50) for _ in range(n + 1)]
    report = Census.of([*many, *(replace(word, writer="w7", kind="line", split="tune") for _ in range(60))]).report("a")
    rows = report.splitlines()
    start = rows.index("writers, most samples first:")
    assert rows[start + 1].startswith("drawn/w7 68  drawn/w49 50  drawn/w48 49  ")
    assert rows[start + 6] == "and 10 others of 1 to 11"


def test_a_sheet_holds_a_picture_for_each_cell(tmp_path: Path) -> None:
    cells = [Cell(np.full((40, 500), level, np.uint8), ("a", "b")) for level in (0, 60, 120)]
    draw_sheet(tmp_path / "new/sheet.png", cells, columns=2, picture=(100, 30))
    sheet = np.asarray(Image.open(tmp_path / "new/sheet.png"))
    assert sheet.shape == (2 * (30 + 20 + 34), 2 * 120)
    assert [sheet[12, 30], sheet[12, 150], sheet[96, 30]] == [0, 60, 120]


def project(folder: Path, face: Path) -> list[str]:
    write_dataset(folder / "data/dataset", samples(face), present=["drawn"])
    (folder / "params.yaml").write_bytes((PROJECT / "params.yaml").read_bytes())
    return ["--root", str(folder)]


def test_show_writes_a_contact_sheet(tmp_path: Path, print_face: Path) -> None:
    out = tmp_path / "sheet.png"
    shown = RUNNER.invoke(app, ["data", "show", *project(tmp_path, print_face), "--count", "2", "--out", str(out)])
    assert shown.stdout == f"{out}: 2 of 5 samples\n"
    with Image.open(out) as sheet:
        assert sheet.size == (6 * 240, 102)


def test_a_contact_sheet_is_spread_over_the_whole_group(tmp_path: Path, print_face: Path) -> None:
    out = tmp_path / "sheet.png"
    RUNNER.invoke(app, ["data", "show", *project(tmp_path, print_face), "--count", "3", "--out", str(out)])
    spread = [samples(print_face)[place] for place in (0, 1, 3)]
    cells = [Cell(sample.image, (sample.text, sample.writer)) for sample in spread]
    draw_sheet(tmp_path / "wanted.png", cells, columns=6, picture=(220, 48))
    assert out.read_bytes() == (tmp_path / "wanted.png").read_bytes()


@pytest.mark.parametrize(("command", "option"), [("show", "--count=0"), ("check", "--suspects=-1")])
def test_a_count_that_makes_no_sense_is_refused(tmp_path: Path, print_face: Path, command: str, option: str) -> None:
    shown = RUNNER.invoke(app, ["data", command, *project(tmp_path, print_face), option])
    assert shown.exit_code == 2
    assert option.partition("=")[0] in shown.stderr


def test_show_and_check_take_a_slice(tmp_path: Path, print_face: Path) -> None:
    out, where = tmp_path / "sheet.png", project(tmp_path, print_face)
    shown = RUNNER.invoke(app, ["data", "show", *where, "--group", "drawn/word/middling", "--out", str(out)])
    assert shown.stdout == f"{out}: 4 of 4 samples\n"
    checked = RUNNER.invoke(app, ["data", "check", *where, "--group", "drawn/word/long", "--suspects", "0"])
    assert "8 to 12                                           1" in checked.stdout


@pytest.mark.parametrize("group", ["drawn/word/short", "drawn/word/long/err"])
def test_a_slice_that_is_not_there_is_named_with_what_is(tmp_path: Path, print_face: Path, group: str) -> None:
    shown = RUNNER.invoke(app, ["data", "show", *project(tmp_path, print_face), "--group", group])
    there = "drawn/word, drawn/word/long, drawn/word/middling"
    assert str(shown.exception) == f"no samples of {group}; there are {there}"


def test_check_counts_and_lists_what_is_least_likely(tmp_path: Path, print_face: Path, bundle_folder: Path) -> None:
    where = [*project(tmp_path, print_face), "--bundle", str(bundle_folder), "--out", str(tmp_path / "s.png")]
    checked = RUNNER.invoke(app, ["data", "check", *where, "--suspects", "1"])
    assert checked.exit_code == 0, checked.output
    assert "drawn/word" in checked.stdout
    assert "drawn/4  is 'nonsense', read 'margins'" in checked.stdout
    assert (tmp_path / "s.png").is_file()


def test_a_group_that_is_not_there_is_named_with_what_is(tmp_path: Path, print_face: Path) -> None:
    project(tmp_path, print_face)
    opened = Dataset.open(tmp_path / "data/dataset")
    assert opened.count(split="train", group="drawn/word") == 5
    with pytest.raises(DataError, match="no samples of tune, iam/word; there are train drawn/word"):
        opened.count(split="tune", group="iam/word")
