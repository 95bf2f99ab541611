"""May a candidate bundle replace the champion? On the same images, with reasons.

First form: results recorded in both bundles are joined by sample; the difference in exact match is resampled by writer.
Without a champion the floors alone are judged.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legible.charset import Charset
from legible.evaluation.results import Result, read_results, slice_names, writer_resamples
from legible.reader.bundle import load_bundle

RESAMPLES = 2000
LARGEST_LOSS = 0.01
"""Points of exact match, as a share, that a candidate may lose at most."""
JUDGED_FROM = 300
"""Samples of a slice from which it is judged; smaller ones are listed."""
LEAST_SHARED = 0.5
"""Share of the champion's images of a slice that the candidate must have read for the two to be compared."""
WAY_OUT = "evaluate both on the same data, or judge by floors alone with --champion none"

Pair = tuple[Result, Result]
"""What the candidate and the champion made of the same image."""


@dataclass(frozen=True)
class Comparison:
    """A slice on the same images: exact match of both, the difference with its 95 % interval, and what changed."""

    name: str
    count: int
    candidate: float
    champion: float
    low: float
    high: float
    to_right: int
    to_wrong: int

    @property
    def difference(self) -> float:
        return self.candidate - self.champion


@dataclass(frozen=True)
class GateVerdict:
    """`reasons` against the candidate; none lets it pass."""

    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    recorded: bool
    """Whether results recorded at build were compared, rather than readings made now."""
    notes: tuple[str, ...] = ()
    """What was not compared, or differs without being against the candidate."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    def table(self) -> str:
        """One line a slice, the notes, and the verdict."""
        head = (
            f"{'slice':32} {'images':>6} {'champion':>9} {'candidate':>9} {'95 % of difference':>20} {'+':>4} {'-':>4}"
        )
        lines = [_line(comparison) for comparison in self.comparisons]
        notes = [f"note: {note}" for note in self.notes]
        verdict = "passed" if self.passed else "refused: " + "; ".join(self.reasons)
        return "\n".join([head, *lines, *notes, f"{'recorded results. ' if self.recorded else ''}{verdict}"])


def gate(candidate: Path, champion: Path | None, *, floors: Mapping[str, float]) -> GateVerdict:
    """Judge two bundles' folders; floors: least exact match by slice. Raises BundleError for a damaged one."""
    charset = load_bundle(candidate).charset
    reasons = _below_floors(candidate, floors)
    if champion is None:
        return GateVerdict(tuple(reasons), (), recorded=True)
    lost, gained = _changed(load_bundle(champion).charset, charset)
    reasons += [f"the charset lost {lost}"] if lost else []
    notes = [f"the charset gained {gained}"] if gained else []
    new, old = (read_results(folder / "results.jsonl") for folder in (candidate, champion))
    pairs = _joined(new, old)
    reasons += [f"slice {name} of the champion is missing" for name in _names_only_in(old, new)]
    if not pairs:
        reasons += [f"no image is recorded in both bundles; {WAY_OUT}"]
        return GateVerdict(tuple(reasons), (), True, tuple(notes))
    for name, fault in _unshared(pairs, old).items():
        if name in floors:
            reasons.append(f"{fault}; {WAY_OUT}")
        else:
            notes.append(fault)
    comparisons = [_compare("all", pairs), *(_compare(name, own) for name, own in _by_slice(pairs).items())]
    reasons += [reason for comparison in comparisons for reason in _losses(comparison)]
    return GateVerdict(tuple(reasons), tuple(comparisons), True, tuple(notes))


def _changed(old: Charset, new: Charset) -> tuple[str, str]:
    """The characters that were lost and gained."""
    return " ".join(new.unknown(old.characters)), " ".join(old.unknown(new.characters))


def _joined(new: Iterable[Result], old: Iterable[Result]) -> list[Pair]:
    former = {result.sample: result for result in old}
    return [(result, former[result.sample]) for result in new if result.sample in former]


def _by_slice(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    names = slice_names(old for _, old in pairs)
    return {name: [pair for pair in pairs if name in pair[1].slices] for name in names}


def _names_only_in(old: Iterable[Result], new: Iterable[Result]) -> list[str]:
    return sorted(set(slice_names(old)) - set(slice_names(new)))


def _unshared(pairs: Sequence[Pair], old: Sequence[Result]) -> dict[str, str]:
    """What to say of the slices that the champion was judged on and whose images are others now."""
    counts = Counter(name for result in old for name in result.slices)
    shared = Counter(name for _, result in pairs for name in result.slices)
    return {
        name: f"{name}: {shared[name]} of the champion's {count} images are recorded in both, too few to compare"
        for name, count in sorted(counts.items())
        if count >= JUDGED_FROM and shared[name] < LEAST_SHARED * count
    }


def _below_floors(folder: Path, floors: Mapping[str, float]) -> list[str]:
    slices = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["slices"]
    reasons = []
    for name, floor in floors.items():
        if name not in slices:
            reasons.append(f"slice {name} has a floor of {floor:.1%} and no result")
        elif slices[name]["exact_match"] < floor:
            reasons.append(f"{name}: exact match {slices[name]['exact_match']:.1%} is below its floor of {floor:.1%}")
    return reasons


def _compare(name: str, pairs: Sequence[Pair]) -> Comparison:
    new = np.array([pair[0].right for pair in pairs], np.float64)
    old = np.array([pair[1].right for pair in pairs], np.float64)
    writers = [pair[1].writer for pair in pairs]
    low, high = np.percentile(writer_resamples(new - old, writers, resamples=RESAMPLES, seed=0), (2.5, 97.5))
    return Comparison(
        name, len(pairs), float(new.mean()), float(old.mean()), float(low), float(high),
        to_right=int(np.sum(new > old)), to_wrong=int(np.sum(new < old)),
    )  # fmt: skip


def _losses(comparison: Comparison) -> list[str]:
    if comparison.count < JUDGED_FROM:
        return []
    if comparison.difference < -LARGEST_LOSS:
        return [f"{comparison.name}: exact match fell by {-comparison.difference:.1%}, more than {LARGEST_LOSS:.0%}"]
    if comparison.high < 0:
        return [f"{comparison.name}: exact match fell by {-comparison.difference:.2%}, and surely fell"]
    return []


def _line(row: Comparison) -> str:
    interval = f"{row.low:+.2%} to {row.high:+.2%}"
    return (
        f"{row.name:32} {row.count:6} {row.champion:9.2%} {row.candidate:9.2%} {interval:>20} "
        f"{row.to_right:4} {row.to_wrong:4}"
    )
