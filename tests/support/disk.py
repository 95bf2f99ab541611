"""A disk that is full, really."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def full_disk(place: Path) -> Iterator[Path]:
    """A file system of 16 KiB at a new folder, of which one page is free; what fills it is `ballast`."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs more rights")
    try:
        (place / "ballast").write_bytes(b"x" * 12288)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
