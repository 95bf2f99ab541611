"""The task of MicroOCR: 4 characters of 62, one font, 5,000 images to train on and 500 to be read; how small will do?

    python benchmarks/training/micro.py              (--hard: random backgrounds, tones and turns; --sizes 9k,46k)

Trains networks of about a thousand to a million parameters, each from nothing, and counts epochs until every one of the
500 words is read. They see the same rows of each picture: cut to its ink above and below, as elsewhere in legible,
`oxo` is the same as `OXO`. Prints a table beside that project's README and writes benchmarks/micro.json or
micro-hard.json.
"""

import argparse
import dataclasses
import json
import string
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from legible.charset import Charset
from legible.config import TrainParams, load_params
from legible.ctc.decode import best_path_text
from legible.data.dataset import Sample, Split
from legible.image.binarized import SIDE_MARGIN
from legible.image.normalize import normalize
from legible.network.zoo import STRIDE, ZOO, NetworkSize, build_inference_network, build_network
from legible.recognition.recognizer import Recognizer
from legible.scores import exact_match
from legible.synth.augment import augment
from legible.synth.fonts import find_fonts, load_face
from legible.training.batches import Example, Planner
from legible.training.curves import read_examples
from legible.training.export import convert
from legible.training.loop import compiled, train_epoch

PROJECT = Path(__file__).parents[2]
CHARSET = Charset("alphanumeric", string.digits + string.ascii_letters)
LETTERS, HEIGHT, SEED = 4, 32, 1
INK = 180
"""Darker than this is ink, where paper is white."""
TRAIN, TEST = 5000, 500
SIZES = {
    "1k": NetworkSize((2, 3, 3, 4, 4), 6, temporal_blocks=0, kernel=3, expansion=1, parameters=0),
    "1.7k": NetworkSize((2, 3, 4, 5, 6), 8, temporal_blocks=1, kernel=3, expansion=1, parameters=0),
    "3.4k": NetworkSize((3, 4, 6, 8, 10), 12, temporal_blocks=1, kernel=3, expansion=1, parameters=0),
    "5k": NetworkSize((3, 6, 9, 12, 14), 16, temporal_blocks=0, kernel=5, expansion=1, parameters=0),
    "9k": ZOO["micro"],
    "46k": NetworkSize((8, 12, 24, 32, 40), 64, temporal_blocks=1, kernel=5, expansion=1, parameters=0),
    "245k": ZOO["small"],
    "1M": ZOO["base"],
}
README = {
    False: (("1.2k", "not in 9000"), ("2.4k", 338), ("4.8k", 362), ("9.8k", 35), ("20.6k", 39), ("45.2k", 79),
            ("106.7k", 79), ("278.8k", 14)),
    True: (("9.7k", "78.2 % in 99"), ("20.4k", "84.2 % in 100"), ("44.9k", "81.0 % in 49"), ("106.0k", "88.2 % in 45"),
           ("277.6k", "87.2 % in 50"), ("817.2k", "88.4 % in 45"), ("2.68M", "89.4 % in 49")),
}  # fmt: skip
"""Parameters, and epochs to all words (or the share of words read, in epochs), as that project's README states them."""


SPLITS: tuple[tuple[Split, int], ...] = (("train", TRAIN), ("validation", TEST))


@dataclass(frozen=True)
class Row:
    """Of one network: the first epoch after which all words are read, and what its int8 artefact reads in the end."""

    size: str
    parameters: int
    kilobytes: float
    epochs_to_all: int | None
    epochs: int
    best: float
    artefact: float
    seconds_an_epoch: float


def drawn(number: int, *, split: Split, hard: bool) -> Sample:
    rng = np.random.default_rng([SEED, ("train", "validation", "tune").index(split), number])
    text = "".join(CHARSET.characters[place] for place in rng.integers(0, len(CHARSET.characters), LETTERS))
    image = _scene(text, rng) if hard else _written(text, paper=255, ink=0)
    return Sample(f"micro/{split}/{number}", image, text, "one", "micro", split, "word")


def _written(text: str, *, paper: int, ink: int) -> np.ndarray:
    canvas = Image.new("L", (112, 40), paper)
    ImageDraw.Draw(canvas).text((56, 20), text, font=load_face(_font(), 28), fill=ink, anchor="mm")
    return np.asarray(canvas)


def _scene(text: str, rng: np.random.Generator) -> np.ndarray:
    """The same on a random sheet: a smooth background of random tones, ink lighter or darker, noise, a slight turn."""
    paper = rng.uniform(40, 215)
    darker = paper > 127 if rng.random() < 0.8 else paper > 80  # noqa: PLR2004
    ink = rng.uniform(0, paper - 40) if darker else rng.uniform(paper + 40, 255)
    mask = _written(text, paper=0, ink=255).astype(np.float32) / 255
    turn = cv2.getRotationMatrix2D((56, 20), rng.uniform(-5, 5), rng.uniform(0.8, 1.0))
    mask = cv2.warpAffine(mask, turn, (112, 40))
    ground = cv2.resize(rng.normal(paper, 18, (3, 7)), (112, 40), interpolation=cv2.INTER_CUBIC)
    image = ground * (1 - mask) + ink * mask + rng.normal(0, rng.uniform(0, 8), mask.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@cache
def _font() -> Path:
    params = dataclasses.replace(load_params(PROJECT / "params.yaml").fonts, folders=(), packages=True)
    fonts = [font for font in find_fonts(params, root=PROJECT, characters=CHARSET.characters) if font.kind == "print"]
    return min(font.path for font in fonts if "roboto" in font.path.name.lower())


def settings(epochs: int, *, hard: bool) -> TrainParams:
    """Small batches and a high rate: there are few images, and they are easy."""
    train = load_params(PROJECT / "params.yaml").train
    return dataclasses.replace(
        train,
        epochs=epochs,
        epoch_samples=TRAIN,
        batch_columns=112 * 16,
        learning_rate=0.006,
        warmup_epochs=0.2,
        weight_decay=0.0,
        strength=0.3 if hard else 0.0,
        mixture={"micro/word": 1.0},
    )


@dataclass(frozen=True)
class InRows:
    """Crop every picture to the same rows, those that hold ink in training, and to the columns of its own ink.

    The harder pictures have no size in common: these are normalised as anywhere in legible.
    """

    samples: Sequence[Sample]
    rows: slice | None
    strength: float

    def prepared(self, plan: npt.NDArray[np.int64], *, epoch: int) -> Iterator[Example]:
        for place, number in enumerate(plan):
            sample = self.samples[number]
            image = augment(sample.image, np.random.default_rng([SEED, epoch, place]), self.strength)
            columns = normalize(image, height=HEIGHT, stride=STRIDE) if self.rows is None else _framed(image, self.rows)
            yield Example(columns, CHARSET.encode(sample.text))


def _rows_with_ink(samples: Sequence[Sample]) -> slice:
    rows = np.flatnonzero(np.any([sample.image.min(axis=1) < INK for sample in samples], axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1)


def _framed(image: np.ndarray, rows: slice) -> npt.NDArray[np.float32]:
    """(HEIGHT, W): ink 1 on paper 0, a row of paper above and below, W a multiple of the stride."""
    columns = np.flatnonzero(image.min(axis=0) < INK)
    part = 1 - image[rows, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    wide = max(round(part.shape[1] * (HEIGHT - 2) / part.shape[0]), 1)
    framed = np.zeros((HEIGHT, -(-(wide + 2 * SIDE_MARGIN) // STRIDE) * STRIDE), np.float32)
    left = (framed.shape[1] - wide) // 2
    framed[1:-1, left : left + wide] = cv2.resize(part, (wide, HEIGHT - 2), interpolation=cv2.INTER_LINEAR)
    return framed


def measure(name: str, train: Sequence[Sample], test: Sequence[Sample], params: TrainParams, *, hard: bool) -> Row:
    keras.utils.set_random_seed(SEED)
    size = SIZES[name]
    model = compiled(build_network(size, labels=CHARSET.size, height=HEIGHT), params)
    planner = Planner(train, params.mixture, seed=SEED)
    rows = None if hard else _rows_with_ink(train)
    source = InRows(train, rows, params.strength)
    unread = list(InRows(test, rows, 0.0).prepared(np.arange(len(test)), epoch=0))
    truths = [sample.text for sample in test]
    shares, seconds = [], []
    for epoch in range(params.epochs):
        started = time.monotonic()
        train_epoch(model, source, planner.plan(epoch, samples=TRAIN), params, epoch=epoch)
        seconds.append(time.monotonic() - started)
        shares.append(
            exact_match(truths=truths, predictions=read_examples(model, unread, charset=CHARSET, stride=STRIDE))
        )
        if shares[-1] == 1:
            break
    artefact = convert(build_inference_network(model, size, labels=CHARSET.size, height=HEIGHT), quantization="dynamic")
    return Row(
        name,
        model.count_params(),
        len(artefact) / 1000,
        len(shares) if shares[-1] == 1 else None,
        params.epochs,
        max(shares),
        exact_match(truths=truths, predictions=read_by_artefact(artefact, unread)),
        float(np.median(seconds)),
    )


def read_by_artefact(artefact: bytes, prepared: Sequence[Example]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(artefact)
        recognizer = Recognizer(path, CHARSET)
        logits = [recognizer.logits(one.columns) for one in prepared]
    return [best_path_text(one, CHARSET) for one in logits]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hard", action="store_true", help="random backgrounds, tones and turns")
    parser.add_argument("--sizes", default=",".join(SIZES), help="which, of " + ", ".join(SIZES))
    parser.add_argument("--epochs", type=int, default=12, help="at most; the rate falls to nothing by then")
    asked = parser.parse_args()
    if unknown := set(asked.sizes.split(",")) - set(SIZES):
        parser.error(f"--sizes has {', '.join(sorted(unknown))}; known: {', '.join(SIZES)}")
    train, test = ([drawn(number, split=split, hard=asked.hard) for number in range(count)] for split, count in SPLITS)
    rows = []
    print("| parameters | int8 kB | epochs to all 500 words | most words read | by int8 | seconds an epoch |")
    print("|---|---|---|---|---|---|")
    for name in asked.sizes.split(","):
        rows.append(row := measure(name, train, test, settings(asked.epochs, hard=asked.hard), hard=asked.hard))
        reached = row.epochs_to_all or f"not in {row.epochs}"
        print(
            f"| {row.parameters:,} | {row.kilobytes:.0f} | {reached} | {row.best:.1%} | {row.artefact:.1%} | "
            f"{row.seconds_an_epoch:.1f} |",
            flush=True,
        )
    stated = "; ".join(f"{parameters}: {epochs}" for parameters, epochs in README[asked.hard])
    print(f"\nEpochs by the README of MicroOCR, by its parameters: {stated}", file=sys.stdout)
    target = PROJECT / f"benchmarks/micro{'-hard' if asked.hard else ''}.json"
    target.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
