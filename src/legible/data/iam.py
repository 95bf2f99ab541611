"""Samples in the layout of the IAM handwriting database (Marti and Bunke 2002), from archives or an unpacked folder.

`words.txt`, `lines.txt` and `forms.txt` are beside the images, in `ascii.tgz` or in `ascii/`. Images are in
`words.tgz`, `words.tar` or `words/`, and lines likewise. Archives are read in one pass and never unpacked.

`|` separates the tokens of a line. IAM counts a punctuation mark as a token; on paper it stands close to its word. So
`Griffiths|,|for` becomes "Griffiths, for" where `join_tokens` is given, and is joined by spaces where it is not.
"""

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from legible.arrays import GreyImage
from legible.data.dataset import Kind, Segmentation, Split, Tally
from legible.errors import DataError, ImageError
from legible.image.decode import decode
from legible.untrusted_files import ARCHIVE_FAULTS, MAX_IMAGE_BYTES, read_file, read_member

LISTS = {"split_train.txt": "train", "split_validation.txt": "validation"}
CLOSING = re.compile(r" ([,.;:!?)\]])")
OPENING = re.compile(r"([(\[]) ")
QUOTED = re.compile(r"(?<!\S)([\"']) (.+?) \1(?!\w)")
CONTRACTED = re.compile(r" ('(?:s|t|d|m|ll|re|ve)|n't)\b")
CLOSING_AT_END = re.compile(r" ([\"'])$")
OPENING_ALONE = re.compile(r"(?<!\S)([\"']) ")


@dataclass(frozen=True)
class Entry:
    """One row of words.txt or lines.txt; `split` is None where no list names its form."""

    id: str
    kind: Kind
    segmentation: Segmentation
    text: str
    writer: str
    split: Split | None


@dataclass(frozen=True)
class IamFolder:
    """A folder in the IAM layout whose lists were read."""

    folder: Path
    entries: Mapping[str, Entry]
    has_lists: bool

    def images(self, tally: Tally) -> Iterator[tuple[Entry, GreyImage]]:
        """Yield every listed image that can be decoded; the tally gets the names of damaged and missing ones."""
        missing = dict(self.entries)
        for kind in ("words", "lines"):
            for name, content in _files(self.folder, kind):
                entry = missing.pop(PurePosixPath(name).stem, None)
                if entry is None:
                    tally.dropped[f"{kind}: image that no list names"] += 1
                    continue
                try:
                    yield entry, decode(content())
                except ImageError:
                    tally.damaged.append(entry.id)
        tally.damaged.extend(f"{name} (missing)" for name in missing)


def open_iam(folder: Path, *, join_tokens: Callable[[str], str] | None = None) -> IamFolder:
    """Open a folder in the IAM layout. Raise DataError where it lacks forms.txt, or has neither words nor lines."""
    texts = _text_files(folder)
    if "forms.txt" not in texts or not ({"words.txt", "lines.txt"} & texts.keys()):
        raise DataError(f"{folder}: no IAM layout here; it needs forms.txt and words.txt or lines.txt (or ascii.tgz)")
    writers = {fields[0]: fields[1] for fields in _rows(texts["forms.txt"])}
    splits = _split_of_forms(folder)
    join = join_tokens or (lambda text: text.replace("|", " "))
    entries = {}
    for kind, name in (("word", "words.txt"), ("line", "lines.txt")):
        for fields in _rows(texts.get(name, "")):
            entry = _entry(fields, kind=kind, writers=writers, splits=splits, join=join)
            entries[entry.id] = entry
    return IamFolder(folder, entries, has_lists=bool(splits))


def join_handwritten(tokens: str) -> str:
    """Return tokens as one writes them: `he|said|,|"|no|"|.` -> `he said, "no".`

    A quotation mark whose partner is on another line closes at the end of a line, and opens elsewhere.
    """
    text = CLOSING.sub(r"\1", tokens.replace("|", " "))
    text = CONTRACTED.sub(r"\1", QUOTED.sub(r"\1\2\1", text))
    text = OPENING_ALONE.sub(r"\1", CLOSING_AT_END.sub(r"\1", text))
    return OPENING.sub(r"\1", CLOSING.sub(r"\1", text))


def _entry(
    fields: list[str],
    *,
    kind: str,
    writers: Mapping[str, str],
    splits: Mapping[str, Split],
    join: Callable[[str], str],
) -> Entry:
    name = fields[0]
    form = "-".join(name.split("-")[:2])
    if form not in writers:
        raise DataError(f"{name}: forms.txt does not name the form {form}; its writer is unknown")
    text = " ".join(fields[8:])
    return Entry(
        id=name,
        kind="word" if kind == "word" else "line",
        segmentation="ok" if fields[1] == "ok" else "err",
        text=join(text) if kind == "line" else text,
        writer=writers[form],
        split=splits.get(form),
    )


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield line.split(" ")


def _split_of_forms(folder: Path) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    for name, split in LISTS.items():
        path = folder / name
        if path.is_file():
            splits |= dict.fromkeys(path.read_text(encoding="utf-8").split(), split)  # type: ignore[arg-type]
    return splits


def _text_files(folder: Path) -> dict[str, str]:
    """Return the contents of forms.txt, words.txt and lines.txt, wherever they are."""
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for place in (folder, folder / "ascii")
        for path in sorted(place.glob("*.txt"))
    }
    archive = folder / "ascii.tgz"
    if archive.is_file():
        texts |= {PurePosixPath(n).name: content().decode("utf-8") for n, content in _members(archive, ".txt")}
    return texts


def _files(folder: Path, kind: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the name and the content of every image of words or lines."""
    for archive in (folder / f"{kind}.tar", folder / f"{kind}.tgz"):
        if archive.is_file():
            yield from _members(archive, ".png")
            return
    for path in sorted((folder / kind).rglob("*.png")):
        yield path.name, partial(read_file, path, limit=MAX_IMAGE_BYTES)


def _members(archive: Path, suffix: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isreg() and member.name.endswith(suffix):
                    yield member.name, partial(read_member, tar, member, limit=MAX_IMAGE_BYTES)
    except ARCHIVE_FAULTS as error:
        raise DataError(f"{archive}: damaged archive ({error}); fetch it anew") from error
