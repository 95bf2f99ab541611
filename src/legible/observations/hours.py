"""The files of a log by their hour, in a folder or in a store, whatever they hold.

observations/v1/20261121T08-4711.jsonl                 rows as lines of JSON, as a service writes them to its disk
s3://bucket/observations/v1/hour=20261121T08/...       Parquet, as services send it
logs/*.json                                            OpenTelemetry logs, as a collector writes them; no hours
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from legible.errors import DataError
from legible.observations.layout import FOLDER, HOUR_FOLDER, hour, hour_of
from legible.stores import Store, store_errors, store_of

ROWS, COLUMNS, TELEMETRY = ".jsonl", ".parquet", ".json"
"""The ends of the names of files: rows as lines, Parquet, and OpenTelemetry's logs."""


@dataclass(frozen=True)
class HourFiles:
    """The files of an hour (`20261121T08`), each with its bytes; `hour` is empty where the files do not tell."""

    hour: str
    files: tuple[tuple[str, int], ...]


def hours_newest_first(source: Path | str, *, since: float = -math.inf) -> Iterator[HourFiles]:
    """Yield the hours of a source from the one of `since` on, the newest first.

    Raise DataError where there is no such file, folder or prefix.
    """
    address = str(source).rstrip("/")
    store = store_of(address)
    with store_errors(address):
        if store.is_file(address):
            yield HourFiles("", ((address, 0),))
            return
        folder = address if address.endswith(f"/{FOLDER}") or address == FOLDER else f"{address}/{FOLDER}"
        if store.is_folder(folder):
            yield from _by_hour(store, folder, store.sizes(folder), hour(since) if math.isfinite(since) else "")
        else:
            yield HourFiles("", tuple(_telemetry(store, address)))


def _by_hour(store: Store, folder: str, names: dict[str, int], earliest: str) -> Iterator[HourFiles]:
    files, folders = defaultdict(list), {}
    for name, size in sorted(names.items()):
        if name.startswith(HOUR_FOLDER):
            folders[name.removeprefix(HOUR_FOLDER)] = f"{folder}/{name}"
        elif name.endswith((ROWS, COLUMNS)) and not name.startswith("."):
            files[hour_of(Path(name))].append((f"{folder}/{name}", size))
    for own in sorted(files.keys() | folders.keys(), reverse=True):
        if own >= earliest:
            inside = _columns(store, folders[own]) if own in folders else []
            yield HourFiles(own, (*files.get(own, ()), *inside))


def _columns(store: Store, folder: str) -> list[tuple[str, int]]:
    return [(f"{folder}/{name}", size) for name, size in sorted(store.sizes(folder).items()) if name.endswith(COLUMNS)]


def _telemetry(store: Store, address: str) -> list[tuple[str, int]]:
    """Return the files of OpenTelemetry's logs in a folder."""
    found = [(f"{address}/{name}", size) for name, size in sorted(store.sizes(address).items())]
    logs = [(file, size) for file, size in found if file.endswith(TELEMETRY)]
    if not logs:
        raise DataError(
            f"{address}: no file or folder of observations (such a folder holds {FOLDER}/); name the service's"
        )
    return logs
