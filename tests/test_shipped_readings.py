"""The shipped bundle reads 1,000 drawn images as it did when `shipped_readings.tsv` was written.

A change to names or structure must leave this file as it is. A new bundle, or a change of readings that is meant,
renews it: `python tests/test_shipped_readings.py`.
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from legible.reading import Reading
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer
from legible.synth.corrupt import CORRUPTIONS, corrupt
from legible.synth.determinism import plain_opencv
from legible.synth.style import draw_hand_style, draw_text

HERE = Path(__file__).parent
STORED = HERE / "shipped_readings.tsv"
BUNDLE = HERE.parent / "models/bundle"
IMAGES = 1000
TEXT = (
    "Hamburg of the minimum quickly said, 1974 yours, I'll Mr. (see) 12.50 \"no\" a B - . zebra Government X-ray it's "
    "rn clo 0O 7:30 handwriting MIND & paper; street? Wow! e.g. London/Paris #5"
)
WORDS = TEXT.split()
TOLERANCE = 1e-3
"""Of a confidence, 0 to 1."""
MAX_READ_DIFFERENTLY = 5
"""Processors round int8 networks differently. On the one that wrote the file no image is read differently."""
MAX_DRAWN_DIFFERENTLY = 50
"""numpy has other loops for some processors, which may change a grey level; such images are not compared."""


class Row(NamedTuple):
    """What is kept of one reading, and the first digits of its image's sha256."""

    image: str
    confidence: float
    characters: float
    alternatives: str
    text: str

    @staticmethod
    def of(image: npt.NDArray[np.uint8], reading: Reading) -> "Row":
        digest = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()[:12]
        characters = math.fsum(character.confidence for character in reading.characters)
        others = " ".join(f"{other.text}={other.confidence:.3f}" for other in reading.alternatives)
        return Row(digest, round(reading.confidence, 3), round(characters, 3), others, reading.text)

    def like(self, stored: "Row") -> bool:
        near = abs(self.confidence - stored.confidence) <= TOLERANCE + 1e-9
        return self.text == stored.text and near and abs(self.characters - stored.characters) <= 0.01


def drawn() -> Iterator[npt.NDArray[np.uint8]]:
    """Words and lines by pen paths, every third of them corrupted: the same bytes on any x86 processor."""
    names = list(CORRUPTIONS)
    for number in range(IMAGES):
        rng = np.random.default_rng([22, number])
        words = rng.choice(WORDS, size=3 if number % 10 == 0 else 1)
        image = draw_text(" ".join(words), draw_hand_style(rng, strength=0.3), rng)
        if number % 3 == 0:
            image = corrupt(image, names[number // 3 % len(names)], number % 4 + 1, rng)
        yield image


def read_all() -> list[Row]:
    """Every fourth image with the lexicon, every fifth with two alternatives."""
    bundle = load_bundle(BUNDLE)
    recognizer = Recognizer.from_bundle(bundle)
    prior = recognizer.prior(bundle.lexicon("english"))
    with plain_opencv():
        images = list(drawn())
    images[7], images[8] = np.full((40, 90), 230, np.uint8), np.zeros((5, 4), np.uint8)
    rows = []
    for number, image in enumerate(images):
        decoding = Decoding(prior if number % 4 == 0 else None, alternatives=2 if number % 5 == 0 else 0)
        rows.append(Row.of(image, recognizer.read([image], decoding=decoding)[0]))
    return rows


def stored_rows() -> list[Row]:
    cells = (line.split("\t") for line in STORED.read_text(encoding="utf-8").splitlines()[1:])
    return [Row(image, float(sure), float(characters), others, text) for image, sure, characters, others, text in cells]


def stored_bundle() -> str:
    return STORED.read_text(encoding="utf-8").splitlines()[0].removeprefix("# bundle ")


def save(rows: list[Row]) -> None:
    lines = (f"{r.image}\t{r.confidence:.3f}\t{r.characters:.3f}\t{r.alternatives}\t{r.text}\n" for r in rows)
    STORED.write_text(f"# bundle {load_bundle(BUNDLE).id}\n" + "".join(lines), encoding="utf-8")


def test_the_stored_readings_are_those_of_the_shipped_bundle() -> None:
    assert stored_bundle() == load_bundle(BUNDLE).id, "another bundle is shipped: python tests/test_shipped_readings.py"


@pytest.mark.slow
def test_the_shipped_bundle_reads_as_it_did() -> None:
    both = [(row, before) for row, before in zip(read_all(), stored_rows(), strict=True) if row.image == before.image]
    assert len(both) >= IMAGES - MAX_DRAWN_DIFFERENTLY, "the generator or the corruptions draw other images"
    changed = [(row, before) for row, before in both if not row.like(before)]
    assert len(changed) <= MAX_READ_DIFFERENTLY, changed[:10]
    others = [(row, before) for row, before in both if row.alternatives != before.alternatives]
    assert len(others) <= MAX_READ_DIFFERENTLY, others[:10]


def test_the_stored_readings_are_worth_comparing() -> None:
    stored = stored_rows()
    assert len(stored) == IMAGES
    assert len({row.text for row in stored}) > 300
    assert 0.2 < sum(row.confidence > 0.9 for row in stored) / IMAGES < 0.95
    assert sum(bool(row.alternatives) for row in stored) > 150


if __name__ == "__main__":
    save(read_all())
