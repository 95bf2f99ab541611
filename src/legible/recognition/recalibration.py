"""Confidence refitted for one deployment: a line through the logit of the bundle's own confidence.

A reading that the bundle gives confidence c is right with probability sigma(bias + odds * logit(c)) in this deployment;
with bias 0 and odds 1 nothing changes. Answers get the refitted confidence. Observations keep the bundle's own, so that
the drift reference stays what it is compared with, and a refit never rests on another.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from legible.errors import BundleError, DataError, SettingsError
from legible.file_numbers import finite_number, whole_number
from legible.files import JsonFormat, replace_file
from legible.reading import Reading
from legible.recognition.calibration import MODES, logit, sigma
from legible.untrusted_files import read_file

FORMAT = JsonFormat("recalibration", 1, "run legible recalibrate again, or with --undo", BundleError)
FILE, FORMER = "recalibration.json", "former.json"
"""What holds now, and what held before it."""
MAX_BYTES = 100_000
"""The largest file that is read; one has less than a thousand bytes."""
MAX_WEIGHT = 100.0
"""The largest weight of a line: refits are far below, and beyond it every confidence is 0 or 1."""
LOOK_SECONDS = 1.0
"""A service looks for a change this often."""

UNREADABLE = (0, 0)
"""The state of a file that is there and cannot be looked at."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConfidenceLine:
    """The weights for one mode of decoding; the defaults change nothing."""

    bias: float = 0.0
    odds: float = 1.0

    def __call__(self, own: float) -> float:
        """Return the refitted confidence: `ConfidenceLine(bias=-1.0)(0.9) -> 0.768`. A confidence of 0 stays 0."""
        if own <= 0.0 or self == ConfidenceLine():
            return own
        return sigma(self.bias + self.odds * logit(own))


SAME = ConfidenceLine()


@dataclass(frozen=True)
class Recalibration:
    """The lines of a deployment for readings of a bundle without and with a lexicon, by so many labels."""

    bundle: str
    at: float
    labels: int
    plain: ConfidenceLine = SAME
    lexicon: ConfidenceLine = SAME

    def of_reading(self, reading: Reading, *, with_lexicon: bool) -> Reading:
        """Return a reading with its refitted confidence; its alternatives share what is left of the probability."""
        confidence = (self.lexicon if with_lexicon else self.plain)(reading.confidence)
        if confidence == reading.confidence:
            return reading
        left = (1.0 - confidence) / max(1.0 - reading.confidence, 1e-9)
        others = tuple(replace(one, confidence=min(one.confidence * left, confidence)) for one in reading.alternatives)
        return replace(reading, confidence=confidence, alternatives=others)

    def save(self, folder: Path) -> None:
        """Write it, with a copy of the one before beside it, for `undo`. At any moment one of the two holds.

        One of another bundle, or a damaged one, is none to go back to: then nothing held before.
        """
        folder.mkdir(parents=True, exist_ok=True)
        former = _sound(folder / FILE)
        is_former = former is not None and former.bundle == self.bundle
        if is_former:
            with replace_file(folder / FORMER) as fresh:
                fresh.write_bytes(_content(folder / FILE))
        FORMAT.save(folder / FILE, asdict(self))
        if not is_former:
            (folder / FORMER).unlink(missing_ok=True)

    @staticmethod
    def load(folder: Path, *, bundle: str) -> "Recalibration":
        """Open a folder's. Raise BundleError for none, a damaged one, and one of another bundle."""
        with FORMAT.parse(folder / FILE, read=_content) as content:
            made = _parsed(content)
        if made.bundle != bundle:
            raise BundleError(
                f"{folder}: this recalibration is of bundle {made.bundle}, and {bundle} reads; "
                "run legible recalibrate again, or with --undo"
            )
        return made


def _parsed(content: Mapping[str, Any]) -> Recalibration:
    lines = {mode: _line(content[mode]) for mode in MODES}
    if not isinstance(content["bundle"], str):
        raise TypeError("bundle is no text")
    labels = whole_number(content["labels"], "labels", low=0)
    return Recalibration(content["bundle"], finite_number(content["at"], "at", low=0), labels, **lines)


def _line(weights: Mapping[str, Any]) -> ConfidenceLine:
    bias = finite_number(weights["bias"], "bias", low=-MAX_WEIGHT, high=MAX_WEIGHT)
    odds = finite_number(weights["odds"], "odds", low=0, high=MAX_WEIGHT)
    if odds == 0:
        raise ValueError("odds of 0")
    return ConfidenceLine(bias, odds)


def _sound(path: Path) -> Recalibration | None:
    """Return the recalibration of a file, of whatever bundle; None where there is none, or a damaged one."""
    try:
        with FORMAT.parse(path, read=_content) as content:
            return _parsed(content)
    except BundleError:
        return None


def _content(path: Path) -> bytes:
    """Return the bytes of a file. Raise BundleError for what cannot be read, and for pipes and devices: they hang."""
    try:
        if path.exists() and not path.is_file():
            raise BundleError(f"{path}: no regular file; delete it, and run legible recalibrate again")
        return read_file(path, limit=MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); make it readable for the service") from error
    except DataError as error:
        raise BundleError(f"{error}; run legible recalibrate again, or with --undo") from error


def undo(folder: Path) -> Recalibration | None:
    """Put the recalibration before the last in its place and return it; None where there was none, and none holds now.

    A former one that is damaged, or of another bundle than the last, is none: no service would take it. Raise
    BundleError where there is neither.
    """
    last, former = _sound(folder / FILE), _sound(folder / FORMER)
    if former is not None and (last is None or last.bundle == former.bundle):
        (folder / FORMER).replace(folder / FILE)
        return former
    if not (folder / FILE).is_file() and not (folder / FORMER).is_file():
        raise BundleError(f"{folder}: no recalibration holds here, so there is nothing to undo")
    for path in (folder / FORMER, folder / FILE):  # in this order, so that a kill leaves none that comes back
        path.unlink(missing_ok=True)
    return None


class LiveRecalibration:
    """The recalibration that a folder holds, followed while a service runs: made, replaced and undone in a second."""

    def __init__(self, folder: Path | None, *, bundle: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the folder's. Raise SettingsError for no folder, and BundleError for one that cannot hold."""
        if folder is not None and not folder.is_dir():
            raise SettingsError(f"LEGIBLE_RECALIBRATION: {folder} is no folder; make it, or run legible recalibrate")
        self._folder = folder
        self._bundle = bundle
        self._clock = clock
        self._next_look = clock() + LOOK_SECONDS
        self._seen = self._state()
        self._now = self._load() if self._seen else None

    def of_reading(self, reading: Reading, *, with_lexicon: bool) -> Reading:
        """Return a reading as it is to be answered."""
        if self._folder is not None and self._clock() >= self._next_look:
            self._look()
        return self._now.of_reading(reading, with_lexicon=with_lexicon) if self._now else reading

    def _look(self) -> None:
        """Follow a change. One that cannot hold is logged, and the former goes on."""
        self._next_look = self._clock() + LOOK_SECONDS
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._now = self._load() if state else None
        except BundleError as error:
            log.error("%s; the former recalibration goes on", error)  # noqa: TRY400

    def _load(self) -> Recalibration | None:
        return Recalibration.load(self._folder, bundle=self._bundle) if self._folder else None

    def _state(self) -> tuple[int, int] | None:
        """Return what changes with the file; None where there is none, UNREADABLE where it cannot be looked at."""
        try:
            found = (self._folder / FILE).stat() if self._folder else None
        except FileNotFoundError:
            return None
        except OSError:
            return UNREADABLE
        return (found.st_mtime_ns, found.st_ino) if found else None
