"""Ends of the process while folders are renamed and deleted, at one such step or another."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class KilledError(Exception):
    """Stands for the end of the process."""


@contextmanager
def killed_after(steps: int) -> Iterator[None]:
    """Lets so many renamings and deletions of `.new` and `.old` pass; raises KilledError at, or within, the next."""
    rename, rmtree, left = Path.rename, shutil.rmtree, iter(range(steps))

    def renamed(path: Path, target: Path) -> Path:
        if path.is_dir() and next(left, None) is None:
            raise KilledError
        return rename(path, target)

    def deleted(path: Any, **named: Any) -> None:
        if Path(path).suffix in {".new", ".old"} and next(left, None) is None:
            for file in sorted(Path(path).iterdir())[:1]:
                file.unlink()
            raise KilledError
        rmtree(path, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", renamed)
        patch.setattr(shutil, "rmtree", deleted)
        yield
