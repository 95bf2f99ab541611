"""What a bundle makes of pictures that are known to give readers trouble, by kind of trouble.

    python benchmarks/reading/pictures.py FOLDER      (--bundle models/bundle, --accept 0.9, --wrong: list the errors)

FOLDER holds `index.tsv` with a header and the columns path, expected, kind and trouble. `expected` is the text, `\\n`
between its lines; empty for a picture without text; `?...` where any text may be read, but with low confidence;
`!...` where the file is to be refused. Prints a table and writes benchmarks/pictures.json.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from legible.errors import ImageError
from legible.image.decode import decode
from legible.reading import Reading
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer

PROJECT = Path(__file__).parents[2]
DOUBTFUL = 0.5
"""A reading below this confidence says that it may be nothing."""


@dataclass(frozen=True)
class Picture:
    """A picture, what is expected of its reading, and the kind of trouble it makes."""

    path: Path
    expected: str
    kind: str


@dataclass(frozen=True)
class Outcome:
    """How a picture was read; `text` is None where it was refused."""

    picture: Picture
    text: str | None
    confidence: float

    @property
    def is_right(self) -> bool:
        """Whether the answer is as expected: the text, low confidence, nothing, or a refusal."""
        expected = self.picture.expected
        if expected.startswith("!") or self.text is None:
            return expected.startswith("!") and self.text is None
        if expected.startswith("?"):
            return self.confidence < DOUBTFUL
        if not expected:
            return not self.text or self.confidence < DOUBTFUL
        return one_line(self.text) == one_line(expected)


@dataclass(frozen=True)
class Row:
    """The pictures of one kind: how many, how many read right, and how many accepted though wrong."""

    kind: str
    pictures: int
    right: int
    accepted_and_wrong: int


def one_line(text: str) -> str:
    """The text with every run of white space, line ends too, as one space."""
    return " ".join(text.replace("\\n", " ").split())


def pictures_of(folder: Path) -> Iterator[Picture]:
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Picture(folder / row["path"], row["expected"], row["kind"])


def outcome_of(picture: Picture, recognizer: Recognizer) -> Outcome:
    try:
        (reading,) = recognizer.read([decode(picture.path.read_bytes())])
    except ImageError:
        return Outcome(picture, None, 0.0)
    return _read(picture, reading)


def _read(picture: Picture, reading: Reading) -> Outcome:
    return Outcome(picture, reading.text, reading.confidence)


def row_of(kind: str, outcomes: Sequence[Outcome], *, accept: float) -> Row:
    right = sum(one.is_right for one in outcomes)
    wrong = sum(not one.is_right and one.confidence >= accept for one in outcomes)
    return Row(kind, len(outcomes), right, wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, default=PROJECT / "models/bundle")
    parser.add_argument("--accept", type=float, default=0.9)
    parser.add_argument("--wrong", action="store_true", help="list what was read wrong")
    asked = parser.parse_args()
    recognizer = Recognizer.from_bundle(load_bundle(asked.bundle))
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for picture in pictures_of(asked.folder):
        by_kind[picture.kind].append(outcome_of(picture, recognizer))
    every = [one for own in by_kind.values() for one in own]
    rows = [row_of(kind, own, accept=asked.accept) for kind, own in sorted(by_kind.items())]
    rows.append(row_of("all", every, accept=asked.accept))
    for row in rows:
        print(f"{row.kind:34}{row.right:5} of{row.pictures:5}   accepted and wrong {row.accepted_and_wrong}")
    for one in (one for one in every if asked.wrong and not one.is_right):
        print(f"{one.confidence:.3f} {one.picture.path.name}: {one.picture.expected!r} read {one.text!r}")
    content = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n"
    (PROJECT / "benchmarks/pictures.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
