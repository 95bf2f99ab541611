"""Images that come in documents, read by a bundle: the lines of pages, and the words of IAM's forms.

An archive holds pages with the boxes of their lines, as docs/data.md describes them; in IAM's words.tar, beside its
words.txt, a form is a document. Each image is read as it is, and altered in the ways that are asked for.
"""

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.drift.signatures import NONE, Corrupted
from legible.evaluation.corrupted import read_corrupted, write_corrupted
from legible.observations.row import observe
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer
from legible.synth.corrupt import corrupt

ROWS = ".jsonl"
MARGIN = 0.1
MIN_SIDE = 8
SEED = 5
FORMS = 190
"""Forms of IAM that are read, drawn at random: as many as receipts."""
TEXT_COLUMN = 8
"""Of words.txt: the word, after its form's facts."""


@dataclass(frozen=True)
class LineImage:
    """A line or a word, its document, and its text."""

    document: str
    image: GreyImage
    text: str


def rows_of(
    path: Path, bundle: Path, *, lines: int, ways: Sequence[tuple[str, int]] = (), save: Path | None = None
) -> list[Corrupted]:
    """Read an archive's images, or the rows that were saved of one. A text is right whatever its case."""
    if path.suffix == ROWS:
        return read_corrupted(path)
    recognizer, rng = Recognizer.from_bundle(load_bundle(bundle)), np.random.default_rng(SEED)
    found = words_of_forms(path, lines) if (path.parent / "words.txt").is_file() else lines_of_pages(path, lines)
    rows = []
    for place, one in enumerate(tqdm(found, unit="image", desc=path.stem)):
        for name, severity in ((NONE, 0), *ways):
            image = one.image if name == NONE else corrupt(one.image, name, severity, rng)
            reading = recognizer.read([image])[0]
            document = f"{path.parent.name}-{path.stem}/{one.document}"
            row = observe(image, reading, channel="benchmark", at=float(place), document=document)
            rows.append(Corrupted(name, severity, reading.text.casefold() == one.text.casefold(), row))
    if save:
        save.mkdir(parents=True, exist_ok=True)
        write_corrupted(save / f"{path.parent.name}-{path.stem}{ROWS}", rows)
    return rows


def lines_of_pages(archive: Path, lines: int) -> Iterator[LineImage]:
    """Yield the first lines or words of each page."""
    with tarfile.open(archive) as tar:
        for line in _content(tar, "pages.jsonl").decode().splitlines():
            page = json.loads(line)
            pixels = np.asarray(Image.open(io.BytesIO(_content(tar, page["image"]))).convert("L"))
            for told in (page.get("lines") or page.get("words"))[:lines]:
                image = _cut(pixels, told["box"])
                if min(image.shape) >= MIN_SIDE:
                    yield LineImage(page["image"], image, told["text"])


def _cut(pixels: GreyImage, box: Sequence[float]) -> GreyImage:
    left, top, right, bottom = box
    margin = MARGIN * (bottom - top)
    rows = slice(round(max(top - margin, 0)), round(bottom + margin))
    return np.ascontiguousarray(pixels[rows, round(max(left - margin, 0)) : round(right + margin)])


def words_of_forms(archive: Path, words: int) -> Iterator[LineImage]:
    """Yield the first words of FORMS forms, drawn at random."""
    table = (archive.parent / "words.txt").read_text(encoding="utf-8").splitlines()
    cells = [line.split(" ", TEXT_COLUMN) for line in table if not line.startswith("#")]
    texts = {row[0]: row[TEXT_COLUMN] for row in cells}
    with tarfile.open(archive) as tar:
        by_form: dict[str, list[Any]] = defaultdict(list)
        for member in tar.getmembers():
            if member.name.endswith(".png"):
                by_form[Path(member.name).parent.name].append(member)
        forms = np.random.default_rng(SEED).permutation(sorted(by_form))[:FORMS].tolist()
        for form in forms:
            for member in by_form[form][:words]:
                pixels = np.asarray(Image.open(io.BytesIO(_content(tar, member.name))).convert("L"))
                name = Path(member.name).stem
                if min(pixels.shape) >= MIN_SIDE and name in texts:
                    yield LineImage(form, pixels, texts[name])


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is no file in the archive")
    return file.read()
