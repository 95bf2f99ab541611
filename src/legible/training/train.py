"""Stage `train`: the train split -> float weights, with curves, checkpoints and exact resume.

Written against Keras 3 alone: TensorFlow, JAX or PyTorch, on a CPU or a GPU, by KERAS_BACKEND.
"""

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from dvclive import Live
from keras import ops
from tqdm import tqdm

from legible.charset import Charset
from legible.config import Params, TrainParams
from legible.ctc.decode import best_path_text
from legible.data.dataset import Dataset, Sample
from legible.network.loss import CTCModel
from legible.network.normalization import BatchNormalization, update_batch_norm
from legible.network.zoo import STRIDE, build_network, size_named
from legible.scores import cer, exact_match
from legible.training.batches import (
    Example,
    ExampleSource,
    Planner,
    PreprocessingConfig,
    epoch_batches,
    make_batch,
    prepare_sample,
)
from legible.training.checkpoint import Checkpoints, EpochFigures, fingerprint
from legible.training.checks import check_mixtures, check_splits, check_trainings
from legible.training.precision import usable_precision
from legible.training.preprocessing_pool import PreprocessingPool
from legible.training.weights import average_with, load_matching, save_weights, sum_of_weights

AVERAGED_SHARE = 0.2
"""The moving average of the weights spans this share of a training at most."""
READ_TOGETHER = 32
SETTLING_SAMPLES = 4096
"""Of `train`, that the moving averages of a mean of weights are found on."""
TUNE_SAMPLES = 2048
"""Samples of `tune` read after each epoch, for the curves; choices are made on all of it."""
USUAL_WIDTH = 128
"""Columns of a padded image, about the mean of words and lines."""


@dataclass(frozen=True)
class Loaded:
    """The samples of a training in memory: all of `train`, and those of `tune` that its curves read."""

    train: Sequence[Sample]
    tune: Sequence[Sample]


def train(params: Params, *, root: Path, workers: int = 1) -> None:
    """Weights of root/data/dataset into root/models/weights. Continues a killed run of the same parameters."""
    runs = trainings(params)
    check_trainings(params, runs)
    data_set = Dataset.open(root / "data/dataset")
    check_splits(data_set.manifest, ("train", "tune"))
    check_mixtures([run.train.mixture for run in runs], data_set.manifest)
    loaded = Loaded(_split(data_set, "train", context=True), _evenly(_split(data_set, "tune"), TUNE_SAMPLES))
    start = first_weights(params.train, root=root)
    identities = fingerprints(runs, data_set=data_set.manifest.fingerprint, start=start)
    for number, (run, identity) in enumerate(zip(runs, identities, strict=True), start=1):
        last = number == len(runs)
        checkpoints = Checkpoints(root / f"training/checkpoint-{number}", identity)
        curves = "live" if last else f"live-{number}"
        model = train_once(run, loaded, checkpoints, root=root, curves=curves, workers=workers)
        if last:
            former = _weights_before(number, params.train.averaged)
            average_with(model, [root / one for one in former])
            if former and run.train.renormalized:
                settle_averages(model, loaded.train, run, workers=workers)
        target = root / ("models/weights" if last else _weights_of(number))
        save_weights(model, target, run.train, charset=run.charset.build())


def settle_averages(model: CTCModel, samples: Sequence[Sample], params: Params, *, workers: int) -> None:
    """Moving averages for a mean of weights, which has none of its own (Izmailov et al. 2018), from training images.

    Every column of image counts the same, also in the last batch of a width, which is not filled up with repeats.
    """
    preprocessing = dataclasses.replace(_preparation(params), paired=False)
    epoch = params.train.epochs  # the first that was not trained on
    plan = Planner(samples, params.train.mixture, seed=params.seed).plan(epoch, samples=SETTLING_SAMPLES)
    with PreprocessingPool(samples, preprocessing, workers=workers) as pool:
        prepared = tqdm(pool.prepared(plan, epoch=epoch), desc="settle averages", total=len(plan), unit="image")
        batches = list(epoch_batches(prepared, batch_columns=params.train.batch_columns, filled=False))
    update_batch_norm(model, [{"image": batch.image, "mask": batch.mask} for batch in batches])


def trainings(params: Params) -> list[Params]:
    """What `train` asks for, a training after the other, each from the weights of the one before."""
    runs = [dataclasses.replace(params.train, then=(), averaged=1)]
    for number, then in enumerate(params.train.then, start=1):
        changes = {field.name: getattr(then, field.name) for field in dataclasses.fields(then)}
        changes["batch_columns"] = then.batch_columns or params.train.batch_columns
        changes["start_with"] = _weights_before(number, changes.pop("from_mean_of"))
        runs.append(dataclasses.replace(runs[-1], start_from=_weights_of(number), **changes))
    return [dataclasses.replace(params, train=run) for run in runs]


def first_weights(params: TrainParams, *, root: Path) -> list[str]:
    """Sums of the weights that the first training starts from: their folders may come to hold others."""
    return [sum_of_weights(root / folder) for folder in (params.start_from, *params.start_with) if params.start_from]


def fingerprints(runs: Sequence[Params], *, data_set: str, start: Sequence[str]) -> list[str]:
    """Of trainings one after the other: each has the one before in it, and the first what it starts from."""
    found: list[str] = []
    for run in runs:
        found.append(fingerprint(run, data_set=data_set, start=found[-1:] or start))
    return found


def _weights_of(number: int) -> str:
    """Where a training that others follow leaves its weights, under the project's folder."""
    return f"training/weights-{number}"


def _weights_before(number: int, count: int) -> tuple[str, ...]:
    """Of the trainings before this one, those that make `count` together with it, or all there are."""
    return tuple(_weights_of(one) for one in range(max(number - count + 1, 1), number))


def _preparation(params: Params) -> PreprocessingConfig:
    asked, charset = params.train, params.charset.build()
    return PreprocessingConfig(
        charset, asked.height, STRIDE, asked.strength, params.seed, asked.normalization, paired=asked.paired
    )


def train_once(
    params: Params, loaded: Loaded, checkpoints: Checkpoints, *, root: Path, curves: str, workers: int
) -> CTCModel:
    """One training from its start, or from where its checkpoint stands, to its end."""
    keras.utils.set_random_seed(params.seed)
    if keras.backend.backend() == "tensorflow":
        _make_tensorflow_deterministic()
    charset = params.charset.build()
    model = build_model(params.train, labels=charset.size)
    if params.train.start_from:
        load_matching(model, root / params.train.start_from, charset=charset)
        average_with(model, [root / other for other in params.train.start_with])
    history = checkpoints.restore(model)
    planner = Planner(loaded.train, params.train.mixture, seed=params.seed)
    preprocessing = _preparation(params)
    if any(sample.untold for sample in loaded.train if params.train.mixture.get(sample.group, 0) > 0):
        model.folding = preprocessing.folding
    live = Live(dir=str(root / "training" / curves), dvcyaml=None, save_dvc_exp=False, monitor_system=False)
    with live, PreprocessingPool(loaded.train, preprocessing, workers=workers) as pool:
        for figures in history:
            _log(live, figures)
        for epoch in range(len(history), params.train.epochs):
            plan = planner.plan(epoch, samples=params.train.epoch_samples)
            started = time.monotonic()
            loss = train_epoch(model, pool, plan, params.train, epoch=epoch)
            seconds = time.monotonic() - started
            figures = EpochFigures(
                epoch=epoch + 1,
                loss=loss,
                learning_rate=float(ops.convert_to_numpy(model.optimizer.learning_rate)),
                images_per_second=len(plan) / seconds,
                **_tune_scores(model, loaded.tune, preprocessing),
            )
            history.append(figures)
            checkpoints.save(model, history)
            _log(live, figures)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return model


def build_model(params: TrainParams, *, labels: int) -> CTCModel:
    """The network of this size with its optimizer, both built, so that a checkpoint can be loaded into them."""
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
    """That of `train.averaging`, or less where a training is so short that its beginning would count."""
    views = params.epochs * params.epoch_samples * (2 if params.paired else 1)
    batches = views * USUAL_WIDTH / params.batch_columns
    return min(params.averaging, max(1.0 - 1.0 / (AVERAGED_SHARE * batches), 0.0))


def train_epoch(
    model: CTCModel, source: ExampleSource, plan: npt.NDArray[np.int64], params: TrainParams, *, epoch: int
) -> float:
    """One pass over a plan; the mean loss of its batches."""
    losses: list[float] = []
    done = 0
    columns = params.batch_columns // (2 if params.paired else 1)
    batches = epoch_batches(source.prepared(plan, epoch=epoch), batch_columns=columns)
    with tqdm(total=len(plan), unit="image", desc=f"epoch {epoch + 1}/{params.epochs}", mininterval=2) as bar:
        for batch in batches:
            progress = (epoch + min(done / len(plan), 1.0)) / params.epochs
            model.optimizer.learning_rate.assign(learning_rate(progress, params))
            targets = {"labels": batch.labels, "untold": batch.untold} if model.folding else batch.labels
            loss = model.train_on_batch({"image": batch.image, "mask": batch.mask}, targets)
            losses.append(float(np.mean(loss)))
            done += batch.size
            bar.update(batch.size)
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    return float(np.mean(losses))


def learning_rate(progress: float, params: TrainParams) -> float:
    """Rises straight through the warm-up, at most half of it all, then falls along half a cosine; progress 0 to 1."""
    warmup = min(params.warmup_epochs / params.epochs, 0.5)
    if progress < warmup:
        return params.learning_rate * max(progress / warmup, 0.01)
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def read_samples(model: CTCModel, samples: Sequence[Sample], preprocessing: PreprocessingConfig) -> list[str]:
    """Best-path texts by the network in training, for its curves only; figures come from the exported artefact."""
    plain = dataclasses.replace(preprocessing, strength=0.0)
    rng = np.random.default_rng(0)
    prepared = [prepare_sample(sample, plain, rng) for sample in samples]
    return read_prepared(model, prepared, charset=plain.charset, stride=plain.stride)


def read_prepared(model: CTCModel, prepared: Sequence[Example], *, charset: Charset, stride: int) -> list[str]:
    """Best-path texts of model inputs, in their order."""
    by_width = sorted(range(len(prepared)), key=lambda place: prepared[place].columns.shape[1])
    texts = [""] * len(prepared)
    for start in range(0, len(prepared), READ_TOGETHER):
        places = by_width[start : start + READ_TOGETHER]
        batch = make_batch([prepared[place] for place in places], width=prepared[places[-1]].padded_width)
        logits = np.asarray(model.predict_on_batch({"image": batch.image, "mask": batch.mask}), np.float32)
        for row, place in enumerate(places):
            steps = int(batch.mask[row].sum()) // stride
            texts[place] = best_path_text(logits[row, :steps], charset)
    return texts


def _tune_scores(model: CTCModel, tune: Sequence[Sample], preprocessing: PreprocessingConfig) -> dict[str, float]:
    """Scores of what the labels tell: of texts in capitals, of texts without spaces, case and spaces are no error."""
    texts = read_samples(model, tune, preprocessing)
    truths = [sample.comparable(sample.text) for sample in tune]
    predictions = [sample.comparable(text) for sample, text in zip(tune, texts, strict=True)]
    return {
        "tune_cer": cer(truths=truths, predictions=predictions),
        "tune_exact": exact_match(truths=truths, predictions=predictions),
    }


def _log(live: Live, figures: EpochFigures) -> None:
    live.log_metric("loss", figures.loss)
    live.log_metric("learning_rate", figures.learning_rate)
    live.log_metric("tune/cer", figures.tune_cer)
    live.log_metric("tune/exact_match", figures.tune_exact)
    live.next_step()


def _split(data_set: Dataset, split: str, *, context: bool = False) -> list[Sample]:
    return list(tqdm(data_set.samples(split=split, context=context), desc=f"load {split}", unit="image"))


def _evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most so many samples, taken at equal distances."""
    step = max(len(samples) / count, 1)
    return [samples[int(place * step)] for place in range(min(count, len(samples)))]


def _make_tensorflow_deterministic() -> None:
    import tensorflow as tf  # only where it is the backend  # noqa: PLC0415

    tf.config.experimental.enable_op_determinism()
