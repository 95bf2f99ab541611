"""What the person on call can do about a finding, the next step first. The runbook says why."""

from collections.abc import Iterator, Mapping

from legible.drift.decide import Outcome, Verdict
from legible.drift.signatures import Cause

CURES: Mapping[str, str] = {
    "blur": "have the camera focus, or the scanner's glass cleaned",
    "motion-blur": "have the camera held still, or give it more light",
    "gaussian-noise": "give the camera more light",
    "shot-noise": "give the camera more light",
    "contrast": "correct exposure, or the threshold of the scan",
    "brightness": "correct exposure, or the light",
    "jpeg": "send images as PNG, or as JPEG of quality 85 or more",
    "pixelation": "send images in the resolution that they were taken in",
    "rotation": "lay the paper straight, or straighten the page before lines are cut out",
    "shear": "photograph from straight above",
    "thicker": "look for another pen or printer, or a threshold that thickens strokes",
    "thinner": "look for another pen or printer, or a threshold that thins strokes",
    "inversion": "send dark text on light paper",
    "cropping": "leave a margin around the text",
    "other-script": "send texts of another script to a bundle that reads it",
}
"""What to ask of the sender for each corruption that a cause may name."""
WAIT = "Wait for more images, or judge a longer window (--since 1d)."
NOTHING = "Nothing to do."


def advice(
    verdict: Verdict,
    *,
    cause: Cause | None,
    channels: tuple[str, ...],
    are_kept: bool,
    is_estimate_sure: bool,
) -> tuple[str, ...]:
    """Return what to do, the next step first.

    `channels` are those that the drift comes from, empty for all; `are_kept` tells whether unusual images can be
    looked at, and `is_estimate_sure` whether the exact match is known by labels, or estimated reliably.
    """
    if verdict.outcome is Outcome.NOT_ENOUGH_DATA:
        return (WAIT,)
    if verdict.outcome is Outcome.NO_DRIFT:
        return (NOTHING,)
    return tuple(_steps(cause, channels, are_kept=are_kept, is_estimate_sure=is_estimate_sure))


def _steps(cause: Cause | None, channels: tuple[str, ...], *, are_kept: bool, is_estimate_sure: bool) -> Iterator[str]:
    where = f"channel {' and '.join(channels)}" if channels else "the senders"
    yield f"Ask {where} what changed{f'; {CURES[cause.corruption]}' if cause else ''}."
    if are_kept:
        yield "Look at the most unusual images."
    else:
        yield "Keep images to see what is unusual: LEGIBLE_KEEP_IMAGES=0.01, then --kept."
    if not is_estimate_sure:
        yield "Label 100 readings drawn at random (docs/labelling.md): they tell the true exact match."
    yield "Until it is over, raise LEGIBLE_ACCEPT where wrong readings are costly."
    yield "Where these images are here to stay, make them normal: legible rebase --since TIME."
