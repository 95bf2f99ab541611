"""Checkpoints: all that a killed training needs to continue exactly: weights, optimizer, random states and progress.

A checkpoint is written beside its place and renamed, so that a kill while writing leaves the one before. It belongs to
one fingerprint of parameters, data set and initial weights; with another fingerprint the training starts afresh.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from legible.config import CharsetParams, Params, TrainParams
from legible.files import intact_folder, recover_folder, replace_folder
from legible.training.checkpoint_files import check_sums, read_state, write_state
from legible.training.weight_files import write_weights

WEIGHTS = "model.weights.h5"
RANDOM_STATES = "random_states.npz"
DECIDED_ELSEWHERE = frozenset({"phases", "mixtures", "averaged", "start_from", "start_with"})
"""Fields of the section `train` that decide which phases there are or where one starts, not how it goes."""


@dataclass(frozen=True)
class EpochFigures:
    """One row of the curves. `tune_cer` and `tune_exact` are by the best path, with the weights of the moment."""

    epoch: int
    loss: float
    learning_rate: float
    tune_cer: float
    tune_exact: float
    images_per_second: float


@dataclass
class TrainingProgress:
    """The progress of a phase: the epochs that are done, and the losses of the batches of the current epoch."""

    history: list[EpochFigures] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        return bool(self.history or self.losses)


@dataclass(frozen=True)
class Checkpoints:
    """The newest checkpoint of a phase, in a folder of its own."""

    folder: Path
    fingerprint: str

    def save(self, model: keras.Model, progress: TrainingProgress) -> None:
        state = {"fingerprint": self.fingerprint, **dataclasses.asdict(progress)}
        with replace_folder(self.folder) as fresh:
            write_weights(model, fresh / WEIGHTS)
            np.savez(fresh / RANDOM_STATES, **random_states(model))
            write_state(fresh, state, beside=(WEIGHTS, RANDOM_STATES))

    def restore(self, model: keras.Model) -> TrainingProgress:
        """Load the checkpoint into a model with a built optimizer, and return its progress.

        Raise DataError where a file is not as it was written.
        """
        recover_folder(self.folder)
        progress = self.progress()
        if progress.begun:
            check_sums(self.folder, read_state(self.folder) or {})
            model.load_weights(self.folder / WEIGHTS)
            restore_random_states(model, dict(np.load(self.folder / RANDOM_STATES)))
        return progress

    def peek(self, model: keras.Model) -> TrainingProgress:
        """Load the weights alone, while another process may be writing the next checkpoint, and return the progress."""
        model.load_weights(intact_folder(self.folder) / WEIGHTS)
        return self.progress()

    def progress(self) -> TrainingProgress:
        """Return the progress of the checkpoint; an empty one where there is none, or one of another fingerprint."""
        state = read_state(intact_folder(self.folder))
        if state is None or state["fingerprint"] != self.fingerprint:
            return TrainingProgress()
        return TrainingProgress([EpochFigures(**line) for line in state["history"]], state.get("losses", []))


def random_states(model: keras.Model) -> dict[str, Any]:
    """Return the states of the random generators (of dropout), which Keras leaves out of weights files."""
    states = [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]
    return {str(number): keras.ops.convert_to_numpy(variable) for number, variable in enumerate(states)}


def restore_random_states(model: keras.Model, states: dict[str, Any]) -> None:
    variables = [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]
    for number, variable in enumerate(variables):
        variable.assign(states[str(number)])


def fingerprint(params: Params, *, data_set: str, start: Sequence[str] = ()) -> str:
    """Return a hash of all that decides the weights: settings of the phase, charset, seed, data set and backend.

    A setting with its default value is left out, so that a setting added later leaves checkpoints valid.

    start: sums of the weights that it starts from, or the fingerprints of the phases that make them.
    """
    decisive: dict[str, Any] = {
        "train": _decisive(params.train),
        "charset": _decisive(params.charset),
        "seed": params.seed,
        "data_set": data_set,
        "backend": keras.backend.backend(),
        "start": list(start),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _decisive(section: TrainParams | CharsetParams) -> dict[str, Any]:
    fields = [one for one in dataclasses.fields(section) if one.name not in DECIDED_ELSEWHERE]
    return {one.name: getattr(section, one.name) for one in fields if getattr(section, one.name) != one.default}
