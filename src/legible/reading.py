"""What legible answers for one image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Character:
    """One character of a reading and the probability, 0 to 1, that it is right."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Alternative:
    """Another text that the image may show, and the probability, 0 to 1, that it does."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Reading:
    """The text of one image and the probability, 0 to 1, that all of it is right."""

    text: str
    confidence: float
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()
    """Where they were asked for, likeliest first."""
