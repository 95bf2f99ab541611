"""The curves of a training while it runs: the loss, and how well the network reads samples of `tune`.

These figures are for curves and for choosing between experiments; the figures of a bundle come from `evaluation`.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from dvclive import Live

from legible.charset import Charset
from legible.ctc.decode import best_path_text
from legible.data.dataset import Sample
from legible.network.loss import CTCModel
from legible.scores import cer, exact_match
from legible.training.batches import Example, PreprocessingConfig, make_batch, prepare_sample
from legible.training.checkpoint import EpochFigures

READ_BATCH = 32
"""Images in one batch of reading."""

STEP_SIGNAL = "DVCLIVE_STEP_COMPLETED"
"""A file of a repository that DVCLive writes after each step, for editors, and deletes at the end."""


@contextmanager
def live_curves(folder: Path) -> Iterator[Live]:
    """Yield the DVCLive logger of a phase, and end it.

    Trainings in one repository at a time share `STEP_SIGNAL`; one that another has just deleted is no error.
    """
    live = Live(dir=str(folder), dvcyaml=None, save_dvc_exp=False, monitor_system=False)
    try:
        yield live
    finally:
        try:
            live.end()
        except FileNotFoundError as error:
            if Path(error.filename or "").name != STEP_SIGNAL:
                raise


def log_epoch(live: Live, figures: EpochFigures) -> None:
    live.log_metric("loss", figures.loss)
    live.log_metric("learning_rate", figures.learning_rate)
    live.log_metric("tune/cer", figures.tune_cer)
    live.log_metric("tune/exact_match", figures.tune_exact)
    live.next_step()


def tune_scores(model: CTCModel, tune: Sequence[Sample], preprocessing: PreprocessingConfig) -> dict[str, float]:
    """Return CER and exact match on samples of `tune`, as fields of EpochFigures.

    What a label does not tell is no error: case in a label in capitals, spaces in one without spaces.
    """
    texts = read_samples(model, tune, preprocessing)
    truths = [sample.comparable(sample.text) for sample in tune]
    predictions = [sample.comparable(text) for sample, text in zip(tune, texts, strict=True)]
    return {
        "tune_cer": cer(truths=truths, predictions=predictions),
        "tune_exact": exact_match(truths=truths, predictions=predictions),
    }


def read_samples(model: CTCModel, samples: Sequence[Sample], preprocessing: PreprocessingConfig) -> list[str]:
    """Return the best-path texts of samples, read without augmentation by the network in training."""
    plain = dataclasses.replace(preprocessing, strength=0.0)
    rng = np.random.default_rng(0)
    examples = [prepare_sample(sample, plain, rng) for sample in samples]
    return read_examples(model, examples, charset=plain.charset, stride=plain.stride)


def read_examples(model: CTCModel, examples: Sequence[Example], *, charset: Charset, stride: int) -> list[str]:
    """Return the best-path texts of model inputs, in their order."""
    by_width = sorted(range(len(examples)), key=lambda place: examples[place].columns.shape[1])
    texts = [""] * len(examples)
    for start in range(0, len(examples), READ_BATCH):
        places = by_width[start : start + READ_BATCH]
        batch = make_batch([examples[place] for place in places], width=examples[places[-1]].padded_width)
        logits = np.asarray(model.predict_on_batch({"image": batch.image, "mask": batch.mask}), np.float32)
        for row, place in enumerate(places):
            steps = int(batch.mask[row].sum()) // stride
            texts[place] = best_path_text(logits[row, :steps], charset)
    return texts
