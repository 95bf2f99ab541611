"""An index of rows and a tar of their images that grow together and survive being cut off anywhere."""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

END = bytes(2 * tarfile.BLOCKSIZE)
"""Of a tar."""


@dataclass(frozen=True)
class Archive:
    """Row n + 1 of the index, its heading apart, belongs to member n of the tar."""

    index: Path
    tar: Path

    def recover(self, *, heading: str) -> int:
        """Cut both files to the samples that are whole in both, or begin them; how many those are."""
        if not (self.index.is_file() and self.tar.is_file()):
            self.index.write_text(heading, encoding="utf-8")
            self.tar.write_bytes(END)
            return 0
        rows = self.index.read_bytes().splitlines(keepends=True)[1:]
        whole_rows = [row for row in rows if row.endswith(b"\n")]
        ends = list(islice(_member_ends(self.tar), len(whole_rows)))
        self.index.write_bytes(heading.encode() + b"".join(whole_rows[: len(ends)]))
        with self.tar.open("r+b") as file:
            file.truncate(ends[-1] if ends else 0)
            file.seek(0, io.SEEK_END)
            file.write(END)
        return len(ends)

    @contextmanager
    def opened(self) -> Iterator[Callable[[str, str, bytes], None]]:
        """A function that adds a row and its image (name in the tar, content)."""
        with self.index.open("a", encoding="utf-8") as index, tarfile.open(self.tar, "a") as tar:

            def add(row: str, name: str, content: bytes) -> None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                index.write(row)

            yield add


def _member_ends(path: Path) -> Iterator[int]:
    """Where each whole member of a tar ends, its padding included."""
    size = path.stat().st_size
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                if end <= size:
                    yield end
    except tarfile.ReadError:  # cut off within a header
        return
