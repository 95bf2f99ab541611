"""What a killed run needs to go on as if nothing had happened: weights, optimizer, random states and the history.

Written beside its place and renamed, so that a kill while writing costs one epoch and no more. A checkpoint belongs
to one fingerprint of parameters, data set and first weights; another one starts afresh.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from legible.config import Params
from legible.files import recover_folder, replace_folder


@dataclass(frozen=True)
class EpochFigures:
    """One line of the curves; `tune_cer` and `tune_exact` are of the best path without averaging of the weights."""

    epoch: int
    loss: float
    learning_rate: float
    tune_cer: float
    tune_exact: float
    images_per_second: float


@dataclass(frozen=True)
class Checkpoints:
    """The newest checkpoint of a run, in a folder of its own."""

    folder: Path
    fingerprint: str

    def save(self, model: keras.Model, history: list[EpochFigures]) -> None:
        state = {"fingerprint": self.fingerprint, "history": [dataclasses.asdict(line) for line in history]}
        with replace_folder(self.folder) as fresh:
            model.save_weights(fresh / "model.weights.h5")
            np.savez(fresh / "random_states.npz", **random_states(model))
            (fresh / "state.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")

    def restore(self, model: keras.Model) -> list[EpochFigures]:
        """Put the model, which has its optimizer built, where the run stopped; the epochs that are done."""
        recover_folder(self.folder)
        history = self.history()
        if history:
            model.load_weights(self.folder / "model.weights.h5")
            restore_random_states(model, dict(np.load(self.folder / "random_states.npz")))
        return history

    def history(self) -> list[EpochFigures]:
        path = self.folder / "state.json"
        if not path.is_file():
            return []
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["fingerprint"] != self.fingerprint:
            return []
        return [EpochFigures(**line) for line in state["history"]]


def random_states(model: keras.Model) -> dict[str, Any]:
    """States of the seed generators (of dropout), which Keras leaves out of a weights file."""
    states = [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]
    return {str(number): keras.ops.convert_to_numpy(variable) for number, variable in enumerate(states)}


def restore_random_states(model: keras.Model, states: dict[str, Any]) -> None:
    variables = [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]
    for number, variable in enumerate(variables):
        variable.assign(states[str(number)])


def fingerprint(params: Params, *, data_set: str, start: Sequence[str] = ()) -> str:
    """Of all that decides the weights: the section `train`, the charset, the seed, the data set and the backend.

    start: sums of the weights that it starts from, or the fingerprint of the training that makes them.
    """
    decisive: dict[str, Any] = {
        "train": dataclasses.asdict(params.train),
        "charset": dataclasses.asdict(params.charset),
        "seed": params.seed,
        "data_set": data_set,
        "backend": keras.backend.backend(),
    }
    if start:
        decisive["start"] = list(start)
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
