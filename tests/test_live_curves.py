"""Curves of trainings that share a repository: the file that DVCLive writes for editors is of all of them."""

import os
from pathlib import Path

import pytest
from dvc.repo import Repo

from legible.training.curves import STEP_SIGNAL, live_curves

pytestmark = pytest.mark.slow


@pytest.fixture
def signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that is written after each step in a new repository, which is the working directory."""
    Repo.init(str(tmp_path), no_scm=True).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".dvc/tmp/exps/run" / STEP_SIGNAL


def test_the_file_of_a_step_is_deleted_at_the_end(signal: Path) -> None:
    with live_curves(Path("live")) as live:
        live.log_metric("loss", 1.0)
        live.next_step()
        assert signal.exists()
    assert not signal.exists()


def deleted_by_another(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another training delete this file at the moment at which DVCLive is about to."""
    remove = os.remove

    def late(name: str) -> None:
        if Path(name).name == path:
            remove(name)
        remove(name)

    monkeypatch.setattr("dvclive.vscode.os.remove", late)


def test_another_training_has_deleted_it_as_this_one_ends(signal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted_by_another(STEP_SIGNAL, monkeypatch)
    with live_curves(Path("live")) as live:
        live.next_step()
    assert not signal.exists()


def test_what_stopped_a_training_is_told_where_another_has_deleted_it(
    signal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted_by_another(STEP_SIGNAL, monkeypatch)
    with pytest.raises(KeyboardInterrupt), live_curves(Path("live")) as live:  # noqa: PT012
        live.next_step()
        raise KeyboardInterrupt
    assert not signal.exists()


def test_any_other_missing_file_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dvclive.Live.end", lambda _: open("missing"))  # noqa: PTH123, SIM115
    with pytest.raises(FileNotFoundError, match="missing"), live_curves(Path("live")):
        pass
