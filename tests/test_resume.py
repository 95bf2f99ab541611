"""A killed training of several goes on to the same final bits, on any number of workers, and leaves none behind."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from kills import KilledError
from test_training import asked, final_weights, pairs_after, project

from legible.training import loop
from legible.training import stage as training

pytestmark = pytest.mark.slow

EPOCHS = 4
"""Of the second training."""
ASKED = pairs_after(epochs=EPOCHS)


@pytest.fixture(scope="module", autouse=True)
def _few_to_settle() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH_NORM_SAMPLES", 120)
        yield


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    root = project(tmp_path_factory.mktemp("at_once"))
    training.train(asked(root, ASKED), root=root)
    return final_weights(root)


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    assert len(one) == len(other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def epochs_done(root: Path) -> int:
    """Of the second training."""
    state = root / "training/checkpoint-2/state.json"
    return len(json.loads(state.read_text(encoding="utf-8"))["history"]) if state.is_file() else 0


def test_a_second_training_killed_between_epochs_goes_on_to_the_same_final_bits_with_two_workers(
    at_once: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path)
    original = loop.train_epoch

    def killed(*args: object, epoch: int, **rest: object) -> float:
        if epoch == 1:  # the first training has no second epoch
            raise KilledError
        return original(*args, epoch=epoch, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KilledError):
        training.train(asked(root, ASKED), root=root, workers=2)
    assert epochs_done(root) == 1
    monkeypatch.setattr(loop, "train_epoch", original)
    training.train(asked(root, ASKED), root=root, workers=2)
    assert_same(at_once, final_weights(root))


def test_a_training_that_the_system_kills_leaves_no_worker_and_goes_on_to_the_same_final_bits(
    at_once: list[np.ndarray], tmp_path: Path
) -> None:
    root = project(tmp_path)
    params = asked(root, ASKED)
    command = [sys.executable, "-m", "legible", "train", "--workers", "2"]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and not epochs_done(root):
            time.sleep(0.01)
        workers = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert 0 < epochs_done(root) < EPOCHS
    training.train(params, root=root)
    assert_same(at_once, final_weights(root))
