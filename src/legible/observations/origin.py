"""The origin of an image beyond its channel: its document and its sender. A row holds only keyed digests of them."""

import os
import secrets
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

KEY_FILE = "document-key"
KEY_BYTES = 32


def digest(value: str, key: bytes) -> str:
    """Return sixteen hexadecimal digits for a name, the same for the same name; none for an empty one.

    A name of a file may hold bytes that are no UTF-8.
    """
    return blake2b(value.encode(errors="surrogatepass"), key=key[:64], digest_size=8).hexdigest() if value else ""


def shared_key(folder: Path) -> bytes:
    """Return the key of a log's folder, made at its first use; one for this process alone where the disk fails."""
    path = folder / KEY_FILE
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _offer(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    return secrets.token_bytes(KEY_BYTES)


def _offer(path: Path, key: bytes) -> None:
    """Put a key in its place, whole and for its owner alone, where no other worker was quicker."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()
