"""Checks of the section `train` before any data are read or hours are spent."""

import difflib
import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tqdm import tqdm

from legible.config import Params, PhaseParams, TrainParams
from legible.data.dataset import Manifest
from legible.data.sources import GENERATED
from legible.errors import DataError, SettingsError
from legible.image.normalize import NEWEST
from legible.network.zoo import MIN_HEIGHT, size_named
from legible.training.batches import nothing_of
from legible.training.phases import TrainingPhase
from legible.training.precision import check_precision

KINDS = ("word", "line")
RANGES: Mapping[str, tuple[float, float]] = {"height": (MIN_HEIGHT, math.inf), "normalization": (1, NEWEST)}
"""Bounds that the network and the preprocessing set; `config.params` has all others beside the fields."""


def check_phases(params: Params, phases: Sequence[TrainingPhase]) -> None:
    """Raise SettingsError for the first setting with which a phase cannot be trained."""
    if params.train.start_with and not params.train.start_from:
        raise SettingsError("train.start_with is for further weights beside those of train.start_from; name these")
    if params.train.interpolation and not (params.train.start_from and params.train.own):
        raise SettingsError(
            "train.interpolation is between the weights of train.start_from and those of a training to "
            "train.own; name both"
        )
    _check_names(params.train.phases)
    for phase in phases:
        _check(phase.train, _placed(params.train.phases, phase.number))


def _placed(overlays: Sequence[PhaseParams], number: int) -> Callable[[str], str]:
    """Return a function that names a setting where it is stated: in phase `number`, or in the section."""
    overlay = overlays[number - 1] if overlays else None

    def place(name: str) -> str:
        stated = getattr(overlay, name, None) is not None
        return f"train.phases[{number - 1}].{name}" if stated else f"train.{name}"

    return place


def _check_names(phases: Sequence[PhaseParams]) -> None:
    names = [phase.name for phase in phases if phase.name]
    if twice := sorted({name for name in names if names.count(name) > 1 or name.isdecimal()}):
        raise SettingsError(f"train.phases names {', '.join(twice)}; a name is for one phase alone, and no number")


def _check(train: TrainParams, place: Callable[[str], str]) -> None:
    for name, (minimum, maximum) in RANGES.items():
        _check_range(place(name), getattr(train, name), minimum, maximum)
    size_named(train.size)
    check_precision(train.precision)
    if train.paired and train.strength <= 0:
        raise SettingsError(
            f"{place('consistency')} compares two augmented views of an image; raise {place('strength')} above 0"
        )
    _check_mixture(train.mixture, where=place("mixture"))


def _check_mixture(mixture: Mapping[str, float], *, where: str) -> None:
    for group in mixture:
        source, _, kind = group.partition("/")
        if not source or kind not in KINDS:
            raise SettingsError(f"{where} names {group!r}; groups are SOURCE/{' or SOURCE/'.join(KINDS)}")
    if not any(mixture.values()):
        raise SettingsError(f"{where} gives no group any weight; give some to one")


def _check_range(name: str, value: float, minimum: float, maximum: float) -> None:
    if not (minimum <= value <= maximum and math.isfinite(value)):
        bounds = f"at least {minimum:g}" if maximum == math.inf else f"{minimum:g} to {maximum:g}"
        raise SettingsError(f"{name} is {value!r}; it needs to be {bounds}")


def check_mixtures(mixtures: Iterable[Mapping[str, float]], data_set: Manifest) -> None:
    """Raise DataError for a mixture without any group in `train`, or with a present source that has no image there.

    Groups of absent sources, and of a kind that was drawn in so few styles that none is in `train`, are left out, and
    named on stderr once.
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
    """Raise DataError for the first of the splits that holds no samples."""
    for split in splits:
        if not data_set.counts.get(split):
            raise DataError(f"data/dataset holds no {split} samples; raise the counts of generate, or add a source")


def _check_sources(wanted: Iterable[str], data_set: Manifest, trained: Iterable[str]) -> None:
    lost = set(data_set.present) - {group.split("/")[0] for group in trained}
    groups = [group for group in wanted if group.split("/")[0] in lost and not group.startswith(GENERATED)]
    if groups:
        raise DataError(
            f"train.mixture names {', '.join(groups)}, and no sample of that is in `train`: all are left out, or in "
            "`tune` and `validation`; add images, or lower ingest.validation_share and ingest.tune_share"
        )


def _with_nearest(group: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(group, known, n=1, cutoff=0.8)
    return f"{group} (did you mean {near[0]}?)" if near else group
