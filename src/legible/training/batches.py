"""Samples -> padded batches, in an order drawn from (seed, epoch) alone, so that a killed run resumes exactly.

Prepared samples gather by width until a batch of that width is full. There are few widths, each with one size of
batch, many words or few lines: little padding, and few shapes where a backend compiles for each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from legible.charset import Charset
from legible.data.dataset import Sample
from legible.errors import DataError
from legible.image.decode import GreyImage
from legible.image.normalize import NEWEST, normalize
from legible.synth.augment import augment

WIDTHS = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4128)
"""Columns that batches are padded to."""
SIZES = (0.6, 1.6)
"""An image is trained on at between so many times its own size."""
LEAST_ROWS = 20
"""No image is made smaller than this."""


@dataclass(frozen=True)
class Preparation:
    """How a sample becomes input: its rows, columns of a time step, strength of augmentation, and normalisation."""

    charset: Charset
    height: int
    stride: int
    strength: float
    seed: int
    normalization: int = NEWEST


@dataclass(frozen=True)
class Prepared:
    """Model input (height, W) of a sample, and its labels."""

    columns: npt.NDArray[np.float32]
    labels: list[int]

    @property
    def padded_width(self) -> int:
        return next(width for width in WIDTHS if width >= self.columns.shape[1])


class Prepares(Protocol):
    """What a training draws its inputs from."""

    def prepared(self, plan: npt.NDArray[np.int64], *, epoch: int) -> Iterator[Prepared]:
        """Each sample of a plan, in its order."""
        ...


@dataclass(frozen=True)
class Batch:
    """image: (B, height, W, 1); mask: (B, 1, W), 1 where there is image; labels: (B, L), padded with 0."""

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]

    @property
    def size(self) -> int:
        return len(self.image)


def group_samples(samples: Sequence[Sample], mixture: Mapping[str, float]) -> dict[str, list[int]]:
    """Indices of the samples of each group `source/kind` in the mixture; groups without samples are left out."""
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if mixture.get(sample.group, 0) > 0:
            groups.setdefault(sample.group, []).append(index)
    if not groups:
        present = sorted({sample.group for sample in samples})
        raise DataError(f"no training samples: the data set holds {present}, train.mixture names {sorted(mixture)}")
    return groups


class Planner:
    """Draws which samples an epoch goes through, from the seed and the epoch's number."""

    def __init__(self, samples: Sequence[Sample], mixture: Mapping[str, float], *, seed: int) -> None:
        self._groups = group_samples(samples, mixture)
        weights = np.array([mixture[name] for name in self._groups])
        self._shares = weights / weights.sum()
        self._seed = seed

    def plan(self, epoch: int, *, samples: int) -> npt.NDArray[np.int64]:
        """Indices in the order to go through. No sample comes again before all others of its group."""
        parts = []
        for number, (members, share) in enumerate(zip(self._groups.values(), self._shares, strict=True)):
            count = max(round(share * samples), 1)
            parts.append(np.array(members)[_round_robin(len(members), count, epoch, seed=(self._seed, number))])
        return np.random.default_rng([self._seed, epoch]).permutation(np.concatenate(parts))


def _round_robin(members: int, count: int, epoch: int, *, seed: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Places epoch * count to (epoch + 1) * count of an endless chain of permutations of the members."""
    places = np.arange(epoch * count, (epoch + 1) * count)
    rounds = places // members
    shuffled = {int(r): np.random.default_rng([*seed, int(r)]).permutation(members) for r in np.unique(rounds)}
    return np.array([shuffled[int(r)][p % members] for r, p in zip(rounds, places, strict=True)], np.int64)


def epoch_batches(prepared: Iterable[Prepared], *, batch_columns: int) -> Iterator[Batch]:
    """All samples in full batches; the last of each width are filled up with repeats."""
    waiting: dict[int, list[Prepared]] = {}
    for one in prepared:
        width = one.padded_width
        gathered = waiting.setdefault(width, [])
        gathered.append(one)
        if len(gathered) == batch_size(width, batch_columns):
            yield make_batch(waiting.pop(width), width=width)
    for width, rest in sorted(waiting.items()):
        yield make_batch(_filled_up(rest, batch_size(width, batch_columns)), width=width)


def batch_size(width: int, batch_columns: int) -> int:
    return max(batch_columns // width, 1)


def _filled_up(rest: Sequence[Prepared], size: int) -> list[Prepared]:
    return [rest[place % len(rest)] for place in range(size)]


def prepare(image: npt.NDArray[np.uint8], text: str, preparation: Preparation, rng: np.random.Generator) -> Prepared:
    """Augmented and normalised; strength 0 leaves the image as it is.

    An image too narrow for its text, as CTC needs a step for each label, gets paper at its right.
    """
    labels = preparation.charset.encode(text)
    if preparation.strength > 0:
        image = resized(augment(image, rng, preparation.strength), rng)
    version = preparation.normalization
    columns = normalize(image, height=preparation.height, stride=preparation.stride, version=version)
    missing = (steps_needed(labels) + 1) * preparation.stride - columns.shape[1]
    return Prepared(np.pad(columns, ((0, 0), (0, max(missing, 0))))[:, : WIDTHS[-1]], labels)


def resized(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """As a scanner or camera of another resolution gives it, and another program that makes it smaller or larger."""
    height, width = image.shape
    factor = max(np.exp(rng.uniform(*np.log(SIZES))), min(LEAST_ROWS / height, 1.0))
    way = rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=int(way)), np.uint8)


def steps_needed(labels: Sequence[int]) -> int:
    """CTC needs a step for each label and a blank between equal ones: `[1, 1, 2] -> 4`."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def make_batch(prepared: Sequence[Prepared], *, width: int) -> Batch:
    height = prepared[0].columns.shape[0]
    image = np.zeros((len(prepared), height, width, 1), np.float32)
    mask = np.zeros((len(prepared), 1, width), np.float32)
    labels = np.zeros((len(prepared), max(len(one.labels) for one in prepared)), np.int32)
    for row, one in enumerate(prepared):
        image[row, :, : one.columns.shape[1], 0] = one.columns
        mask[row, 0, : one.columns.shape[1]] = 1
        labels[row, : len(one.labels)] = one.labels
    return Batch(image, mask, labels)
