"""What known corruptions do to images and readings, for the drift check: some images, corrupted in every way, read."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.data.dataset import Sample
from legible.drift.signatures import NONE, Corrupted
from legible.image.decode import GreyImage
from legible.observations.row import observe
from legible.recognition.recognizer import Recognizer
from legible.synth.corrupt import CORRUPTIONS, SEVERITIES, corrupt

SEED = 11
AT = 0.0
"""Observations made at build have no time."""
WAYS = ((NONE, 0), *((name, severity) for name in CORRUPTIONS for severity in SEVERITIES))


def some_of(samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many, by as many writers as there are in turn, as the reference has few of each."""
    rng = np.random.default_rng(SEED)
    turns: dict[str, int] = {}
    placed = []
    for place in rng.permutation(len(samples)).tolist():
        writer = f"{samples[place].source}/{samples[place].writer}"
        turns[writer] = turns.get(writer, 0) + 1
        placed.append((turns[writer], place))
    return [samples[place] for _, place in sorted(placed)[:count]]


def corrupted(recognizer: Recognizer, samples: Sequence[Sample], *, seed: int = SEED) -> Iterator[Corrupted]:
    """Each sample as it is, and of each corruption and severity."""
    rng = np.random.default_rng(seed)
    for name, severity in tqdm(WAYS, desc="corrupted", unit="way"):
        images = [_changed(sample.image, name, severity, rng) for sample in samples]
        for sample, image, reading in zip(samples, images, recognizer.read(images), strict=True):
            writer = f"{sample.source}/{sample.writer}"
            row = observe(image, reading, channel=sample.group, at=AT, writer=writer)
            yield Corrupted(name, severity, reading.text == sample.text, row)


def _changed(image: GreyImage, name: str, severity: int, rng: np.random.Generator) -> GreyImage:
    return image if name == NONE else corrupt(image, name, severity, rng)


def shares_right(rows: Iterable[Corrupted]) -> dict[str, list[float]]:
    """Exact match of each corruption, one for each of its severities, the least severe first."""
    right: dict[tuple[str, int], list[bool]] = {}
    for row in rows:
        right.setdefault((row.corruption, row.severity), []).append(row.right)
    curves: dict[str, list[float]] = {}
    for (name, _), found in sorted(right.items(), key=lambda item: WAYS.index(item[0])):
        curves.setdefault(name, []).append(sum(found) / len(found))
    return curves


def write_corrupted(path: Path, rows: Iterable[Corrupted]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{row.to_json()}\n" for row in rows)


def read_corrupted(path: Path) -> list[Corrupted]:
    return [Corrupted.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
