"""API keys, of which only sha256 sums are stored: `name:sha256` entries, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from legible.config import ServiceSettings
from legible.errors import SettingsError
from legible.labelling.labels import LABELLER

ENTRY = re.compile(r"(?P<name>[A-Za-z0-9_.-]+):(?P<digest>[0-9a-f]{64})")
BYTES = 32
"""The bytes of a key: too many to guess, so that a plain sum hides it."""


@dataclass(frozen=True)
class KeyRing:
    """Names and sums of the keys that open a service; an empty ring means that it is open to all."""

    digests: tuple[tuple[str, bytes], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.digests)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, or None for an unknown one, in a time that does not depend on the key."""
        given = digest_of(key)
        found = None
        for name, digest in self.digests:
            if hmac.compare_digest(given, digest):
                found = name
        return found

    @staticmethod
    def of(entries: Iterable[str]) -> "KeyRing":
        """Make a key ring of `name:sha256` entries.

        Raise SettingsError for another form, without repeating the entry.
        """
        found = []
        for number, entry in enumerate(entries, start=1):
            match = ENTRY.fullmatch(entry.strip())
            if match is None:
                raise SettingsError(f"key {number} is not of the form name:sha256; make one with legible key NAME")
            found.append((match["name"], bytes.fromhex(match["digest"])))
        return KeyRing(tuple(found))

    @staticmethod
    def load(path: Path) -> "KeyRing":
        """Read a file with an entry a line; empty lines and lines that begin with # are skipped."""
        if not path.is_file():
            raise SettingsError(f"{path}: no such file of keys; make one with legible key NAME >> {path}")
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        ring = KeyRing.of(line for line in lines if line and not line.startswith("#"))
        if not ring:
            raise SettingsError(
                f"{path} holds no key, and without one everybody may read; add one with legible key NAME"
            )
        return ring


def reading_keys(settings: ServiceSettings) -> KeyRing:
    """Return the keys that may read, of the settings and of their file."""
    ring = KeyRing.of(settings.keys)
    return KeyRing(ring.digests + KeyRing.load(Path(settings.keys_file)).digests) if settings.keys_file else ring


def labelling_keys(settings: ServiceSettings) -> KeyRing:
    """Return the keys of the labelling page. Raise SettingsError for a name that no label can have."""
    ring = KeyRing.of(settings.label_keys)
    for name, _ in ring.digests:
        if not LABELLER.fullmatch(name):
            raise SettingsError(f"LEGIBLE_LABEL_KEYS names {name!r}; a labeller's name has at most 64 characters")
    return ring


def new_key() -> str:
    """Return a random key to hand out."""
    return secrets.token_urlsafe(BYTES)


def entry(name: str, key: str) -> str:
    """Return the line to store."""
    made = f"{name}:{digest_of(key).hex()}"
    if not ENTRY.fullmatch(made):
        raise SettingsError(f"{name!r} cannot name a key; use letters, digits, dots, dashes and underscores")
    return made


def digest_of(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
