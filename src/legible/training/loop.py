"""The training loop of one phase: epochs of batches, a learning rate with warm-up and cosine decay, and checkpoints.

It is written against Keras 3 alone: TensorFlow, JAX or PyTorch, on a CPU or a GPU, by KERAS_BACKEND.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from tqdm import tqdm

from legible.config import Params, TrainParams
from legible.data.dataset import Sample
from legible.network.loss import CTCModel
from legible.network.normalization import BatchNormalization
from legible.network.zoo import STRIDE, build_network, size_named
from legible.training.batches import Batch, ExampleSource, Planner, PreprocessingConfig, epoch_batches
from legible.training.checkpoint import Checkpoints, EpochFigures, TrainingProgress
from legible.training.curves import live_curves, log_epoch, tune_scores
from legible.training.hosts import check_hosts_agree, host_count, own_rows
from legible.training.phases import TrainingPhase
from legible.training.precision import usable_precision
from legible.training.preprocessing_pool import PreprocessingPool
from legible.training.weights import average_with, load_matching

SAVE_SECONDS = 300.0
"""Within an epoch a checkpoint is written this often; one of `base` takes 0.1 s."""
MAX_AVERAGED_FRACTION = 0.2
"""The moving average of the weights spans at most this fraction of a phase."""
USUAL_WIDTH = 128
"""Columns of a padded image, about the mean of words and lines."""


OnEpoch = Callable[[EpochFigures], None]
"""Called with the figures of each epoch, those before a restart first."""


@dataclass(frozen=True)
class Loaded:
    """The samples of a training in memory: all of `train`, and those of `tune` that its curves read."""

    train: Sequence[Sample]
    tune: Sequence[Sample]


@dataclass
class Autosave:
    """Writes a checkpoint where the last one is more than SAVE_SECONDS old."""

    checkpoints: Checkpoints
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._saved = self.clock()

    def save(self, model: CTCModel, progress: TrainingProgress) -> None:
        self.checkpoints.save(model, progress)
        self._saved = self.clock()

    def save_if_due(self, model: CTCModel, progress: TrainingProgress) -> None:
        if self.clock() - self._saved >= SAVE_SECONDS and host_count() == 1:  # several save where epochs end, together
            self.save(model, progress)


def run_phase(
    phase: TrainingPhase,
    loaded: Loaded,
    checkpoints: Checkpoints,
    *,
    root: Path,
    curves: Path,
    workers: int,
    on_epoch: OnEpoch = lambda _: None,
) -> CTCModel:
    """Train one phase from its start, or from its checkpoint, to its end; the model holds the averaged weights."""
    model = initial_model(phase, root=root)
    progress = checkpoints.restore(model)
    check_hosts_agree(checkpoints.fingerprint, epochs=len(progress.history))
    preprocessing = preprocessing_of(phase.params)
    if any(sample.untold for sample in loaded.train if phase.train.mixture.get(sample.group, 0) > 0):
        model.folding = preprocessing.folding
    autosave = Autosave(checkpoints)
    with live_curves(curves) as live, PreprocessingPool(loaded.train, preprocessing, workers=workers) as pool:
        planner = Planner(loaded.train, phase.train.mixture, seed=phase.params.seed)
        for figures in progress.history:
            log_epoch(live, figures)
            on_epoch(figures)
        for epoch in range(len(progress.history), phase.train.epochs):
            plan = planner.plan(epoch, samples=phase.train.epoch_samples)
            trained = _train_timed(model, pool, plan, phase.train, epoch=epoch, progress=progress, autosave=autosave)
            figures = EpochFigures(
                epoch=epoch + 1,
                learning_rate=float(ops.convert_to_numpy(model.optimizer.learning_rate)),
                **trained,
                **tune_scores(model, loaded.tune, preprocessing),
            )
            progress = TrainingProgress([*progress.history, figures])
            autosave.save(model, progress)
            log_epoch(live, figures)
            on_epoch(figures)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return model


def preprocessing_of(params: Params) -> PreprocessingConfig:
    train, charset = params.train, params.charset.build()
    return PreprocessingConfig(
        charset, train.height, STRIDE, train.strength, params.seed, train.normalization, paired=train.paired
    )


def initial_model(phase: TrainingPhase, *, root: Path) -> CTCModel:
    """Return the compiled network, with the average of the weights that the phase starts from."""
    keras.utils.set_random_seed(phase.params.seed)
    if keras.backend.backend() == "tensorflow":
        _make_tensorflow_deterministic()
    charset = phase.params.charset.build()
    model = build_model(phase.train, labels=charset.size)
    if phase.starts:
        first, *others = phase.starts
        load_matching(model, root / first, charset=charset)
        average_with(model, [root / other for other in others])
    return model


def build_model(params: TrainParams, *, labels: int) -> CTCModel:
    """Return the network of this size with its optimizer, both built, so that a checkpoint can be loaded."""
    precision = usable_precision(params.precision)
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        network = build_network(size_named(params.size), labels=labels, height=params.height, dropout=params.dropout)
    finally:
        keras.config.set_dtype_policy(usual)
    return compiled(network, params)


def compiled(model: CTCModel, params: TrainParams) -> CTCModel:
    optimizer = keras.optimizers.AdamW(
        params.learning_rate,
        weight_decay=params.weight_decay,
        global_clipnorm=2.0,
        use_ema=params.averaging > 0,
        ema_momentum=averaging_momentum(params) if params.averaging else None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.consistency = params.consistency
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.renormalized = params.renormalized
    model.compile(optimizer=optimizer, jit_compile="auto" if keras.backend.backend() == "jax" else False)
    optimizer.build(model.trainable_variables)
    return model


def averaging_momentum(params: TrainParams) -> float:
    """Return `train.averaging`, or a smaller momentum for a phase so short that its beginning would count."""
    views = params.epochs * params.epoch_samples * (2 if params.paired else 1)
    batches = views * USUAL_WIDTH / params.batch_columns
    return min(params.averaging, max(1.0 - 1.0 / (MAX_AVERAGED_FRACTION * batches), 0.0))


def _train_timed(
    model: CTCModel,
    source: ExampleSource,
    plan: npt.NDArray[np.int64],
    params: TrainParams,
    *,
    epoch: int,
    progress: TrainingProgress,
    autosave: Autosave,
) -> dict[str, float]:
    """Train an epoch and return its loss and speed, as fields of EpochFigures; batches before a kill are not timed."""
    started, before = time.monotonic(), len(progress.losses)
    loss = train_epoch(
        model,
        source,
        plan,
        params,
        epoch=epoch,
        losses=progress.losses,
        after_batch=lambda: autosave.save_if_due(model, progress),
    )
    images = len(plan) * (1 - before / len(progress.losses))
    return {"loss": loss, "images_per_second": images / (time.monotonic() - started)}


def train_epoch(
    model: CTCModel,
    source: ExampleSource,
    plan: npt.NDArray[np.int64],
    params: TrainParams,
    *,
    epoch: int,
    losses: list[float] | None = None,
    after_batch: Callable[[], None] = lambda: None,
) -> float:
    """Go through a plan once and return the mean loss of its batches.

    losses: those of the batches that are done already; these batches are made again, but not trained on again. The
    losses of new batches are appended.
    """
    losses = [] if losses is None else losses
    done, skipped = 0, len(losses)
    columns = params.batch_columns // (2 if params.paired else 1)
    prepared = source.prepared(plan, epoch=epoch)
    batches = epoch_batches(prepared, batch_columns=columns, multiple=params.batch_multiple)
    with tqdm(total=len(plan), unit="image", desc=f"epoch {epoch + 1}/{params.epochs}", mininterval=2) as bar:
        for number, batch in enumerate(batches):
            if number >= skipped:
                progress = (epoch + min(done / len(plan), 1.0)) / params.epochs
                losses.append(_train_batch(model, batch, rate=learning_rate(progress, params)))
                after_batch()
            done += batch.size
            bar.update(batch.size)
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    return float(np.mean(losses))


def _train_batch(model: CTCModel, batch: Batch, *, rate: float) -> float:
    model.optimizer.learning_rate.assign(rate)
    labels = own_rows(batch.labels)
    targets = {"labels": labels, "untold": own_rows(batch.untold)} if model.folding else labels
    inputs = {"image": own_rows(batch.image), "mask": own_rows(batch.mask)}
    return float(np.mean(model.train_on_batch(inputs, targets)))


def learning_rate(progress: float, params: TrainParams) -> float:
    """Return the learning rate at a progress of 0 to 1: a linear warm-up, then half a cosine.

    The warm-up is at most half of the phase.
    """
    warmup = min(params.warmup_epochs / params.epochs, 0.5)
    if progress < warmup:
        return params.learning_rate * max(progress / warmup, 0.01)
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _make_tensorflow_deterministic() -> None:
    import tensorflow as tf  # only where it is the backend  # noqa: PLC0415

    tf.config.experimental.enable_op_determinism()
