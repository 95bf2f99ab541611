"""Measure how a bundle reads the test digits of MNIST or of another set of idx files, one by one and in lines.

python benchmarks/reading/digits.py FOLDER --bundle models/digits; FOLDER holds t10k-images-idx3-ubyte.gz and labels.
Lines are pasted of test digits drawn with a fixed seed: `frames` are their whole images side by side, as distributed;
`close` are cut out at their ink, with one gap of 0 to 5 pixels to a line.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.data.emnist import CharacterFile, open_emnist
from legible.recognition.recognizer import Recognizer, artefact_recognizer

DIGITS_OF_A_LINE = 5
SEED = 1
MAX_GAP = 6

Labelled = tuple[GreyImage, str]


def lines_of(file: CharacterFile, count: int, *, close: bool) -> Iterator[Labelled]:
    """Yield lines of DIGITS_OF_A_LINE digits each."""
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        chosen = rng.integers(0, len(file.texts), DIGITS_OF_A_LINE)
        images: Sequence[GreyImage] = [file.images[place] for place in chosen]
        if close:
            gap = np.zeros((file.images.shape[1], int(rng.integers(0, MAX_GAP))), np.uint8)
            inked = [image[:, image.any(axis=0)] for image in images]
            images = [part for image in inked for part in (image, gap)]
        yield np.hstack(images), "".join(file.texts[place] for place in chosen)


def measure(recognizer: Recognizer, name: str, samples: Sequence[Labelled]) -> str:
    """Return a row of the table: the fraction read exactly, the errors, and the time."""
    started = time.process_time()
    readings = recognizer.read_each([image for image, _ in samples])
    read = [reading.text for reading in tqdm(readings, total=len(samples), desc=name, unit="image")]
    milliseconds = (time.process_time() - started) * 1000 / len(samples)
    wrong = sum(text != truth for text, (_, truth) in zip(read, samples, strict=True))
    return f"| {name} | {len(samples)} | {wrong} | {1 - wrong / len(samples):.2%} | {milliseconds:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, default=Path("models/digits"), help="a bundle")
    parser.add_argument("--artefact", type=Path, help="the folder of an exported artefact in place of a bundle")
    parser.add_argument("--lines", type=int, default=4000)
    given = parser.parse_args()
    recognizer = artefact_recognizer(given.artefact) if given.artefact else Recognizer.open(given.bundle)
    (file,) = [file for file in open_emnist(given.folder) if file.split == "validation"]
    print("| images | count | wrong | read exactly | CPU ms an image |\n|---|---|---|---|---|")
    print(measure(recognizer, "test digits", list(zip(file.images, file.texts, strict=True))))
    for name, close in (("lines of 5, frames", False), ("lines of 5, close", True)):
        print(measure(recognizer, name, list(lines_of(file, given.lines, close=close))))


if __name__ == "__main__":
    main()
