"""Several readings of one image become one: aligned character by character, and voted on by calibrated confidence.

ROVER (Fiscus 1997) with the confidences of the characters as weights, as Calamari's voting has it (Reul et al. 2018).
Where a reading has no character in a place, it votes for none there with the confidence of its neighbours.

    "Harnburg", "Hamburg", "Hamburg" -> slots  H a [r m m] [n - -] b u r g  -> "Hamburg"
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from legible.reading import Alternative, Character, Reading

MAX_LENGTH = 300
"""The most characters of a text that is aligned, because the time of it grows with the square."""
NONE = ""
"""The vote for no character."""


@dataclass(frozen=True)
class Vote:
    """One reader's character in a slot, or NONE, and its confidence."""

    text: str
    confidence: float


Slot = tuple[Vote, ...]
"""The votes of all readers for one place, in the order of the readers."""


def combine(readings: Sequence[Reading], *, alternatives: int = 0) -> Reading:
    """Return one reading of several of one image, with so many alternatives: first the texts that were outvoted.

    Where all agree the confidence is the greatest of theirs: their errors have causes in common, so that the
    agreement of two says less than two independent looks would. Texts beyond MAX_LENGTH are not aligned: the surest is
    taken.
    """
    first, *others = readings
    if max(len(one.text) for one in readings) > MAX_LENGTH:
        return max(readings, key=lambda reading: reading.confidence)
    if all(other.text == first.text for other in others):
        return _agreed(readings, alternatives)
    slots: list[Slot] = [(Vote(one.text, one.confidence),) for one in first.characters]
    for number, other in enumerate(others, start=1):
        slots = _aligned(slots, other.characters, voters=number)
    chosen = [_winner(slot) for slot in slots]
    characters = tuple(Character(vote.text, vote.confidence) for vote in chosen if vote.text != NONE)
    text = "".join(character.text for character in characters)
    confidence = _confidence(text, readings, math.prod(vote.confidence for vote in chosen))
    return Reading(text, confidence, characters, _outvoted(text, readings)[:alternatives])


def _agreed(readings: Sequence[Reading], alternatives: int) -> Reading:
    best = max(readings, key=lambda reading: reading.confidence)
    slots = zip(*(reading.characters for reading in readings), strict=True)
    characters = tuple(max(slot, key=lambda character: character.confidence) for slot in slots)
    return Reading(best.text, best.confidence, characters, _outvoted(best.text, readings)[:alternatives])


def _aligned(slots: Sequence[Slot], characters: Sequence[Character], *, voters: int) -> list[Slot]:
    """Add a reader to the slots by the cheapest alignment: a slot is met for nothing where a reader has that text."""
    rows, columns = len(slots), len(characters)
    costs = [[float(row + column) for column in range(columns + 1)] for row in range(rows + 1)]
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            differs = float(all(vote.text != characters[column - 1].text for vote in slots[row - 1]))
            costs[row][column] = min(
                costs[row - 1][column - 1] + differs, costs[row - 1][column] + 1, costs[row][column - 1] + 1
            )
    votes = [Vote(one.text, one.confidence) for one in characters]
    own = [vote.confidence for vote in votes]
    aligned: list[Slot] = []
    row, column = rows, columns
    while row or column:
        differs = float(row > 0 < column and all(vote.text != votes[column - 1].text for vote in slots[row - 1]))
        if row and column and costs[row][column] == costs[row - 1][column - 1] + differs:
            row, column = row - 1, column - 1
            aligned.append((*slots[row], votes[column]))
        elif row and costs[row][column] == costs[row - 1][column] + 1:
            row -= 1
            aligned.append((*slots[row], Vote(NONE, _between(own, column))))
        else:
            column -= 1
            aligned.append((*_absent(slots, row, voters), votes[column]))
    return aligned[::-1]


def _absent(slots: Sequence[Slot], place: int, voters: int) -> Slot:
    """Return the votes for no character of the readers whose slots have none between two places."""
    columns = [[slot[voter].confidence for slot in slots] for voter in range(voters)]
    return tuple(Vote(NONE, _between(own, place)) for own in columns)


def _between(confidences: Sequence[float], place: int) -> float:
    """Return the mean confidence of the characters beside a place; 0.5 where there are none."""
    beside = confidences[max(place - 1, 0) : place + 1]
    return sum(beside) / len(beside) if beside else 0.5


def _winner(slot: Slot) -> Vote:
    """Return the text with the greatest sum of confidences, the first reader's where two are equal.

    Its confidence is what is left of it when those who vote otherwise are believed as much as they say (Bayes).
    """
    sums: dict[str, float] = {}
    for vote in slot:
        sums[vote.text] = sums.get(vote.text, 0.0) + vote.confidence
    text = max(sums, key=lambda one: sums[one])
    return Vote(text, _posterior(text, [(vote.text, vote.confidence) for vote in slot]))


def _confidence(text: str, readings: Sequence[Reading], spelled: float) -> float:
    """Return the probability of a text on which not all agree: by who read it, else by its characters."""
    if all(reading.text != text for reading in readings):
        return spelled
    return _posterior(text, [(reading.text, reading.confidence) for reading in readings])


def _posterior(text: str, votes: Sequence[tuple[str, float]]) -> float:
    """Return the probability of a text, of those voted for and none of them, where `p` says that its text is right.

    Those who vote for the same text count once, with the greatest confidence. `[("a", .9), ("b", .5)] -> .82`
    """
    surest: dict[str, float] = {}
    for voted, confidence in votes:
        surest[voted] = max(surest.get(voted, 0.0), min(confidence, 1 - 1e-6))
    none = math.prod(1 - p for p in surest.values())
    weights = {voted: p * none / (1 - p) for voted, p in surest.items()}
    return weights[text] / (sum(weights.values()) + none)


def _outvoted(text: str, readings: Sequence[Reading]) -> tuple[Alternative, ...]:
    """Return the other texts, that of the surest reader first, then the alternatives that the readers named."""
    sure = sorted(readings, key=lambda reading: -reading.confidence)
    others = {reading.text: Alternative(reading.text, reading.confidence) for reading in reversed(sure)}
    ordered = [others[reading.text] for reading in sure]
    named = chain.from_iterable(reading.alternatives for reading in sure)
    return tuple({one.text: one for one in (*reversed([*ordered, *named]),) if one.text != text}.values())[::-1]
