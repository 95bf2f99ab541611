"""From sources of images to blocks of a few hundred, each of which one worker reads into one part.

A source is a folder, an image, a tar archive (WebDataset's shards are) or a Parquet file with a column of image bytes.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from legible.batched import batched
from legible.errors import DataError, SettingsError
from legible.image.decode import Limits
from legible.stores import Store, store_errors, store_of

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
BLOCK_IMAGES = 256
IMAGE_COLUMN, ID_COLUMN = "image", "id"
"""The columns of a Parquet file. Images are bytes, or structs with a field `bytes`; ids may be left out."""

BINARY = frozenset({"binary", "large_binary", "binary_view"})
"""The types of Parquet's columns that hold the bytes of images."""

SourceKind = Literal["files", "tar", "parquet"]


@dataclass(frozen=True)
class ImageBlock:
    """Images that are read together. `members` are (name, first byte, bytes) in a tar, (address, 0, 0) of files.

    Of a Parquet file they are the one row group: (its id, its number, its rows).
    """

    number: int
    kind: SourceKind
    source: str
    members: tuple[tuple[str, int, int], ...]

    @property
    def images(self) -> int:
        return self.members[0][2] if self.kind == "parquet" else len(self.members)


def list_blocks(sources: Sequence[str], *, size: int = BLOCK_IMAGES) -> Iterator[ImageBlock]:
    """Yield the blocks of at most `size` images, numbered from 0, in the order of the sources; a row group is never
    cut.

    Raise DataError for a source that is missing, damaged or holds no image.
    """
    number = 0
    for source in sources:
        found = 0
        with store_errors(source):
            for kind, address, members in _groups(store_of(source), source, size):
                yield ImageBlock(number, kind, address, tuple(members))
                number, found = number + 1, found + 1
        if not found:
            raise DataError(f"{source}: no image there; images are {', '.join(IMAGES)}, in folders, tars or Parquet")


READ_BYTES = Limits().max_bytes + 1
"""The most bytes that are read of an image: one more than are decoded, so that a larger file is refused as it is."""
READ_ROWS = 16
"""The rows of a Parquet file that are in memory at a time."""
Group = tuple[SourceKind, str, list[tuple[str, int, int]]]


def _groups(store: Store, source: str, size: int) -> Iterator[Group]:
    loose: list[str] = []
    for address in store.files(source):
        lowered = address.lower()
        if lowered.endswith(".tar"):
            yield from (("tar", address, some) for some in batched(_tar_members(store, address), size))
        elif lowered.endswith(".parquet"):
            yield from _row_groups(store, address)
        elif lowered.endswith(IMAGES):
            loose.append(address)
    yield from (("files", source, some) for some in batched(((address, 0, 0) for address in loose), size))


def _tar_members(store: Store, address: str) -> Iterator[tuple[str, int, int]]:
    try:
        with store.open(address) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            size = file.seek(0, 2)
            for member in archive:
                if member.offset_data + member.size > size:
                    raise DataError(f"{address}: cut off in {member.name}; fetch the archive anew")
                if member.name.lower().endswith(IMAGES) and not member.isdir():
                    _check_whole(member, address)
                    yield member.name, member.offset_data, member.size
            file.seek(archive.offset)
            if not is_end_of_archive(file.read(tarfile.BLOCKSIZE)):
                raise DataError(f"{address}: cut off, there is no end of the archive; fetch it anew")
    except (tarfile.TarError, ValueError) as error:
        raise DataError(f"{address}: no tar archive, or a damaged one ({error}); fetch it anew") from error


def _check_whole(member: tarfile.TarInfo, address: str) -> None:
    """Raise DataError for an image whose bytes do not lie in its place: a link, or a file with holes."""
    if not member.isreg() or member.issparse():
        raise DataError(
            f"{address}: {member.name} is a link, or was packed with holes; pack it with tar --dereference "
            "--hard-dereference, without --sparse"
        )


def is_end_of_archive(block: bytes) -> bool:
    """Tell whether a block of an archive is its end; tarfile takes a file that is cut between members for whole."""
    return block == bytes(tarfile.BLOCKSIZE)


def _row_groups(store: Store, address: str) -> Iterator[Group]:
    with store.open(address) as file:
        parquet = _parquet_file(file, address)
        if IMAGE_COLUMN not in parquet.schema_arrow.names:
            raise DataError(f"{address}: no column {IMAGE_COLUMN!r}; name the column of image bytes so")
        _check_images(parquet.schema_arrow.field(IMAGE_COLUMN).type, address)
        for number in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(number).num_rows
            if rows:
                yield "parquet", address, [(f"row group {number}", number, rows)]


def _check_images(kind: Any, address: str) -> None:
    """Raise DataError where the column of images holds neither bytes nor structs with a field of them."""
    fields = [kind.field(number) for number in range(kind.num_fields)]
    held = next((field.type for field in fields if field.name == "bytes"), kind)
    held = held.value_type if str(held).startswith("dictionary") else held
    if str(held) not in BINARY:
        raise DataError(
            f"{address}: column {IMAGE_COLUMN!r} is of {kind}; it has to hold the bytes of image files, or structs "
            "with a field 'bytes'"
        )


def _parquet_file(file: Any, address: str) -> Any:
    try:
        import pyarrow as pa  # an extra  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(f'{address}: Parquet needs pyarrow: pip install "legible-ocr[scale]"') from error
    try:
        return parquet.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise DataError(f"{address}: no Parquet file, or a damaged one ({error}); fetch it anew") from error


def block_images(block: ImageBlock) -> Iterator[tuple[str, bytes]]:
    """Yield the id and the content of each image of a block, in order.

    The id of an image is its address; in an archive `archive/name`.
    """
    store = store_of(block.source)
    with store_errors(block.source):
        if block.kind == "files":
            for address, _, _ in block.members:
                with store.open(address) as file:
                    yield address, file.read(READ_BYTES)
        elif block.kind == "tar":
            with store.open(block.source) as file:
                for name, start, size in block.members:
                    file.seek(start - tarfile.BLOCKSIZE)
                    header, content = file.read(tarfile.BLOCKSIZE), file.read(min(size, READ_BYTES))
                    if not _is_header_of(header, name, size) or len(content) < min(size, READ_BYTES):
                        raise DataError(
                            f"{block.source}: {name} is not where it was when the run was begun; put the same archive "
                            "back, or name another output"
                        )
                    yield f"{block.source}/{name}", content
        else:
            yield from _parquet_images(store, block)


def _is_header_of(header: bytes, name: str, size: int) -> bool:
    """Tell whether a block is the header of a member; a long name, or one beyond ASCII, stands elsewhere."""
    try:
        found = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    is_named = found.name == name or not name.isascii() or len(name) > tarfile.LENGTH_NAME
    return is_named and found.size == size


def _parquet_images(store: Store, block: ImageBlock) -> Iterator[tuple[str, bytes]]:
    ((_, group, _),) = block.members
    with store.open(block.source) as file:
        parquet = _parquet_file(file, block.source)
        columns = [name for name in (ID_COLUMN, IMAGE_COLUMN) if name in parquet.schema_arrow.names]
        rows = _rows(parquet.iter_batches(READ_ROWS, row_groups=[group], columns=columns), block.source)
        for number, row in enumerate(rows):
            image = row[IMAGE_COLUMN]
            content = image.get("bytes") if isinstance(image, dict) else image
            yield f"{block.source}/{row.get(ID_COLUMN, f'{group}/{number}')}", content or b""


def _rows(batches: Iterator[Any], address: str) -> Iterator[dict[str, Any]]:
    """Yield rows. Raise DataError for damage, which pyarrow tells as ValueError, or as OSError without a number."""
    try:
        for batch in batches:
            yield from batch.to_pylist()
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{address}: a damaged Parquet file ({error}); fetch it anew") from error
