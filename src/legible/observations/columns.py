"""Observations in Parquet: a column for each field, the statistics as a struct, for DuckDB, pyarrow and their like."""

import io
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

from legible.errors import DataError, SettingsError
from legible.observations.row import FORMAT_VERSION, Observation

VERSION_KEY = b"legible.observations"
"""The key of the format's version in a file's metadata."""
ROWS_AT_ONCE = 5000
"""The number of rows that are held in memory while a file is read."""
TEXTS = ("channel", "reading_id", "writer", "bundle", "document", "sender", "lexicon")
INTEGERS = ("width", "height", "length", "check")
FLOATS = ("at", "confidence", "capitals", "digits", "signs")


def arrow() -> Any:
    """Return pyarrow, its modules compute and parquet loaded. Raise SettingsError where it is not installed."""
    try:
        import pyarrow as pa  # an extra  # noqa: PLC0415
        import pyarrow.compute  # noqa: PLC0415
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
    return _file_of(pa.table(columns, schema=schema))


def _file_of(table: Any) -> bytes:
    buffer = io.BytesIO()
    arrow().parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def without_readings(content: bytes, readings: Collection[str]) -> tuple[bytes, int]:
    """Return a Parquet file of observations without some readings, and how many rows these were.

    Raise DataError for a damaged file.
    """
    pa = arrow()
    try:
        parquet = pa.parquet.ParquetFile(io.BytesIO(content))
        is_gone = pa.compute.is_in(parquet.read(columns=["reading_id"])["reading_id"], pa.array(sorted(readings)))
        gone = pa.compute.sum(is_gone).as_py() or 0
        left = _file_of(parquet.read().filter(pa.compute.invert(is_gone))) if gone else content
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise DataError(f"damaged observations ({error}); take the file away") from error
    return left, gone


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
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        if is_of_store(error):
            raise
        raise DataError(f"damaged observations ({error}); fetch the file anew, or take it away") from error


def is_of_store(error: BaseException) -> bool:
    """Say whether an error is of the disk or the network: pyarrow raises OSError, without a number, for damage too."""
    return isinstance(error, OSError) and error.errno is not None


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
