"""A control group of Linux that limits memory as a container's limit does: processes beyond it are killed.

Version 2 where the kernel has it, else version 1. A group is made below the one of this process, or where that does
not allow it below one that holds it; making one needs root, or a group that was handed over.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

MOUNTS = Path("/proc/self/mounts")
GROUPS = Path("/proc/self/cgroup")
EMPTYING_SECONDS = 20.0


@dataclass(frozen=True)
class MemoryCgroup:
    """A group with a limit; `command` is put before the command that is to run in it."""

    folder: Path

    @property
    def is_second(self) -> bool:
        return (self.folder / "memory.max").exists()

    @property
    def command(self) -> list[str]:
        """Enter the group, then become the command that follows."""
        return ["sh", "-c", f'echo $$ > {self.folder / "cgroup.procs"} && exec "$@"', "sh"]

    @property
    def killed(self) -> int:
        """The number of processes that the limit killed."""
        counts = (self.folder / ("memory.events" if self.is_second else "memory.oom_control")).read_text()
        return sum(int(line.split()[1]) for line in counts.splitlines() if line.startswith("oom_kill "))

    @property
    def peak_bytes(self) -> int:
        """The most memory that it held, files that were read included."""
        peak = self.folder / ("memory.peak" if self.is_second else "memory.max_usage_in_bytes")
        return int(peak.read_text()) if peak.exists() else 0

    def limit(self, max_bytes: int) -> None:
        if self.is_second:
            (self.folder / "memory.max").write_text(str(max_bytes))
            (self.folder / "memory.swap.max").write_text("0")
        else:
            (self.folder / "memory.limit_in_bytes").write_text(str(max_bytes))


@contextlib.contextmanager
def memory_cgroup(max_bytes: int) -> Iterator[MemoryCgroup]:
    """A group of so many bytes; the test is skipped, with the reason, where none can be made."""
    reasons = []
    for parent in _parents():
        folder = parent / f"legible-test-{os.getpid()}"
        try:
            folder.mkdir()
            group = MemoryCgroup(folder)
            group.limit(max_bytes)
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            reasons.append(f"{folder}: {error.strerror}")
            continue
        try:
            yield group
        finally:
            _remove(folder)
        return
    pytest.skip(f"no control group of memory can be made here ({'; '.join(reasons) or 'none is mounted'}); try root")


def _parents() -> Iterator[Path]:
    """Yield where a group may be made: the own group, and those above it."""
    for top, controller in _hierarchies():
        lines = (line.split(":", 2) for line in GROUPS.read_text().splitlines())
        own = next((path for _, names, path in lines if controller in names.split(",")), "/")
        here = top / own.lstrip("/")
        yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(top) and folder.is_dir())


def _hierarchies() -> Iterator[tuple[Path, str]]:
    """Yield where groups of memory are mounted, and their name in /proc: empty for version 2."""
    if not MOUNTS.exists():
        return
    for _, place, kind, options, *_ in (line.split(" ") for line in MOUNTS.read_text().splitlines()):
        if kind == "cgroup2" and "memory" in _read(Path(place) / "cgroup.controllers").split():
            yield Path(place), ""
        if kind == "cgroup" and "memory" in options.split(","):
            yield Path(place), "memory"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _remove(folder: Path) -> None:
    """Remove a group once its processes have ended."""
    until = time.monotonic() + EMPTYING_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)


def at_once(callers: Sequence[threading.Thread]) -> None:
    """Start all callers, and wait until the last has ended."""
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
