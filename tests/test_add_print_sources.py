import json
import sys
import tarfile
from pathlib import Path

import add_print_sources
import pytest
from test_pages import line, page_bytes, pages

from legible.config import load_params
from legible.data import sources

PROJECT = Path(__file__).parents[1]


def packed(folder: Path, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, arcname="")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["add_print_sources.py", *arguments])
    add_print_sources.main()


def test_what_is_there_is_listed_with_its_terms_and_options_and_the_rest_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line("TOTAL"), line("9.90", top=60), *(line("ROW", top=10 * n) for n in range(4))]
    packed(pages(tmp_path / "p", {"lines": lines}), tmp_path / "all/pages/sroie.tar")
    (tmp_path / "read").mkdir()
    (tmp_path / "read/sroie.tsv").write_text("image\tnumber\treading\tconfidence\nimages/0.png\t1\tabcdef\t0.99\n")
    run(
        monkeypatch,
        str(tmp_path / "all"),
        "--root",
        str(tmp_path),
        "--readings",
        str(tmp_path / "read"),
        "--reader",
        "Second",
    )
    (listed,) = sources.listed(tmp_path)
    assert (listed.name, listed.kind, listed.options.untold, listed.open) == ("sroie", "pages", ("case",), False)
    assert listed.terms == "research (ICDAR 2019); second readings by Second"
    assert listed.counts == {"line": 5, "damaged": 0, "left out": 1}
    assert sorted(listed.sha256) == ["readings.tsv", "sroie.tar"]
    assert "funsd: not in" in capsys.readouterr().out


def test_photographs_that_a_page_holds_too_are_left_out(tmp_path: Path) -> None:
    words = pages(tmp_path / "p", {"words": [line("Way"), line("out", top=60)]}, key="words")
    packed(words, tmp_path / "pages/icdar2003.tar")
    folder = tmp_path / "w"
    folder.mkdir()
    rows = ["000_01_00.png\tout", "000_01_01.png\tWay", "000_02_00.png\tother"]
    (folder / "index.tsv").write_text("\n".join(["path\ttext", *rows]))
    (folder / "000_01_00.png").write_bytes(page_bytes())
    packed(folder, tmp_path / "words/icdar2003-train.tar")
    assert add_print_sources.photos_of_pages(tmp_path) == "(000_01)_"


def test_each_source_is_named_once_and_trained_on() -> None:
    names = [source.name for source in add_print_sources.SOURCES]
    assert len(set(names)) == len(names)
    mixture = load_params(PROJECT / "params.yaml").train.mixture
    trained = {group.split("/")[0] for group in mixture}
    assert set(names) <= trained
    assert json.loads(json.dumps([source.options.stated() for source in add_print_sources.SOURCES]))
