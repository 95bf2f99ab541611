"""How often the drift check is wrong, and what it finds, where images come in documents: lines of receipts and forms.

    python benchmarks/drift/bunched.py RECEIPTS.tar --foreign FORMS.tar

Each archive holds pages with the boxes of their lines, as docs/data.md describes them; a page is a document. Half of
the documents, drawn at random, are a deployment's normal; windows are of the others, in order of documents and
interleaved. `--foreign` is mixed in, a tenth of the images. Prints a table and writes bunched.json.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from drift_windows import upper_bound
from PIL import Image
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.drift.baseline import make_baseline
from legible.drift.decide import Outcome, decide
from legible.drift.reference import Reference
from legible.observations.row import Observation, observe
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer

HERE = Path(__file__).parent
SIZES = (50, 100, 200, 500, 1000, 2000)
MIXED = (900, 54, 100, 6)
"""Usual images and documents, and foreign ones, of a window with a tenth foreign."""
MARGIN = 0.1
MIN_SIDE = 8


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pages", type=Path)
    options.add_argument("--foreign", type=Path, required=True)
    options.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    options.add_argument("--lines", type=int, default=30, help="of a page, at most")
    options.add_argument("--splits", type=int, default=4, help="of the documents into normal and windows")
    options.add_argument("--windows", type=int, default=60, help="of each size and order in each split")
    options.add_argument("--untold", action="store_true", help="no document is told")
    chosen = options.parse_args()
    usual, foreign = (observations(path, chosen.bundle, chosen.lines) for path in (chosen.pages, chosen.foreign))
    reference = Reference.load(chosen.bundle)
    tallies: dict[str, list[int]] = {}
    for split in tqdm(range(chosen.splits), unit="split"):
        for name, drifted in judged(reference, usual, foreign, chosen, np.random.default_rng(split)):
            tallies.setdefault(name, [0, 0])
            tallies[name][0] += int(drifted)
            tallies[name][1] += 1
    (HERE / "bunched.json").write_text(json.dumps(tallies, indent=1) + "\n")
    for name, (found, windows) in tallies.items():
        print(f"{name:40} {found} of {windows}; 95 % bound {upper_bound(found, windows):.2%}")


def judged(
    reference: Reference,
    usual: list[Observation],
    foreign: list[Observation],
    chosen: argparse.Namespace,
    rng: np.random.Generator,
) -> Iterator[tuple[str, bool]]:
    """Yield kinds of window, and whether one of them was called drift."""
    documents = rng.permutation(sorted({row.document for row in usual}))
    known = set(documents[: len(documents) // 2].tolist())
    normal = [row for row in usual if row.document in known]
    if chosen.untold:
        normal = [replace(row, document="", at=float(place)) for place, row in enumerate(normal)]
    own = make_baseline(reference, normal, bundle="", at=0.0).reference
    others = Documents([row for row in usual if row.document not in known])
    for n in SIZES:
        for _ in range(chosen.windows):
            yield f"in order, {n} images", drifts(own, others.in_order(n, rng), untold=chosen.untold)
            yield f"interleaved, {n} images", drifts(own, others.interleaved(n, rng), untold=chosen.untold)
    images, of_usual, odd, of_odd = MIXED
    for _ in range(chosen.windows):
        rows = [*others.of_some(images, of_usual, rng), *Documents(foreign).of_some(odd, of_odd, rng)]
        yield f"a tenth foreign, {images + odd} images", drifts(own, rows, untold=chosen.untold)


def drifts(reference: Reference, rows: list[Observation], *, untold: bool) -> bool:
    window = [replace(row, document="") for row in rows] if untold else rows
    return decide(reference, window).outcome is Outcome.DRIFT


@dataclass(frozen=True)
class Documents:
    """Rows in order of their documents."""

    rows: list[Observation]

    def in_order(self, n: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images in a row, of documents in random order."""
        rows = [row for document in rng.permutation(self._names()) for row in self._of(document)]
        start = int(rng.integers(max(len(rows) - n, 0) + 1))
        return rows[start : start + n]

    def interleaved(self, n: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images of whatever documents."""
        return [self.rows[i] for i in rng.permutation(len(self.rows))[:n]]

    def of_some(self, n: int, documents: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images of so many documents."""
        rows = [row for document in rng.permutation(self._names())[:documents] for row in self._of(document)]
        return [rows[i] for i in rng.permutation(len(rows))[:n]]

    def _names(self) -> list[str]:
        return sorted({row.document for row in self.rows})

    def _of(self, document: str) -> list[Observation]:
        return [row for row in self.rows if row.document == document]


def observations(archive: Path, bundle: Path, lines: int) -> list[Observation]:
    """Return a row for each line, read by the bundle."""
    recognizer = Recognizer.from_bundle(load_bundle(bundle))
    rows = []
    for place, (page, image) in enumerate(tqdm(line_images(archive, lines), unit="line", desc=archive.stem)):
        reading = recognizer.read([image])[0]
        rows.append(observe(image, reading, channel="benchmark", at=float(place), document=f"{archive.stem}/{page}"))
    return rows


def line_images(archive: Path, lines: int) -> Iterator[tuple[str, GreyImage]]:
    """Yield the page and the pixels of its first lines or words."""
    with tarfile.open(archive) as tar:
        for line in _content(tar, "pages.jsonl").decode().splitlines():
            page = json.loads(line)
            pixels = np.asarray(Image.open(io.BytesIO(_content(tar, page["image"]))).convert("L"))
            for told in (page.get("lines") or page.get("words"))[:lines]:
                left, top, right, bottom = told["box"]
                margin = MARGIN * (bottom - top)
                rows = slice(round(max(top - margin, 0)), round(bottom + margin))
                image = pixels[rows, round(max(left - margin, 0)) : round(right + margin)]
                if min(image.shape) >= MIN_SIDE:
                    yield page["image"], np.ascontiguousarray(image)


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is no file in the archive")
    return file.read()


if __name__ == "__main__":
    main()
