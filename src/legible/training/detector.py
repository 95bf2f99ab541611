"""Train the line detector: pieces of drawn and labelled pages -> float weights, with curves and exact resume.

Written against Keras 3 alone, as `training.train` is. `recipe` says what is trained; `folder` holds the checkpoint and
the curves while it runs, and the weights when it is done.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from legible.config.detector import DetectorParams
from legible.errors import SettingsError
from legible.files import recover_folder, replace_folder
from legible.network.detector import DETECTORS, build_detector, detector_loss
from legible.training.checkpoint_files import check_sums, read_state, write_state
from legible.training.detector_batches import UNTOUCHED, PieceBatch, PiecePool
from legible.training.weight_files import write_weights

WEIGHTS = "detector.weights.h5"
NOT_TRAINED = ("validation_pages", "empty_pages")
"""The parameters that only say what is measured."""
WARMUP = 0.03
"""The fraction of a training over which its learning rate rises."""


@dataclass(frozen=True)
class DetectorEpoch:
    """One line of the curves."""

    epoch: int
    loss: float
    tune_loss: float
    learning_rate: float
    pieces_per_second: float


class DetectorModel(keras.Model):
    """A functional detector that learns from (images, maps)."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *unused: Any, **named: Any) -> Any:
        del x, unused, named
        return detector_loss(y, y_pred)


def train_detector(
    recipe: DetectorParams, pool: PiecePool, tune: PiecePool, *, folder: Path, pages: str, stop_after: int = 0
) -> keras.Model:
    """Train from the start, or from where the checkpoint in `folder` stands, to the end (or `stop_after` epochs more).

    pages: names what the pools cut from; a checkpoint of other pages, or of another recipe, is left aside.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe)
    fingerprint = fingerprint_of(recipe, pages)
    history = restore(model, folder / "checkpoint", fingerprint)
    measured = list(tune.batches(UNTOUCHED, pages=recipe.tune_pages, size=recipe.batch))
    last = min(len(history) + stop_after, recipe.epochs) if stop_after else recipe.epochs
    for epoch in range(len(history), last):
        history.append(_train_epoch(model, pool, recipe, epoch, measured))
        save(model, folder / "checkpoint", fingerprint, history)
    if recipe.averaging:  # the checkpoint goes on from the weights as they are; what is used is their mean
        model.optimizer.finalize_variable_values(model.trainable_variables)
    write_weights(model, folder / WEIGHTS)
    return model


def fingerprint_of(recipe: DetectorParams, pages: str) -> str:
    """Return a hash of the parameters, of what the pages are, and of the backend."""
    trained = {name: value for name, value in dataclasses.asdict(recipe).items() if name not in NOT_TRAINED}
    sources = {name: {"lists": source.lists, "weight": source.weight} for name, source in recipe.sources.items()}
    decisive = {**trained, "sources": sources, "pages": pages, "backend": keras.backend.backend()}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def build_model(recipe: DetectorParams) -> keras.Model:
    """Return the network with its optimizer, both built, so that a checkpoint can be loaded into them."""
    if recipe.size not in DETECTORS:
        raise SettingsError(f"detector.size is {recipe.size!r}; sizes: {', '.join(DETECTORS)}")
    network = build_detector(DETECTORS[recipe.size])
    model = DetectorModel(network.input, network.output, name="detector")
    optimizer = keras.optimizers.AdamW(
        recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=5.0,
        use_ema=recipe.averaging > 0,
        ema_momentum=recipe.averaging or None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer=optimizer, jit_compile="auto" if keras.backend.backend() == "jax" else False)
    optimizer.build(model.trainable_variables)
    return model


def learning_rate(progress: float, recipe: DetectorParams) -> float:
    """Return the learning rate at a progress of 0 to 1: a linear warm-up, then half a cosine."""
    if progress < WARMUP:
        return recipe.learning_rate * max(progress / WARMUP, 0.02)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))


def save(model: keras.Model, folder: Path, fingerprint: str, history: Sequence[DetectorEpoch]) -> None:
    """Write a checkpoint: weights with the optimizer's state, and the curves."""
    state = {"fingerprint": fingerprint, "history": [dataclasses.asdict(line) for line in history]}
    with replace_folder(folder) as fresh:
        write_weights(model, fresh / WEIGHTS)
        write_state(fresh, state, beside=(WEIGHTS,))


def restore(model: keras.Model, folder: Path, fingerprint: str) -> list[DetectorEpoch]:
    """Put the model where a run of this fingerprint stopped; the epochs that are done, none for another run.

    Raise DataError where a file is not as it was written.
    """
    recover_folder(folder)
    state = read_state(folder)
    if state is None or state["fingerprint"] != fingerprint:
        return []
    check_sums(folder, state)
    model.load_weights(folder / WEIGHTS)
    return [DetectorEpoch(**line) for line in state["history"]]


def epochs_done(folder: Path) -> int:
    """Return how many epochs the checkpoint in a training's folder has; 0 where there is none."""
    state = read_state(folder / "checkpoint")
    return len(state["history"]) if state else 0


def _train_epoch(
    model: keras.Model, pool: PiecePool, recipe: DetectorParams, epoch: int, measured: Sequence[PieceBatch]
) -> DetectorEpoch:
    losses: list[float] = []
    started = time.monotonic()
    done, rate = 0, recipe.learning_rate
    batches = pool.batches(epoch, pages=recipe.epoch_pages, size=recipe.batch)
    for number, batch in enumerate(
        tqdm(batches, desc=f"epoch {epoch + 1}/{recipe.epochs}", unit="batch", mininterval=5)
    ):
        progress = (epoch + min(number / _usual_batches(recipe, pool), 1.0)) / recipe.epochs
        rate = learning_rate(progress, recipe)
        model.optimizer.learning_rate.assign(rate)
        losses.append(float(np.mean(model.train_on_batch(batch.images, batch.maps))))
        done += len(batch.images)
    speed = done / (time.monotonic() - started)
    return DetectorEpoch(epoch + 1, float(np.mean(losses)), mean_loss(model, measured), rate, speed)


def mean_loss(model: keras.Model, batches: Sequence[PieceBatch]) -> float:
    """Return the mean loss of batches that are not trained on, with the present weights."""
    losses = [detector_loss(batch.maps, model(batch.images, training=False)) for batch in batches]
    return float(np.mean([ops.convert_to_numpy(loss) for loss in losses]))


def _usual_batches(recipe: DetectorParams, pool: PiecePool) -> float:
    return recipe.epoch_pages * pool.pieces / recipe.batch
