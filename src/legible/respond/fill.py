"""Fill the label queue from the channels that drifted."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from legible.labelling.wanted import changed_wanted
from legible.observations.image_log import kept_images
from legible.observations.lookup import find_row
from legible.respond.watch import EVERY_CHANNEL, Alarm


def fill_queue(found: list[Alarm], *, images: Path, observations: Path, labels: Path, most: int) -> int:
    """Ask for labels of up to `most` kept images of each alarm's channel, and return how many are asked for in all.

    They are drawn by the digest of their ids, so that a second call asks for the same, and new images can come in. What
    was asked for before stays, and what is forgotten meanwhile stays away.
    """
    chosen: list[Path] = []
    for alarm in found:
        chosen += sorted(_of_channel(alarm.channel, images, observations), key=_digest)[:most]
    with changed_wanted(labels) as wanted:
        wanted.update(path.stem for path in chosen if path.exists())
        return len(wanted)


def _of_channel(channel: str, images: Path, observations: Path) -> Iterator[Path]:
    for path in kept_images(images):
        if channel == EVERY_CHANNEL:
            yield path
        else:
            row = find_row(observations, path.stem)
            if row is not None and row.channel == channel:
                yield path


def _digest(path: Path) -> bytes:
    return hashlib.sha256(f"wanted/{path.stem}".encode()).digest()
