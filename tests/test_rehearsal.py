"""A model is trained and tagged, changed for the worse and the better, judged as a pull request is, and rolled back.

In a repository of its own with a store of its own, by the make targets that the workflows call.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT

from legible.config import dump_params, load_params
from legible.recognition.bundle import load_bundle

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
TAG = "v1.0.0"
TRAINED_BADLY = {
    "epochs": 1,
    "epoch_samples": 256,
    "batch_columns": 8192,
    "learning_rate": 0.008,
    "warmup_epochs": 1.0,
    "strength": 0.6,
    "dropout": 0.1,
    "averaging": 0.0,
    "start_from": "start",
}
"""A fine-tuning of the shipped weights that does them harm, so that there is a better one."""
MANY_STYLES = {"words": 2600, "lines": 0, "styles": 600, "shares": {"print": 1.0}}
TUNE_SHARE = 0.4
"""So much, by so many styles, that confidence is calibrated and judged on more than chance, as the gate does."""
WORSE, BETTER = "train.learning_rate=0.2", "train.learning_rate=0.0005"


def run(folder: Path, *command: str, code: int = 0) -> str:
    """Its output, once it ended with that code."""
    paths = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT / "src")}
    git = {f"GIT_{who}_{what}": "legible@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    quiet = {"DO_NOT_TRACK": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    environment = {**os.environ, **paths, **git, **quiet}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def make(folder: Path, *arguments: str, code: int = 0) -> str:
    return run(folder, "make", "-s", f"FULL={BIN}", f"store={BIN}", "-o", f"{BIN}/.ready", *arguments, code=code)


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose champion is on main, tagged, its data in the store beside it."""
    folder = tmp_path_factory.mktemp("rehearsal") / "project"
    for place in ("fonts/more", "data", "params"):
        (folder / place).mkdir(parents=True)
    fonts = ("fonts/.npmrc", *(f"fonts/{more}package{lock}.json" for more in ("", "more/") for lock in ("", "-lock")))
    for name in ("Makefile", "dvc.yaml", ".gitignore", ".dvcignore", *fonts):
        shutil.copyfile(PROJECT / name, folder / name)
    shutil.copyfile(PROJECT / "params/tiny-detector.yaml", folder / "params/detector.yaml")
    shutil.copytree(PROJECT / "scripts", folder / "scripts")
    shutil.copytree(PROJECT / "models/weights", folder / "start")
    shutil.copytree(PROJECT / "models/measured", folder / "models/measured")
    (folder / "data/sources.json").write_text('{"version": 1, "sources": []}')
    params = yaml.safe_load(dump_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml"))
    params["generate"].update(MANY_STYLES)
    params["ingest"]["tune_share"] = TUNE_SHARE
    params["confidence"]["samples"] = 1000
    params["train"].update(TRAINED_BADLY, size=load_params(PROJECT / "params.yaml").train.size)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True, sort_keys=False))
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    commit(folder, "Begin")
    make(folder, "remote", f"URL={folder.parent / 'store'}")
    make(folder, "retrain")
    commit(folder, "Train")
    run(folder, "git", "tag", TAG)
    make(folder, "push-data")
    return folder


def proposed(project: Path, setting: str, branch: str) -> Path:
    """A branch on which the setting was changed and the model trained again, as retrain.yml does; and a clone of it.

    Like the checkout of a pull request's check the clone has neither data nor cache.
    """
    run(project, "git", "checkout", "-q", "-b", branch, "main")
    make(project, "retrain", f"SETTINGS={setting}")
    commit(project, f"Retrain with {setting}")
    make(project, "push-data")
    clone = project.parent / branch
    run(project.parent, "git", "clone", "-q", "--branch", branch, str(project), str(clone))
    return clone


@pytest.fixture(scope="module")
def worse(project: Path) -> Path:
    return proposed(project, WORSE, "worse")


@pytest.fixture(scope="module")
def better(project: Path, worse: Path) -> Path:  # noqa: ARG001 - one after the other: they share the working folder
    return proposed(project, BETTER, "better")


def gate(clone: Path, *, code: int) -> dict[str, Any]:
    """The verdict of the pull-request check."""
    verdict: dict[str, Any] = json.loads(make(clone, "gate", "CHAMPION=origin/main", "FORMAT=json", code=code))
    return verdict


def test_the_check_refuses_a_change_for_the_worse_with_the_reason(worse: Path) -> None:
    make(worse, "locked")
    verdict = gate(worse, code=2)
    assert verdict["recorded"]
    assert any(reason.startswith("all: exact match fell by") for reason in verdict["reasons"])
    assert "| all |" in make(worse, "compare", "CHAMPION=origin/main")


def test_the_check_passes_a_change_for_the_better(better: Path) -> None:
    make(better, "locked")
    verdict = gate(better, code=0)
    assert verdict["passed"]
    assert verdict["comparisons"][0]["candidate"] > verdict["comparisons"][0]["champion"]


def test_a_deploy_refuses_records_and_passes_once_the_data_were_pulled(project: Path, better: Path) -> None:
    refused = make(better, "gate-deploy", f"CHAMPION={TAG}", code=2)
    assert "a deploy needs the images to be read again" in refused
    make(better, "remote", f"URL={project.parent / 'store'}", "pull")
    assert "read again. passed" in make(better, "gate-deploy", f"CHAMPION={TAG}")


def test_a_rollback_brings_back_bundle_parameters_lock_and_data(project: Path, better: Path) -> None:
    champion = bundle_id(project, TAG)
    assert load_bundle(better / "models/bundle").id != champion
    make(better, "rollback", f"TO={TAG}")
    assert load_bundle(better / "models/bundle").id == champion
    make(better, "pull")
    make(better, "locked")
    assert "up to date" in run(better, "dvc", "status")


def bundle_id(project: Path, version: str) -> str:
    into = project.parent / version
    make(project, "bundle", f"VERSION={version}", f"INTO={into}")
    return load_bundle(into).id
