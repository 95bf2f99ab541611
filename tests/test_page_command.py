"""`legible page` and the files that it writes."""

import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from ink_detector import write_ink_detector
from PIL import Image
from typer.testing import CliRunner

from legible.cli import app
from legible.cli.output_files import OutputFiles
from legible.errors import BundleError, DataError, SettingsError
from legible.network.detector import DETECTORS, build_detector
from legible.pages.result import BlockResult, DocumentResult, LineResult, PageFormat, PageResult
from legible.pages.write import files_of
from legible.recognition.bundle import DETECTOR, load_bundle
from legible.training.detector_export import export_detector

LINE = LineResult("some words", 0.9, ((10.0, 10.0), (90.0, 10.0), (90.0, 30.0), (10.0, 30.0)), ())


def document(pages: int) -> DocumentResult:
    return DocumentResult(tuple(PageResult(n, 120, 80, (BlockResult(((LINE,),)),)) for n in range(1, pages + 1)))


def tiff(pages: int) -> bytes:
    buffer = io.BytesIO()
    picture = Image.new("L", (120, 80), 255)
    picture.save(buffer, "TIFF", save_all=True, append_images=[picture] * (pages - 1))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("form", "names"),
    [
        (PageFormat.text, ["scan.txt"]),
        (PageFormat.json, ["scan.json"]),
        (PageFormat.hocr, ["scan.hocr"]),
        (PageFormat.alto, ["scan-1.alto.xml", "scan-2.alto.xml"]),
        (PageFormat.page, ["scan-1.page.xml", "scan-2.page.xml"]),
        (PageFormat.pdf, ["scan.pdf"]),
    ],
)
def test_a_document_is_one_file_or_one_for_each_page(form: PageFormat, names: list[str]) -> None:
    files = files_of(document(2), form, stem="scan", data=tiff(2))
    assert list(files) == names
    assert all(files.values())


def test_one_page_has_no_number_in_its_name() -> None:
    assert list(files_of(document(1), PageFormat.alto, stem="scan", data=tiff(1))) == ["scan.alto.xml"]


def test_a_searchable_pdf_has_the_pages_of_the_document() -> None:
    (content,) = files_of(document(2), PageFormat.pdf, stem="scan", data=tiff(2)).values()
    pdf = pdfium.PdfDocument(content)
    assert [page.get_textpage().get_text_range().split() for page in pdf] == [["some", "words"]] * 2


def test_a_bundle_without_a_detector_says_so(bundle_folder: Path) -> None:
    bundle = load_bundle(bundle_folder)
    if DETECTOR not in bundle.manifest.files:
        with pytest.raises(BundleError, match="holds no line detector"):
            _ = bundle.detector
    else:
        assert bundle.detector.is_file()


def test_a_pdf_does_not_go_to_stdout(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["page", str(tmp_path / "a.png"), "--format", "pdf"])
    assert "name a folder by --output" in str(outcome.exception)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_pages_are_read_and_what_is_none_is_named(tmp_path: Path, bundle_folder: Path) -> None:
    model = tmp_path / "detector.tflite"
    size = DETECTORS["micro"]
    export_detector(build_detector(size), size, [np.zeros((1, 64, 64, 1), np.float32)], target=model)
    (tmp_path / "blank.tif").write_bytes(tiff(2))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    command = ["page", str(tmp_path / "blank.tif"), str(tmp_path / "broken.png"), "--format", "json"]
    options = ["--output", str(tmp_path / "out"), "--bundle", str(bundle_folder), "--detector", str(model)]
    outcome = CliRunner().invoke(app, [*command, *options])
    assert outcome.exit_code == 1
    assert "broken.png: this is not an image" in outcome.stderr
    answer = json.loads((tmp_path / "out/blank.json").read_text(encoding="utf-8"))
    assert [page["size"] for page in answer["pages"]] == [[120, 80], [120, 80]]


@pytest.mark.slow
def test_a_pipe_is_read_once(tmp_path: Path, bundle_folder: Path) -> None:
    pipe, model = tmp_path / "scan", write_ink_detector(tmp_path / "detector.tflite")
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(tiff(2),), daemon=True)
    writer.start()
    options = ["--bundle", str(bundle_folder), "--detector", str(model), "--format", "pdf", "--output", str(tmp_path)]
    assert CliRunner().invoke(app, ["page", str(pipe), *options]).exit_code == 0
    assert len(pdfium.PdfDocument(tmp_path / "scan.pdf")) == 2


@pytest.mark.parametrize("names", [("a/scan.tif", "b/scan.tif"), ("scan.tif", "scan.png")])
def test_documents_of_one_name_are_refused_before_any_is_read(
    tmp_path: Path, bundle_folder: Path, names: tuple[str, str]
) -> None:
    paths = [tmp_path / name for name in names]
    options = ["--bundle", str(bundle_folder), "--output", str(tmp_path / "out")]
    outcome = CliRunner().invoke(app, ["page", *map(str, paths), *options])
    assert isinstance(outcome.exception, SettingsError)
    assert f"{paths[0]} and {paths[1]} would both be written as 'scan'" in str(outcome.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", [".", "link"])
def test_a_document_is_not_replaced_by_its_own_output(
    tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to(tmp_path)
    Path("scan.pdf").write_bytes(b"%PDF-1.4 the only copy")
    options = ["--format", "pdf", "--output", folder, "--bundle", str(bundle_folder)]
    outcome = CliRunner().invoke(app, ["page", "scan.pdf", *options])
    assert isinstance(outcome.exception, SettingsError)
    assert "would be replaced; name another folder by --output" in str(outcome.exception)
    assert Path("scan.pdf").read_bytes() == b"%PDF-1.4 the only copy"


def test_a_page_is_not_written_over_that_of_another_document(tmp_path: Path) -> None:
    first, second = Path("scan.tif"), Path("scan-1.png")
    files = OutputFiles(tmp_path / "out", PageFormat.alto, [first, second])
    assert list(files.claim(first, {"scan-1.alto.xml": b"", "scan-2.alto.xml": b""})) == [
        tmp_path / "out/scan-1.alto.xml",
        tmp_path / "out/scan-2.alto.xml",
    ]
    with pytest.raises(DataError, match=r"scan-1\.alto\.xml is of scan\.tif already"):
        files.claim(second, {"scan-1.alto.xml": b""})
