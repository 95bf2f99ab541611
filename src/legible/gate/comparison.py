"""A candidate compared with the champion on the same images: differences with intervals, by slice and by writer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from legible.evaluation.results import Result, slice_names
from legible.sampling import writer_resamples

RESAMPLES = 10_000
CHANCE = 0.05
"""The probability of calling a fall sure where there is none, over all slices together."""
JUDGED_FROM = 300
"""Slices with fewer samples are listed, not judged. All images together are always judged."""

Pair = tuple[Result, Result]
"""The results of the candidate and of the champion for the same image."""


@dataclass(frozen=True)
class Comparison:
    """A slice on the same images: exact match of both, the difference with its 95 % interval, and what changed.

    `surely_below` is the bound under which the difference lies with the chance that is left after as many slices as
    are judged together (Bonferroni).
    """

    name: str
    count: int
    candidate: float
    champion: float
    low: float
    high: float
    surely_below: float
    to_right: int
    to_wrong: int

    @property
    def difference(self) -> float:
        return self.candidate - self.champion

    @property
    def surely_fell(self) -> bool:
        return (self.name == "all" or self.count >= JUDGED_FROM) and self.surely_below < 0


@dataclass(frozen=True)
class WriterFall:
    """A writer whose readings went from right to wrong more often than chance explains."""

    writer: str
    count: int
    to_right: int
    to_wrong: int


def join(new: Iterable[Result], old: Iterable[Result]) -> list[Pair]:
    """Pair the results of the same images, whatever their order."""
    former = {result.sample: result for result in old}
    return [(result, former[result.sample]) for result in new if result.sample in former]


def compare_all(pairs: Sequence[Pair]) -> list[Comparison]:
    """Compare all images, then each slice of the champion's."""
    slices = {name: [pair for pair in pairs if name in pair[1].slices] for name in slice_names(old for _, old in pairs)}
    judged = sum(len(own) >= JUDGED_FROM for own in slices.values())
    return [_compare("all", pairs, together=1), *(_compare(name, own, together=judged) for name, own in slices.items())]


def _compare(name: str, pairs: Sequence[Pair], *, together: int) -> Comparison:
    new = np.array([pair[0].right for pair in pairs], np.float64)
    old = np.array([pair[1].right for pair in pairs], np.float64)
    writers = [pair[1].writer for pair in pairs]
    chance = CHANCE / 2
    low, high, surely_below = _bounds(new - old, writers, (chance, 1 - chance, 1 - chance / max(together, 1)))
    return Comparison(
        name, len(pairs), float(new.mean()), float(old.mean()), float(low), float(high), float(surely_below),
        to_right=int(np.sum(new > old)), to_wrong=int(np.sum(new < old)),
    )  # fmt: skip


def _bounds(differences: npt.NDArray[np.float64], writers: Sequence[str], levels: Sequence[float]) -> list[float]:
    """Return quantiles of the mean over resampled writers, widened for how few those are.

    Resampling few clusters makes intervals too narrow: their deviations are scaled to the unbiased variance and from
    the normal to Student's distribution (Cameron, Gelbach and Miller 2008, section 3). One writer bounds nothing.
    """
    count, mean = len(set(writers)), float(differences.mean())
    if count == 1:
        return [-1.0 if level < 0.5 else 1.0 for level in levels]  # noqa: PLR2004
    means = writer_resamples(differences, writers, resamples=RESAMPLES, seed=0)
    unbiased = np.sqrt(count / (count - 1))
    widening = [unbiased * stats.t.ppf(level, count - 1) / stats.norm.ppf(level) for level in levels]
    drawn = np.quantile(means, levels) - mean
    return [float(bound) for bound in np.clip(mean + drawn * np.array(widening), -1.0, 1.0)]


def writers_that_fell(pairs: Iterable[Pair]) -> list[WriterFall]:
    """Find writers by the exact sign test on what changed (McNemar 1947), corrected for the number of writers."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[1].writer, []).append(pair)
    falls = []
    for writer, own in sorted(groups.items()):
        gained = sum(new.right and not old.right for new, old in own)
        lost = sum(old.right and not new.right for new, old in own)
        if lost and stats.binomtest(lost, lost + gained, alternative="greater").pvalue < CHANCE / len(groups):
            falls.append(WriterFall(writer, len(own), gained, lost))
    return falls
