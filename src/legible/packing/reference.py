"""Stage `reference`: the distributions of images and readings, and the drift rules found on them.

Image statistics cost little, so they are of all splits and of many writers. Readings are of writers that the network
was not trained on. Few images are taken of each writer, because more of them add little and one hand would fill the
reference.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from tqdm import tqdm

from legible.config import Params, ReferenceParams
from legible.data.dataset import Dataset, Sample
from legible.drift.calibrate import Rows, make_reference, rows_of
from legible.drift.quality import make_quality
from legible.drift.reference import Reference, SignalKind, table
from legible.drift.signatures import make_signatures
from legible.errors import DataError
from legible.evaluation.corrupted import read_corrupted
from legible.image.statistics import STATISTICS
from legible.observations.row import SIGNALS, statistics_of
from legible.observations.window import read_back

Item = TypeVar("Item")
Kept = TypeVar("Kept")


def reference(params: Params, *, root: Path) -> Reference:
    """Write root/drift/{reference,drift,signatures,quality}.json and reference.parquet."""
    window = read_back(root / "evaluation/observations.jsonl")
    if window.torn:
        raise DataError(f"evaluation/observations.jsonl has {window.torn} torn lines; run legible evaluate again")
    rng, section = np.random.default_rng(params.seed), params.reference
    few = few_of_each(((row.writer, row) for row in window.observations), lambda row: row, section.per_writer, rng)
    observed = [row for rows in few.values() for row in rows]
    rows: Mapping[SignalKind, Rows] = {
        "image": measured(Dataset.open(root / "data/dataset"), section, rng),
        "prediction": rows_of(observed, "prediction"),
    }
    made = make_reference(rows, section, seed=params.seed)
    folder = root / "drift"
    folder.mkdir(exist_ok=True)
    made.save(folder)
    changed = read_corrupted(root / "evaluation/corrupted.jsonl")
    make_signatures(made, changed, observed).save(folder)
    make_quality(changed).save(folder)
    sample = [observed[i] for i in sorted(rng.permutation(len(observed))[: section.rows])]
    columns = dict(zip(SIGNALS, table(sample).T, strict=True))
    pa.parquet.write_table(pa.table(columns), folder / "reference.parquet")
    return made


def measured(data_set: Dataset, section: ReferenceParams, rng: np.random.Generator) -> Rows:
    """Measure the image statistics of the data set, by its writers."""
    samples = tqdm(data_set.samples(), total=data_set.count(), unit="image", desc="reference")
    few = few_of_each(((f"{s.source}/{s.writer}", s) for s in samples), _statistics, section.per_writer, rng)
    writers = [writer for writer, own in few.items() for _ in own]
    values = np.asarray([row for own in few.values() for row in own], np.float64)
    chosen = np.sort(rng.permutation(len(values))[: section.images])
    return Rows(values[chosen], tuple(writers[i] for i in chosen))


def _statistics(sample: Sample) -> list[float]:
    values = statistics_of(sample.image)
    return [values[name] for name in STATISTICS]


def few_of_each(
    items: Iterable[tuple[str, Item]], make: Callable[[Item], Kept], most: int, rng: np.random.Generator
) -> dict[str, list[Kept]]:
    """Return what `make` makes of `most` items of each key, each as likely as the others (Vitter 1985, algorithm R)."""
    kept: dict[str, list[Kept]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for key, item in items:
        seen[key] += 1
        place = seen[key] - 1 if seen[key] <= most else int(rng.integers(seen[key]))
        if place < most:
            kept[key][place : place + 1] = [make(item)]
    return dict(kept)
