"""Files and folders that are never half written, JSON files with a format version, and checksums.

New content is written beside its place and renamed into it, so that a kill at any moment leaves either the former
content or the new one, whole. A folder takes two renames: `.<name>.new` is written, the folder becomes `.<name>.old`,
`.<name>.new` becomes the folder, and `.<name>.old` is deleted. So where the folder is missing beside both, `.new` is
complete; `.old` alone may be half deleted and is never read. A symbolic link to a folder is followed, and stays.
"""

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legible.errors import LegibleError

DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
)
"""The exceptions that parsing content of an unexpected shape raises."""


@contextmanager
def replace_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of `path` when the block ends without an error.

    A durable file survives a power cut: it is flushed to the disk before it is renamed. Of two writers of one file the
    second waits for the first. Raise LegibleError for a pipe or device, which would be replaced.
    """
    path = path.resolve()
    if is_special(path):
        raise LegibleError(f"{path}: a pipe or device, in whose place no file is written; name a file")
    fresh, _ = _beside(path)
    with _writing(fresh):
        try:
            yield fresh
            if durable:
                flush_file(fresh)
            fresh.rename(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise


def unfinished_of(path: Path) -> Path:
    """Return where the new content of a file or folder is written, which a kill may leave there."""
    return _beside(path)[0]


def is_special(path: Path) -> bool:
    """Tell whether a path is there and neither a regular file nor a folder: a pipe, device or socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


def flush_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file, the former one until the new one is whole."""
    with replace_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write in; it takes the place of `folder` when the block ends without an error.

    Of two writers of one folder the second waits for the first.
    """
    folder = folder.resolve()
    fresh, former = _beside(folder)
    with _writing_folder(folder):
        yield fresh
        if folder.exists():
            folder.rename(former)
        fresh.rename(folder)
        _delete(former)


def intact_folder(folder: Path) -> Path:
    """Return where to read what the folder holds, also after a kill that came between its two renames."""
    fresh, former = _beside(folder.resolve())
    return fresh if not folder.exists() and fresh.exists() and former.exists() else folder


def recover_folder(folder: Path) -> None:
    """Finish the replacement that a kill cut off, and delete what it left; only the folder's writer may call this.

    Wait for another writer that is at work.
    """
    folder = folder.resolve()
    if any(left.exists() for left in _beside(folder)):
        with _writing_folder(folder):
            _beside(folder)[0].rmdir()


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class JsonFormat:
    """A kind of JSON file: its name in messages, the version that is written, and what to do about a damaged one.

    `versions` are those that can be read, `error` is raised for everything else.
    """

    name: str
    version: int
    remedy: str
    error: type[LegibleError]
    older_versions: tuple[int, ...] = ()
    version_key: str = "version"

    @contextmanager
    def parse(self, path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> Iterator[dict[str, Any]]:
        """Yield the content of a file. Raise `error` where it, or what the block makes of it, shows damage.

        The block takes the content apart: a key that is missing or a value of another type is said in one line.
        """
        try:
            yield self._content(path, read)
        except FileNotFoundError as error:
            raise self.error(f"{path}: no such file; {self.remedy}") from error
        except DAMAGE as error:
            raise self.error(f"{path}: damaged {self.name} ({_reason(error)}); {self.remedy}") from error

    def _content(self, path: Path, read: Callable[[Path], bytes]) -> dict[str, Any]:
        content = json.loads(read(path))
        if not isinstance(content, dict):
            raise TypeError("not an object")
        version = content[self.version_key]
        if version not in (self.version, *self.older_versions):
            raise self.error(
                f"{path}: {self.name} format {version!r} is not {self.version}, the one this legible reads; "
                "install the legible that wrote it"
            )
        return content

    def save(self, path: Path, content: Mapping[str, Any], *, indent: int | None = 1) -> None:
        """Write a file of this format's version."""
        stated = {self.version_key: self.version, **content}
        write_text(path, json.dumps(stated, indent=indent, ensure_ascii=False) + "\n")


def parse_row(line: str | bytes) -> Any:
    """Return the content of a row of JSON. Raise ValueError for a torn one, also one nested too deeply to be parsed."""
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("a row that is nested too deeply") from error


def _reason(error: BaseException) -> str:
    """Say what is wrong in one line: a missing key by its name, other errors in their own words."""
    said = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
    return " ".join(said.split())[:200]


@contextmanager
def _writing(fresh: Path) -> Iterator[None]:
    """Hold the lock of a file's new content, which is its own lock: renamed or deleted, it is another writer's no
    more.
    """
    while True:
        with fresh.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_at(fresh, held.fileno()):
                yield
                return


@contextmanager
def _writing_folder(folder: Path) -> Iterator[None]:
    """Make a folder's new content, empty, and hold its lock, after what a killed writer left was finished.

    The lock is that of the new content itself, as a file's is. A writer that has renamed it still holds it while it
    deletes the former content, and is waited for at the folder.
    """
    fresh, former = _beside(folder)
    while True:
        _make_folder(fresh)
        with _locked_folder(fresh) as is_there:
            if is_there and not any(fresh.iterdir()):
                with _locked_folder(folder):
                    _delete(former)
                yield
                return
            if is_there:
                _finish(folder)


def _make_folder(folder: Path) -> None:
    """Make a folder that others make, rename and delete meanwhile: it may be gone again. Raise OSError for a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise


def _finish(folder: Path) -> None:
    """Put complete new content in the folder's place, and delete any other."""
    complete = intact_folder(folder)
    if complete != folder:
        complete.rename(folder)
    else:
        shutil.rmtree(_beside(folder)[0])


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _locked_folder(folder: Path) -> Iterator[bool]:
    """Wait for the lock of a folder and hold it, where its file system has such locks. Yield whether it is there."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield _is_at(folder, handle)
    finally:
        os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether an opened file or folder is still the one at its path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the names of the new content and of the former one."""
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
