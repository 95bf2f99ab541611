"""The plan of a bulk reading, written into its output folder before the first image is read.

Every run of the same output follows the same plan, so that a killed run continues and reads no image twice. One driver
at a time works on an output: it holds `driver.json` and renews it while it runs.
"""

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import legible
from legible.errors import DataError, SettingsError
from legible.file_numbers import whole_number
from legible.scale.blocks import ImageBlock, SourceKind, list_blocks
from legible.stores import UNFINISHED, Store, store_errors, store_of

FORMAT_VERSION = 1
PLAN, DRIVER, REPORT = "plan.jsonl", "driver.json", "report.json"
FOLDER = "folder"
"""The key of the working folder in the first line of a plan."""
FORMATS = ("jsonl", "parquet")
RENEWED_SECONDS = 10.0
ABANDONED_SECONDS = 60.0
"""A driver that has not renewed its file for this long is taken for dead."""


@dataclass(frozen=True)
class BulkJob:
    """All that decides the readings; every worker checks that it would make the same ones."""

    sources: tuple[str, ...]
    bundle: str
    """The id of the bundle."""
    lexicon: str = ""
    format: str = "jsonl"
    legible: str = legible.__version__
    version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SettingsError(f"format is {self.format!r}; known: {', '.join(FORMATS)}")

    def part_name(self, block: int) -> str:
        return f"part-{block:06}.{self.format}"


@dataclass(frozen=True)
class BulkPlan:
    """A job and its blocks."""

    job: BulkJob
    blocks: tuple[ImageBlock, ...]

    def missing(self, output: str) -> list[ImageBlock]:
        """Return the blocks without a part in the output, in order."""
        with store_errors(output):
            there = store_of(output).sizes(output)
        return [block for block in self.blocks if self.job.part_name(block.number) not in there]


def make_plan(job: BulkJob, output: str) -> BulkPlan:
    """Return the plan that is stored in the output, or a new one."""
    store, address = store_of(output), f"{output.rstrip('/')}/{PLAN}"
    with store_errors(output):
        names = _names(store, output) - {DRIVER}
        if PLAN in names:
            return _same_plan(_read_plan(store, address), job, output)
        if names:
            raise DataError(f"{output}: holds {min(names)!r} but no {PLAN}; name an empty folder")
        plan = BulkPlan(job, tuple(list_blocks(job.sources)))
        header = {**asdict(job), FOLDER: _folder_of(job)}
        lines = [json.dumps(header), *(json.dumps(asdict(block)) for block in plan.blocks)]
        store.write(address, "".join(f"{line}\n" for line in lines).encode())
    return plan


def forget_unused_plan(output: str) -> None:
    """Delete a plan that no part was written by, so that a job that could not begin leaves nothing behind."""
    store = store_of(output)
    with store_errors(output):
        if _names(store, output) <= {PLAN, DRIVER}:
            store.remove(f"{output.rstrip('/')}/{PLAN}")


def _names(store: Store, output: str) -> set[str]:
    """Return the names of the files in an output, without what a kill left half written."""
    return {name for name in store.sizes(output) if not name.endswith(UNFINISHED)}


def _read_plan(store: Store, address: str) -> BulkPlan:
    try:
        with store.open(address) as file:
            header, *rows = map(json.loads, file.read().decode().splitlines())
        folder = header.pop(FOLDER, "")
        job = BulkJob(**{**header, "sources": tuple(header["sources"])})
        _check_folder(folder, job)
        return BulkPlan(job, tuple(_block(row, number) for number, row in enumerate(rows)))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{address}: damaged, or of another legible ({error}); name another output") from error


def _folder_of(job: BulkJob) -> str:
    """Return the working folder where sources are relative to it, else an empty text."""
    relative = [source for source in job.sources if "://" not in source and not Path(source).is_absolute()]
    return str(Path.cwd()) if relative else ""


def _check_folder(folder: str, job: BulkJob) -> None:
    """Raise DataError where the plan's relative sources would be others here. Earlier plans state no folder."""
    if folder and folder != _folder_of(job):
        raise DataError(f"begun in the folder {folder}, to which its sources are relative; run it there")


def _block(row: dict[str, Any], place: int) -> ImageBlock:
    """Return the block at a place of a plan, which is its number. Raise ValueError or TypeError for what is none."""
    number = whole_number(row["number"], "number", low=place, high=place)
    if row["kind"] not in get_args(SourceKind) or not isinstance(row["source"], str):
        raise ValueError(f"block {number} is of no kind, or of no source")
    members = tuple(
        (str(name), whole_number(start, "start", low=0), whole_number(size, "size", low=0))
        for name, start, size in row["members"]
    )
    if row["kind"] == "parquet" and len(members) != 1:
        raise ValueError(f"block {number} is not of one row group")
    return ImageBlock(number, row["kind"], row["source"], members)


def _same_plan(plan: BulkPlan, job: BulkJob, output: str) -> BulkPlan:
    before, now = asdict(plan.job), asdict(job)
    for name in before:
        if before[name] != now[name]:
            raise DataError(f"{output}: begun with {name} {before[name]!r}, not {now[name]!r}; name another output")
    return plan


@contextmanager
def only_driver(output: str) -> Iterator[None]:
    """Hold an output while the block runs. Raise DataError while another driver holds it."""
    store, address = store_of(output), f"{output.rstrip('/')}/{DRIVER}"
    own = json.dumps({"host": socket.gethostname(), "process": os.getpid()}).encode()
    with store_errors(output):
        if not store.create(address, own):
            _take_over(store, address, output)
            store.write(address, own)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(store, address, own, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with store_errors(output):
            store.remove(address)


def _take_over(store: Store, address: str, output: str) -> None:
    """Raise DataError where the driver that holds an output may be alive."""
    age = store.age_seconds(address)
    if age is not None and age < ABANDONED_SECONDS and not _is_dead(store, address):
        raise DataError(
            f"{output}: another driver wrote there {age:.0f} s ago; let it end, or wait until it has been silent for "
            f"{ABANDONED_SECONDS:.0f} s"
        )


def _is_dead(store: Store, address: str) -> bool:
    """Return whether the driver was a process of this machine that is no more."""
    try:
        with store.open(address) as file:
            held = json.load(file)
        if held["host"] != socket.gethostname():
            return False
        os.kill(int(held["process"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return False
    return False


def _renew(store: Store, address: str, own: bytes, ended: threading.Event) -> None:
    while not ended.wait(RENEWED_SECONDS):
        with suppress(DataError), store_errors(address):  # the next part that is written says so
            store.write(address, own)


def plan_images(blocks: Sequence[ImageBlock]) -> int:
    return sum(block.images for block in blocks)
