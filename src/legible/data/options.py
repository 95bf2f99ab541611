"""The options of a source: what its labels do not tell, what is left out, and what is replaced."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from legible.charset import composed
from legible.errors import DataError
from legible.scores import Untold

UNTOLD: tuple[Untold, ...] = ("case", "spaces", "punctuation")


@dataclass(frozen=True)
class SourceOptions:
    """The options of a source, listed beside it in data/sources.json; the defaults take everything as it is."""

    untold: tuple[Untold, ...] = ()
    """What the labels do not tell: `case` where all labels are in capitals, `spaces`, `punctuation`."""
    leave_out: str = ""
    """A regular expression; samples in whose label it is found are left out."""
    leave_out_paths: str = ""
    """A regular expression; samples in whose image path it is found are left out."""
    replace: Mapping[str, str] = field(default_factory=dict)
    """Replacements in labels, such as `{"¬": "-"}`."""
    page: str = ""
    """A regular expression whose first group in an image's path is its page; no page is in two splits."""
    band: tuple[float, ...] = ()
    """The rows of each image that hold the text, as fractions of its height: top, bottom."""

    def __post_init__(self) -> None:
        faults = [f"untold={one}: known are {', '.join(UNTOLD)}" for one in self.untold if one not in UNTOLD]
        faults += [
            f"{name}={pattern}: {error}"
            for name in ("leave_out", "leave_out_paths", "page")
            if (error := _fault(pattern := getattr(self, name)))
        ]
        if self.band and not (len(self.band) == 2 and 0 <= self.band[0] < self.band[1] <= 1):  # noqa: PLR2004
            faults.append(f"band={','.join(map(str, self.band))}: give top and bottom as fractions, such as 0.25,0.8")
        if self.page and not _fault(self.page) and re.compile(self.page).groups < 1:
            faults.append(f"page={self.page}: put the part that names the page into parentheses")
        if faults:
            raise DataError(f"options of a source: {'; '.join(faults)}")

    def text(self, label: str) -> str:
        """Return the text of a label: composed (NFC), with replacements, look-alike letters of other scripts
        replaced.
        """
        text = composed(label)
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return text

    def leaves_out(self, label: str, path: str = "") -> bool:
        return bool(
            (self.leave_out and re.search(self.leave_out, label))
            or (self.leave_out_paths and re.search(self.leave_out_paths, path))
        )

    def page_of(self, path: str) -> str:
        """Return the page that an image's path names, or the path itself where the option is not set."""
        found = re.search(self.page, path) if self.page else None
        return found.group(1) if found else path

    def stated(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, as they are written to data/sources.json."""
        return {
            option.name: value
            for option in dataclasses.fields(self)
            if (value := getattr(self, option.name)) not in ((), "", {})
        }

    @staticmethod
    def of(stated: Mapping[str, Any]) -> "SourceOptions":
        """Make options of what data/sources.json states. Raise DataError for an unknown option."""
        known = {option.name for option in dataclasses.fields(SourceOptions)}
        unknown = sorted(set(stated) - known)
        if unknown:
            raise DataError(f"{', '.join(unknown)}: no option of a source; known: {', '.join(sorted(known))}")
        lists = {name: tuple(value) for name, value in stated.items() if isinstance(value, list)}
        return SourceOptions(**{**stated, **lists})


def parse_options(given: Sequence[str]) -> SourceOptions:
    """Parse the options of a command line: `["untold=case,spaces", "replace=¬:-", "band=0.25,0.8"]`."""
    stated: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise DataError(f"{one!r} is no option of a source; write NAME=VALUE, such as untold=case")
        stated[name] = _parsed(name, value)
    return SourceOptions.of(stated)


def _parsed(name: str, value: str) -> Any:
    if name == "untold":
        return value.split(",")
    if name == "replace":
        return dict(_pair(one) for one in value.split(","))
    if name == "band":
        return [_fraction(one) for one in value.split(",")]
    return value


def _pair(text: str) -> tuple[str, str]:
    old, colon, new = text.partition(":")
    if not colon or not old:
        raise DataError(f"replace={text}: write OLD:NEW, such as replace=¬:-")
    return old, new


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"band={text}: give top and bottom as fractions, such as 0.25,0.8") from error


def _fault(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""
