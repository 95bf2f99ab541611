"""Samples -> padded batches, in an order drawn from (seed, epoch) alone, so that a killed run resumes exactly.

Example samples gather by width until a batch of that width is full. There are few widths, each with one size of
batch, many words or few lines: little padding, and few shapes where a backend compiles for each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from legible.charset import Charset
from legible.ctc.folding import LabelFolding, untold_columns
from legible.data.crops import CONTEXT_MARGIN, cut_out
from legible.data.dataset import Sample, cut_to_box
from legible.errors import DataError
from legible.image.decode import GreyImage
from legible.image.normalize import DEFAULT, normalize
from legible.synth.augment import augmented_views

WIDTHS = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4128)
"""Columns that batches are padded to."""
SIZES = (0.6, 1.6)
"""An image is trained on at between so many times its own size."""
MIN_ROWS = 20
"""No image is made smaller than this."""
MASKED = 0.1
"""Share of the columns that masks hide in each of two views."""
MASK = (2, 12)
"""Columns of a mask, at least and at most; never more than a quarter of the view."""
TIGHT, LOOSE = -0.04, 0.3
"""Margins around a box that training images are cut out with, in heights of the box: mostly nearer to the first."""
SPREAD = 0.05
"""Deviation of each side's margin from the others': boxes are off centre."""
MAX_CUT = 0.02
"""Of its height a line may lose so much at its sides, where a letter would go."""
NEAR = 0.1
"""Two views of an image differ in width by this share at most, or the second is taken for spoilt."""


@dataclass(frozen=True)
class PreprocessingConfig:
    """How a sample becomes input: its rows, columns of a time step, strength of augmentation, and normalisation."""

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
        """Which labels count alike where a text does not tell all."""
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
    """What a training draws its inputs from."""

    def prepared(self, plan: npt.NDArray[np.int64], *, epoch: int) -> Iterator[Example]:
        """Each sample of a plan, in its order."""
        ...


@dataclass(frozen=True)
class Batch:
    """image: (B, height, W, 1); mask: (B, 1, W), 1 where there is image; labels: (B, L), padded with 0.

    Where samples have twins, the second half of the rows are those of the first, in their order.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    size: int
    """Samples."""
    untold: npt.NDArray[np.float32]
    """(B, 3), 1 where the labels do not tell case, spaces, punctuation."""


def group_samples(samples: Sequence[Sample], mixture: Mapping[str, float]) -> dict[str, list[int]]:
    """Indices of the samples of each group `source/kind` in the mixture; groups without samples are left out."""
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if mixture.get(sample.group, 0) > 0:
            groups.setdefault(sample.group, []).append(index)
    if not groups:
        raise nothing_of(mixture, {sample.group for sample in samples})
    return groups


def nothing_of(mixture: Mapping[str, float], present: Iterable[str]) -> DataError:
    """Of a mixture that none of the groups which are there is in."""
    return DataError(
        f"no training samples: the data set holds {sorted(present)}, train.mixture names {sorted(mixture)}"
    )


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


def epoch_batches(prepared: Iterable[Example], *, batch_columns: int, filled: bool = True) -> Iterator[Batch]:
    """All samples in full batches; the last of each width are filled up with repeats, or smaller."""
    waiting: dict[int, list[Example]] = {}
    for one in prepared:
        width = one.padded_width
        gathered = waiting.setdefault(width, [])
        gathered.append(one)
        if len(gathered) == batch_size(width, batch_columns):
            yield make_batch(waiting.pop(width), width=width)
    for width, rest in sorted(waiting.items()):
        size = batch_size(width, batch_columns) if filled else len(rest)
        yield make_batch(_filled_up(rest, size), width=width)


def batch_size(width: int, batch_columns: int) -> int:
    return max(batch_columns // width, 1)


def _filled_up(rest: Sequence[Example], size: int) -> list[Example]:
    return [rest[place % len(rest)] for place in range(size)]


def prepare_sample(sample: Sample, preprocessing: PreprocessingConfig, rng: np.random.Generator) -> Example:
    """As `prepare`, for an image with a box cut out with drawn margins; untold labels are folded."""
    seen = jittered(sample, rng) if preprocessing.strength > 0 else cut_to_box(sample).image
    example = prepare(seen, sample.text, preprocessing, rng)
    if not sample.untold:
        return example
    labels = preprocessing.folding.labels(example.labels, sample.untold)
    return replace(example, labels=labels, untold=sample.untold)


def jittered(sample: Sample, rng: np.random.Generator) -> GreyImage:
    """The image with the margins a detector might leave: tight to loose, off centre, with neighbours in view."""
    if sample.box is None:
        return sample.image
    middle = rng.triangular(TIGHT, 0.0, LOOSE) + rng.normal(0, SPREAD, 4)
    margins = np.clip(middle, [-MAX_CUT, TIGHT, -MAX_CUT, TIGHT], CONTEXT_MARGIN)
    return cut_out(sample.image, sample.box, margins.tolist())


def prepare(
    image: npt.NDArray[np.uint8], text: str, preprocessing: PreprocessingConfig, rng: np.random.Generator
) -> Example:
    """Augmented and normalised; strength 0 leaves the image as it is.

    An image too narrow for its text, as CTC needs a step for each label, gets paper at its right.
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
    """The second view as wide as the first, so that their time steps agree; the first where it is no view of it."""
    (height, width), found = first.shape, second.shape[1]
    if found == width:
        return second
    if abs(found - width) > max(NEAR * width, 4):
        return first
    return np.asarray(cv2.resize(second, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def resized(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """As a scanner or camera of another resolution gives it, and another program that makes it smaller or larger."""
    height, width = image.shape
    factor = max(np.exp(rng.uniform(*np.log(SIZES))), min(MIN_ROWS / height, 1.0))
    way = rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=int(way)), np.uint8)


def masked(columns: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Strips of grey over some columns (SpecAugment, Park et al. 2019): what they hide is told from its neighbours.

    Half way from paper to ink from top to bottom, so that no strip is taken for the space between letters.
    """
    width, hidden = columns.shape[1], columns.copy()
    for _ in range(rng.poisson(width * MASKED / np.mean(MASK))):
        strip = min(int(rng.integers(MASK[0], MASK[1] + 1)), width // 4)
        start = int(rng.integers(0, width - strip + 1))
        hidden[:, start : start + strip] = 0.5
    return hidden


def steps_needed(labels: Sequence[int]) -> int:
    """CTC needs a step for each label and a blank between equal ones: `[1, 1, 2] -> 4`."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def make_batch(prepared: Sequence[Example], *, width: int) -> Batch:
    """Raises ValueError where some of the samples have a twin and others none."""
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
