"""`legible read` and `legible page` write the observations that `legible drift` judges."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import drawn_word
from PIL import Image
from typer.testing import CliRunner, Result

from legible.cli import app
from legible.monitoring.image_files import ImageFiles
from legible.observations.recorder import CHANNEL, NamedOrigin, Recorder
from legible.observations.row import Observation
from legible.observations.window import read_back
from legible.reading import Reading

RUNNER = CliRunner()


@pytest.fixture
def scans(tmp_path: Path, print_face: Path) -> Path:
    for folder in ("first", "second"):
        (tmp_path / "scans" / folder).mkdir(parents=True)
        for text in ("one", "two"):
            Image.fromarray(drawn_word(text, print_face)).save(tmp_path / "scans" / folder / f"{text}.png")
    return tmp_path / "scans"


def read(bundle: Path, *arguments: str | Path) -> Result:
    return RUNNER.invoke(app, ["read", *map(str, arguments), "--bundle", str(bundle)])


def rows_of(folder: Path) -> tuple[Observation, ...]:
    return read_back(folder).observations


def test_read_observes_what_it_reads_with_the_documents_digest(
    scans: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "observations"
    made = read(bundle_folder, scans, "--observations", out, "--document", "invoice 7", "--channel", "post")
    rows = rows_of(out)
    assert made.exit_code == 0
    assert [(row.channel, row.length) for row in rows] == [("post", 3)] * 4
    assert len({row.document for row in rows} | {""}) == 2
    assert "invoice" not in "".join(path.read_text() for path in out.rglob("*.jsonl"))


def test_each_folder_may_be_a_document(scans: Path, bundle_folder: Path, tmp_path: Path) -> None:
    read(bundle_folder, scans, "--observations", tmp_path / "observations", "--folder-document")
    assert sorted(Counter(row.document for row in rows_of(tmp_path / "observations")).values()) == [2, 2]


def test_without_a_folder_for_observations_their_options_are_refused(scans: Path, bundle_folder: Path) -> None:
    for option in (["--document", "x"], ["--folder-document"], ["--channel", "x"], ["--sender", "x"]):
        made = read(bundle_folder, scans, *option)
        assert "name --observations" in str(made.exception)


def test_a_document_and_a_document_for_each_folder_contradict_each_other(scans: Path, bundle_folder: Path) -> None:
    made = read(bundle_folder, scans, "--observations", scans, "--document", "x", "--folder-document")
    assert "contradict" in str(made.exception)


def test_a_recorder_names_readings_as_the_service_does_and_counts_what_is_lost(tmp_path: Path) -> None:
    image, reading = np.full((20, 40), 255, np.uint8), Reading("abc", 0.9, ())
    with Recorder(tmp_path, bundle="b", clock=lambda: 1_763_700_000.0) as recorder:
        recorder.record(image, reading, NamedOrigin(document="page 1"))
    (row,) = rows_of(tmp_path)
    assert (row.channel, row.bundle, row.at) == (CHANNEL, "b", 1_763_700_000.0)
    assert row.reading_id.startswith("20251121T0")
    (tmp_path / "full").write_text("no folder")
    with Recorder(tmp_path / "full", bundle="b") as recorder:
        recorder.record(image, reading, NamedOrigin())
    assert recorder.lost == 1


def test_images_of_a_folder_within_the_folder_are_a_document(scans: Path, bundle_folder: Path) -> None:
    Image.new("L", (60, 30), 255).save(scans / "alone.png")
    files = ImageFiles(sorted(scans.rglob("*.png")), bundle_folder, scans)
    documents = [row.document for row in files.observations(at=0.0)]
    assert sorted(Counter(documents).values()) == [1, 2, 2]
    assert "" in documents


NOT_UTF8 = os.fsdecode(b"caf\xe9")


def test_the_rows_of_a_folder_whose_name_is_no_utf8_are_written(scans: Path, bundle_folder: Path) -> None:
    out = scans / "observations"
    (scans / "first").rename(scans / NOT_UTF8)
    told = ("--observations", out, "--folder-document", "--output", scans / "table")
    assert read(bundle_folder, scans, *told).exit_code == 0
    assert sorted(Counter(row.document for row in rows_of(out)).values()) == [2, 2]


def test_a_channel_that_is_no_utf8_is_refused(scans: Path, bundle_folder: Path) -> None:
    made = read(bundle_folder, scans, "--observations", scans / "observations", "--channel", NOT_UTF8)
    assert "no UTF-8" in str(made.exception)


def test_rows_that_cannot_be_written_are_counted_and_hold_up_no_others(tmp_path: Path) -> None:
    image, reading = np.full((20, 40), 255, np.uint8), Reading("abc", 0.9, ())
    hours = iter((1_763_700_000.0, 1_763_710_000.0))
    with Recorder(tmp_path, bundle="b", clock=lambda: next(hours)) as recorder:
        for channel in (NOT_UTF8, "post"):
            recorder.record(image, reading, NamedOrigin(channel))
    assert [row.channel for row in rows_of(tmp_path)] == ["post"]
    assert recorder.lost == 1
