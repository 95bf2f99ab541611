"""What a data set holds, counted: by split and source, by writer, by length, by character."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from legible.data.dataset import Sample

LENGTHS = ((1, 1), (2, 3), (4, 7), (8, 12), (13, 40), (41, 10_000))
RARE = 50
"""Characters that stand so rarely are hardly learned."""


@dataclass
class Census:
    """Counts of samples and of characters."""

    groups: Counter[tuple[str, str]] = field(default_factory=Counter)
    writers: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    lengths: Counter[tuple[int, int]] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Self:
        census = cls()
        for sample in samples:
            place = (sample.split, sample.group)
            census.groups[place] += 1
            census.writers.setdefault(place, set()).add(sample.writer)
            census.lengths[next(span for span in LENGTHS if len(sample.text) <= span[1])] += 1
            census.characters.update(sample.text)
        return census

    def report(self, charset: str) -> str:
        """A page for people; characters of the charset that are missing or rare come last."""
        rows = [f"{'split':<12}{'group':<30}{'samples':>9}{'writers':>9}"]
        rows += [f"{s:<12}{g:<30}{n:>9}{len(self.writers[s, g]):>9}" for (s, g), n in sorted(self.groups.items())]
        rows += ["", f"{'characters in a sample':<42}{'samples':>9}"]
        rows += [f"{_span(span):<42}{self.lengths[span]:>9}" for span in LENGTHS if self.lengths[span]]
        rows += ["", "characters, most frequent first:"]
        counted = [f"{character!r} {count}" for character, count in self.characters.most_common()]
        rows += ["  ".join(counted[start : start + 8]) for start in range(0, len(counted), 8)]
        rare = [
            f"{character!r} {self.characters[character]}" for character in charset if self.characters[character] < RARE
        ]
        return "\n".join([*rows, "", f"fewer than {RARE} times: {'  '.join(rare) or 'none'}"])


def _span(span: tuple[int, int]) -> str:
    low, high = span
    return str(low) if low == high else f"{low} and more" if high == LENGTHS[-1][1] else f"{low} to {high}"
