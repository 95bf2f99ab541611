"""What several labels of one image come to: a text that most labellers agree on, or the reason why there is none."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from legible.labelling.labels import LabelVerdict

DISAGREE = "labellers disagree"
UNWRITABLE = "its text has a tab, a line break or another control character"
"""The reason why a text cannot be a cell of a table with tabs; no labeller can send it."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class LabelVote:
    """What one labeller says of an image."""

    verdict: LabelVerdict
    text: str = ""


@dataclass(frozen=True)
class LabelOutcome:
    """The text of an image, or why it has none."""

    text: str = ""
    reason: str = ""


def decide(votes: Iterable[LabelVote]) -> LabelOutcome | None:
    """Return what more labellers say than anything else; None where nobody decided. Skipping is no vote.

    `decide([LabelVote("text", "a"), LabelVote("text", "b"), LabelVote("text", "a")])` is `LabelOutcome("a")`.
    """
    counted = Counter(vote for vote in votes if vote.verdict != "skip").most_common(2)
    if not counted:
        return None
    (first, count), *second = counted
    if second and second[0][1] == count:
        return LabelOutcome(reason=DISAGREE)
    if first.verdict == "text" and CONTROL.search(first.text):
        return LabelOutcome(reason=UNWRITABLE)
    return LabelOutcome(first.text) if first.verdict == "text" else LabelOutcome(reason=first.verdict.replace("_", " "))
