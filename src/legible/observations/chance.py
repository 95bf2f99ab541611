"""A number drawn by the id of a reading, the same for who keeps an image and who labels it, whatever was read."""

import hashlib

AT_RANDOM = 0.1
"""The fraction of kept images that is chosen at random, so that labels tell about the other images too."""


def chance_of(reading_id: str) -> float:
    """Return a number from 0 to 1 that is uniform over reading ids and tells nothing of the reading."""
    return int.from_bytes(hashlib.sha256(reading_id.encode()).digest()[:8], "big") / 2**64


def is_at_random(reading_id: str, *, kept: float) -> bool:
    """Tell whether an image is kept at random, where the fraction `kept` of all images is kept.

    It is then kept however it was read; labels of such images alone tell what is right of all that was read.
    """
    return chance_of(reading_id) < kept * AT_RANDOM
