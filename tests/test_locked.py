"""`make locked`: in a clone without data, dvc.lock belongs to params.yaml, and a change that was not run is seen."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import check_out


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return check_out(tmp_path)


def locked(folder: Path) -> subprocess.CompletedProcess[str]:
    bin_folder = str(Path(sys.executable).parent)
    made = ["make", "-s", "-o", f"{bin_folder}/.ready", "locked", f"FULL={bin_folder}"]
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    return subprocess.run(made, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_lock_belongs_to_the_parameters(clone: Path) -> None:
    outcome = locked(clone)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.slow
def test_a_changed_parameter_without_its_run_is_seen_with_the_stage(clone: Path) -> None:
    params = (clone / "params.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"(confidence:\n  revision: )\d+", r"\g<1>99", params)
    assert changed != params
    (clone / "params.yaml").write_text(changed, encoding="utf-8")
    outcome = locked(clone)
    assert outcome.returncode != 0
    assert "'confidence'" in outcome.stdout + outcome.stderr
    assert "run dvc repro, commit what it changes" in outcome.stderr


@pytest.mark.slow
def test_a_bundle_edited_by_hand_is_seen_and_left_alone(clone: Path) -> None:
    card = clone / "models/bundle/card.md"
    card.write_text("better")
    outcome = locked(clone)
    assert outcome.returncode != 0
    assert "run dvc repro, commit what it changes" in outcome.stderr
    assert card.read_text() == "better"


@pytest.mark.slow
def test_a_deleted_bundle_is_seen(clone: Path) -> None:
    shutil.rmtree(clone / "models/bundle")
    outcome = locked(clone)
    assert outcome.returncode != 0
    assert "git restore models/bundle" in outcome.stderr
