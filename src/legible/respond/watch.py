"""Where the monitor says drift or harm: by channel, with the report that an issue holds."""

from dataclasses import dataclass
from pathlib import Path

from legible.drift.decide import Outcome
from legible.monitoring.check import Standard, check
from legible.monitoring.finding import Check
from legible.respond.issues import IssueTracker

EVERY_CHANNEL = ""


@dataclass(frozen=True)
class Alarm:
    """A channel whose images changed, or are read too badly; EVERY_CHANNEL where it is not one channel's."""

    channel: str
    reason: str
    report: str
    bundle: str

    @property
    def title(self) -> str:
        """Return the title of its issue: one for each channel and bundle, however often it is found."""
        where = f"channel {self.channel}" if self.channel else "all channels"
        return f"Drift: {where}, bundle {self.bundle}"


def alarms(observations: Path, standard: Standard, *, at: float, last: int, min_exact_match: float) -> list[Alarm]:
    """Return an alarm for each channel that drifted; for all together where no single one is to blame.

    It is harm where even the upper bound of the estimated exact match is below `min_exact_match`.
    """
    found = check(observations, standard, at=at, last=last)
    reasons = [reason for reason in (_drift(found), _harm(found, min_exact_match)) if reason]
    if not reasons:
        return []
    channels = [channel.name for channel in found.channels] or [EVERY_CHANNEL]
    return [Alarm(channel, "; ".join(reasons), found.screen(), standard.bundle_id) for channel in channels]


def report_alarms(found: list[Alarm], tracker: IssueTracker) -> list[str]:
    """Open one issue for each alarm, or bring the open one up to date; return where they are."""
    return [tracker.report(alarm.title, body_of(alarm)) for alarm in found]


def body_of(alarm: Alarm) -> str:
    return "\n".join(
        [
            f"{alarm.reason}. Its images wait at `/label`; once enough are labelled a candidate is proposed.",
            "",
            "```",
            alarm.report,
            "```",
            "",
            "What it means and what to do: docs/runbook.md.",
        ]
    )


def _drift(found: Check) -> str:
    return "What people send has changed" if found.verdict.outcome is Outcome.DRIFT else ""


def _harm(found: Check, min_exact_match: float) -> str:
    estimate = found.estimate
    if estimate is None or estimate.high >= min_exact_match:
        return ""
    return f"Estimated exact match is {estimate.exact_match:.0%}, below {min_exact_match:.0%}"
