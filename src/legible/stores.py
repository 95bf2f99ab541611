"""The stores of images, readings and observations: folders of this machine, and object stores (`s3://`, `gs://`)."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from legible.errors import DataError, SettingsError
from legible.files import flush_file

CLIENTS = ("aiobotocore", "aiohttp", "botocore", "gcsfs", "google")
"""Libraries whose own exceptions reach us where a store cannot be asked at all: no key, no network."""
LOCAL_PROTOCOLS = ("file", "local")
"""The protocols by which fsspec knows folders of this machine."""
UNFINISHED = ".new"
"""The end of the name of a file that is being written, or that a kill cut off."""


class Store(Protocol):
    """A store of files by their full address."""

    def open(self, address: str) -> IO[bytes]:
        """Open a file for reading; it can be sought in."""
        ...

    def files(self, address: str) -> Iterator[str]:
        """Return the addresses of all files under a folder, sorted; the address itself where it is a file."""
        ...

    def write(self, address: str, content: bytes) -> None:
        """Write a file whole: a reader finds the former content or the new one, never a part."""
        ...

    def create(self, address: str, content: bytes) -> bool:
        """Write a file where there is none; whether this was so. Object stores may let two at once succeed."""
        ...

    def is_file(self, address: str) -> bool:
        """Tell whether there is a file, of this very name."""
        ...

    def is_folder(self, address: str) -> bool:
        """Tell whether there is a folder; in an object store, something under the prefix."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the names in a folder with their bytes; none where there is no such folder."""
        ...

    def age_seconds(self, address: str) -> float | None:
        """Return the seconds since a file was written; None where there is no such file."""
        ...

    def remove(self, address: str) -> None:
        """Delete a file, if it is there."""
        ...


class LocalStore:
    """The file system of this machine."""

    def open(self, address: str) -> IO[bytes]:
        """Open a file. Raise DataError for a pipe, which would be waited for."""
        if Path(address).is_fifo():
            raise DataError(f"{address}: a pipe, and no regular file; delete it")
        return Path(address).open("rb")

    def files(self, address: str) -> Iterator[str]:
        top = Path(address)
        if not top.exists():
            raise DataError(f"{address}: no such file or folder; name one that is there")
        found = [top] if top.is_file() else (path for path in top.rglob("*") if path.is_file())
        yield from sorted(map(str, found))

    def write(self, address: str, content: bytes) -> None:
        path = Path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}{UNFINISHED}")
        with _removed_on_error(fresh):
            fresh.write_bytes(content)
            flush_file(fresh)  # a part that a power cut left empty would count as read
            fresh.replace(path)

    def create(self, address: str, content: bytes) -> bool:
        path = Path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file, _removed_on_error(path):
                file.write(content)
                file.flush()
        except FileExistsError:
            return False
        return True

    def is_file(self, address: str) -> bool:
        return Path(address).is_file()

    def is_folder(self, address: str) -> bool:
        return Path(address).is_dir()

    def sizes(self, folder: str) -> dict[str, int]:
        if not Path(folder).is_dir():
            return {}
        with os.scandir(folder) as entries:
            found = ((entry.name, _size(entry)) for entry in entries)
            return {name: size for name, size in found if size is not None}

    def age_seconds(self, address: str) -> float | None:
        try:
            return max(time.time() - Path(address).stat().st_mtime, 0.0)
        except FileNotFoundError:
            return None

    def remove(self, address: str) -> None:
        Path(address).unlink(missing_ok=True)


class ObjectStore:
    """A store that fsspec knows; an object appears whole when its upload ends."""

    def __init__(self, file_system: Any, protocol: str) -> None:
        self._files = file_system
        self._protocol = protocol

    def open(self, address: str) -> IO[bytes]:
        file: IO[bytes] = self._files.open(address, "rb")
        return file

    def files(self, address: str) -> Iterator[str]:
        self._files.invalidate_cache()
        if not self._files.exists(address):
            raise DataError(f"{address}: nothing there; name a file or folder that is there")
        yield from (f"{self._protocol}://{path}" for path in sorted(self._files.find(address)))

    def write(self, address: str, content: bytes) -> None:
        self._files.pipe_file(address, content)

    def create(self, address: str, content: bytes) -> bool:
        if self.age_seconds(address) is not None:
            return False
        self.write(address, content)
        return True

    def is_file(self, address: str) -> bool:
        self._files.invalidate_cache()
        return bool(self._files.isfile(address))

    def is_folder(self, address: str) -> bool:
        self._files.invalidate_cache()
        return bool(self._files.isdir(address))

    def sizes(self, folder: str) -> dict[str, int]:
        self._files.invalidate_cache()
        if not self._files.exists(folder):
            return {}
        entries = self._files.ls(folder, detail=True)
        return {entry["name"].rstrip("/").rsplit("/", 1)[-1]: int(entry["size"] or 0) for entry in entries}

    def age_seconds(self, address: str) -> float | None:
        self._files.invalidate_cache()
        try:
            written = float(self._files.modified(address).timestamp())
        except FileNotFoundError:
            return None
        return max(time.time() - written, 0.0)

    def remove(self, address: str) -> None:
        if self._files.exists(address):
            self._files.rm_file(address)


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    """Delete a file where the block that writes it fails, as on a full disk."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _size(entry: "os.DirEntry[str]") -> int | None:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # another process has just deleted it
        return None


def store_of(address: str) -> Store:
    """Return the store that holds an address.

    Raise SettingsError where fsspec, or what it needs, is not installed, and for a folder of this machine by an
    address: fsspec writes files there in place, so that a kill or a full disk leaves half a file that counts as whole.
    """
    protocol, separator, place = address.partition("://")
    if not separator:
        return LocalStore()
    if protocol in LOCAL_PROTOCOLS:
        raise SettingsError(f"{address}: a folder of this machine is named by its path: {place}")
    try:
        import fsspec  # an extra  # noqa: PLC0415

        return ObjectStore(fsspec.filesystem(protocol), protocol)
    except (ImportError, ValueError) as error:
        raise SettingsError(f'{address}: {error}; pip install "legible-ocr[scale]" and what fsspec names') from error


@contextmanager
def store_errors(address: str) -> Iterator[None]:
    """Turn what a store raises into DataError with its address."""
    try:
        yield
    except PermissionError as error:
        raise DataError(f"{address}: no right to read or write there ({error}); ask for it, or name another") from error
    except FileNotFoundError as error:
        raise DataError(f"{address}: nothing there ({error}); name a file or folder that is there") from error
    except Exception as error:
        if not is_store_error(error):
            raise
        raise DataError(f"{address}: {error}; run again, it goes on where it was") from error


def is_store_error(error: Exception) -> bool:
    """Tell whether an error is one of a store: of the system, or of or raised by a client's library behind fsspec."""
    return isinstance(error, OSError) or any(
        name.partition(".")[0] in CLIENTS for name in (type(error).__module__, _raised_in(error))
    )


def _raised_in(error: Exception) -> str:
    """Return the module that raised an error, such as `botocore.endpoint` of the ValueError for an odd endpoint."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return str(place.tb_frame.f_globals.get("__name__", "")) if place else ""
