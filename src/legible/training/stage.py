"""Stage `train`: from the split `train` to float weights, phase by phase, with curves, checkpoints and exact resume."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from legible.config import Params
from legible.data.chosen import closed_sources
from legible.data.dataset import Dataset, Sample
from legible.errors import DataError
from legible.locks import lock_file_at_once
from legible.network.loss import CTCModel
from legible.network.normalization import update_batch_norm
from legible.training.batches import Planner, epoch_batches
from legible.training.checkpoint import Checkpoints, TrainingProgress
from legible.training.checks import check_mixtures, check_phases, check_splits
from legible.training.interpolation import interpolate
from legible.training.loop import Loaded, OnEpoch, build_model, preprocessing_of, run_phase
from legible.training.phases import TrainingPhase, fingerprints, last_numbers, open_phases, phases_of, up_to, weights_of
from legible.training.preprocessing_pool import PreprocessingPool
from legible.training.weights import average_with, copy_weights, save_weights

BATCH_NORM_SAMPLES = 4096
"""The number of samples of `train` from which the moving averages of averaged weights are computed."""
TUNE_SAMPLES = 2048
"""The number of samples of `tune` read after each epoch, for the curves; choices are made on all of it."""
NEWEST = "training/weights-newest"
"""The folder that `save_newest` writes."""
OPEN_WEIGHTS = "models/weights/open"
"""The folder of the weights that were trained on open sources alone."""
PEEKS = 10
"""How often a checkpoint that is being replaced is opened again, with PEEK_SECONDS between."""
PEEK_SECONDS = 0.2


def train(
    params: Params,
    *,
    root: Path,
    workers: int = 1,
    stop_after: str = "",
    on_epoch: OnEpoch = lambda _: None,
) -> None:
    """Train on root/data/dataset and write root/models/weights. A killed training continues from its checkpoint.

    Where the first phases are trained on open sources alone, their weights become root/models/weights/open.
    stop_after: the name or number of a phase; the weights are then those of a recipe that ends with it. `on_epoch` is
    called for the epochs of all phases. Raise LegibleError where another training writes the same checkpoints.
    """
    every = phases_of(params)
    check_phases(params, every)
    data_set = Dataset.open(root / "data/dataset")
    check_splits(data_set.manifest, ("train", "tune"))
    check_mixtures([phase.train.mixture for phase in up_to(every, stop_after)], data_set.manifest)
    busy = f"{root}: another training is running here; let it end, or train in another folder"
    with lock_file_at_once(root / "training/.lock", busy=busy):
        _train(params, every, data_set, root=root, workers=workers, stop_after=stop_after, on_epoch=on_epoch)


def _train(
    params: Params,
    every: Sequence[TrainingPhase],
    data_set: Dataset,
    *,
    root: Path,
    workers: int,
    stop_after: str,
    on_epoch: OnEpoch,
) -> None:
    phases = up_to(every, stop_after)
    last_open = len(open_phases(every, closed_sources(data_set)))
    identities = fingerprints(phases, data_set=data_set.manifest.fingerprint, root=root)
    loaded = Loaded(_split(data_set, "train", context=True), _evenly(_split(data_set, "tune"), TUNE_SAMPLES))
    for phase, identity in zip(phases, identities, strict=True):
        last = phase is phases[-1]
        tqdm.write(f"train: {phase.title}, of {len(every)}: {phase.train.epochs} epochs", file=sys.stderr)
        curves = root / "training" / ("live" if last else f"live-{phase.number}")
        checkpoints = Checkpoints(root / phase.checkpoint, identity)
        model = run_phase(phase, loaded, checkpoints, root=root, curves=curves, workers=workers, on_epoch=on_epoch)
        save_weights(model, root / phase.weights, phase.train, charset=phase.params.charset.build())
    if params.train.interpolation:
        interpolate(model, phases, _split(data_set, "tune"), params, root=root)
    _publish(model, phases[-1], loaded.train, averaged=params.train.averaged, root=root, workers=workers)
    if last_open:
        opened = "models/weights" if last_open >= len(phases) else weights_of(last_open)
        copy_weights(root / opened, root / OPEN_WEIGHTS)


def _publish(
    model: CTCModel, last: TrainingPhase, samples: Sequence[Sample], *, averaged: int, root: Path, workers: int
) -> None:
    """Write root/models/weights: the average of the last phases' weights; the model holds those of the last one."""
    former = last_numbers(last.number, averaged)[:-1]
    average_with(model, [root / weights_of(number) for number in former])
    if former and last.train.renormalized:
        update_moving_averages(model, samples, last.params, workers=workers)
    save_weights(model, root / "models/weights", last.train, charset=last.params.charset.build())


def update_moving_averages(model: CTCModel, samples: Sequence[Sample], params: Params, *, workers: int) -> None:
    """Compute the moving averages of averaged weights, which have none of their own (Izmailov et al. 2018).

    Every column of image has the same weight, also in the last batch of a width, which is not filled up with repeats.
    """
    preprocessing = dataclasses.replace(preprocessing_of(params), paired=False)
    epoch = params.train.epochs  # the first that was not trained on
    plan = Planner(samples, params.train.mixture, seed=params.seed).plan(epoch, samples=BATCH_NORM_SAMPLES)
    with PreprocessingPool(samples, preprocessing, workers=workers) as pool:
        examples = tqdm(pool.prepared(plan, epoch=epoch), desc="update batch norm", total=len(plan), unit="image")
        batches = list(epoch_batches(examples, batch_columns=params.train.batch_columns, filled=False))
    update_batch_norm(model, [{"image": batch.image, "mask": batch.mask} for batch in batches])


def save_newest(params: Params, *, root: Path) -> Path:
    """Write the averaged weights of the newest checkpoint to root/training/weights-newest, and return that folder.

    A training may be running meanwhile. Raise DataError where these parameters have no checkpoint.
    """
    phases = phases_of(params)
    data_set = Dataset.open(root / "data/dataset").manifest.fingerprint
    identities = fingerprints(phases, data_set=data_set, root=root)
    found = [(p, Checkpoints(root / p.checkpoint, i)) for p, i in zip(phases, identities, strict=True)]
    begun = [(phase, checkpoints) for phase, checkpoints in found if checkpoints.progress().begun]
    if not begun:
        raise DataError(f"{root / 'training'}: no checkpoint of these parameters and data; legible train writes them")
    phase, checkpoints = begun[-1]
    model = build_model(phase.train, labels=phase.params.charset.build().size)
    progress = _peek(checkpoints, model)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    save_weights(model, root / NEWEST, phase.train, charset=phase.params.charset.build())
    tqdm.write(f"train: {phase.title}, after {len(progress.history)} epochs: {root / NEWEST}", file=sys.stderr)
    return root / NEWEST


def _peek(checkpoints: Checkpoints, model: CTCModel) -> TrainingProgress:
    """Open a checkpoint that the training may be about to replace."""
    for _ in range(PEEKS - 1):
        try:
            return checkpoints.peek(model)
        except FileNotFoundError:
            time.sleep(PEEK_SECONDS)
    return checkpoints.peek(model)


def _split(data_set: Dataset, split: str, *, context: bool = False) -> list[Sample]:
    return list(tqdm(data_set.samples(split=split, context=context), desc=f"load {split}", unit="image"))


def _evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Return at most `count` samples, taken at equal distances."""
    step = max(len(samples) / count, 1)
    return [samples[int(place * step)] for place in range(min(count, len(samples)))]
