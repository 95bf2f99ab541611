"""Summaries by the hour and channel: all that a verdict needs of the rows of an hour, in some thousand bytes.

They are added to those of other hours as `Summary.merge` does, so that a year of a million images a
day is judged in seconds. A summary belongs to one reference: the ranks that it counts are ranks in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from legible.batched import batched
from legible.drift.reference import Reference
from legible.drift.summary import CHUNK, MAX_CHANNELS, Summary
from legible.errors import DataError
from legible.observations.row import Observation


@dataclass
class HourSummary:
    """The summaries of an hour's channels, and of the images of channels beyond MAX_CHANNELS together (`rest`).

    `left_out` counts the rows that were left out, by reason; `files` are those that were read, with their bytes.
    """

    reference: Reference
    corrections: Mapping[str, str] = field(default_factory=dict)
    channels: dict[str, Summary] = field(default_factory=dict)
    rest: Summary | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        return sum(cell.images for _, cell in self.cells())

    def cells(self) -> Iterator[tuple[str | None, Summary]]:
        """Yield the channels with their summaries, by name, and last the rest without a name."""
        yield from sorted(self.channels.items())
        if self.rest is not None:
            yield None, self.rest

    def add(self, observations: Iterable[Observation]) -> None:
        """Add rows of the hour, some thousand in memory at a time."""
        for chunk in batched(observations, CHUNK):
            for name in sorted({row.channel for row in chunk}):
                self._cell(name).add([row for row in chunk if row.channel == name])

    def merge_into(self, whole: Summary, *, channel: str | None = None) -> None:
        """Add all channels, or one, to the summary of a window. Raise DataError for one that is in the rest."""
        if channel is None:
            for _, cell in self.cells():
                whole.merge(cell)
        elif channel in self.channels:
            whole.merge(self.channels[channel])
        elif self.rest is not None:
            raise DataError(
                f"channel {channel!r} is not told apart in a summary of more than {MAX_CHANNELS}; ask its observations"
            )

    def _cell(self, name: str) -> Summary:
        """Return the summary that a channel counts in; of one too many, the last by name go to the rest."""
        if name in self.channels:
            return self.channels[name]
        if len(self.channels) < MAX_CHANNELS:
            self.channels[name] = self._empty()
            return self.channels[name]
        self.rest = self.rest or self._empty()
        last = max(self.channels)
        if name > last:
            return self.rest
        self.rest.merge(self.channels.pop(last))
        self.channels[name] = self._empty()
        return self.channels[name]

    def _empty(self) -> Summary:
        return Summary.empty(self.reference, corrections=self.corrections)
