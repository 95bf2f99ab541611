"""A folder or prefix of summaries: `<address>/v1/<reference>/20261121T08.npz`, some for each reference."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from legible.batched import map_ahead
from legible.drift.hour_format import MAX_UNPACKED_BYTES, of_bytes, reference_digest, to_bytes
from legible.drift.hourly import HourSummary
from legible.drift.reference import Reference
from legible.errors import DataError
from legible.observations.layout import FOLDER
from legible.stores import store_errors, store_of

FETCHED_AHEAD = 16
"""The summaries that are fetched at a time."""
SUFFIX = ".npz"
NAME = re.compile(r"[0-9]{8}T[0-9]{2}\.npz")


@dataclass(frozen=True)
class HourSummaries:
    """The summaries of one reference."""

    address: str
    digest: str
    reference: Reference

    @staticmethod
    def of(address: str, folder: Path, reference: Reference) -> "HourSummaries":
        """Return those by the reference of a bundle's or baseline's folder."""
        return HourSummaries(address.rstrip("/"), reference_digest(folder), reference)

    @property
    def folder(self) -> str:
        return f"{self.address}/{FOLDER}/{self.digest}"

    def hours(self) -> list[str]:
        """Return the hours that are summarised, in order; none where nothing is yet, and no copies by other names."""
        with store_errors(self.folder):
            names = store_of(self.folder).sizes(self.folder)
        return sorted(name.removesuffix(SUFFIX) for name in names if NAME.fullmatch(name))

    def load(self, hours: Sequence[str]) -> Iterator[HourSummary]:
        """Yield the summaries of these hours, in order, some of them fetched ahead."""
        with ThreadPoolExecutor(FETCHED_AHEAD) as pool:
            for hour, content in zip(hours, map_ahead(pool, self._fetch, hours, ahead=FETCHED_AHEAD), strict=True):
                yield of_bytes(content, self.reference, name=self._file(hour))

    def save(self, hour: str, summary: HourSummary) -> None:
        with store_errors(self.folder):
            store_of(self.folder).write(self._file(hour), to_bytes(summary))

    def check_there(self) -> None:
        """Raise DataError where there are no summaries by this reference, and say by which there are."""
        if self.hours():
            return
        top = f"{self.address}/{FOLDER}"
        others = ", ".join(sorted(store_of(top).sizes(top)))
        raise DataError(
            f"{self.address}: no summaries by reference {self.digest}"
            f"{f', only by {others}' if others else ''}; run legible compact with the same bundle and baseline"
        )

    def _fetch(self, hour: str) -> bytes:
        with store_errors(self.folder), store_of(self.folder).open(self._file(hour)) as file:
            return file.read(MAX_UNPACKED_BYTES)

    def _file(self, hour: str) -> str:
        return f"{self.folder}/{hour}{SUFFIX}"
