"""The answer for one image: Reading, its Characters and its Alternatives.

A confidence is a calibrated probability, 0 to 1: of the readings that get 0.9, nine in ten are right.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Character:
    """One character of a reading, and the probability that it is right."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Alternative:
    """Another text that the image may show, and the probability that it is the right one."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Reading:
    """The text of one image, and the probability that all of it is right."""

    text: str
    confidence: float
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()
    """Other texts, the most probable first; empty unless they were asked for."""
