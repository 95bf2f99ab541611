"""Exact match of real images where case, spaces and punctuation count less and less, as tables of OCR have it.

    python benchmarks/reading/folded.py [--root PROJECT] [--bundle models/bundle] [--sources sroie/line funsd/word]

Reads the `validation` split of a project's data set by the best path. What a label does not tell (docs/data.md) is
never an error.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.data.dataset import Dataset, Sample
from legible.evaluation.evaluate import best_path_texts
from legible.evaluation.results import writer_interval
from legible.recognition.recognizer import Recognizer
from legible.scores import Untold, without

FOLDED: dict[str, tuple[Untold, ...]] = {
    "as labelled": (),
    "case": ("case",),
    "case, punctuation": ("case", "punctuation"),
    "case, punctuation, spaces": ("case", "punctuation", "spaces"),
}
REAL = ("sroie/line", "wildreceipt/line", "funsd/word", "iiit5k-train/word", "icdar2003-train/word", "icdar2003/word")


def row(name: str, samples: Sequence[Sample], texts: Sequence[str]) -> str:
    """Return a row of the table: the images, and for each folding the exact match with its interval over writers."""
    cells = []
    for folded in FOLDED.values():
        pairs = zip(samples, texts, strict=True)
        right = [_same(sample, text, (*sample.untold, *folded)) for sample, text in pairs]
        low, high = writer_interval(np.array(right, np.float64), [sample.writer for sample in samples], seed=0)
        cells.append(f"{np.mean(right):.1%} ({low:.1%} to {high:.1%})")
    return f"| {name} | {len(samples)} | {' | '.join(cells)} |"


def _same(sample: Sample, text: str, untold: Sequence[Untold]) -> bool:
    return without(sample.text, untold) == without(text, untold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="A project with data/dataset.")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).parents[2] / "models/bundle")
    parser.add_argument("--sources", nargs="+", default=REAL, help="Groups of the data set: SOURCE/word, SOURCE/line.")
    given = parser.parse_args()
    recognizer = Recognizer.open(given.bundle)
    wanted: dict[str, list[Sample]] = {name: [] for name in given.sources}
    for sample in Dataset.open(given.root / "data/dataset").samples(split="validation"):
        if sample.group in wanted:
            wanted[sample.group].append(sample)
    print(f"| group | images | {' | '.join(FOLDED)} |\n|---|---|{'---|' * len(FOLDED)}")
    for name, samples in wanted.items():
        if samples:
            images = tqdm([sample.image for sample in samples], desc=name, unit="image")
            print(row(name, samples, best_path_texts(recognizer, images)))


if __name__ == "__main__":
    main()
