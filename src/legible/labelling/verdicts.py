"""What several labels of one image come to: a text that most labellers agree on, or the reason why there is none."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from legible.labelling.labels import LabelVerdict

DISAGREE = "labellers disagree"


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
    return LabelOutcome(first.text) if first.verdict == "text" else LabelOutcome(reason=first.verdict.replace("_", " "))
