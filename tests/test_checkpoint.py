"""What a checkpoint belongs to, and that no kill loses it."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from kills import KilledError, killed_after
from test_training import final_weights, project, small_params

from legible.charset import Charset
from legible.config import Params, PhaseParams, load_params
from legible.errors import DataError, LegibleError
from legible.locks import lock_file_at_once
from legible.network.loss import CTCModel
from legible.network.zoo import ZOO, build_network
from legible.training import checkpoint, loop
from legible.training import stage as training
from legible.training.checkpoint_files import check_sums, read_state
from legible.training.phases import fingerprints, phases_of, start_sums
from legible.training.weight_files import room_for, write_weights
from legible.training.weights import save_weights

DIGITS = Charset("digits", "0123456789")
FIRST, THEN = PhaseParams(), PhaseParams(epochs=1, learning_rate=0.001)


def params(**changes: object) -> Params:
    asked = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    train = dataclasses.replace(asked.train, **{"phases": (FIRST, THEN, THEN), **changes})  # type: ignore[arg-type]
    return dataclasses.replace(asked, train=train)


def found(asked: Params, *, data_set: str = "a", root: Path = Path()) -> list[str]:
    return fingerprints(phases_of(asked), data_set=data_set, root=root)


def weights(folder: Path, *, seed: int) -> Path:
    network = build_network(ZOO["micro"], labels=DIGITS.size, height=params().train.height)
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=weight.shape) for weight in network.get_weights()])
    save_weights(network, folder, params().train, charset=DIGITS)
    return folder


def test_what_changes_the_first_phase_changes_all_that_follow(tmp_path: Path) -> None:
    weights(tmp_path / "start", seed=1)
    started = found(params(start_from="start"), root=tmp_path)
    for changed in (found(params(epochs=9)), found(params(), data_set="b"), started):
        assert not set(changed) & set(found(params()))


def test_what_changes_a_later_phase_leaves_those_before_it() -> None:
    changed = found(params(phases=(FIRST, THEN, dataclasses.replace(THEN, epochs=2))))
    assert [one == other for one, other in zip(changed, found(params()), strict=True)] == [True, True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"phases": (FIRST, THEN, THEN, THEN)},
        {"phases": (dataclasses.replace(FIRST, name="first"), THEN, THEN)},
        {"averaged": 2},
        {"mixtures": {"all": {"drawn/word": 1.0}}},
    ],
    ids=["a phase at the end", "a name", "how many are averaged", "a mixture that no phase names"],
)
def test_what_decides_no_weights_of_a_phase_changes_no_fingerprint(changes: dict[str, object]) -> None:
    assert found(params(**changes))[:3] == found(params())


def test_a_phase_depends_on_every_phase_that_it_starts_from() -> None:
    last = dataclasses.replace(THEN, from_mean_of=2)
    one, other = (
        found(params(phases=(FIRST, first, THEN, last))) for first in (THEN, dataclasses.replace(THEN, epochs=2))
    )
    assert one[-1] != other[-1]


def test_a_setting_that_comes_later_leaves_checkpoints_valid() -> None:
    """A default says what was done before there was the setting."""
    asked = params().train
    decisive = checkpoint._decisive(asked)  # noqa: SLF001
    assert "consistency" not in decisive
    assert checkpoint._decisive(dataclasses.replace(asked, consistency=0.2))["consistency"] == 0.2  # noqa: SLF001


def test_the_first_weights_are_known_by_what_they_hold(tmp_path: Path) -> None:
    shutil.copytree(weights(tmp_path / "start", seed=1), tmp_path / "copy")
    (first, *_) = phases_of(params(start_from="start", start_with=("copy",)))
    before = start_sums(first, root=tmp_path)
    assert before[0] == before[1]
    for folder in ("start", "copy"):
        weights(tmp_path / folder, seed=2)
    assert not set(start_sums(first, root=tmp_path)) & set(before)
    assert start_sums(phases_of(params())[0], root=tmp_path) == []


def test_a_folder_without_weights_to_start_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="start: no weights here"):
        found(params(start_from="start"), root=tmp_path)


STEPS = 1 + 3 + 1 + 3
"""Renamings and deletions: of the first checkpoint, the second, the phase's weights, and the weights; two had none."""


@pytest.fixture
def drawn_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs that take no time: the weights go a random step from where they are."""

    def step(model: CTCModel, *unused: object, epoch: int, losses: list[float], after_batch: object) -> float:
        del unused, after_batch
        losses.append(0.0)
        rng = np.random.default_rng(epoch)
        model.set_weights([weight * 0.9 + rng.normal(size=weight.shape) for weight in model.get_weights()])
        return 0.0

    monkeypatch.setattr(loop, "train_epoch", step)
    monkeypatch.setattr(loop, "tune_scores", lambda *_: {"tune_cer": 1.0, "tune_exact": 0.0})


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_by_lot")
def test_a_run_killed_as_it_puts_folders_in_their_place_goes_on_to_the_same_final_bits(tmp_path: Path) -> None:
    asked, root = small_params(epochs=2, averaging=0.0), project(tmp_path)
    training.train(asked, root=root)
    at_once = final_weights(root)
    for step in range(STEPS):
        shutil.rmtree(root / "training")
        with killed_after(step), pytest.raises(KilledError):
            training.train(asked, root=root)
        training.train(asked, root=root)
        assert [path for path in root.rglob("*") if path.suffix in {".new", ".old"}] == []
        for once, resumed in zip(at_once, final_weights(root), strict=True):
            assert np.array_equal(once, resumed)


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_by_lot")
@pytest.mark.parametrize("name", ["model.weights.h5", "random_states.npz", "state.json"])
def test_a_checkpoint_that_a_disk_has_damaged_is_named_and_not_trained_on(tmp_path: Path, name: str) -> None:
    asked, root = small_params(epochs=2, averaging=0.0), project(tmp_path)
    training.train(asked, root=root)
    path = root / "training/checkpoint-1" / name
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 9] = bytes(9)
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"checkpoint-1/{name}: .*; delete this folder, and the training starts"):
        training.train(asked, root=root)
    shutil.rmtree(path.parent)
    training.train(asked, root=root)


def test_of_two_trainings_in_one_folder_the_second_ends_at_once(tmp_path: Path) -> None:
    root = project(tmp_path)
    with (
        lock_file_at_once(root / "training/.lock", busy=""),
        pytest.raises(LegibleError, match="another training is running here"),
    ):
        training.train(small_params(epochs=1), root=root)


def test_a_checkpoint_without_sums_is_one_of_an_earlier_version(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"fingerprint": "a", "history": []}')
    state = read_state(tmp_path)
    assert state is not None
    check_sums(tmp_path, state)


FULL = """
import resource, sys
from pathlib import Path
from legible.network.zoo import ZOO, build_network
from legible.training.checkpoint import Checkpoints, EpochFigures, TrainingProgress
model = build_network(ZOO["micro"], labels=11, height=32)
model.compile(optimizer="adam")
model.optimizer.build(model.trainable_variables)
checkpoints = Checkpoints(Path(sys.argv[1]), "a")
checkpoints.save(model, TrainingProgress([], [1.0]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(model, TrainingProgress([], [1.0, 2.0]))
except OSError as error:
    print(f"said: {error}; there: {checkpoints.restore(model).losses}")
"""


@pytest.mark.slow
def test_a_checkpoint_that_finds_no_room_is_one_error_and_the_one_before_stays(tmp_path: Path) -> None:
    """On a full disk HDF5 ended the process with a segmentation fault, and 400 lines of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "checkpoint")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "make room, and run again: " in done.stdout
    assert done.stdout.endswith("there: [1.0]\n")
    assert "h5py" not in done.stderr


def test_the_room_that_is_taken_is_no_less_than_the_file_has(tmp_path: Path) -> None:
    network = build_network(ZOO["micro"], labels=DIGITS.size, height=32)
    network.compile(optimizer="adam")
    network.optimizer.build(network.trainable_variables)
    write_weights(network, tmp_path / "a.weights.h5")
    assert (tmp_path / "a.weights.h5").stat().st_size <= room_for(network)
