"""Results: how each validation image was read, without its text, and the figures of slices of them.

A slice is a named subset. Every result is in the slice of its group (`iam/word`) and in whatever else it says it is.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.errors import DataError
from legible.files import DAMAGE, parse_row
from legible.sampling import writer_resamples
from legible.scores import calibration_error
from legible.untrusted_files import read_file, read_gzip

RESULTS = "results.jsonl"
"""The file of results as the evaluation writes it."""
PACKED_RESULTS = "results.jsonl.gz"
"""The same in a bundle, a tenth as large."""
RESAMPLES = 1000
MAX_RESULTS_BYTES = 200_000_000
"""The most bytes of results that are read, unpacked: those of the shipped bundle have 10 million."""
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Result:
    """How one image was read. `sample`: start of the sha256 of image and text; `distance`, `length` in characters."""

    sample: str
    writer: str
    slices: tuple[str, ...]
    distance: int
    length: int
    word_distance: int
    words: int
    confidence: float

    @property
    def right(self) -> bool:
        return self.distance == 0


@dataclass(frozen=True)
class Figures:
    """The figures of one slice; `low` and `high` bound the exact match in 95 of 100 resamplings of its writers."""

    count: int
    writers: int
    exact_match: float
    low: float
    high: float
    cer: float
    wer: float
    confidence: float
    calibration_error: float


@dataclass(frozen=True)
class WriterFigures:
    """The figures of one writer, who has too few images for an interval."""

    writer: str
    count: int
    exact_match: float
    cer: float


@dataclass(frozen=True)
class Threshold:
    """Accepting from this confidence on: the fraction of readings that is accepted, and the fraction of those right."""

    confidence: float
    accepted: float
    right: float | None
    """None where nothing is accepted."""


def write_results(path: Path, results: Iterable[Result]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(result), ensure_ascii=False) + "\n" for result in results)


def results_path(bundle: Path) -> Path:
    """Return the file of a bundle's recorded results: compressed, or as older bundles hold it."""
    older = bundle / RESULTS
    return older if older.is_file() else bundle / PACKED_RESULTS


def read_results(path: Path) -> list[Result]:
    """Read the results that were recorded at build.

    Raise DataError for a bundle that goes without them, and for damaged ones.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no recorded results (pack.leave_out); judge where the data set is, or by floors alone"
        )
    content = (read_gzip if path.suffix == ".gz" else read_file)(path, limit=MAX_RESULTS_BYTES)
    try:
        return [_result(parse_row(line)) for line in content.decode().splitlines()]
    except DAMAGE as error:
        raise DataError(f"{path}: damaged results ({error}); pack the bundle again or fetch it anew") from error


def _result(fields: dict[str, Any]) -> Result:
    """Return a row as a result. Raise ValueError, or what a missing field raises, where a value cannot be."""
    made = Result(**{**fields, "slices": tuple(fields["slices"])})
    names, counts = (
        (made.sample, made.writer, *made.slices),
        (made.distance, made.length, made.word_distance, made.words),
    )
    is_sound = all(isinstance(name, str) for name in names) and all(type(n) is int and n >= 0 for n in counts)
    if not (is_sound and 0.0 <= made.confidence <= 1.0):
        raise ValueError(f"no result: {fields}")
    return made


def slice_names(results: Iterable[Result]) -> list[str]:
    return sorted({name for result in results for name in result.slices})


def slice_counts(results: Iterable[Result]) -> Counter[str]:
    return Counter(name for result in results for name in result.slices)


def in_slice(results: Iterable[Result], name: str) -> list[Result]:
    return [result for result in results if name in result.slices]


def figures(results: Sequence[Result], *, seed: int = 0) -> Figures:
    """Return the figures of some results. Raise ValueError for none."""
    right, given = _right(results), np.array([result.confidence for result in results])
    low, high = writer_interval(right, [result.writer for result in results], seed=seed)
    return Figures(
        count=len(results),
        writers=len({result.writer for result in results}),
        exact_match=float(right.mean()),
        low=low,
        high=high,
        cer=_cer(results),
        wer=sum(result.word_distance for result in results) / max(sum(result.words for result in results), 1),
        confidence=float(given.mean()),
        calibration_error=calibration_error(given, right),
    )


def by_writer(results: Iterable[Result]) -> list[WriterFigures]:
    """Return each writer's own figures, in order of names."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.writer, []).append(result)
    return [
        WriterFigures(writer, len(own), float(_right(own).mean()), _cer(own)) for writer, own in sorted(groups.items())
    ]


def writer_interval(values: npt.NDArray[np.float64], writers: Sequence[str], *, seed: int) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the mean over resampled writers, each with all of their samples."""
    means = writer_resamples(values, writers, resamples=RESAMPLES, seed=seed)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def thresholds(results: Sequence[Result]) -> list[Threshold]:
    """Return what accepting from each of THRESHOLDS on would accept, and get right."""
    found = []
    for least in THRESHOLDS:
        accepted = [result.right for result in results if result.confidence >= least]
        right = sum(accepted) / len(accepted) if accepted else None
        found.append(Threshold(least, len(accepted) / len(results), right))
    return found


def _right(results: Sequence[Result]) -> npt.NDArray[np.float64]:
    return np.array([result.right for result in results], np.float64)


def _cer(results: Sequence[Result]) -> float:
    return sum(result.distance for result in results) / max(sum(result.length for result in results), 1)
