"""A folder is never lost, whenever its writer is killed."""

from pathlib import Path

import pytest
from kills import KilledError, killed_after

from legible.files import mend, rewritten, whole

STEPS = 3
"""Of a folder that is there already: away, into its place, and the deletion of the former."""


def write(folder: Path, content: str) -> None:
    with rewritten(folder) as fresh:
        for name in ("one", "other"):
            (fresh / name).write_text(content)


def read(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in ("one", "other")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "inside/folder", "former")
    return tmp_path / "inside/folder"


@pytest.mark.parametrize("step", range(STEPS))
def test_after_a_kill_at_any_step_the_folder_is_whole_and_is_written_again(folder: Path, step: int) -> None:
    with killed_after(step), pytest.raises(KilledError):
        write(folder, "new")
    assert read(whole(folder)) == ({"new"} if step else {"former"})
    with killed_after(0), pytest.raises(KilledError):
        mend(folder)
    assert read(whole(folder)) == ({"new"} if step else {"former"})
    write(folder, "third")
    assert read(folder) == {"third"}
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_it_takes_no_more_steps_than_these(folder: Path) -> None:
    with killed_after(STEPS):
        write(folder, "new")
    assert read(folder) == {"new"}


def test_an_error_while_writing_leaves_the_folder_as_it_was(folder: Path) -> None:
    with pytest.raises(FileNotFoundError), rewritten(folder) as fresh:
        (fresh / "one/within").write_text("half")
    assert read(whole(folder)) == {"former"}
    mend(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_folder_that_was_taken_away_by_hand_stays_away(folder: Path) -> None:
    with killed_after(2), pytest.raises(KilledError):
        write(folder, "new")
    folder.rename(folder.with_name("elsewhere"))
    assert not whole(folder).exists()
