"""The split of each labelled image: by group, by the digest of the group's name, and for ever.

A tenth of the groups that are new in a version is held out (`validation`), a tenth of the others serves choices
(`tune`): at least one of each where there are enough. All images of a group stay in the split that its first one got.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol

from legible.data.dataset import Split

HELD_OUT = TUNE = 0.1
ENOUGH_GROUPS = 5
"""The number of new groups from which on at least one is held out, and one serves choices."""


FEWEST_GROUPS = 3
"""With fewer groups in all, each image is a group of its own: else nothing could be held out, or nothing trained on."""


class Placed(Protocol):
    """An image that has its split already."""

    @property
    def writer(self) -> str: ...
    @property
    def split(self) -> Split: ...


def assign_splits(former: Iterable[Placed], groups: Iterable[str]) -> dict[str, Split]:
    """Return the split of each group: that of its former images, else one by its digest. Some are left to train on."""
    placed: dict[str, Split] = {row.writer: row.split for row in former}
    new = sorted(set(groups) - placed.keys())
    have = set(placed.values())
    held = _drawn(new, "validation", HELD_OUT, have)
    rest = [group for group in new if group not in held]
    tuning = _drawn(rest, "tune", TUNE, have)
    new_splits: dict[str, Split] = {
        group: "validation" if group in held else "tune" if group in tuning else "train" for group in new
    }
    return placed | new_splits


def _drawn(groups: list[str], split: Split, fraction: float, have: set[Split]) -> set[str]:
    """Return the groups whose digest lies below the fraction; at least one where one is needed and can be spared."""
    ranked = sorted(groups, key=lambda group: _hashed(split, group))
    count = sum(_hashed(split, group) < fraction for group in ranked)
    needed = len(groups) >= ENOUGH_GROUPS or split not in have
    spared = len(groups) if "train" in have else len(groups) - 1
    return set(ranked[: max(min(max(count, needed), spared), 0)])


def _hashed(purpose: str, group: str) -> float:
    """Return a number in [0, 1) that depends on purpose and group alone."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{group}".encode()).digest()[:8], "big") / 2**64
