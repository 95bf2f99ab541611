"""The plugin for OCRmyPDF (`clients/ocrmypdf`), run by the real tool: text over scans, turned and tilted ones too."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from conftest import PROJECT
from ink_detector import write_ink_detector
from page_documents import LINES, drawn_page, pages_as_pdf
from PIL import Image

PLUGIN = PROJECT / "clients/ocrmypdf/src/legible_ocrmypdf/plugin.py"
PROGRAMS = {"gs": "ghostscript", "tesseract": "tesseract-ocr"}
MISSING = [
    *(["ocrmypdf (pip install ocrmypdf)"] if find_spec("ocrmypdf") is None else []),
    *(f"{name} (apt install {package})" for name, package in PROGRAMS.items() if shutil.which(name) is None),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> dict[str, str]:
    detector = write_ink_detector(tmp_path_factory.mktemp("detector") / "detector.tflite")
    return {**os.environ, "LEGIBLE_BUNDLE": str(bundle_folder), "LEGIBLE_DETECTOR": str(detector)}


def read(environment: dict[str, str], scan: bytes, folder: Path, *options: str) -> pdfium.PdfDocument:
    (folder / "scan.pdf").write_bytes(scan)
    command = [
        sys.executable,
        "-m",
        "ocrmypdf",
        "--plugin",
        str(PLUGIN),
        "--jobs",
        "1",
        "--output-type",
        "pdf",
        *options,
    ]
    done = subprocess.run(
        [*command, "scan.pdf", "read.pdf"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return pdfium.PdfDocument((folder / "read.pdf").read_bytes())


def words(pdf: pdfium.PdfDocument) -> list[list[str]]:
    return [page.get_textpage().get_text_range().split() for page in pdf]


ALL = " ".join(LINES).split()


def test_scans_get_their_text(environment: dict[str, str], print_face: Path, tmp_path: Path) -> None:
    page = drawn_page(print_face)
    pdf = read(environment, pages_as_pdf(page, page), tmp_path, "--sidecar", "text.txt")
    assert words(pdf) == [ALL, ALL]
    assert (tmp_path / "text.txt").read_text().split() == ALL * 2
    found = pdf[0].get_textpage().search(LINES[1].split()[0]).get_next()
    left, bottom, _, top = pdf[0].get_textpage().get_charbox(found[0])
    scale = 150 / 72  # of the scan, from points to its pixels
    assert left * scale == pytest.approx(60, abs=15)
    assert 400 - (top + bottom) / 2 * scale == pytest.approx(140, abs=20)


def test_the_older_renderer_gets_a_pdf_of_text(environment: dict[str, str], print_face: Path, tmp_path: Path) -> None:
    pdf = read(environment, pages_as_pdf(drawn_page(print_face)), tmp_path, "--pdf-renderer", "sandwich")
    assert words(pdf) == [ALL]


def test_a_page_on_its_side_is_turned_and_a_tilted_one_made_level(
    environment: dict[str, str], print_face: Path, tmp_path: Path
) -> None:
    page = drawn_page(print_face)
    turned = np.ascontiguousarray(np.rot90(page))
    pdf = read(environment, pages_as_pdf(turned), tmp_path, "--rotate-pages")
    assert words(pdf) == [ALL]
    upright = pdf[0].render().to_numpy()
    assert upright.shape[1] > upright.shape[0]
    tilted = np.asarray(Image.fromarray(page).rotate(-3, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC))
    level = read(environment, pages_as_pdf(tilted), tmp_path, "--deskew")
    rows = level[0].render(scale=2).to_numpy()[..., 0].mean(axis=1)
    assert np.diff(rows).std() > 1.3 * np.diff(tilted.mean(axis=1)).std()  # rows of text stand out again


@pytest.mark.parametrize("renderer", ["auto", "sandwich"])
def test_a_blank_page_stays_without_text_and_the_others_get_theirs(
    environment: dict[str, str], print_face: Path, tmp_path: Path, renderer: str
) -> None:
    page = drawn_page(print_face)
    pdf = read(environment, pages_as_pdf(page, np.full_like(page, 255)), tmp_path, "--pdf-renderer", renderer)
    assert words(pdf) == [ALL, []]


@pytest.mark.parametrize("renderer", ["auto", "sandwich"])
def test_a_page_too_large_to_be_read_stays_without_text_and_the_others_get_theirs(
    environment: dict[str, str], print_face: Path, tmp_path: Path, renderer: str
) -> None:
    page = drawn_page(print_face)
    large = np.full((7000, 7000), 255, np.uint8)
    large[: page.shape[0], : page.shape[1]] = page
    pdf = read(environment, pages_as_pdf(page, large), tmp_path, "--pdf-renderer", renderer)
    assert words(pdf) == [ALL, []]


def test_pdf_a_is_made(environment: dict[str, str], print_face: Path, tmp_path: Path) -> None:
    read(environment, pages_as_pdf(drawn_page(print_face)), tmp_path, "--output-type", "pdfa")
    assert b"pdfaid" in (tmp_path / "read.pdf").read_bytes()


def test_a_language_that_the_bundle_lacks_is_refused(
    environment: dict[str, str], print_face: Path, tmp_path: Path
) -> None:
    (tmp_path / "scan.pdf").write_bytes(pages_as_pdf(drawn_page(print_face)))
    command = [sys.executable, "-m", "ocrmypdf", "--plugin", str(PLUGIN), "-l", "rus", "scan.pdf", "read.pdf"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "rus" in done.stderr
