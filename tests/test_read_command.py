"""`legible read`: formats, standard input, output files, and what is not an image among those that are."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, drawn_word
from PIL import Image
from typer.testing import CliRunner, Result

from legible.cli import app

RUNNER = CliRunner()
WORDS = ("Hamburg", "reading")


@pytest.fixture
def scans(tmp_path: Path, print_face: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for text in WORDS:
        Image.fromarray(drawn_word(text, print_face)).save(folder / f"{text}.png")
    return folder


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch, bundle_folder: Path) -> None:
    monkeypatch.setenv("LEGIBLE_BUNDLE", str(bundle_folder))


def read(*arguments: str | Path, given: bytes = b"") -> Result:
    return RUNNER.invoke(app, ["read", *map(str, arguments)], input=given)


def process(
    *arguments: str | Path, given: bytes = b"", folder: Path = PROJECT, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "legible", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, input=given, capture_output=True, check=False, env={**os.environ, **environment}
    )


def test_texts_alone_are_a_line_for_each_image(scans: Path) -> None:
    assert read(scans, "--format", "text").stdout.splitlines() == list(WORDS)


def test_tsv_and_csv_have_a_header_and_a_row_for_each_image(scans: Path) -> None:
    tsv = read(scans, "--format", "tsv", "--alternatives", "1").stdout
    table = list(csv.DictReader(io.StringIO(tsv), delimiter="\t"))
    assert [row["text"] for row in table] == list(WORDS)
    assert table[0].keys() == {"path", "text", "confidence", "error", "alternative_1", "confidence_1"}
    plain = list(csv.DictReader(io.StringIO(read(scans, "--format", "csv").stdout)))
    assert [row["text"] for row in plain] == list(WORDS)


def test_a_name_with_tabs_and_line_breaks_stays_in_its_row(scans: Path) -> None:
    (scans / "Hamburg.png").rename(scans / "a\tb\nc.png")
    rows = read(scans, "--format", "tsv").stdout.splitlines()
    assert [len(row.split("\t")) for row in rows] == [4, 4, 4]


def test_alternatives_are_named_in_the_table(scans: Path) -> None:
    lines = read(scans / "Hamburg.png", "--alternatives", "2").stdout.splitlines()
    assert len(lines) == 3
    assert [line.split()[1] for line in lines[1:]] == ["or", "or"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "text", "--alternatives", "2"), "--format text prints the texts alone"),
        (("--json", "--format", "csv"), "--json and --format csv contradict each other"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: tuple[str, ...], message: str, scans: Path) -> None:
    assert message in str(read(scans, *options).exception)


def test_standard_input_is_read(scans: Path) -> None:
    done = read("-", "--json", given=(scans / "Hamburg.png").read_bytes())
    assert json.loads(done.stdout) == {"path": "-", "text": "Hamburg", "confidence": pytest.approx(1, abs=0.1)}


def test_an_output_file_is_written_whole(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "readings.json"
    done = read(scans, "--json", "--output", out)
    assert done.stdout == ""
    assert [json.loads(line)["text"] for line in out.read_text(encoding="utf-8").splitlines()] == list(WORDS)


def test_what_is_no_image_in_a_folder_ends_nothing(scans: Path) -> None:
    (scans / "folder.png").mkdir()
    (scans / "broken.png").symlink_to("nowhere")
    (scans / "letter.pdf").write_bytes(b"%PDF-1.7")
    os.mkfifo(scans / "pipe.png")  # would be waited for
    done = read(scans, "--json")
    assert done.exit_code == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows if "text" in row] == list(WORDS)
    assert [Path(row["path"]).name for row in rows if "error" in row] == ["broken.png"]
    assert "broken.png: No such file or directory" in done.stderr
    assert "letter.pdf: PDF is not read; skipped" in done.stderr
    assert "pipe.png: a pipe or device; skipped" in done.stderr
    assert "folder.png" not in done.stderr


def test_a_missing_path_among_others_is_named_and_the_others_are_read(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("gone.png")
    done = read("nowhere.png", scans / "Hamburg.png", tmp_path / "link.png", "--format", "text")
    assert done.exit_code == 1
    assert done.stdout == "Hamburg\n"
    assert "nowhere.png: no such file or folder" in done.stderr
    assert "link.png: a link to gone.png, which is not there" in done.stderr


def test_where_no_path_is_there_it_is_an_error() -> None:
    assert "nothing to read" in str(read("nowhere.png", "nor-here.png").exception)


def test_of_several_frames_the_first_is_read_and_that_is_said(print_face: Path, tmp_path: Path) -> None:
    pages = [Image.fromarray(drawn_word(text, print_face)) for text in ("first", "second", "third")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    done = read(tmp_path / "scan.tif", "--format", "text")
    assert done.stdout == "first\n"
    assert "scan.tif: 3 frames, of which the first is read" in done.stderr


def test_workers_read_at_the_same_time(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches meet at a barrier, which one thread alone would wait at for ever."""
    import threading  # noqa: PLC0415

    from legible.recognition import recognizer  # noqa: PLC0415

    meeting, original = threading.Barrier(2), recognizer.Recognizer._try_some  # noqa: SLF001

    def met(self: recognizer.Recognizer, *arguments: Any, **named: Any) -> Any:
        meeting.wait(timeout=20)
        return original(self, *arguments, **named)

    monkeypatch.setattr(recognizer.Recognizer, "_try_some", met)
    paths = [scans / "Hamburg.png"] * (2 * recognizer.STEP_IMAGES)
    assert read(*paths, "--workers", "2", "--format", "text").stdout.split() == ["Hamburg"] * len(paths)


def test_text_and_names_that_the_terminal_lacks_are_no_traceback(print_face: Path, tmp_path: Path) -> None:
    path = tmp_path / "Prüfung-\N{SNOWMAN}.png"
    Image.fromarray(drawn_word("£5", print_face)).save(path)
    done = process("read", path, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert b"\\xa35" in done.stdout
    assert b"fung-" in done.stdout


def test_names_that_are_no_text_are_no_traceback(scans: Path) -> None:
    path = os.fsencode(scans) + b"/\xff.png"
    Path(os.fsdecode(path)).write_bytes((scans / "Hamburg.png").read_bytes())
    done = process("read", os.fsdecode(path), "--json", PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == "Hamburg"


def test_a_reader_that_has_enough_is_no_traceback(scans: Path) -> None:
    paths = " ".join([str(scans / "Hamburg.png")] * 50)
    shell = f"{sys.executable} -m legible read {paths} | head -n 1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert "Hamburg" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_the_version_is_printed() -> None:
    import legible  # noqa: PLC0415

    assert RUNNER.invoke(app, ["--version"]).stdout == f"legible {legible.__version__}\n"


def test_an_image_is_not_replaced_by_its_own_output(scans: Path, tmp_path: Path) -> None:
    image = scans / "Hamburg.png"
    (tmp_path / "link.png").symlink_to(image)
    before = image.read_bytes()
    for output in (image, tmp_path / "link.png"):
        assert "would be replaced" in str(read(scans, "--output", output).exception)
    assert image.read_bytes() == before


def test_a_pipe_as_output_is_written_to_and_stays_a_pipe(scans: Path, tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    assert read(scans / "Hamburg.png", "--format", "text", "--output", pipe).exit_code == 0
    reader.join(10)
    assert got == ["Hamburg\n"]
    assert pipe.is_fifo()


def test_more_alternatives_than_a_service_gives_are_refused(scans: Path) -> None:
    assert read(scans, "--alternatives", "1000000").exit_code == 2
    assert "10" in read(scans, "--alternatives", "1000000").stderr
