"""A deployment's own normal: the reference for change, made from what it read. Reliability stays the bundle's matter.

Readings that follow each other are alike, as images of one writer are, so blocks of them take the writers' part in the
calibration.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from legible.arrays import Floats
from legible.config import ReferenceParams
from legible.drift.calibrate import make_reference, rows_of
from legible.drift.reference import EDGES, KINDS, Reference
from legible.drift.summary import Summary, chunks
from legible.errors import BundleError, DataError
from legible.files import JsonFormat
from legible.observations.row import Observation, write_observations
from legible.observations.window import read_back

FORMAT = JsonFormat("baseline", 1, "run legible rebase again, or name the folder it wrote", BundleError)
FILE, SAMPLE = "baseline.json", "sample.jsonl"
BLOCK = 20
"""Observations that follow each other and are kept together."""
MAX_BLOCKS = 1000
MIN_IMAGES = 1000
"""Observations from which a baseline is made, at least."""
RESAMPLES = 20_000
SAMPLE_ROWS = 2000

Item = TypeVar("Item")


@dataclass(frozen=True)
class Baseline:
    """`deviations` (signals, edges) are the deployment's normal as the reference of the bundle `bundle` sees it."""

    reference: Reference
    bundle: str
    at: float
    images: int
    deviations: Floats
    sample: tuple[Observation, ...]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.reference.save(folder)
        write_observations(folder / SAMPLE, self.sample)
        content = {
            "bundle": self.bundle,
            "at": self.at,
            "images": self.images,
            "deviations": self.deviations.round(5).tolist(),
        }
        FORMAT.save(folder / FILE, content, indent=None)

    @staticmethod
    def load(folder: Path, *, bundle: str) -> "Baseline":
        """Open a baseline. Raises BundleError for none, a damaged one, another format, and one of another bundle."""
        with FORMAT.parse(folder / FILE) as content:
            return _opened(folder, content, bundle)


def _opened(folder: Path, content: Mapping[str, Any], bundle: str) -> Baseline:
    if content["bundle"] != bundle:
        raise BundleError(
            f"{folder}: this baseline is of bundle {content['bundle'] or 'unknown'}, and {bundle or 'unknown'} "
            "decides; run legible rebase again, or name the bundle it is of"
        )
    reference = Reference.load(folder)
    deviations = np.asarray(content["deviations"], np.float64)
    if deviations.shape != (len(reference.quantiles), len(EDGES)):
        raise ValueError(f"deviations {deviations.shape}")
    sample = read_back(folder / SAMPLE).observations
    return Baseline(reference, content["bundle"], content["at"], content["images"], deviations, sample)


def make_baseline(
    reference: Reference,
    observations: Iterable[Observation],
    *,
    bundle: str,
    at: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Baseline:
    """Make a baseline of observations in order of time; `reference` is the bundle's. Raises DataError for too few."""
    rng = np.random.default_rng(seed)
    summary = Summary.empty(reference, seed=seed)
    blocks = sample_blocks(_summarised(observations, summary), rng)
    if summary.images < MIN_IMAGES:
        raise DataError(
            f"{summary.images} observations make no baseline; it takes {MIN_IMAGES}: wait, or go further back"
        )
    rows = [_placed(row, number) for number, block in enumerate(blocks) for row in block]
    section = ReferenceParams(
        revision=0,
        false_alarms_per_window=reference.false_alarms_per_window,
        smallest_window=reference.smallest_window,
        resamples=resamples,
        images=len(rows),
        per_writer=BLOCK,
        rows=SAMPLE_ROWS,
    )
    made = make_reference({kind: rows_of(rows, kind) for kind in KINDS}, section, seed=seed)
    sample = tuple(summary.sample[:SAMPLE_ROWS])
    return Baseline(made, bundle, at, summary.images, summary.counts.deviations, sample)


def _summarised(observations: Iterable[Observation], summary: Summary) -> Iterator[list[Observation]]:
    """Yield blocks of observations, each of which is added to the summary."""
    for chunk in chunks(observations):
        summary.add(chunk)
        yield from (chunk[start : start + BLOCK] for start in range(0, len(chunk), BLOCK))


def sample_blocks(blocks: Iterable[list[Item]], rng: np.random.Generator) -> list[list[Item]]:
    """Choose at most MAX_BLOCKS, each as likely as the others (Vitter 1985, algorithm R)."""
    kept: list[list[Item]] = []
    for number, block in enumerate(blocks):
        place = number if number < MAX_BLOCKS else int(rng.integers(number + 1))
        if place < MAX_BLOCKS:
            kept[place : place + 1] = [block]
    return kept


def _placed(row: Observation, block: int) -> Observation:
    return Observation(**{**vars(row), "writer": f"{block}"})
