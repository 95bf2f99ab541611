"""The label queue of a running service: which image comes next for which labeller, and what was said about it.

Of the kept images those that `legible respond` asks for come first, and then the least confident and the most unusual,
in turn; every third is one that a champion and its candidate in the shadow read differently, where there is one. Those
that are kept at random, by the digest of their id, are blind: every labeller sees these, so that they tell how well
labellers agree, and what the model gets right of all that it reads. Every tenth image that is handed out is blind.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from legible.errors import LegibleError
from legible.labelling.disputes import Disputes
from legible.labelling.labels import Label, LabelBook, LabelLog, LabelVerdict, faults_of, read_rows
from legible.labelling.wanted import load_wanted
from legible.observations.chance import chance_of, is_at_random
from legible.observations.image_log import kept_image, kept_paths
from legible.observations.layout import FOLDER, READING_ID

BLIND_ONE_IN = 10
DISPUTED_TURN = 2
"""The turn of three on which an image comes that a champion and its candidate read differently."""
Drawn = Literal["blind", "chosen"]
log = logging.getLogger(__name__)


class LabelRefusedError(LegibleError):
    """A label that cannot be kept. `status` (HTTP) says why: 400 malformed, 404 unknown image, 409 stale."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Seen:
    """The model's reading of a kept image, and the id of the bundle that read it."""

    text: str
    confidence: float
    unusual: float
    bundle: str


@dataclass(frozen=True)
class Item:
    """An image to label. `revision` counts its labels, so that a label of an older revision is refused."""

    reading_id: str
    read: str
    confidence: float
    drawn: Drawn
    revision: int
    label: Label | None = None
    """This labeller's former label."""


@dataclass(frozen=True)
class LabelProgress:
    """The numbers of images that are kept, labelled, and left for this labeller, and the agreement of labellers."""

    images: int
    labelled: int
    left: int
    own: int
    compared: int
    agreed: int


class LabelDesk:
    """Hands out images and stores their labels. It is not thread-safe: call it from one thread."""

    def __init__(
        self,
        *,
        images: Path,
        labels: Path,
        worker: str,
        see: Callable[[Path], Seen | None],
        retention_days: int = 0,
        shadow: Path | None = None,
        kept: float = 1.0,
    ) -> None:
        """Hand out the images of a folder, which holds the fraction `kept` of all that were read.

        `see` reads an image; it returns None for one that cannot be read.
        """
        self._images = images
        self._labels = labels
        self._log = LabelLog(labels, worker=worker, retention_days=retention_days)
        self._see = see
        self._kept = kept
        self._seen: dict[str, Seen] = {}
        self._blind: dict[str, bool] = {}
        self._unreadable: set[str] = set()
        self._files: tuple[tuple[str, int, int], ...] = ()
        self._read = LabelBook({}, {})
        self._wanted: frozenset[str] = frozenset()
        self._disputes = Disputes(shadow)

    def refresh(self, *, limit: int, seconds: float = math.inf) -> int:
        """Look at kept images that are new, at most `limit` of them and for about so many seconds.

        Return how many are left to look at.
        """
        until = time.monotonic() + seconds
        paths = {name: path for name, path in kept_paths(self._images).items() if READING_ID.fullmatch(name)}
        self._wanted = load_wanted(self._labels)
        for gone in self._seen.keys() - paths.keys():
            del self._seen[gone]
            self._blind.pop(gone, None)
        self._unreadable &= paths.keys()
        new = [name for name in paths if name not in self._seen and name not in self._unreadable]
        new.sort(key=lambda name: name not in self._wanted)
        for number, name in enumerate(new[:limit]):
            if number and time.monotonic() > until:
                return len(new) - number
            self._look_at(name, Path(paths[name]))
        return max(len(new) - limit, 0)

    def next(self, labeller: str) -> Item | None:
        """Return the next image for a labeller; None where nothing is left."""
        book = self._book()
        left = self._left(book, labeller)
        if not left:
            return None
        own = len(book.last.get(labeller, ()))
        blind = [name for name in left if self._is_blind(name)]
        others = [name for name in left if not self._is_blind(name)]
        takes_blind = blind and (own % BLIND_ONE_IN == BLIND_ONE_IN - 1 or not others)
        name = min(blind, key=chance_of) if takes_blind else self._most_wanted(others, own)
        return self._item(name, book, labeller)

    def item(self, reading_id: str, labeller: str) -> Item:
        """Return a kept image as an item. Raise LabelRefusedError for an unknown one."""
        return self._item(self._known(reading_id), self._book(), labeller)

    def image(self, reading_id: str) -> bytes:
        """Return the PNG file of a kept image. Raise LabelRefusedError for an unknown one."""
        path = kept_image(self._images, reading_id)
        try:
            return self._missing(reading_id) if path is None else path.read_bytes()
        except FileNotFoundError:
            return self._missing(reading_id)

    def label(
        self, *, labeller: str, reading_id: str, verdict: LabelVerdict, text: str, revision: int, at: float
    ) -> Label:
        """Keep a label. Raise LabelRefusedError, or OSError where the disk refuses it."""
        faults = faults_of(reading_id, labeller, verdict, text)
        if faults:
            raise LabelRefusedError(400, "; ".join(faults))
        item = self.item(reading_id, labeller)
        if revision != item.revision:
            raise LabelRefusedError(409, f"{reading_id} was labelled meanwhile; look at it again")
        seen, book = self._seen[reading_id], self._book()
        last = book.last.get(labeller, ())
        for former in (item.label, book.labels.get((last[-1], labeller)) if last else None):
            at = _after(former, at)
        label = Label(
            at, reading_id, labeller, verdict, text, item.drawn, seen.text, round(seen.confidence, 4), seen.bundle
        )
        self._log.append(label)
        return label

    def undo(self, labeller: str, *, at: float, own: int | None = None) -> Item:
        """Take back this labeller's last label and return its image.

        own: how many labels of theirs there are, as they were told; an undo that is sent twice takes one back. Raise
        LabelRefusedError where that is not so or there is none, or where its image is kept no more: nobody could see
        what was taken back.
        """
        book = self._book()
        last = book.last.get(labeller, ())
        if own is not None and own != len(last):
            raise LabelRefusedError(409, f"you have {len(last)} labels by now, and not {own}; nothing was taken back")
        if not last:
            raise LabelRefusedError(409, "there is nothing to undo")
        if not self._is_known(last[-1]):
            raise LabelRefusedError(409, f"the image of your last label, {last[-1]}, is kept no more; the label stays")
        self._log.append(Label(_after(book.labels.get((last[-1], labeller)), at), last[-1], labeller, "undo"))
        return self.item(last[-1], labeller)

    def progress(self, labeller: str) -> LabelProgress:
        book = self._book()
        compared, agreed = book.agreed()
        labelled = {reading_id for reading_id, _ in book.labels} & self._seen.keys()
        own = len(book.last.get(labeller, ()))
        return LabelProgress(len(self._seen), len(labelled), len(self._left(book, labeller)), own, compared, agreed)

    def _book(self) -> LabelBook:
        """Read the labels afresh where a file has changed: other processes label and forget the same images."""
        states = [(path.name, path.stat()) for path in sorted((self._labels / FOLDER).glob("*.jsonl"))]
        files = tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)
        if files != self._files:
            self._read = LabelBook.of(read_rows(self._labels))
            self._files = files
        return self._read

    def _left(self, book: LabelBook, labeller: str) -> list[str]:
        """Return the images that this labeller has not answered and, except for blind ones, that nobody else has
        decided.
        """
        decided = {reading_id for (reading_id, _), one in book.labels.items() if one.verdict != "skip"}
        own = {reading_id for reading_id, who in book.labels if who == labeller}
        return [name for name in self._seen if name not in own and (self._is_blind(name) or name not in decided)]

    def _most_wanted(self, names: Iterable[str], turn: int) -> str:
        """Return an image that is asked for, else the least confident on even turns, the most unusual on odd ones."""
        names = list(names)
        if asked := [name for name in names if name in self._wanted]:
            return min(asked, key=chance_of)
        of_two = self._disputes.readings() if turn % 3 == DISPUTED_TURN else frozenset()
        if disputed := [name for name in names if name in of_two]:
            return min(disputed, key=lambda name: (self._seen[name].confidence, name))
        if turn % 2:
            return max(names, key=lambda name: (self._seen[name].unusual, name))
        return min(names, key=lambda name: (self._seen[name].confidence, name))

    def _item(self, name: str, book: LabelBook, labeller: str) -> Item:
        seen = self._seen[name]
        own = book.labels.get((name, labeller))
        is_blind = self._is_blind(name)
        said = [own] if is_blind and own else [] if is_blind else book.of_image(name)
        drawn: Drawn = "blind" if is_blind else "chosen"
        return Item(name, seen.text, round(seen.confidence, 4), drawn, len(said), own)

    def _is_blind(self, reading_id: str) -> bool:
        """Tell whether an image is one of those that every labeller sees, however it was read."""
        if reading_id not in self._blind:
            self._blind[reading_id] = is_at_random(reading_id, kept=self._kept)
        return self._blind[reading_id]

    def _known(self, reading_id: str) -> str:
        return reading_id if self._is_known(reading_id) else str(self._missing(reading_id))

    def _is_known(self, reading_id: str) -> bool:
        """Tell whether an image is kept and can be read; the one that another process handed out is looked at now."""
        if reading_id not in self._seen and reading_id not in self._unreadable:
            path = kept_image(self._images, reading_id)
            if path is not None:
                self._look_at(reading_id, path)
        return reading_id in self._seen

    def _look_at(self, name: str, path: Path) -> None:
        """Read an image. One that cannot be read is left out, or it would stand in the way of all others."""
        seen = self._see(path)
        if seen is not None:
            self._seen[name] = seen
        elif path.exists():
            self._unreadable.add(name)
            log.warning("%s: the kept image cannot be read, so it is not labelled; delete it", path)

    @staticmethod
    def _missing(reading_id: str) -> bytes:
        raise LabelRefusedError(404, f"no image {reading_id[:80]!r} is kept; it may be past its retention")


def _after(former: Label | None, at: float) -> float:
    """Return a time at which a row comes after the one that it replaces, also where a clock was set back."""
    return at if former is None else max(at, round(former.at + 0.001, 3))
