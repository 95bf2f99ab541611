"""What `train` asks for, held against what can be trained, before any data are read or hours spent."""

import difflib
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from tqdm import tqdm

from legible.config import Params, ThenParams, TrainParams
from legible.data.dataset import Manifest
from legible.errors import DataError, SettingsError
from legible.image.normalize import NEWEST
from legible.network.zoo import MIN_HEIGHT, size_named
from legible.training.batches import nothing_of
from legible.training.precision import check_precision

KINDS = ("word", "line")
RANGES: Mapping[str, tuple[float, float]] = {
    "height": (MIN_HEIGHT, math.inf),
    "epochs": (1, math.inf),
    "epoch_samples": (1, math.inf),
    "batch_columns": (1, math.inf),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "warmup_epochs": (0, math.inf),
    "dropout": (0, 0.99),
    "strength": (0, 1),
    "averaging": (0, 0.999999),
    "normalization": (1, NEWEST),
    "consistency": (0, math.inf),
}
"""Of the settings of a training, the least and the greatest that can be trained."""


def check_trainings(params: Params, runs: Sequence[Params]) -> None:
    """Raises SettingsError for the first setting that no training can be done with, of whichever training of `runs`."""
    _check_range("seed", params.seed, 0, math.inf)
    _check_range("train.averaged", params.train.averaged, 1, math.inf)
    if params.train.start_with and not params.train.start_from:
        raise SettingsError("train.start_with is for further weights beside those of train.start_from; name these")
    for number, then in enumerate(params.train.then):
        _check_then(then, where=f"train.then[{number}]")
    for number, run in enumerate(runs):
        _check(run.train, where="train" if number == 0 else f"train.then[{number - 1}]")


def _check_then(then: ThenParams, *, where: str) -> None:
    _check_range(f"{where}.from_mean_of", then.from_mean_of, 1, math.inf)
    _check_range(f"{where}.batch_columns", then.batch_columns, 0, math.inf)


def _check(asked: TrainParams, *, where: str) -> None:
    for name, (least, most) in RANGES.items():
        _check_range(f"{where}.{name}", getattr(asked, name), least, most)
    size_named(asked.size)
    check_precision(asked.precision)
    if asked.paired and asked.strength <= 0:
        raise SettingsError(
            f"{where}.consistency compares two augmented views of an image; raise {where}.strength above 0"
        )
    for group, weight in asked.mixture.items():
        _check_range(f"{where}.mixture.{group}", weight, 0, math.inf)
        source, _, kind = group.partition("/")
        if not source or kind not in KINDS:
            raise SettingsError(f"{where}.mixture names {group!r}; groups are SOURCE/{' or SOURCE/'.join(KINDS)}")
    if not any(asked.mixture.values()):
        raise SettingsError(f"{where}.mixture gives no group any weight; give some to one")


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        bounds = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
        raise SettingsError(f"{name} is {value!r}; it needs to be {bounds}")


def check_mixtures(mixtures: Iterable[Mapping[str, float]], data_set: Manifest) -> None:
    """Raises DataError for a mixture of which nothing is in `train`, or a source is not that the data set is made of.

    Groups of sources that are not there are left out, said on stderr once.
    """
    trained = data_set.counts.get("train", {})
    absent: dict[str, None] = {}
    for mixture in mixtures:
        wanted = [group for group, weight in mixture.items() if weight > 0]
        if not set(wanted) & set(trained):
            raise nothing_of(mixture, trained)
        _check_sources(wanted, data_set, trained)
        absent.update(dict.fromkeys(group for group in wanted if group not in trained))
    if absent:
        said = ", ".join(_with_nearest(group, trained) for group in absent)
        tqdm.write(f"train: no training samples of {said}: left out", file=sys.stderr)


def check_splits(data_set: Manifest, splits: Iterable[str]) -> None:
    """Raises DataError for the first of the splits that holds no samples."""
    for split in splits:
        if not data_set.counts.get(split):
            raise DataError(f"data/dataset holds no {split} samples; raise the counts of generate, or add a source")


def _check_sources(wanted: Iterable[str], data_set: Manifest, trained: Iterable[str]) -> None:
    lost = set(data_set.present) - {group.split("/")[0] for group in trained}
    groups = [group for group in wanted if group.split("/")[0] in lost]
    if groups:
        raise DataError(
            f"train.mixture names {', '.join(groups)}, and no sample of that is in `train`: all are left out, or in "
            "`tune` and `validation`; add images, or lower ingest.validation_share and ingest.tune_share"
        )


def _with_nearest(group: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(group, known, n=1, cutoff=0.8)
    return f"{group} (did you mean {near[0]}?)" if near else group
