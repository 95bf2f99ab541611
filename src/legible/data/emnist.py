"""EMNIST, MNIST and QMNIST as distributed: from idx files to characters, and to words and lines composed of them.

EMNIST stores images transposed; they are turned upright here. QMNIST's labels tell the writer, the others do not.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.data.dataset import Kind, Split
from legible.data.idx import read_idx
from legible.errors import DataError

IMAGES = re.compile(r"(?P<set>.*?)(?P<part>train|test|t10k)-images-idx3-ubyte(\.gz)?$")
BLOCK = 200
"""Where no writer is known, this many consecutive images count as one writer, so that no image is in two splits."""
WORD = (2, 8)
"""The smallest and greatest number of characters of a composed word."""
LINE = (2, 5)
"""The smallest and greatest number of words of a composed line."""
MERGED = ("balanced", "bymerge")
"""EMNIST's sets in which capitals and small letters of similar shape are one class."""
QMNIST_CLASS, QMNIST_WRITER = 0, 2
"""Columns of QMNIST's labels."""
MIN_PIXELS = 5
"""The shortest side of an image: the gap between composed characters is less than a fifth of its height."""


@dataclass(frozen=True)
class Pasted:
    """A sample: one character as it is, or a word or line composed of characters of one writer."""

    id: str
    image: GreyImage
    text: str
    writer: str
    kind: Kind
    split: Split | None
    """`validation` for the test files, else None: the split is open."""


@dataclass(frozen=True)
class CharacterFile:
    """One pair of files: upright images (N, H, W), and the text and writer of each."""

    name: str
    images: GreyImage
    texts: tuple[str, ...]
    writers: tuple[str, ...]
    split: Split | None


def open_emnist(folder: Path) -> list[CharacterFile]:
    """Open every pair of image and label files in a folder.

    Raise DataError where there is none, where two have one name, and where images and labels do not match.
    """
    files = [(path, m) for path in sorted(folder.rglob("*")) if (m := IMAGES.match(path.name)) and path.is_file()]
    if not files:
        raise DataError(
            f"{folder}: no file named like train-images-idx3-ubyte or emnist-byclass-train-images-idx3-ubyte.gz"
        )
    _check_once(files)
    return [_open(path, match["set"], match["part"]) for path, match in files]


@dataclass(frozen=True)
class Composition:
    """How many words and lines are composed of the characters of a file, and how."""

    ratio: float
    """The number of characters in composed samples, for each character of the file."""
    lines: float = 0.2
    """The fraction of composed samples that are lines of several words."""
    gap: float = 0.2
    """The gaps between the characters of a sample are narrower than this fraction of their height."""


def paste(file: CharacterFile, composition: Composition, *, seed: int) -> Iterator[Pasted]:
    """Yield each character, then words and lines composed of characters of one writer."""
    for number, (image, text, writer) in enumerate(zip(file.images, file.texts, file.writers, strict=True)):
        yield Pasted(f"{file.name}/{number:06}", image, text, writer, "word", file.split)
    rng = np.random.default_rng([seed, len(file.texts)])
    for writer, places in _by_writer(file.writers).items():
        taken, number = 0, 0
        while taken < composition.ratio * len(places):
            count = int(rng.integers(LINE[0], LINE[1] + 1)) if rng.random() < composition.lines else 1
            words = [rng.choice(places, int(rng.integers(WORD[0], WORD[1] + 1))) for _ in range(count)]
            yield _pasted(file, words, writer, rng, number=number, max_gap=composition.gap)
            taken, number = taken + sum(len(word) for word in words), number + 1


def _check_once(files: Sequence[tuple[Path, re.Match[str]]]) -> None:
    """Raise DataError for files whose samples would have the same ids, such as an unpacked file beside its gz."""
    by_name: dict[str, list[str]] = {}
    for path, match in files:
        by_name.setdefault(match["set"] + match["part"], []).append(str(path))
    twice = "; ".join(" and ".join(paths) for paths in by_name.values() if len(paths) > 1)
    if twice:
        raise DataError(f"{twice} are the same set; keep one of them, or add them as sources of their own")


def _open(path: Path, name: str, part: str) -> CharacterFile:
    images = read_idx(path)
    labels = read_idx(_labels(path))
    _check_shapes(path, images, labels)
    classes = labels[:, QMNIST_CLASS] if labels.ndim == 2 else labels  # noqa: PLR2004
    writers = labels[:, QMNIST_WRITER] if labels.ndim == 2 else np.arange(len(labels)) // BLOCK  # noqa: PLR2004
    characters = _characters(path.parent, name)
    unknown = sorted(set(classes.tolist()) - characters.keys())
    if unknown:
        raise DataError(f"{path}: no character is known for the labels {unknown[:5]}; put {name}mapping.txt beside it")
    return CharacterFile(
        name=f"{name}{part}",
        images=np.ascontiguousarray(images.transpose(0, 2, 1)) if "emnist" in name else images,
        texts=tuple(characters[int(c)] for c in classes),
        writers=tuple(f"{part}-{int(w):05}" for w in writers),
        split=None if part == "train" else "validation",
    )


def _check_shapes(path: Path, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    is_labels = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] > QMNIST_WRITER)  # noqa: PLR2004
    if images.ndim != 3 or images.dtype != np.uint8 or not is_labels or len(images) != len(labels):  # noqa: PLR2004
        raise DataError(
            f"{path}: {images.shape} images beside {labels.shape} labels; the two files do not belong together"
        )
    if not len(images) or min(images.shape[1:]) < MIN_PIXELS:
        raise DataError(f"{path}: {images.shape} images; it needs one and more, {MIN_PIXELS} pixels high and wide")


def _labels(path: Path) -> Path:
    """Return the label file of an image file: `...-labels-idx1-ubyte`, or QMNIST's `...-labels-idx2-int`."""
    stem = path.name.split("-images-")[0]
    found = sorted(path.parent.glob(f"{stem}-labels-idx[12]-*"))
    if not found:
        raise DataError(f"{path}: no {stem}-labels-idx1-ubyte beside it")
    return found[-1]


def _characters(folder: Path, name: str) -> dict[int, str]:
    """Return the character of each label: digits, or what the set's mapping file says (label, then ASCII codes)."""
    path = folder / f"{name}mapping.txt"
    if not path.is_file():
        return {digit: str(digit) for digit in range(10)}
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    characters = dict(_mapped(line, path) for line in lines if line.strip())
    if any(merged in name for merged in MERGED) or any(len(own) > 1 for own in characters.values()):
        raise DataError(
            f"{path}: capitals and small letters share classes, which teaches neither; take EMNIST's byclass files"
        )
    return characters


def _mapped(line: str, path: Path) -> tuple[int, str]:
    """Parse a line of a mapping file: `1 65 97` -> (1, "Aa")."""
    try:
        label, first, *others = (int(number) for number in line.split())
        return label, "".join(map(chr, (first, *others)))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {line!r} is no label and code of a character, such as 36 97; mend it") from error


def _by_writer(writers: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    names, codes = np.unique(np.array(writers), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return dict(zip(names.tolist(), np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), strict=True))


def _pasted(
    file: CharacterFile,
    words: Sequence[npt.NDArray[np.int64]],
    writer: str,
    rng: np.random.Generator,
    *,
    number: int,
    max_gap: float,
) -> Pasted:
    height = file.images.shape[1]
    gap, pieces = int(rng.integers(0, max(math.floor(height * max_gap + 1e-9), 1))), []
    for place, word in enumerate(words):
        if place:
            pieces.append(np.zeros((height, int(height * rng.uniform(0.5, 1.0))), np.uint8))
        for character in word:
            pieces += [_cropped(file.images[character]), np.zeros((height, gap), np.uint8)]
    text = " ".join("".join(file.texts[c] for c in word) for word in words)
    kind: Kind = "line" if len(words) > 1 else "word"
    return Pasted(f"{file.name}/{writer}/{number:06}", np.hstack(pieces[:-1]), text, writer, kind, file.split)


def _cropped(image: GreyImage) -> GreyImage:
    """Return an image without the empty columns at its sides."""
    inked = np.flatnonzero(image.any(axis=0))
    return image[:, inked[0] : inked[-1] + 1] if inked.size else image
