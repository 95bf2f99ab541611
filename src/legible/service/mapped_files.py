"""Files that workers map into memory: their bytes are on the disk before they are mapped.

A write into a hole of a mapped file ends the process where the disk is full.
"""

import os
from pathlib import Path


def fill_with_zeros(path: Path, size: int) -> None:
    """Make a file at least so large. Raise OSError where there is no room, and leave it as it was."""
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            left = size - before
            while left > 0:
                left -= file.write(bytes(left))
        except OSError:
            file.truncate(before)
            if not before:
                path.unlink(missing_ok=True)
            raise
