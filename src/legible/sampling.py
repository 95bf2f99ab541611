"""Sampling: members at equal distances, equal numbers of each group, bootstrap over writers."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt


class Grouped(Protocol):
    """Anything that belongs to a group, as samples do."""

    @property
    def group(self) -> str: ...


Member = TypeVar("Member")
GroupMember = TypeVar("GroupMember", bound=Grouped)


def evenly_by_group(samples: Sequence[GroupMember], count: int) -> list[GroupMember]:
    """Return at most `count` samples (at least one of each group), equally many of each group, spread over it."""
    groups: dict[str, list[GroupMember]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    each = max(count // max(len(groups), 1), 1)
    return [sample for members in groups.values() for sample in spread(members, each)]


def spread(members: Sequence[Member], count: int) -> list[Member]:
    """Return at most `count` members, at equal distances."""
    step = max(len(members) / count, 1.0)
    return [members[int(place * step)] for place in range(min(count, len(members)))]


def writer_resamples(
    values: npt.NDArray[np.float64], writers: Sequence[str], *, resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return means of the bootstrap over clusters (Davison and Hinkley 1997, section 3.8): (resamples,)."""
    _, places = np.unique(np.array(writers), return_inverse=True)
    sums, counts = np.bincount(places, weights=values), np.bincount(places)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (resamples, len(counts)))
    return np.asarray(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), np.float64)
