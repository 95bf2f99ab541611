"""Tables of rows and a tar of their images that grow together and survive being cut off anywhere."""

import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from legible.data.dataset import add_member

END = bytes(2 * tarfile.BLOCKSIZE)
"""The end of a tar archive."""


@dataclass(frozen=True)
class Table:
    """A file with one row for each sample, and perhaps a heading line."""

    path: Path
    heading: str = ""

    def whole_rows(self) -> list[bytes]:
        rows = self.path.read_bytes().splitlines(keepends=True)[bool(self.heading) :]
        return [row for row in rows if row.endswith(b"\n")]

    def write(self, rows: Sequence[bytes]) -> None:
        self.path.write_bytes(self.heading.encode() + b"".join(rows))


@dataclass(frozen=True)
class Archive:
    """Tables and a tar in which row n of each table belongs to member n of the tar."""

    tables: tuple[Table, ...]
    tar: Path

    def recover(self) -> int:
        """Cut all files to the samples that are whole in each, or begin them; how many those are."""
        if not all(path.is_file() for path in (self.tar, *(table.path for table in self.tables))):
            self.tar.write_bytes(END)
            for table in self.tables:
                table.write([])
            return 0
        rows = [table.whole_rows() for table in self.tables]
        ends = list(islice(_member_ends(self.tar), min(len(own) for own in rows)))
        for table, own in zip(self.tables, rows, strict=True):
            table.write(own[: len(ends)])
        with self.tar.open("r+b") as file:
            file.truncate(ends[-1] if ends else 0)
            file.seek(0, io.SEEK_END)
            file.write(END)
        return len(ends)

    @contextmanager
    def opened(self) -> Iterator[Callable[[Sequence[str], str, bytes], None]]:
        """Yield a function that adds a row to each table and an image: (rows, name in the tar, content)."""
        with ExitStack() as stack:
            tables = [stack.enter_context(table.path.open("a", encoding="utf-8")) for table in self.tables]
            tar = stack.enter_context(tarfile.open(self.tar, "a"))

            def add(rows: Sequence[str], name: str, content: bytes) -> None:
                add_member(tar, name, content)
                for table, row in zip(tables, rows, strict=True):
                    table.write(row)

            yield add


def _member_ends(path: Path) -> Iterator[int]:
    """Yield the position at which each whole member of a tar ends, its padding included."""
    size = path.stat().st_size
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                if end <= size:
                    yield end
    except tarfile.ReadError:  # cut off within a header
        return
