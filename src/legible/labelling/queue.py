"""The label queue as a folder: the kept images to transcribe next, with a table to fill in.

The table has the columns that `data.transcribed` reads, with the text left to fill in; `ingest` leaves out rows
without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.arrays import Floats
from legible.data.transcribed import INDEX
from legible.drift.reference import Reference
from legible.drift.summary import NO_CORRECTIONS, ranked_by, unusual_of
from legible.errors import DataError, ImageError
from legible.files import write_text
from legible.image.decode import decode
from legible.observations.chance import AT_RANDOM
from legible.observations.corrections import read_corrections
from legible.observations.image_log import copy_kept, kept_images
from legible.observations.row import Observation, observe
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer

COLUMNS = ("path", "text", "read", "confidence", "unusual")
ONE_LINE = str.maketrans("\t\n\r", "   ")


@dataclass(frozen=True)
class MadeQueue:
    """The outcome: the rows that need a text, the rows that have one from a correction, and the files that are no
    images.
    """

    to_fill: int
    filled: int
    skipped: tuple[Path, ...]


@dataclass(frozen=True)
class _Candidate:
    path: Path
    read: str
    observation: Observation


def make_queue(
    images: Path, out: Path, *, most: int, bundle: Path, corrections: Path | None = None, seed: int = 0
) -> MadeQueue:
    """Write out/index.tsv and the images it names. Raise DataError where none were kept, or a queue is there."""
    if (out / INDEX).exists():
        raise DataError(f"{out / INDEX} is there already, and may hold somebody's work; name another folder")
    paths = list(kept_images(images))
    if not paths:
        raise DataError(
            f"{images}: no kept images; LEGIBLE_KEEP_IMAGES=0.05 has the service keep some, --images names them"
        )
    candidates, skipped = _read(paths, bundle)
    texts = read_corrections(corrections) if corrections else NO_CORRECTIONS
    known = [candidate for candidate in candidates if candidate.path.stem in texts]
    asked = [candidate for candidate in candidates if candidate.path.stem not in texts]
    unusual = _unusual(Reference.load(bundle), asked)
    chosen = order(unusual, [c.observation.confidence for c in asked], most=most, rng=np.random.default_rng(seed))
    to_fill = [(asked[i].path.name, _line(asked[i], "", f"{unusual[i]:.2f}")) for i in chosen]
    filled = [(one.path.name, _line(one, texts[one.path.stem], "")) for one in known]
    kept = copy_kept([asked[i].path for i in chosen] + [one.path for one in known], out / "images")
    parts = [[line for name, line in rows if name in kept] for rows in (to_fill, filled)]
    write_text(out / INDEX, "\n".join(["\t".join(COLUMNS), *parts[0], *parts[1]]) + "\n")
    return MadeQueue(len(parts[0]), len(parts[1]), tuple(skipped))


def _read(paths: Sequence[Path], bundle: Path) -> tuple[list[_Candidate], list[Path]]:
    recognizer = Recognizer.from_bundle(load_bundle(bundle))
    candidates, skipped = [], []
    for path in tqdm(paths, unit="image", desc="read"):
        try:
            image = decode(path.read_bytes())
        except FileNotFoundError:  # past its retention meanwhile
            continue
        except ImageError:
            skipped.append(path)
            continue
        reading = recognizer.read([image])[0]
        candidates.append(_Candidate(path, reading.text, observe(image, reading, channel="", at=0.0)))
    return candidates, skipped


def _unusual(reference: Reference, candidates: Sequence[_Candidate]) -> Floats:
    rows = [candidate.observation for candidate in candidates]
    if not rows:
        return np.zeros(0)
    return unusual_of(reference, ranked_by(reference, rows, np.random.default_rng(0)))


def order(unusual: Floats, confidences: Sequence[float], *, most: int, rng: np.random.Generator) -> list[int]:
    """Return at most `most` places: the least confident and the most unusual in turn, then a tenth at random.

    `order([1, 2, 3], [0.1, 0.9, 0.8], most=2)` is `[0, 2]`.
    """
    by_doubt, by_unusual = np.argsort(confidences), np.argsort(-unusual)
    turns = [int(i) for pair in zip(by_doubt, by_unusual, strict=True) for i in pair]
    wanted = list(dict.fromkeys(turns))
    blind = int(min(most, len(wanted)) * AT_RANDOM)
    first, others = wanted[: most - blind], wanted[most - blind :]
    return first + [others[i] for i in rng.permutation(len(others))[:blind].tolist()]


def _line(candidate: _Candidate, text: str, unusual: str) -> str:
    cells = (
        f"images/{candidate.path.name}",
        text.translate(ONE_LINE),
        candidate.read,
        f"{candidate.observation.confidence:.3f}",
        unusual,
    )
    return "\t".join(cells)
