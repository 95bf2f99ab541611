"""Images corrupted in every known way, and read: what corruption does to statistics and readings."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.data.dataset import Sample
from legible.drift.signatures import NONE, Corrupted
from legible.observations.row import observe
from legible.recognition.recognizer import Recognizer
from legible.synth.corrupt import CORRUPTIONS, SEVERITIES, corrupt

SEED = 11
AT = 0.0
"""The time of observations made at build, which have none."""
WAYS = ((NONE, 0), *((name, severity) for name in CORRUPTIONS for severity in SEVERITIES))


def spread_over_writers(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Choose `count` samples, one writer after another in turn, as the reference has few samples of each."""
    rng = np.random.default_rng(SEED)
    turns: dict[str, int] = {}
    placed = []
    for place in rng.permutation(len(samples)).tolist():
        writer = f"{samples[place].source}/{samples[place].writer}"
        turns[writer] = turns.get(writer, 0) + 1
        placed.append((turns[writer], place))
    return [samples[place] for _, place in sorted(placed)[:count]]


def corrupted(recognizer: Recognizer, samples: Sequence[Sample], *, seed: int = SEED) -> Iterator[Corrupted]:
    """Yield each sample as it is, and at each severity of each corruption."""
    rng = np.random.default_rng(seed)
    for name, severity in tqdm(WAYS, desc="corrupted", unit="way"):
        images = [_changed(sample.image, name, severity, rng) for sample in samples]
        for sample, image, reading in zip(samples, images, recognizer.read(images), strict=True):
            writer = f"{sample.source}/{sample.writer}"
            row = observe(image, reading, channel=sample.group, at=AT, writer=writer)
            yield Corrupted(name, severity, reading.text == sample.text, row)


def _changed(image: GreyImage, name: str, severity: int, rng: np.random.Generator) -> GreyImage:
    return image if name == NONE else corrupt(image, name, severity, rng)


def exact_match_curves(rows: Iterable[Corrupted]) -> dict[str, list[float]]:
    """Return the exact match at each severity of each corruption, the least severe first."""
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
