"""The file of an hour's summary: arrays of numpy without pickle, and a header in JSON."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.drift.documents import BUCKETS, DocumentCounts
from legible.drift.hourly import HourSummary
from legible.drift.reference import EDGES, Reference
from legible.drift.summary import Summary
from legible.errors import DataError
from legible.file_numbers import finite_number, whole_number
from legible.files import DAMAGE
from legible.observations.window import WindowTally

FORMAT_VERSION = 2
MAX_UNPACKED_BYTES = 200_000_000
"""What a summary unpacks to at most; one of a hundred channels has 25 million bytes."""
MAX_COUNT = 2**60
"""No count or sum of an hour is larger; some of them add up to what 64 bits hold."""
REASONS = frozenset(one.name for one in fields(WindowTally))
NUMBERS = (
    "images", "unnamed", "readings", "readings_unnamed", "unusual_images", "unusual_unnamed", "corrected", "confirmed",
    "confidence_sum", "doubt_sum",
)  # fmt: skip
REFERENCE_FILES = ("reference.json", "drift.json")
Integers = npt.NDArray[np.int64]


def reference_digest(folder: Path) -> str:
    """Return what names the reference of a bundle's or baseline's folder: twelve digits of its files' digest."""
    content = b"".join((folder / name).read_bytes() for name in REFERENCE_FILES)
    return hashlib.sha256(content).hexdigest()[:12]


def to_bytes(hour: HourSummary) -> bytes:
    """Return the content of a file."""
    cells = [cell for _, cell in hour.cells()]
    header = {
        "version": FORMAT_VERSION,
        "cells": [{"channel": name, **_told(cell)} for name, cell in hour.cells()],
        "left_out": hour.left_out,
        "files": hour.files,
    }
    signals = len(hour.reference.quantiles)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        below=_stacked([cell.counts.below for cell in cells], (signals, len(EDGES))),
        rank_sums=_stacked([cell.counts.rank_sums for cell in cells], (signals,)),
        documents=_stacked([cell.counts.documents.counts for cell in cells], (BUCKETS,)),
        readings=_stacked([cell.counts.readings.counts for cell in cells], (BUCKETS,)),
        unusual=_stacked([cell.counts.unusual.counts for cell in cells], (BUCKETS,)),
    )
    return buffer.getvalue()


def of_bytes(content: bytes, reference: Reference, *, name: str) -> HourSummary:
    """Return the summary of a file's content. Raise DataError, with the file's name, for damage and other formats."""
    try:
        _check_size(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["version"] != FORMAT_VERSION:
                raise DataError(
                    f"{name}: summary format {header['version']} is not {FORMAT_VERSION}; run legible compact again "
                    "where the observations are still there, or install the legible that wrote it"
                )
            return _hour(header, {key: arrays[key] for key in arrays.files if key != "header"}, reference)
    except (*DAMAGE, OSError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: damaged summary ({error}); delete it and run legible compact again") from error


def _check_size(content: bytes) -> None:
    """Raise ValueError for a file that unpacks to more than a summary of all channels could have."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(one.file_size for one in archive.infolist()) > MAX_UNPACKED_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")


def _told(cell: Summary) -> dict[str, Any]:
    """Return what a summary holds beside arrays."""
    counts = cell.counts
    return {
        "images": counts.images,
        "unnamed": counts.documents.unnamed,
        "readings": counts.readings.images,
        "readings_unnamed": counts.readings.unnamed,
        "unusual_images": counts.unusual.images,
        "unusual_unnamed": counts.unusual.unnamed,
        "corrected": cell.corrected,
        "confirmed": cell.confirmed,
        "confidence_sum": cell.confidence_sum,
        "doubt_sum": cell.doubt_sum,
        "unusual": cell.unusual,
    }


def _stacked(arrays: Sequence[Integers], shape: tuple[int, ...]) -> Integers:
    return np.stack(arrays) if arrays else np.zeros((0, *shape), np.int64)


def _hour(header: dict[str, Any], arrays: dict[str, Integers], reference: Reference) -> HourSummary:
    cells, signals = header["cells"], len(reference.quantiles)
    if not isinstance(cells, list):
        raise TypeError("cells is no list")
    shapes = {"below": (signals, len(EDGES)), "rank_sums": (signals,)}
    counts = {
        name: _counted(arrays[name], name, shape=(len(cells), *shapes.get(name, (BUCKETS,))))
        for name in (*shapes, "documents", "readings", "unusual")
    }
    if unknown := sorted(header["left_out"].keys() - REASONS):
        raise ValueError(f"left_out has {unknown[0]!r}")
    left_out = {name: whole_number(header["left_out"][name], name, low=0) for name in header["left_out"]}
    files = {name: whole_number(header["files"][name], name, low=0) for name in header["files"]}
    hour = HourSummary(reference, left_out=left_out, files=files)
    for place, told in enumerate(cells):
        cell = _cell(told, {name: array[place] for name, array in counts.items()}, reference)
        if told["channel"] is None:
            hour.rest = cell
        elif isinstance(told["channel"], str):
            cell.channels[told["channel"]] = cell.counts
            hour.channels[told["channel"]] = cell
        else:
            raise TypeError("channel is no name")
    return hour


def _counted(array: Integers, name: str, *, shape: tuple[int, ...]) -> Integers:
    """Return an array of counts. Raise ValueError for one of another shape or kind, or with what is no count."""
    if array.shape != shape or array.dtype != np.int64:
        raise ValueError(f"{name} is {array.dtype} of {array.shape}, and no int64 of {shape}: of another reference?")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) <= MAX_COUNT:
        raise ValueError(f"{name} holds what is no count")
    return array


def _cell(told: dict[str, Any], arrays: dict[str, Integers], reference: Reference) -> Summary:
    number = {name: whole_number(told[name], name, low=0, high=MAX_COUNT) for name in NUMBERS}
    images = DocumentCounts(reference.block, number["images"], number["unnamed"], arrays["documents"])
    unusual = DocumentCounts(1, number["unusual_images"], number["unusual_unnamed"], arrays["unusual"])
    readings = DocumentCounts(reference.block, number["readings"], number["readings_unnamed"], arrays["readings"])
    for one in (images, unusual, readings):
        if one.images > images.images or one.unnamed + int(one.counts.sum()) != one.images:
            raise ValueError("its images do not add up")
    if arrays["below"].size and arrays["below"].max() > images.images:
        raise ValueError("below counts more images than there are")
    cell = Summary.empty(reference)
    counts = cell.counts
    counts.below, counts.rank_sums = arrays["below"], arrays["rank_sums"]
    counts.documents, counts.readings, counts.unusual, counts.images = images, readings, unusual, images.images
    cell.corrected, cell.confirmed = number["corrected"], number["confirmed"]
    cell.confidence_sum, cell.doubt_sum = number["confidence_sum"], number["doubt_sum"]
    cell.unusual = [(finite_number(score, "unusual"), _named(reading_id)) for score, reading_id in told["unusual"]]
    return cell


def _named(reading_id: object) -> str:
    if not isinstance(reading_id, str):
        raise TypeError("a reading id is no text")
    return reading_id
