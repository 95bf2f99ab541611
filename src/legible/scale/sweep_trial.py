"""One trial of a sweep on Ray: a training in a folder of its own, whose epochs are told to Ray Tune.

The folder holds the trial's parameters, its checkpoint and a record of its epochs. A trial that is begun again goes on
from its checkpoint, and one that was finished tells its record without training.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import legible
from legible.config import load_params
from legible.data.dataset import Dataset
from legible.errors import BundleError, DataError
from legible.files import JsonFormat

if TYPE_CHECKING:
    from legible.training.checkpoint import EpochFigures

RECORD = JsonFormat("record of a trial", 1, "delete the folder of the trial", DataError)
FILE = "epochs.json"
METRICS = ("loss", "tune.cer", "tune.exact_match")
"""The metrics of an epoch that a sweep on Ray can be judged by."""


@dataclass
class TrialRecord:
    """The metrics of each epoch of a trial, and what they are of; `finished` where these are all."""

    of: str
    epochs: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False

    @staticmethod
    def load(folder: Path) -> "TrialRecord | None":
        """Return a folder's; None where it has none."""
        path = folder / FILE
        if not path.is_file():
            return None
        with RECORD.parse(path) as content:
            return TrialRecord(content["of"], content["epochs"], content["finished"])

    def save(self, folder: Path) -> None:
        RECORD.save(folder / FILE, asdict(self))


def identity_of(folder: Path) -> str:
    """Return a digest of the trial's parameters and data set: a record of others is no record of it."""
    data_set = Dataset.open(folder / "data/dataset").manifest.fingerprint
    return hashlib.sha256((folder / "params.yaml").read_bytes() + data_set.encode()).hexdigest()[:16]


def run_trial(folder: Path, tell: Callable[[Mapping[str, float]], None], *, cpus: int, tensorboard: str) -> None:
    """Train in a folder, or tell what its record has; `tell` is called with the metrics of each epoch, in order."""
    identity, known = identity_of(folder), TrialRecord.load(folder)
    if known and known.finished and known.of == identity:
        for epoch in known.epochs:
            tell(epoch)
        return
    record = TrialRecord(identity)

    def note(metrics: Mapping[str, float]) -> None:
        record.epochs.append(dict(metrics))
        record.save(folder)
        tell(metrics)

    _train(folder, note, cpus=cpus, tensorboard=tensorboard)
    record.finished = True
    record.save(folder)


def _train(folder: Path, note: Callable[[Mapping[str, float]], None], *, cpus: int, tensorboard: str) -> None:
    from legible.training.threads import limit_threads  # computes from here on  # noqa: PLC0415

    if os.environ.get("KERAS_BACKEND", "tensorflow") != "jax":  # which has no such setting
        limit_threads(cpus)
    from legible.training.stage import train  # noqa: PLC0415
    from legible.training.tensorboard import TensorBoardCurves  # noqa: PLC0415

    logs = [TensorBoardCurves(Path(tensorboard)).log] if tensorboard else []

    def on_epoch(figures: "EpochFigures") -> None:
        for log in logs:
            log(figures)
        values = (figures.loss, figures.tune_cer, figures.tune_exact)
        note(dict(zip(METRICS, values, strict=True)))

    train(load_params(folder / "params.yaml"), root=folder, on_epoch=on_epoch)


def trainable(config: Mapping[str, Any]) -> None:
    """Run a trial in a process of Ray Tune's. Raise BundleError for a worker with another version of legible."""
    from ray import tune  # an extra  # noqa: PLC0415

    trial = config["trial"]
    if trial["legible"] != legible.__version__:
        raise BundleError(
            f"a worker has legible {legible.__version__}, the driver {trial['legible']}; install that one there"
        )
    told: list[int] = []

    def tell(metrics: Mapping[str, float]) -> None:
        told.append(1)
        tune.report({**metrics, "epochs": len(told)})

    run_trial(Path(trial["folder"]), tell, cpus=trial["cpus"], tensorboard=trial["tensorboard"])
