"""The contents of a data set in numbers: samples by split and source, by writer, by length and by character."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Self

from legible.data.dataset import Sample

LENGTHS = ((1, 1), (2, 3), (4, 7), (8, 12), (13, 40), (41, 10_000))
RARE = 50
"""Characters with fewer occurrences than this are hardly learned."""
WRITERS = 40
"""The number of writers that are named."""


@dataclass
class Census:
    """Counts of samples and of characters."""

    groups: Counter[tuple[str, str]] = field(default_factory=Counter)
    writers: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """The samples of each writer, by split and group."""
    lengths: Counter[tuple[int, int]] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Self:
        census = cls()
        for sample in samples:
            place = (sample.split, sample.group)
            census.groups[place] += 1
            census.writers.setdefault(place, Counter())[sample.writer] += 1
            census.lengths[next(span for span in LENGTHS if len(sample.text) <= span[1])] += 1
            census.characters.update(sample.text)
        return census

    def report(self, charset: str) -> str:
        """Return a page for people; the charset's missing or rare characters come last."""
        rows = [f"{'split':<12}{'group':<30}{'samples':>9}{'writers':>9}{'least, median, most of a writer':>33}"]
        rows += [
            f"{s:<12}{g:<30}{n:>9}{len(self.writers[s, g]):>9}{_range(self.writers[s, g]):>33}"
            for (s, g), n in sorted(self.groups.items())
        ]
        rows += ["", *self._writers()]
        rows += ["", f"{'characters in a sample':<42}{'samples':>9}"]
        rows += [f"{_span(span):<42}{self.lengths[span]:>9}" for span in LENGTHS if self.lengths[span]]
        rows += ["", "characters, most frequent first:"]
        counted = [f"{character!r} {count}" for character, count in self.characters.most_common()]
        rows += _in_rows(counted)
        rare = [
            f"{character!r} {self.characters[character]}" for character in charset if self.characters[character] < RARE
        ]
        return "\n".join([*rows, "", f"fewer than {RARE} times: {'  '.join(rare) or 'none'}"])

    def _writers(self) -> list[str]:
        """Return lines for the writers with most samples, over all splits and kinds, and one for all others."""
        counts: Counter[str] = Counter()
        for (_, group), own in self.writers.items():
            source = group.rpartition("/")[0]
            counts.update({f"{source}/{writer}": n for writer, n in own.items()})
        first, others = counts.most_common()[:WRITERS], counts.most_common()[WRITERS:]
        rest = [f"and {len(others)} others of {others[-1][1]} to {others[0][1]}"] if others else []
        return ["writers, most samples first:", *_in_rows([f"{name} {n}" for name, n in first]), *rest]


def _in_rows(counted: Sequence[str]) -> list[str]:
    return ["  ".join(counted[start : start + 8]) for start in range(0, len(counted), 8)]


def _range(counts: Counter[str]) -> str:
    """Return the least, the median and the greatest count: `Counter(a=1, b=5, c=2)` -> 1, 2, 5."""
    return f"{min(counts.values())}, {median_low(counts.values())}, {max(counts.values())}"


def _span(span: tuple[int, int]) -> str:
    low, high = span
    return str(low) if low == high else f"{low} and more" if high == LENGTHS[-1][1] else f"{low} to {high}"
