"""The command line, and the wheel that carries the weights."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer.main
from conftest import PROJECT, drawn_word
from PIL import Image
from typer.testing import CliRunner

from legible.cli import ALL_CORES, app
from legible.cli.app import one_line

RUNNER = CliRunner()


@pytest.fixture
def scans(tmp_path: Path, print_face: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for text in ("Hamburg", "reading"):
        Image.fromarray(drawn_word(text, print_face)).save(folder / f"{text}.png")
    return folder


def legible(*arguments: str, folder: Path = PROJECT, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "legible", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=variables)


@pytest.mark.parametrize(("command", "option"), [("generate", "processes"), ("train", "workers")])
def test_a_stage_that_takes_long_takes_every_core(command: str, option: str) -> None:
    stage = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    assert {parameter.name: parameter.default for parameter in stage.params}[option] == ALL_CORES


def test_a_folder_is_read_to_a_table(scans: Path, bundle_folder: Path) -> None:
    outcome = RUNNER.invoke(app, ["read", str(scans), "--bundle", str(bundle_folder)])
    assert outcome.exit_code == 0
    assert "Hamburg" in outcome.stdout
    assert "reading" in outcome.stdout


def test_json_lines_hold_path_text_and_confidence(scans: Path, bundle_folder: Path) -> None:
    outcome = RUNNER.invoke(app, ["read", str(scans), "--json", "--bundle", str(bundle_folder)])
    rows = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["Hamburg", "reading"]
    assert set(rows[0]) == {"path", "text", "confidence"}


def test_a_file_that_is_no_image_is_told_and_the_others_are_read(scans: Path, bundle_folder: Path) -> None:
    (scans / "broken.png").write_bytes(b"no image")
    outcome = RUNNER.invoke(app, ["read", str(scans), "--bundle", str(bundle_folder)])
    assert outcome.exit_code == 1
    assert "Hamburg" in outcome.stdout
    assert "broken.png: this is not an image" in outcome.stderr


def test_an_error_is_one_line_and_a_code_of_its_own() -> None:
    outcome = legible("read", "nowhere.png")
    assert outcome.returncode == 3
    assert outcome.stderr == "legible: nowhere.png: no such file or folder\n"


def test_an_error_of_the_system_is_one_line_and_never_the_exit_code_of_a_drift(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = legible("fonts", "--root", f"{tmp_path / 'file'}")
    assert outcome.returncode == 3
    assert outcome.stderr.count("\n") == 1


def test_a_folder_of_images_is_a_window_of_its_own(scans: Path, bundle_folder: Path) -> None:
    (scans / "broken.png").write_bytes(b"no image")
    outcome = RUNNER.invoke(app, ["drift", "--images", str(scans), "--bundle", str(bundle_folder)])
    assert outcome.exit_code == 2
    assert outcome.stdout == "not enough data: 2 images, and it takes 50; no report is drawn\n"
    assert "broken.png is no image that can be read; skipped" in outcome.stderr


def test_what_chooses_among_observations_is_refused_with_images(scans: Path, bundle_folder: Path) -> None:
    outcome = RUNNER.invoke(app, ["drift", "--images", str(scans), "--bundle", str(bundle_folder), "--last", "9"])
    assert "--last choose among observations" in str(outcome.exception)


def test_a_time_that_is_none_is_an_error_of_one_line(tmp_path: Path) -> None:
    outcome = legible("rebase", "--since", "yesterday", "--out", str(tmp_path / "baseline"))
    assert outcome.returncode == 3
    assert (
        outcome.stderr == "legible: --since 'yesterday' is no time; write 2026-11-21, 2026-11-21T08:00, 10m, 1h or 2d\n"
    )


def test_merged_parameters_are_printed() -> None:
    outcome = RUNNER.invoke(app, ["params", str(PROJECT / "params.yaml"), str(PROJECT / "params/tiny.yaml")])
    assert "size: micro" in outcome.stdout


@pytest.mark.slow
def test_the_wheel_alone_reads_in_a_lean_environment(tmp_path: Path, scans: Path) -> None:
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(PROJECT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        assert "legible/_bundle/model.tflite" in content.namelist()
        (metadata,) = (content.read(name).decode() for name in content.namelist() if name.endswith("/METADATA"))
    assert "License-Expression: Apache-2.0 AND LicenseRef-Noncommercial-Research-Weights" in metadata
    assert "License-File: LICENSE-WEIGHTS" in metadata
    python = tmp_path / "lean/bin/python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "lean")], check=True)
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), str(wheel)]
    subprocess.run(install, check=True)
    read = [str(tmp_path / "lean/bin/legible"), "read", str(scans), "--json"]
    outcome = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [json.loads(line)["text"] for line in outcome.stdout.splitlines()] == ["Hamburg", "reading"]
    for command in ("serve", "drift", "monitor", "gate", "train"):
        run = [str(tmp_path / "lean/bin/legible"), command]
        failed = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert failed.returncode == 3
        assert "Traceback" not in failed.stderr
        assert failed.stderr.count("\n") == 1, failed.stderr


@pytest.mark.slow
def test_the_first_stage_stops_where_a_listed_source_is_not_here(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    source = {"name": "iam", "kind": "iam", "terms": "", "counts": {"word": 4}, "sha256": {}}
    (tmp_path / "data/sources.json").write_text(json.dumps({"version": 1, "sources": [source]}))
    outcome = legible("fonts", folder=tmp_path, DVC_STAGE="fonts")
    assert outcome.returncode == 3
    assert "Go on without: legible data drop iam. Or" in outcome.stderr
    assert "a remote of your own (none comes with legible): dvc pull data/raw/iam.dvc" in outcome.stderr
    alone = legible("fonts", folder=tmp_path)
    assert "iam" not in alone.stderr
    assert "params.yaml: no such file" in alone.stderr


def test_sources_are_listed_and_dropped(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    source = {"name": "iam", "kind": "iam", "terms": "", "counts": {"word": 4}, "sha256": {}}
    (tmp_path / "data/sources.json").write_text(json.dumps({"version": 1, "sources": [source]}))
    listed = RUNNER.invoke(app, ["data", "list", "--root", str(tmp_path)])
    assert listed.stdout == "iam  iam  4 word  not here\n"
    assert RUNNER.invoke(app, ["data", "drop", "iam", "--root", str(tmp_path)]).exit_code == 0
    assert RUNNER.invoke(app, ["data", "list", "--root", str(tmp_path)]).stdout == ""
    nothing = RUNNER.invoke(app, ["data", "drop", "--root", str(tmp_path)])
    assert "which source?" in str(nothing.exception)


def test_all_sources_that_are_not_here_are_dropped_at_once(tmp_path: Path) -> None:
    (tmp_path / "data/raw/here").mkdir(parents=True)
    rows = [{"name": name, "kind": "iam", "terms": "", "counts": {}, "sha256": {}} for name in ("a", "here", "b")]
    (tmp_path / "data/sources.json").write_text(json.dumps({"version": 1, "sources": rows}))
    drop = ["data", "drop", "--absent", "--root", str(tmp_path)]
    assert RUNNER.invoke(app, drop).stdout == "dropped: a, b\n"
    assert RUNNER.invoke(app, ["data", "list", "--root", str(tmp_path)]).stdout == "here  iam    here\n"
    assert RUNNER.invoke(app, drop).stdout == "dropped: none, for every listed source is here\n"


def test_a_folder_that_cannot_be_copied_is_one_line_however_many_files_it_has() -> None:
    faults = [(f"a/{number}", f"b/{number}", "No space left on device") for number in range(1000)]
    assert one_line(shutil.Error(faults)) == "b/0: No space left on device, and 999 files more"
