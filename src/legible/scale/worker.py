"""One worker of a bulk reading: a recogniser on one thread that reads blocks and writes their parts."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import legible
from legible.arrays import GreyImage
from legible.batched import batched
from legible.errors import BundleError, ImageError
from legible.image.decode import decode
from legible.reading import Reading
from legible.recognition.bundle import find_bundle, load_bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import STEP_IMAGES, Recognizer
from legible.scale.blocks import ImageBlock, block_images
from legible.scale.plan import BulkJob
from legible.stores import store_errors, store_of

UNENCODABLE = "backslashreplace"


@dataclass(frozen=True)
class BulkRow:
    """The reading of one image, or why there is none."""

    id: str
    text: str | None
    confidence: float | None
    error: str | None


@dataclass(frozen=True)
class Part:
    """The outcome of a block."""

    block: int
    images: int
    errors: int


class BulkWorker:
    """Reads blocks of one job. Raise BundleError where this process would read differently from what the job says."""

    def __init__(self, job: BulkJob, output: str, bundle_folder: str = "") -> None:
        folder = Path(bundle_folder) if bundle_folder and Path(bundle_folder).is_dir() else find_bundle()
        bundle = load_bundle(folder)
        for name, own, asked in (("bundle", bundle.id, job.bundle), ("legible", legible.__version__, job.legible)):
            if own != asked:
                raise BundleError(f"a worker has {name} {own}, the job was begun with {asked}; install that one there")
        self._recognizer = Recognizer.from_bundle(bundle)
        prior = self._recognizer.prior(bundle.lexicon(job.lexicon)) if job.lexicon else None
        self._decoding = Decoding(prior)
        self._job = job
        self._output = output.rstrip("/")

    def read(self, block: ImageBlock) -> Part:
        """Read a block and write its part whole; the same block always gives the same bytes."""
        rows = [row for some in batched(block_images(block), STEP_IMAGES) for row in self._read_some(some)]
        content = ENCODERS[self._job.format](rows)
        with store_errors(self._output):
            store_of(self._output).write(f"{self._output}/{self._job.part_name(block.number)}", content)
        return Part(block.number, len(rows), sum(row.error is not None for row in rows))

    def _read_some(self, some: Iterable[tuple[str, bytes]]) -> Iterator[BulkRow]:
        decoded = [(name, _decoded(content)) for name, content in some]
        images = [image for _, image in decoded if not isinstance(image, ImageError)]
        readings = iter(self._recognizer.read(images, decoding=self._decoding))
        for name, image in decoded:
            yield _failed(name, image) if isinstance(image, ImageError) else _row(name, next(readings))


def _decoded(content: bytes) -> GreyImage | ImageError:
    try:
        return decode(content)
    except ImageError as error:
        return error


def _row(name: str, reading: Reading) -> BulkRow:
    return BulkRow(name, reading.text, round(reading.confidence, 4), None)


def _failed(name: str, error: ImageError) -> BulkRow:
    return BulkRow(name, None, None, f"{error.code}: {error}")


def _as_lines(rows: Iterable[BulkRow]) -> bytes:
    """Return JSON lines; a byte of a file's name that is no UTF-8 is an escape such as `\\udcff`."""
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows).encode(errors=UNENCODABLE)


def _as_parquet(rows: Iterable[BulkRow]) -> bytes:
    import pyarrow as pa  # an extra  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    types = {"id": pa.string(), "text": pa.string(), "confidence": pa.float64(), "error": pa.string()}
    named = [{**asdict(row), "id": row.id.encode(errors=UNENCODABLE).decode()} for row in rows]
    table = pa.Table.from_pylist(named, schema=pa.schema(types))
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


ENCODERS: dict[str, Callable[[Iterable[BulkRow]], bytes]] = {"jsonl": _as_lines, "parquet": _as_parquet}
