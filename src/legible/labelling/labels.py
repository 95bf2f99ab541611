"""Labels: the texts that people give to images, in rows that survive a crash, read back by image and labeller."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from legible.errors import NoLabelsError
from legible.files import parse_row
from legible.observations.layout import FOLDER, READING_ID, log_files
from legible.observations.log import append_durably
from legible.observations.retention import DAY_SECONDS

LABEL_VERSION = 1
MAX_LENGTH = 1000
"""The most characters of a label's text."""
MAX_NUMBER = 1e12
"""No time is so late: a row that says so would be the newest for ever."""
LabelVerdict = Literal["text", "unreadable", "not_text", "skip", "undo"]
VERDICTS = get_args(LabelVerdict)
ANSWERS = tuple(verdict for verdict in VERDICTS if verdict != "undo")
"""What a labeller may say of an image; an undo is a call of its own, for it is of the last label alone."""
WORKER = re.compile(r"[A-Za-z0-9_.-]+")
LABELLER = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Label:
    """A labeller's answer for one image: its text, or why it has none.

    `drawn` says how the image was chosen: blind, or for doubt or unusualness. `read`, `confidence` and `bundle` are of
    the reading that was shown.
    """

    at: float
    reading_id: str
    labeller: str
    verdict: LabelVerdict
    text: str = ""
    drawn: str = ""
    read: str = ""
    confidence: float = 0.0
    bundle: str = ""

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        return json.dumps({"version": LABEL_VERSION, **asdict(self)}, ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> "Label":
        """Parse a line. Raise ValueError for a torn row or one of another format."""
        fields = parse_row(line)
        if not isinstance(fields, dict) or fields.pop("version", None) != LABEL_VERSION:
            raise ValueError("no label")
        try:
            label = Label(**fields)
        except TypeError as error:
            raise ValueError("no label") from error
        texts = (label.reading_id, label.labeller, label.text, label.drawn, label.read, label.bundle)
        are_sound = (
            all(isinstance(text, str) for text in texts) and _is_number(label.at) and _is_number(label.confidence)
        )
        if label.verdict not in VERDICTS or not are_sound:
            raise ValueError("no label")
        "".join(texts).encode()  # half a character, as no label is written with, is a ValueError
        return label


def _is_number(value: object) -> bool:
    """Say whether it is one, finite, and no later than any time."""
    return isinstance(value, int | float) and abs(value) < MAX_NUMBER


def faults_of(reading_id: str, labeller: str, verdict: str, text: str) -> list[str]:
    """Return what is wrong with a label that was sent, a sentence each; nothing where it can be kept.

    A text needs 1 to MAX_LENGTH characters, none of them a control character, and no space at its edges.
    """
    faults = []
    if not READING_ID.fullmatch(reading_id):
        faults.append(f"{reading_id[:80]!r} is no reading id")
    if not LABELLER.fullmatch(labeller):
        faults.append(f"{labeller[:80]!r} is no name; use up to 64 letters, digits, dots, dashes and underscores")
    if verdict not in ANSWERS:
        faults.append(f"verdict is {verdict[:80]!r}; known: {', '.join(ANSWERS)}")
    if verdict == "text":
        faults += _text_faults(text)
    elif text:
        faults.append(f"{verdict} has no text; send an empty one")
    return faults


def _text_faults(text: str) -> Iterator[str]:
    if not text.strip():
        yield "the text is empty; say not_text of a picture without text"
    if len(text) > MAX_LENGTH:
        yield f"the text has {len(text)} characters; at most {MAX_LENGTH} are kept"
    if text != text.strip() and text.strip():
        yield "the text begins or ends with a space; send it without"
    unprintable = sorted({character for character in text if not (character.isprintable() or character == " ")})
    if unprintable:
        named = ", ".join(f"U+{ord(character):04X}" for character in unprintable[:5])
        yield f"the text holds control characters or halves of characters ({named}); type it anew"


class LabelLog:
    """Appends labels to files of its own; when `append` returns the label is on the disk."""

    def __init__(self, folder: Path, *, worker: str, retention_days: int = 0) -> None:
        if not WORKER.fullmatch(worker):
            raise ValueError(f"worker is {worker!r}; it needs letters, digits, dots, dashes and underscores")
        self._folder = folder / FOLDER
        self._worker = worker
        self._retention_days = retention_days
        self._day = ""

    def append(self, label: Label) -> None:
        """Write a label and wait for the disk. Raise OSError where it cannot be kept."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        day = _day(label.at)
        if day != self._day and self._retention_days:
            delete_old(self._folder, today=day, oldest=_day(label.at - self._retention_days * DAY_SECONDS))
        self._day = day
        path = self._folder / f"{day}-{self._worker}.jsonl"
        append_durably(path, label.to_json(), mode=0o600)


def _day(at: float) -> str:
    return datetime.fromtimestamp(max(at, 0.0), UTC).strftime("%Y%m%d")


def delete_old(folder: Path, *, today: str, oldest: str) -> None:
    """Delete files of labels of days before `oldest`; none where all are, for the clock may have jumped ahead."""
    days = {path: path.name.partition("-")[0] for path in folder.glob("*.jsonl")}
    others = [day for day in days.values() if day != today]
    if all(day < oldest for day in others):
        return
    for path, day in days.items():
        if day < oldest:
            path.unlink(missing_ok=True)


def read_rows(folder: Path) -> list[Label]:
    """Return every label of a folder by time; rows that are torn are left out. Raise NoLabelsError for no folder."""
    place = folder / FOLDER
    if not place.is_dir():
        raise NoLabelsError(
            f"{folder}: no labels here; name the folder that the service writes (LEGIBLE_LABELS_FOLDER)"
        )
    return sorted((row for path in log_files(place) for row in _rows_of(path)), key=lambda row: row.at)


def _rows_of(path: Path) -> Iterator[Label]:
    with path.open("rb") as file:
        for line in file:
            try:
                yield Label.from_json(line.decode("utf-8"))
            except ValueError:  # torn
                continue


@dataclass(frozen=True)
class LabelBook:
    """The valid labels: the last one of each image and labeller, without those that were undone."""

    labels: dict[tuple[str, str], Label]
    last: dict[str, tuple[str, ...]]
    """The reading ids of each labeller, in the order in which they were labelled last."""

    @staticmethod
    def of(rows: list[Label]) -> "LabelBook":
        stacks: dict[tuple[str, str], list[Label]] = {}
        order: dict[str, list[str]] = {}
        for row in rows:
            key, own = (row.reading_id, row.labeller), order.setdefault(row.labeller, [])
            if row.verdict == "undo":
                _take_back(stacks.get(key), own, row.reading_id)
            else:
                stacks.setdefault(key, []).append(row)
                own.append(row.reading_id)
        return LabelBook(
            {key: stack[-1] for key, stack in stacks.items() if stack},
            {labeller: tuple(own) for labeller, own in order.items()},
        )

    def of_image(self, reading_id: str) -> list[Label]:
        """Return the labels of an image, one for each labeller, the newest last."""
        return sorted((one for (image, _), one in self.labels.items() if image == reading_id), key=lambda one: one.at)

    def agreed(self) -> tuple[int, int]:
        """Return how many images two labellers or more gave a verdict, and of how many they gave the same.

        Skipping is no verdict.
        """
        said: dict[str, list[tuple[str, str]]] = {}
        for (reading_id, _), label in self.labels.items():
            if label.verdict != "skip":
                said.setdefault(reading_id, []).append((label.verdict, label.text))
        several = [verdicts for verdicts in said.values() if len(verdicts) > 1]
        return len(several), sum(len(set(verdicts)) == 1 for verdicts in several)


def _take_back(stack: list[Label] | None, own: list[str], reading_id: str) -> None:
    if stack:
        stack.pop()
        own.reverse()
        own.remove(reading_id)
        own.reverse()
