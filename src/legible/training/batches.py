"""Samples -> padded batches, in an order drawn from (seed, epoch) alone, so that a killed training resumes exactly.

Samples are collected by width until a batch of that width is full. There are few widths, each with one batch size (many
words or few lines): little padding, and few shapes for backends that compile each shape.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.charset import Charset
from legible.ctc.folding import LabelFolding, untold_columns
from legible.data.crops import CONTEXT_MARGIN, cut_out
from legible.data.dataset import Sample, cut_to_box
from legible.errors import DataError
from legible.image.normalize import DEFAULT, normalize
from legible.synth.augment import augmented_views

WIDTHS = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4128)
"""The widths, in columns, that batches are padded to."""
SIZES = (0.6, 1.6)
"""Training images are scaled by a random factor in this range."""
MIN_ROWS = 20
"""No image is scaled below this number of rows."""
MASKED = 0.1
"""The fraction of columns that masks hide in each of two views."""
MASK = (2, 12)
"""The smallest and greatest number of columns of a mask; never more than a quarter of the view."""
TIGHT, LOOSE = -0.04, 0.3
"""Margins around a box that training images are cut out with, in heights of the box: mostly nearer to the first."""
SPREAD = 0.05
"""The standard deviation of the margins of one image's sides, because boxes are off centre."""
MAX_CUT = 0.02
"""The fraction of its height that a line may lose at each end, where a letter would be lost."""
NEAR = 0.1
"""The greatest relative difference in width of two views; beyond it the second view is taken for spoilt."""


@dataclass(frozen=True)
class PreprocessingConfig:
    """How a sample becomes model input: rows, columns of a time step, strength of augmentation, and normalisation."""

    charset: Charset
    height: int
    stride: int
    strength: float
    seed: int
    normalization: int = DEFAULT
    paired: bool = False
    """Whether each augmented sample comes in two views."""

    @cached_property
    def folding(self) -> LabelFolding:
        """The labels that count as equal where a text does not tell case, spaces or punctuation."""
        return LabelFolding.of(self.charset)


@dataclass(frozen=True)
class Example:
    """Model input (height, W) of a sample, and its labels."""

    columns: npt.NDArray[np.float32]
    labels: list[int]
    twin: npt.NDArray[np.float32] | None = None
    """A second view of the sample, of the same shape, whose time steps show the same letters."""
    untold: tuple[str, ...] = ()
    """What the labels do not tell: case, spaces, punctuation."""

    @property
    def padded_width(self) -> int:
        return next(width for width in WIDTHS if width >= self.columns.shape[1])


class ExampleSource(Protocol):
    """The source of a training's examples."""

    def prepared(self, plan: npt.NDArray[np.int64], *, epoch: int) -> Iterator[Example]:
        """Yield the example of each sample of a plan, in its order."""
        ...


@dataclass(frozen=True)
class Batch:
    """One batch: image (B, height, W, 1); mask (B, 1, W), 1 where there is image; labels (B, L), padded with 0.

    Where samples have twins, the second half of the rows are the twins of the first half, in their order.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    size: int
    """The number of samples."""
    untold: npt.NDArray[np.float32]
    """(B, 3), 1 where the labels do not tell case, spaces, punctuation."""


def group_samples(samples: Sequence[Sample], mixture: Mapping[str, float]) -> dict[str, list[int]]:
    """Return the indices of each group's samples; groups without samples are left out. A group is `source/kind`."""
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if mixture.get(sample.group, 0) > 0:
            groups.setdefault(sample.group, []).append(index)
    if not groups:
        raise nothing_of(mixture, {sample.group for sample in samples})
    return groups


def nothing_of(mixture: Mapping[str, float], present: Iterable[str]) -> DataError:
    """Return the error for a mixture none of whose groups is present."""
    return DataError(
        f"no training samples: the data set holds {sorted(present)}, train.mixture names {sorted(mixture)}"
    )


class Planner:
    """Draws the samples of each epoch, from the seed and the epoch's number alone."""

    def __init__(self, samples: Sequence[Sample], mixture: Mapping[str, float], *, seed: int) -> None:
        self._groups = group_samples(samples, mixture)
        weights = np.array([mixture[name] for name in self._groups])
        self._fractions = weights / weights.sum()
        self._seed = seed

    def plan(self, epoch: int, *, samples: int) -> npt.NDArray[np.int64]:
        """Return the indices of an epoch's samples, in order. No sample comes again before all others of its group."""
        parts = []
        for number, (members, fraction) in enumerate(zip(self._groups.values(), self._fractions, strict=True)):
            count = max(round(fraction * samples), 1)
            parts.append(np.array(members)[_round_robin(len(members), count, epoch, seed=(self._seed, number))])
        return np.random.default_rng([self._seed, epoch]).permutation(np.concatenate(parts))


def _round_robin(members: int, count: int, epoch: int, *, seed: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the positions epoch * count to (epoch + 1) * count of an endless chain of permutations of the members."""
    places = np.arange(epoch * count, (epoch + 1) * count)
    rounds = places // members
    shuffled = {int(r): np.random.default_rng([*seed, int(r)]).permutation(members) for r in np.unique(rounds)}
    return np.array([shuffled[int(r)][p % members] for r, p in zip(rounds, places, strict=True)], np.int64)


def epoch_batches(
    prepared: Iterable[Example], *, batch_columns: int, multiple: int = 1, filled: bool = True
) -> Iterator[Batch]:
    """Yield all examples in batches.

    The last batch of each width is smaller, or filled up with repeats where `filled`.
    """
    waiting: dict[int, list[Example]] = {}
    for one in prepared:
        width = one.padded_width
        gathered = waiting.setdefault(width, [])
        gathered.append(one)
        if len(gathered) == batch_size(width, batch_columns, multiple):
            yield make_batch(waiting.pop(width), width=width)
    for width, rest in sorted(waiting.items()):
        size = batch_size(width, batch_columns, multiple) if filled else len(rest)
        yield make_batch(_filled_up(rest, size), width=width)


def batch_size(width: int, batch_columns: int, multiple: int = 1) -> int:
    """Return how many samples of a width are a batch, a multiple of so many: `batch_size(192, 2048, 4)` -> 8."""
    return max(batch_columns // width // multiple, 1) * multiple


def _filled_up(rest: Sequence[Example], size: int) -> list[Example]:
    return [rest[place % len(rest)] for place in range(size)]


def prepare_sample(sample: Sample, preprocessing: PreprocessingConfig, rng: np.random.Generator) -> Example:
    """Return the example of a sample. A box is cut out with random margins, and untold labels are folded."""
    seen = jittered(sample, rng) if preprocessing.strength > 0 else cut_to_box(sample).image
    example = prepare(seen, sample.text, preprocessing, rng)
    if not sample.untold:
        return example
    labels = preprocessing.folding.labels(example.labels, sample.untold)
    return replace(example, labels=labels, untold=sample.untold)


def jittered(sample: Sample, rng: np.random.Generator) -> GreyImage:
    """Return the image with margins as a detector might leave: tight to loose, off centre, with neighbours."""
    if sample.box is None:
        return sample.image
    middle = rng.triangular(TIGHT, 0.0, LOOSE) + rng.normal(0, SPREAD, 4)
    margins = np.clip(middle, [-MAX_CUT, TIGHT, -MAX_CUT, TIGHT], CONTEXT_MARGIN)
    return cut_out(sample.image, sample.box, margins.tolist())


def prepare(
    image: npt.NDArray[np.uint8], text: str, preprocessing: PreprocessingConfig, rng: np.random.Generator
) -> Example:
    """Return the example of an image: augmented (strength 0 leaves it as it is) and normalised.

    CTC needs a time step for each label, so an image that is too narrow for its text gets paper at its right.
    """
    labels = preprocessing.charset.encode(text)
    if preprocessing.strength <= 0:
        return Example(_input(image, labels, preprocessing), labels)
    seen = augmented_views(image, rng, preprocessing.strength, views=2 if preprocessing.paired else 1)
    first, *second = (_input(resized(view, rng), labels, preprocessing) for view in seen)
    if not second:
        return Example(first, labels)
    return Example(masked(first, rng), labels, masked(_alike(second[0], first), rng))


def _input(image: GreyImage, labels: Sequence[int], preprocessing: PreprocessingConfig) -> npt.NDArray[np.float32]:
    version = preprocessing.normalization
    columns = normalize(image, height=preprocessing.height, stride=preprocessing.stride, version=version)
    missing = (steps_needed(labels) + 1) * preprocessing.stride - columns.shape[1]
    return np.pad(columns, ((0, 0), (0, max(missing, 0))))[:, : WIDTHS[-1]]


def _alike(second: npt.NDArray[np.float32], first: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the second view scaled to the width of the first, or the first where the second is spoilt."""
    (height, width), found = first.shape, second.shape[1]
    if found == width:
        return second
    if abs(found - width) > max(NEAR * width, 4):
        return first
    return np.asarray(cv2.resize(second, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def resized(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Return the image as a scanner or camera of another resolution, and another scaling program, would give it."""
    height, width = image.shape
    factor = max(np.exp(rng.uniform(*np.log(SIZES))), min(MIN_ROWS / height, 1.0))
    way = rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=int(way)), np.uint8)


def masked(columns: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the columns with some of them hidden behind grey strips (SpecAugment, Park et al. 2019).

    A strip goes half way from paper to ink from top to bottom, so that it does not look like the space between letters.
    """
    width, hidden = columns.shape[1], columns.copy()
    for _ in range(rng.poisson(width * MASKED / np.mean(MASK))):
        strip = min(int(rng.integers(MASK[0], MASK[1] + 1)), width // 4)
        start = int(rng.integers(0, width - strip + 1))
        hidden[:, start : start + strip] = 0.5
    return hidden


def steps_needed(labels: Sequence[int]) -> int:
    """Return the time steps that CTC needs: one for each label, and a blank between equal ones. `[1, 1, 2] -> 4`"""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def make_batch(prepared: Sequence[Example], *, width: int) -> Batch:
    """Return a batch of examples padded to `width`. Raise ValueError where some have a twin and others have none."""
    twins = [one.twin for one in prepared if one.twin is not None]
    if len(twins) not in {0, len(prepared)}:
        raise ValueError(f"{len(twins)} of {len(prepared)} samples have a twin; all or none must")
    views = [*(one.columns for one in prepared), *twins]
    texts = [one.labels for one in prepared] * (len(views) // len(prepared))
    image = np.zeros((len(views), views[0].shape[0], width, 1), np.float32)
    mask = np.zeros((len(views), 1, width), np.float32)
    labels = np.zeros((len(views), max(1, *map(len, texts))), np.int32)
    untold = np.array([untold_columns(one.untold) for one in prepared] * (len(views) // len(prepared)), np.float32)
    for row, (columns, text) in enumerate(zip(views, texts, strict=True)):
        image[row, :, : columns.shape[1], 0] = columns
        mask[row, 0, : columns.shape[1]] = 1
        labels[row, : len(text)] = text
    return Batch(image, mask, labels, len(prepared), untold)
