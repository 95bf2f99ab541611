"""Figures for the card that benchmarks measured: files of models/measured, written by a benchmark and in git.

`benchmarks/reading/recognizer.py` writes how fast a model reads, `benchmarks/training/generated_only.py` what
generated images alone teach a network. The card states them only of the model, or of the generated images, that they
were measured on.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legible.errors import DataError
from legible.files import JsonFormat

FOLDER = "models/measured"
SPEED = f"{FOLDER}/speed.json"
GENERATED_ONLY = f"{FOLDER}/generated_only.json"
MODEL_DIGITS = 12
"""How many digits of a sha256 name a model."""
DRAWN_ALIKE = {5: 4}
"""A revision of `generate` that draws the images of an earlier one but for rounding, and that earlier one."""
FORMAT = JsonFormat("measured figures", 1, "run its benchmark again, or git restore it", DataError)


@dataclass(frozen=True)
class Speed:
    """How fast and with how much memory a model reads on one thread, by prefix beam search, images decoded before."""

    model: str
    """The first MODEL_DIGITS digits of its sha256."""
    milliseconds: Mapping[str, float]
    """The milliseconds for one image of each group."""
    peak_mib: int
    processor: str

    def sentence(self) -> str:
        speeds = ", ".join(f"{cost:.1f} ms an image of {group}" for group, cost in self.milliseconds.items())
        where = f"one thread of {self.processor}, prefix beam search, image files decoded before"
        return f"{speeds} and {self.peak_mib} MiB at most, on {where}"


@dataclass(frozen=True)
class GeneratedOnly:
    """How well a network that saw generated words alone reads the IAM words of `validation`."""

    command: str
    """Repeats the measurement."""
    size: str
    parameters: int
    words: int
    revision: int
    """The revision of `generate` that drew the words."""
    images: int
    exact_match: float
    cer: float
    exact_match_with_lexicon: float
    cer_with_lexicon: float

    def sentence(self, *, revision: int) -> str:
        alike = "" if revision == self.revision else ", from which these differ by rounding"
        return (
            f"A `{self.size}` network ({self.parameters / 1000:.0f} thousand parameters), trained on {self.words:,} "
            f"generated words and on nothing else, reads {self.exact_match:.1%} of the {self.images} IAM words of "
            f"`validation` by best path (CER {self.cer:.1%}), and {self.exact_match_with_lexicon:.1%} "
            f"({self.cer_with_lexicon:.1%}) with the lexicon `english` (`{self.command}`, on the images of revision "
            f"{self.revision} of `generate`{alike})."
        )


def speed_of(model: str, *, root: Path) -> Speed | None:
    """Return the figures of the model with this sha256; None where it was not measured."""
    return next((row for row in _rows(root / SPEED, Speed) if model.startswith(row.model)), None)


def generated_only_of(revision: int, *, root: Path) -> GeneratedOnly | None:
    """Return the figures for the images that this revision of `generate` draws; None where there are none."""
    known = {row.revision: row for row in _rows(root / GENERATED_ONLY, GeneratedOnly)}
    return known.get(revision) or known.get(DRAWN_ALIKE.get(revision, revision))


def record(root: Path, row: Speed | GeneratedOnly) -> Path:
    """Write a row in the place of the one that speaks of the same model, or revision; return the file."""
    path, key = (root / SPEED, "model") if isinstance(row, Speed) else (root / GENERATED_ONLY, "revision")
    rows = {getattr(one, key): one for one in (*_rows(path, type(row)), row)}
    path.parent.mkdir(parents=True, exist_ok=True)
    FORMAT.save(path, {"rows": [dataclasses.asdict(one) for one in rows.values()]})
    return path


def _rows(path: Path, kind: Any) -> list[Any]:
    if not path.is_file():
        return []
    with FORMAT.parse(path) as content:
        return [kind(**row) for row in content["rows"] if _is_sound(kind(**row))]


def _is_sound(row: Speed | GeneratedOnly) -> bool:
    """Say True, or raise what a value of another kind raises where the row is used."""
    if isinstance(row, Speed):
        return bool(row.sentence()) and row.model.startswith("")
    return bool(row.sentence(revision=int(row.revision)))
