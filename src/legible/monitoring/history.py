"""The checks of the last weeks: since when the verdict is what it is, and the trend over days.

A file keeps them over restarts, a line of JSON for each check. Without one they are those since the start.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from legible.drift.decide import Outcome
from legible.file_numbers import finite_number, whole_number
from legible.files import DAMAGE, parse_row, replace_file
from legible.monitoring.accuracy import day_of
from legible.monitoring.finding import Check
from legible.observations.retention import DAY_SECONDS

log = logging.getLogger(__name__)

VERSION = 1
KEPT_DAYS = 90
SHOWN_DAYS = 30
LATEST = 1e11
"""No check is made so late: its day has no date."""


@dataclass(frozen=True)
class PastCheck:
    """The part of a check that is kept; `beyond` is that of the furthest finding, in thresholds."""

    at: float
    outcome: str
    images: int
    beyond: float = 0.0
    exact_match: float | None = None
    """Estimated; None where it is unreliable."""
    labelled: float | None = None
    """By labels drawn at random; None for too few."""

    @staticmethod
    def of(check: Check) -> "PastCheck":
        estimate, labels = check.estimate, check.labels
        return PastCheck(
            at=check.at,
            outcome=check.verdict.outcome.value,
            images=check.verdict.images,
            beyond=round(check.verdict.beyond, 4),
            exact_match=round(estimate.exact_match, 4) if estimate and not estimate.unreliable else None,
            labelled=round(labels.estimate.exact_match, 4) if labels and labels.estimate else None,
        )

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)})

    @staticmethod
    def from_json(line: str | bytes) -> "PastCheck":
        """Parse a line. Raise one of DAMAGE for a torn row, one of another version, and what no check can say."""
        fields: dict[str, Any] = parse_row(line)
        if fields.pop("version") != VERSION:
            raise ValueError("another version")
        past = PastCheck(**fields)
        Outcome(past.outcome)
        finite_number(past.at, "at", low=0, high=LATEST)
        finite_number(past.beyond, "beyond", low=0)
        whole_number(past.images, "images", low=0)
        for part in (past.exact_match, past.labelled):
            finite_number(0.0 if part is None else part, "exact match", low=0, high=1)
        return past


@dataclass(frozen=True)
class Day:
    """The checks of a day (UTC): the furthest finding in thresholds, the drifted of all, and the last exact match."""

    name: str
    checks: int
    drifted: int
    beyond: float
    exact_match: float | None
    labelled: float | None

    @staticmethod
    def of(name: str, checks: Sequence[PastCheck]) -> "Day":
        exact = [one.exact_match for one in checks if one.exact_match is not None]
        labelled = [one.labelled for one in checks if one.labelled is not None]
        return Day(
            name,
            len(checks),
            sum(one.outcome == "drift" for one in checks),
            max(one.beyond for one in checks),
            exact[-1] if exact else None,
            labelled[-1] if labelled else None,
        )


class History:
    """The checks of the last KEPT_DAYS days, older ones are dropped; the file drops them, and damaged rows, at the
    start. A file that cannot be read or written is logged once and costs no check.
    """

    def __init__(self, path: Path | None = None, *, at: float = 0.0) -> None:
        self._path = path
        self._checks: list[PastCheck] = []
        if path is not None:
            self._attempt(lambda: self._load(path, oldest=at - KEPT_DAYS * DAY_SECONDS))

    def add(self, check: Check) -> None:
        """Keep a check."""
        past = PastCheck.of(check)
        oldest = past.at - KEPT_DAYS * DAY_SECONDS
        self._checks = [one for one in self._checks if one.at >= oldest] + [past]
        self._attempt(lambda: self._append(past))

    def since(self) -> float | None:
        """Return when the last verdict was first reached without another between; None before the first check.

        Checks of too little data neither begin nor end a verdict.
        """
        decided = [one for one in self._checks if one.outcome != "not enough data"] or self._checks
        if not decided:
            return None
        last = decided[-1].outcome
        other = [place for place, one in enumerate(decided) if one.outcome != last]
        return decided[other[-1] + 1 if other else 0].at

    def days(self) -> tuple[Day, ...]:
        """Return the last SHOWN_DAYS days on which there were checks, the earliest first."""
        grouped = groupby(self._checks, key=lambda one: day_of(one.at))
        return tuple(Day.of(name, list(checks)) for name, checks in grouped)[-SHOWN_DAYS:]

    def _load(self, path: Path, *, oldest: float) -> None:
        if not path.is_file():
            return
        lines = path.read_bytes().split(b"\n")
        lines = lines[:-1] if not lines[-1] else lines
        self._checks = [one for line in lines if (one := _parsed(line)) and one.at >= oldest]
        if len(self._checks) < len(lines):
            with replace_file(path) as fresh:
                fresh.write_text("".join(f"{one.to_json()}\n" for one in self._checks), encoding="utf-8")

    def _append(self, past: PastCheck) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{past.to_json()}\n")

    def _attempt(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            log.warning("%s: past checks are kept in memory alone (%s)", self._path, error)
            self._path = None


def _parsed(line: bytes) -> PastCheck | None:
    """Return the check of a line; None for one that is torn or of another version."""
    try:
        return PastCheck.from_json(line)
    except DAMAGE:
        return None
