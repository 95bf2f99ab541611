"""JAX trains where TensorFlow is not installed, and its weights are exported and read here."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_training import asked, pairs_after, project, small_params

from legible.config import load_params
from legible.data.dataset import Dataset
from legible.training import stage as training
from legible.training.export import export
from legible.training.phases import phases_of
from legible.training.weights import load_network

PROJECT = Path(__file__).parents[1]
PYTHON = PROJECT / ".venv-accelerate/bin/python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason="make test sets up .venv-accelerate"),
]

SHORT = """
train: {height: 32, epochs: 1, epoch_samples: 96, batch_columns: 2048, precision: mixed_bfloat16,
  mixture: {drawn/word: 1.0}}
"""
SETTLED_ON = 60
TRAIN = f"""
from pathlib import Path
from legible.config import (load_params)
from legible.training import (loop)
from legible.training import (stage as training)
training.BATCH_NORM_SAMPLES = {SETTLED_ON}
training.train(load_params(Path("params.yaml")), root=Path())
"""
LOGITS = """
import numpy as np
from pathlib import Path
from legible.training.weights import (load_network)
network = load_network(Path("models/weights"))[0]
image = np.random.default_rng(0).random((1, 32, 64, 1), np.float32)
np.save("logits.npy", np.asarray(network({"image": image, "mask": np.ones((1, 1, 64), np.float32)})))
"""


def with_jax(root: Path, *arguments: str, **variables: str) -> str:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(PROJECT / "src")}
    environment |= variables
    done = subprocess.run(
        [str(PYTHON), *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = project(tmp_path_factory.mktemp("jax"))
    asked(root, SHORT)
    with_jax(root, "-m", "legible", "train", "--workers", "2")
    return root


def test_tensorflow_is_not_there(trained: Path) -> None:
    assert "False" in with_jax(
        trained, "-c", "import importlib.util as u; print(u.find_spec('tensorflow') is not None)"
    )


def test_weights_trained_with_jax_give_the_same_logits_here(trained: Path) -> None:
    with_jax(trained, "-c", LOGITS)
    network, description, _ = load_network(trained / "models/weights")
    image = np.random.default_rng(0).random((1, 32, 64, 1), np.float32)
    logits = np.asarray(network({"image": image, "mask": np.ones((1, 1, 64), np.float32)}))
    assert description.backend == "jax"
    assert np.allclose(logits, np.load(trained / "logits.npy"), atol=1e-3)


def test_and_are_exported_here(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "models", tmp_path / "models")
    export(small_params(epochs=1), root=tmp_path)
    assert (tmp_path / "training/artefact/model.tflite").stat().st_size > 0


def test_a_training_on_pairs_after_another_ends_in_their_mean_settled_as_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path)
    asked(root, pairs_after(epochs=1))
    with_jax(root, "-c", TRAIN)
    network = load_network(root / "models/weights")[0]
    there = [np.array(weight) for weight in network.get_weights()]
    first = load_network(root / "training/weights-1")[0].get_weights()
    assert all(np.isfinite(weight).all() for weight in there)
    assert not any(np.array_equal(one, other) for one, other in zip(first, there, strict=True))
    monkeypatch.setattr(training, "BATCH_NORM_SAMPLES", SETTLED_ON)
    last = phases_of(load_params(root / "params.yaml"))[-1].params
    samples = list(Dataset.open(root / "data/dataset").samples(split="train"))
    for average in network.non_trainable_variables:
        average.assign(np.ones(average.shape))
    training.update_moving_averages(network, samples, last, workers=1)
    for one, other in zip(there, network.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-4)


SHARED = """
train: {height: 32, epochs: 1, epoch_samples: 48, batch_columns: 2048, batch_multiple: 4, precision: float32,
  strength: 0.0, mixture: {drawn/word: 1.0}}
"""


def trained_on(devices: int, root: Path) -> tuple[float, list[np.ndarray]]:
    """The loss of an epoch and the weights after it, trained on so many of four virtual devices."""
    asked(project(root), SHARED)
    command = ("-m", "legible", "train", "--workers", "1", "--devices", str(devices))
    with_jax(root, *command, XLA_FLAGS="--xla_force_host_platform_device_count=4")
    (state,) = root.glob("training/checkpoint-1/*.json")
    history = json.loads(state.read_text(encoding="utf-8"))["history"]
    return history[0]["loss"], load_network(root / "models/weights")[0].get_weights()


def test_four_devices_that_share_each_batch_train_as_one_does(tmp_path: Path) -> None:
    one, four = (trained_on(devices, tmp_path / str(devices)) for devices in (1, 4))
    assert four[0] == pytest.approx(one[0], rel=1e-4)
    assert all(np.allclose(first, second, atol=2e-3) for first, second in zip(one[1], four[1], strict=True))


def on_two_hosts(tmp_path: Path, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """Train in folders `0` and `1` by two processes of two virtual devices each; their outcomes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(PROJECT / "src")}
    environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    command = [str(PYTHON), "-m", "legible", "train", "--workers", "1", "--devices", "4", "--hosts", "2", *arguments]
    running = [
        subprocess.Popen(
            [*command, "--coordinator", coordinator, "--host", host],
            cwd=tmp_path / host,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for host in ("0", "1")
    ]
    told = [one.communicate() for one in running]
    return [
        subprocess.CompletedProcess(one.args, one.returncode, *said) for one, said in zip(running, told, strict=True)
    ]


def test_two_hosts_that_share_each_batch_train_as_one_does(tmp_path: Path) -> None:
    """Four devices on two hosts, and four on one: the same loss and weights, and both hosts write the same."""
    loss, weights = trained_on(4, tmp_path / "one")
    for host in ("0", "1"):
        asked(project(tmp_path / host), SHARED)
    done = on_two_hosts(tmp_path)
    assert [one.returncode for one in done] == [0, 0], done
    for host in ("0", "1"):
        (state,) = (tmp_path / host).glob("training/checkpoint-1/*.json")
        assert json.loads(state.read_text(encoding="utf-8"))["history"][0]["loss"] == pytest.approx(loss, rel=1e-4)
        found = load_network(tmp_path / host / "models/weights")[0].get_weights()
        assert all(np.allclose(first, second, atol=2e-3) for first, second in zip(weights, found, strict=True))
    files = [(tmp_path / host / "models/weights/model.weights.h5") for host in ("0", "1")]
    first, second = (load_network(path.parent)[0].get_weights() for path in files)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_hosts_with_other_parameters_end_with_one_line_each(tmp_path: Path) -> None:
    for host in ("0", "1"):
        asked(project(tmp_path / host), SHARED if host == "0" else SHARED.replace("strength: 0.0", "strength: 0.1"))
    for one in on_two_hosts(tmp_path):
        assert one.returncode != 0
        assert "hosts have different parameters or data" in one.stderr


def test_devices_that_are_not_there_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    asked(project(tmp_path), SHARED)
    for devices, said in (("2", "JAX sees 1 here"), ("3", "batch_multiple to 3")):
        flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"} if devices == "3" else {}
        with pytest.raises(AssertionError, match=said):
            with_jax(tmp_path, "-m", "legible", "train", "--devices", devices, **flags)
