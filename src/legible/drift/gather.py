"""Gather rows for a baseline: whole documents, at most MAX_ROWS rows, each document with the same probability.

Where an image has no document, its neighbours in time take a document's place: images that arrive one after the other,
of one channel and sender, in blocks. How long a block must be is measured: blocks of twice the length must not tell
less.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from legible.arrays import Floats
from legible.drift.reference import EDGES
from legible.observations.row import Observation

MAX_ROWS = 20_000
BIN_SECONDS = 60.0
"""Images without a document are kept or left out minute by minute."""
BLOCKS = (20, 50, 100, 200, 500)
"""The lengths of blocks that are tried."""
MIN_BLOCKS = 20
"""Fewer blocks of a length say nothing about it."""
MAX_GROWTH = 1.25
"""A block is long enough where a longer one has a design effect of at most this multiple of its own."""


@dataclass
class RowSample:
    """The rows of the units (documents, or minutes) with the lowest hashes: as many units as fit into MAX_ROWS."""

    max_rows: int = MAX_ROWS
    rows: int = 0
    _units: dict[str, list[Observation]] = field(default_factory=dict)
    _hashes: list[tuple[int, str]] = field(default_factory=list)
    """Negative hashes of the units, the greatest hash first."""
    _limit: int = 2**64

    def add(self, observations: Iterable[Observation]) -> None:
        for row in observations:
            unit = unit_of(row)
            if _hash(unit) >= self._limit:
                continue
            if unit not in self._units:
                self._units[unit] = []
                heapq.heappush(self._hashes, (-_hash(unit), unit))
            self._units[unit].append(row)
            self.rows += 1
            while self.rows > self.max_rows and len(self._units) > 1:
                self._drop()

    def _drop(self) -> None:
        negative, unit = heapq.heappop(self._hashes)
        self._limit = -negative
        self.rows -= len(self._units.pop(unit))

    def named(self) -> list[Observation]:
        """Return the rows that have a document."""
        return [row for rows in self._units.values() for row in rows if row.document]

    def unnamed(self) -> list[Observation]:
        """Return the rows that have none, in order of channel, sender and time."""
        rows = [row for rows in self._units.values() for row in rows if not row.document]
        return sorted(rows, key=lambda row: (row.channel, row.sender, row.at))


def unit_of(row: Observation) -> str:
    """Return what a row is kept or left out with."""
    return f"d{row.document}" if row.document else f"t{row.channel}/{row.sender}/{int(row.at // BIN_SECONDS)}"


def _hash(unit: str) -> int:
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=8).digest(), "big")


def in_blocks(rows: Sequence[Observation], length: int) -> list[Observation]:
    """Return rows, in order of time, with documents of their own: blocks of `length`, each of one channel and
    sender.
    """
    named = []
    for source, own in groupby(rows, key=lambda row: (row.channel, row.sender)):
        named += [replace(row, document=f"{source}/{place // length}") for place, row in enumerate(own)]
    return named


def block_length(ranked: Floats) -> int:
    """Return how many images in order of time make a block, by their ranks (N, signals)."""
    below = (ranked[:, :, None] <= np.asarray(EDGES)).reshape(len(ranked), -1)
    tried = [length for length in BLOCKS if len(ranked) >= MIN_BLOCKS * length] or [BLOCKS[0]]
    effects = [design_effect(below.astype(np.float64), length) for length in tried]
    for length, effect, longer in zip(tried, effects, effects[1:], strict=False):
        if longer <= MAX_GROWTH * effect:
            return length
    return tried[-1]


def design_effect(below: Floats, length: int) -> float:
    """Return how many times as much the mean of a block varies as that of as many independent images.

    Of the tenth of the columns of below (N, signals * edges) that vary most.
    """
    blocks = below[: len(below) // length * length].reshape(-1, length, below.shape[1]).mean(axis=1)
    singly = np.maximum(below.var(axis=0), np.finfo(float).tiny)
    effects = length * blocks.var(axis=0, ddof=1) / singly if len(blocks) > 1 else np.full(below.shape[1], length)
    return max(float(np.quantile(effects, 0.9)), 1.0)
