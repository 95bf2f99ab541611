"""Files of others: regular ones inside their folder only, and never more bytes in memory than a stated limit."""

import csv
import gzip
import io
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from legible.errors import DataError

MAX_IMAGE_BYTES = 100_000_000
"""The largest file of one image in a source."""
MAX_TABLE_BYTES = 500_000_000
"""The largest table of labels in a source."""
MAX_ARRAY_BYTES = 2_000_000_000
"""The largest array in a source; the images of EMNIST's largest file have 547 million bytes."""
ARCHIVE_FAULTS = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
"""The exceptions that opening a damaged tar archive, or going through it, raises; ValueError is of headers."""
SHOWN = 5


@dataclass(frozen=True)
class TabbedTable:
    """The columns of a table with tabs, and its rows, each with the number of its line.

    A row lacks a cell where it is None, and has cells too many under the key None.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str | None, Any]], ...]


def stays_inside(path: str) -> bool:
    """Return whether a path that a source names can only be of a file inside it, so that a copy holds the source."""
    place = PurePosixPath(path)
    return not place.is_absolute() and ".." not in place.parts and "\0" not in path


def check_regular(place: Path) -> None:
    """Raise DataError for a folder with anything but regular files and folders: links out of it, pipes, devices."""
    if not place.is_dir():
        return
    faults = list(_irregular(place))
    if faults:
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(
            f"{place}: a source holds regular files alone, and {', '.join(faults[:SHOWN])}{more} are none; "
            "copy what is meant into the folder"
        )


def _irregular(place: Path) -> Iterator[str]:
    inside = place.resolve()
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(folder) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                if not _leads_to_a_file_of(inside, path):
                    yield f"{path.relative_to(place)} (a link)"
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield f"{path.relative_to(place)} (a pipe or device)"


def _leads_to_a_file_of(folder: Path, link: Path) -> bool:
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return False
    return target.is_file() and target.is_relative_to(folder)


def read_file(path: Path, *, limit: int) -> bytes:
    """Read a file. Raise DataError for one with more bytes than the limit."""
    with path.open("rb") as file:
        return _within(file.read(limit + 1), limit, str(path))


def read_gzip(path: Path, *, limit: int) -> bytes:
    """Decompress a file. Raise DataError for a damaged one, and for one that holds more bytes than the limit, however
    small it is itself.
    """
    try:
        with gzip.open(path) as file:
            return _within(file.read(limit + 1), limit, str(path))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error


def unpacked(content: bytes, *, limit: int, name: str) -> bytes:
    """Decompress gzip in memory. Raise DataError for more bytes than the limit, and what gzip raises for damage."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return _within(file.read(limit + 1), limit, name)


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, *, limit: int) -> bytes:
    """Read a file of an archive. Raise DataError for a larger one, also one whose bytes are holes (sparse).

    Raise KeyError for what is no file.
    """
    if not member.isreg():
        raise KeyError(member.name)
    where = os.fsdecode(tar.name) if tar.name else "the archive"
    if member.size > limit:
        raise DataError(f"{where}: {member.name} has {member.size} bytes; at most {limit} are read")
    file = tar.extractfile(member)
    return b"" if file is None else _within(file.read(limit + 1), limit, f"{where}: {member.name}")


def _within(content: bytes, limit: int, name: str) -> bytes:
    if len(content) > limit:
        raise DataError(f"{name} has more than {limit} bytes, which is more than is read")
    return content


def parse_table(content: bytes, name: str) -> TabbedTable:
    """Return a table of UTF-8 with tabs, with or without the byte-order mark that spreadsheets write at its begin.

    Raise DataError, with the line, for another encoding and for a cell that is too long.
    """
    lines = io.StringIO(decode_text(content, name), newline=None)
    reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        columns = tuple(reader.fieldnames or ())
        return TabbedTable(columns, tuple((reader.line_num, dict(row)) for row in reader))
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num + 1} cannot be taken apart ({error}); mend it") from error


def decode_text(content: bytes, name: str) -> str:
    """Return the text of a file, without a byte-order mark. Raise DataError, with the line, where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name} is not UTF-8 in line {line}; save it as UTF-8") from error
