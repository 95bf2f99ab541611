"""A searchable PDF in the eyes of another program: `pdftotext` gives its words back, in order."""

import shutil
import subprocess
import tomllib
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from page_documents import empty_pdf
from test_page_formats import DOCUMENT, TEXTS, box

from legible.pages.result import BlockResult, DocumentResult, LineResult, PageResult
from legible.pages.searchable import searchable_pdf, text_pdf, with_text

PDFTOTEXT = shutil.which("pdftotext")
needs_pdftotext = pytest.mark.skipif(PDFTOTEXT is None, reason="pdftotext is not installed: apt install poppler-utils")
WORDS = " ".join(TEXTS).split()
WHITE = np.full((600, 800), 255, np.uint8)


def pdftotext(pdf: bytes, folder: Path, *options: str) -> list[list[str]]:
    """The words of each page."""
    (folder / "read.pdf").write_bytes(pdf)
    command = [str(PDFTOTEXT), *options, "read.pdf", "-"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [page.split() for page in done.stdout.split("\f")[:-1]]


@needs_pdftotext
@pytest.mark.parametrize("option", ["-raw", "-layout"])
def test_the_words_come_back_in_order(tmp_path: Path, option: str) -> None:
    assert pdftotext(searchable_pdf(DOCUMENT, [WHITE, WHITE]), tmp_path, option) == [WORDS, WORDS]


@needs_pdftotext
def test_running_text_comes_back_in_order_without_options(tmp_path: Path) -> None:
    """Cells of a table it puts in an order of its own then."""
    texts = ["A title over it", "and the first line of a text", "that goes on in a second one", "and ends."]
    lines = tuple(
        (LineResult(text, 0.9, box(40, 40 + 40 * row, 40 + 14 * len(text), 64 + 40 * row), ()),)
        for row, text in enumerate(texts)
    )
    document = DocumentResult((PageResult(1, 800, 600, (BlockResult(lines),)),))
    assert pdftotext(searchable_pdf(document, [WHITE]), tmp_path) == [" ".join(texts).split()]


@needs_pdftotext
def test_columns_come_back_one_after_the_other(tmp_path: Path) -> None:
    """In the order of the PDF itself, which is that of reading."""
    columns = [[f"{side} line {row}" for row in range(8)] for side in ("left", "right")]
    blocks = [
        BlockResult(
            tuple(
                (LineResult(text, 0.9, box(40 + 380 * side, 40 + 30 * row, 380 + 380 * side, 60 + 30 * row), ()),)
                for row, text in enumerate(texts)
            )
        )
        for side, texts in enumerate(columns)
    ]
    document = DocumentResult((PageResult(1, 800, 600, tuple(blocks)),))
    (found,) = pdftotext(searchable_pdf(document, [WHITE]), tmp_path, "-raw")
    assert found == " ".join(columns[0] + columns[1]).split()


@needs_pdftotext
def test_letters_beyond_ascii_come_back(tmp_path: Path) -> None:
    texts = ["Gr\u00f6\u00dfe, \u00c4ra, caf\u00e9", "\u00bfQu\u00e9? na\u00efve fa\u00e7ade"]
    lines = tuple(
        (LineResult(text, 0.9, box(40, 40 + 60 * row, 700, 80 + 60 * row), ()),) for row, text in enumerate(texts)
    )
    document = DocumentResult((PageResult(1, 800, 600, (BlockResult(lines),)),))
    assert pdftotext(searchable_pdf(document, [WHITE]), tmp_path) == [" ".join(texts).split()]


@needs_pdftotext
def test_text_alone_and_text_over_a_pdf_come_back_too(tmp_path: Path) -> None:
    assert pdftotext(text_pdf(DOCUMENT, dpi=(150.0, 150.0)), tmp_path, "-raw") == [WORDS, WORDS]
    assert pdftotext(with_text(DOCUMENT, empty_pdf(2)), tmp_path, "-raw") == [WORDS, WORDS]


@needs_pdftotext
def test_words_are_where_they_were_found(tmp_path: Path) -> None:
    (tmp_path / "read.pdf").write_bytes(text_pdf(DOCUMENT, dpi=(72.0, 72.0)))
    command = [str(PDFTOTEXT), "-bbox", "-l", "1", "read.pdf", "-"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = [line.split('"') for line in found.splitlines() if "<word" in line]
    places = {unescape(row[8].strip(">").partition("<")[0]): float(row[1]) for row in rows}
    assert sorted(places) == sorted(WORDS)
    assert places["Bread"] == pytest.approx(100, abs=4)
    assert places["2.50"] == pytest.approx(500, abs=4)
    assert all(first < second for first, second in pairwise([places["Fresh"], places["milk"]]))


def test_the_package_for_ocrmypdf_names_a_plugin_that_is_there() -> None:
    folder = PROJECT / "clients/ocrmypdf"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    module = project["entry-points"]["ocrmypdf"]["legible"]
    assert (folder / "src" / f"{module.replace('.', '/')}.py").is_file()
    assert "legible-ocr" in project["dependencies"]
