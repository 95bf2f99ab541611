"""Observations in Parquet: a column for each field, the statistics as a struct, for DuckDB, pyarrow and their like."""

import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

from legible.errors import DataError, SettingsError
from legible.observations.row import FORMAT_VERSION, Observation

VERSION_KEY = b"legible.observations"
"""The key of the format's version in a file's metadata."""
ROWS_AT_ONCE = 5000
"""The number of rows that are held in memory while a file is read."""
TEXTS = ("channel", "reading_id", "writer", "bundle", "document", "sender")
INTEGERS = ("width", "height", "length", "check")
FLOATS = ("at", "confidence", "capitals", "digits", "signs")


def arrow() -> Any:
    """Return pyarrow, its module parquet loaded. Raise SettingsError where it is not installed."""
    try:
        import pyarrow as pa  # an extra  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError('observations in Parquet need pyarrow: pip install "legible-ocr[scale]"') from error
    return pa


def to_parquet(observations: Sequence[Observation]) -> bytes:
    """Return a Parquet file of observations."""
    pa = arrow()
    names = sorted({name for row in observations for name in row.statistics})
    statistics = pa.struct([(name, pa.float64()) for name in names])
    types = {name: pa.string() for name in TEXTS} | {name: pa.int64() for name in INTEGERS}
    types |= {name: pa.float64() for name in FLOATS} | {"statistics": statistics}
    schema = pa.schema(types, metadata={VERSION_KEY: str(FORMAT_VERSION)})
    columns = {name: [getattr(row, name) for row in observations] for name in types}
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table(columns, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(file: IO[bytes], *, channel: str | None = None) -> Iterator[Observation]:
    """Yield the observations of a Parquet file, a few thousand in memory at a time; all channels, or one.

    Raise DataError for a damaged file, one of another kind, and one of a newer format.
    """
    pa = arrow()
    try:
        parquet = pa.parquet.ParquetFile(file)
        _check_version(parquet.schema_arrow.metadata or {})
        for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE):
            chosen = batch if channel is None else batch.filter(pa.compute.equal(batch["channel"], channel))
            yield from map(_row, chosen.to_pylist())
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise DataError(f"damaged observations ({error}); fetch the file anew, or take it away") from error


def _check_version(metadata: dict[bytes, bytes]) -> None:
    version = metadata.get(VERSION_KEY, b"none").decode(errors="replace")
    if version != str(FORMAT_VERSION):
        raise DataError(
            f"observation format {version} is not {FORMAT_VERSION}, the one this legible reads; "
            "install the legible that wrote it, or name a folder of observations alone"
        )


def _row(fields: dict[str, Any]) -> Observation:
    statistics = {name: value for name, value in fields.pop("statistics").items() if value is not None}
    return Observation(**fields, statistics=statistics)
