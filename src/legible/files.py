"""Folders written anew: after a kill at any moment either the former content or the new one is there, whole.

It is written in `<name>.new`. Then the folder becomes `<name>.old`, `<name>.new` the folder, and `<name>.old` goes. So
where the folder is missing beside both, `.new` is complete; `.old` alone may be half deleted and is never read.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def rewritten(folder: Path) -> Iterator[Path]:
    """An empty folder to write in; it takes the place of this one when the block ends without an error."""
    mend(folder)
    fresh, former = _beside(folder)
    fresh.mkdir(parents=True)
    yield fresh
    if folder.exists():
        folder.rename(former)
    fresh.rename(folder)
    mend(folder)


def whole(folder: Path) -> Path:
    """Where to read what the folder holds, also after a kill that came between its two names."""
    fresh, former = _beside(folder)
    return fresh if not folder.exists() and fresh.exists() and former.exists() else folder


def mend(folder: Path) -> None:
    """End what a kill cut off, and clear away what it left; for the folder's writer alone."""
    if whole(folder) != folder:
        whole(folder).rename(folder)
    for left in _beside(folder):
        if left.exists():
            shutil.rmtree(left)


def _beside(folder: Path) -> tuple[Path, Path]:
    """The names of the fresh folder and the former one."""
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
