"""Delete what a store holds of some readings: each file that names one is written anew without it, whole.

A reader finds the former file or the new one; a file without rows stays, so that `legible compact` sees what has
changed. What cannot be reached is told, and the rest is deleted all the same; a
second run finds what the first has left.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from legible.errors import DataError
from legible.observations.columns import without_readings
from legible.observations.forget import blank_rows, reading_of
from legible.observations.hours import COLUMNS, ROWS, TELEMETRY
from legible.observations.layout import FOLDER, HOUR_FOLDER, hour, hour_of, time_of
from legible.stores import LocalStore, Store, store_errors, store_of

SLACK_SECONDS = 1.0
"""A row's time is rounded, so it may be filed under the hour after that of its id."""


@dataclass(frozen=True)
class StoredForgotten:
    """The number of rows that were deleted, and a sentence for each file or place that could not be reached."""

    rows: int
    unreached: tuple[str, ...] = ()


def forget_stored(address: str, readings: Collection[str]) -> StoredForgotten:
    """Delete the rows of some readings from a store, or a folder, that services send to."""
    place, rows, unreached = address.rstrip("/"), 0, []
    store = store_of(place)
    try:
        with store_errors(place):
            files = list(_files(store, place, _hours(readings)))
    except DataError as error:
        return StoredForgotten(0, (str(error),))
    for file in files:
        try:
            rows += _forget_in(store, file, readings)
        except DataError as error:
            unreached.append(str(error))
    return StoredForgotten(rows, tuple(unreached))


def _hours(readings: Collection[str]) -> set[str]:
    """Return the hours under which rows of these readings may be filed."""
    times = [time_of(reading) for reading in readings]
    return {hour(at) for at in times} | {hour(at + SLACK_SECONDS) for at in times}


def _files(store: Store, place: str, hours: Collection[str]) -> Iterator[str]:
    """Yield the files that may hold rows of these hours; those of a collector hold any hour, and are told."""
    folder = f"{place}/{FOLDER}"
    names = store.sizes(folder)
    if not names:
        yield from (f"{place}/{name}" for name in sorted(store.sizes(place)) if name.endswith(TELEMETRY))
    for name in sorted(names):
        if name.startswith(HOUR_FOLDER) and name.removeprefix(HOUR_FOLDER) in hours:
            inside = sorted(store.sizes(f"{folder}/{name}"))
            yield from (f"{folder}/{name}/{file}" for file in inside)
        elif name.endswith((ROWS, COLUMNS)) and hour_of(Path(name)) in hours:
            yield f"{folder}/{name}"


def _forget_in(store: Store, file: str, readings: Collection[str]) -> int:
    """Write a file anew without the readings, where it has any, and return how many rows these were.

    Raise DataError for a file that cannot be read, written, or told.
    """
    with store_errors(file):
        if isinstance(store, LocalStore) and file.endswith(ROWS):
            return blank_rows(Path(file), readings)  # a service may be appending to it
        with store.open(file) as opened:
            content = opened.read()
        try:
            left, gone = _without(file, content, readings)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        if gone:
            store.write(file, left)
    return gone


def _without(file: str, content: bytes, readings: Collection[str]) -> tuple[bytes, int]:
    if file.endswith(COLUMNS):
        return without_readings(content, readings)
    if not file.endswith(ROWS):
        raise DataError("no file that legible writes; delete the readings there yourself")
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if reading_of(line) not in readings]
    return b"".join(kept), len(lines) - len(kept)
