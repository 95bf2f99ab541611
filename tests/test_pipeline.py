"""The whole pipeline, from generation to bundle, and what a second run does."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, drawn_word

from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


def sums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    command = ["make", "-s", "tiny", f"TINY={folder}", f"FULL={BIN}", "-o", f"{BIN}/.ready"]
    outcome = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    return folder


def test_it_ends_in_a_bundle_that_reads(made: Path, print_face: Path) -> None:
    bundle = load_bundle(made / "models/bundle")
    reading = Recognizer.from_bundle(bundle).read([drawn_word("word", print_face)])[0]
    assert 0 <= reading.confidence <= 1
    assert bundle.manifest.sources == ("generated-handwriting", "generated-print", "generated-strokes")
    assert "not stated" not in (made / "models/bundle/card.md").read_text()


def test_its_figures_are_above_zero(made: Path) -> None:
    figures = json.loads((made / "models/bundle/evaluation.json").read_text())["slices"]
    assert figures["generated-print/word"]["exact_match"] > 0


def test_a_second_run_does_nothing(made: Path) -> None:
    before = sums(made / "models")
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-m", "dvc", "repro"]
    again = subprocess.run(command, cwd=made, env=environment, capture_output=True, text=True, check=True)
    assert "Data and pipelines are up to date." in again.stdout
    assert sums(made / "models") == before
