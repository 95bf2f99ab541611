"""Fill the label queue from the channels that drifted."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from legible.labelling.wanted import load_wanted, save_wanted
from legible.observations.image_log import kept_images
from legible.observations.lookup import find_row
from legible.respond.watch import EVERY_CHANNEL, Alarm


def fill_queue(found: list[Alarm], *, images: Path, observations: Path, labels: Path, most: int) -> int:
    """Ask for labels of up to `most` kept images of each alarm's channel, and return how many are asked for in all.

    They are drawn by the digest of their ids, so that a second call asks for the same, and new images can come in. What
    was asked for before stays.
    """
    wanted = set(load_wanted(labels))
    for alarm in found:
        ranked = sorted(_of_channel(alarm.channel, images, observations), key=_digest)
        wanted.update(ranked[:most])
    save_wanted(labels, wanted)
    return len(wanted)


def _of_channel(channel: str, images: Path, observations: Path) -> Iterator[str]:
    for path in kept_images(images):
        if channel == EVERY_CHANNEL:
            yield path.stem
        else:
            row = find_row(observations, path.stem)
            if row is not None and row.channel == channel:
                yield path.stem


def _digest(reading: str) -> bytes:
    return hashlib.sha256(f"wanted/{reading}".encode()).digest()
