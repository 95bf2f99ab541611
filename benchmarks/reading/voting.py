"""Measure what voting gains and costs: two bundles alone and together (recognition/voting.py), on the same images.

python benchmarks/reading/voting.py BUNDLE BUNDLE [--iam FOLDER]: words drawn in families that no training saw, half of
them noisy, and the words and lines of the validation writers of IAM where its folder is named. The difference to the
better one has an interval by a bootstrap over writers.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.config import load_params
from legible.data.dataset import Tally
from legible.data.iam import join_handwritten, open_iam
from legible.reading import Reading
from legible.recognition.recognizer import Recognizer
from legible.recognition.voting import combine
from legible.scores import calibration_error, edit_distance
from legible.synth.print_recipes import print_recipe

PROJECT = Path(__file__).parents[2]
RESAMPLES = 2000


@dataclass(frozen=True)
class Picture:
    """One image, its text, its writer (or family), and the group that it belongs to."""

    image: GreyImage
    text: str
    writer: str
    group: str


def drawn(count: int) -> Iterator[Picture]:
    """Yield words of the recipe `evaluate.print`, in the fonts that come as Python packages."""
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    for word in print_recipe(dataclasses.replace(params.evaluate.print, words=count), params, root=PROJECT):
        yield Picture(word.image, word.text, word.id, f"drawn, {word.part}")


def handwritten(folder: Path) -> Iterator[Picture]:
    """Yield the words and lines of the validation writers."""
    iam = open_iam(folder, join_tokens=join_handwritten)
    chosen = {name: entry for name, entry in iam.entries.items() if entry.split == "validation"}
    for entry, image in dataclasses.replace(iam, entries=chosen).images(Tally()):
        yield Picture(image, entry.text, entry.writer, f"IAM {entry.kind}s")


def read(recognizer: Recognizer, pictures: Sequence[Picture], name: str) -> tuple[list[Reading], float]:
    """Return the readings, and the CPU milliseconds an image."""
    started = time.process_time()
    readings = recognizer.read_each([picture.image for picture in pictures])
    found = list(tqdm(readings, total=len(pictures), desc=name, unit="image"))
    return found, (time.process_time() - started) * 1000 / len(pictures)


def row(name: str, pictures: Sequence[Picture], readings: Sequence[Reading], milliseconds: float) -> str:
    right = [reading.text == picture.text for reading, picture in zip(readings, pictures, strict=True)]
    pairs = zip(readings, pictures, strict=True)
    distance = sum(edit_distance(truth=picture.text, prediction=reading.text) for reading, picture in pairs)
    cer = distance / sum(len(picture.text) for picture in pictures)
    error = calibration_error(np.array([reading.confidence for reading in readings]), np.array(right, np.float64))
    return f"| {name} | {np.mean(right):.2%} | {cer:.2%} | {error:.3f} | {milliseconds:.2f} |"


def gain(pictures: Sequence[Picture], together: Sequence[Reading], alone: Sequence[Reading]) -> str:
    """Return the difference of exact match with its interval of 95 %, resampled by writers."""
    differences: dict[str, list[int]] = {}
    for picture, both, one in zip(pictures, together, alone, strict=True):
        change = int(both.text == picture.text) - int(one.text == picture.text)
        differences.setdefault(picture.writer, []).append(change)
    sums = np.array([[sum(own), len(own)] for own in differences.values()])
    rng = np.random.default_rng(1)
    drawn_sums = sums[rng.integers(0, len(sums), (RESAMPLES, len(sums)))].sum(axis=1)
    low, high = np.quantile(drawn_sums[:, 0] / drawn_sums[:, 1], (0.025, 0.975))
    return f"{sums[:, 0].sum() / sums[:, 1].sum():+.2%} ({low:+.2%} to {high:+.2%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs=2)
    parser.add_argument("--iam", type=Path, help="the folder of IAM")
    parser.add_argument("--words", type=int, default=1000, help="the number of drawn words")
    given = parser.parse_args()
    recognizers = [Recognizer.open(bundle) for bundle in given.bundles]
    pictures = [*drawn(given.words), *(handwritten(given.iam) if given.iam else ())]
    for group in dict.fromkeys(picture.group for picture in pictures):
        own = [picture for picture in pictures if picture.group == group]
        (first, cost), (second, other_cost) = (read(recognizer, own, group) for recognizer in recognizers)
        started = time.process_time()
        together = [combine(pair) for pair in zip(first, second, strict=True)]
        voting = (time.process_time() - started) * 1000 / len(own)
        print(f"\n{group}, {len(own)} images\n")
        print("| read by | exact match | CER | calibration error | CPU ms an image |\n|---|---|---|---|---|")
        print(row(str(given.bundles[0]), own, first, cost))
        print(row(str(given.bundles[1]), own, second, other_cost))
        print(row("both, voting", own, together, cost + other_cost + voting))
        rights = [sum(r.text == p.text for r, p in zip(some, own, strict=True)) for some in (first, second)]
        print(f"\nagainst the better: {gain(own, together, first if rights[0] >= rights[1] else second)}; ", end="")
        print(f"voting itself takes {voting:.3f} ms")


if __name__ == "__main__":
    main()
