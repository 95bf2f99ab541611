"""The file of an hour's summary: arrays of numpy without pickle, and a header in JSON."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.drift.documents import BUCKETS, DocumentCounts
from legible.drift.hourly import HourSummary
from legible.drift.rank_counts import RankCounts
from legible.drift.reference import EDGES, Reference
from legible.drift.summary import Summary
from legible.errors import DataError
from legible.files import DAMAGE

FORMAT_VERSION = 2
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
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["version"] != FORMAT_VERSION:
                raise DataError(
                    f"{name}: summary format {header['version']} is not {FORMAT_VERSION}; run legible compact again "
                    "where the observations are still there, or install the legible that wrote it"
                )
            return _hour(header, {key: arrays[key] for key in arrays.files if key != "header"}, reference)
    except (*DAMAGE, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: damaged summary ({error}); delete it and run legible compact again") from error


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
    hour = HourSummary(reference, left_out=header["left_out"], files=header["files"])
    for place, told in enumerate(header["cells"]):
        cell = _cell(told, {name: array[place] for name, array in arrays.items()}, reference)
        if told["channel"] is None:
            hour.rest = cell
        else:
            cell.channels[told["channel"]] = cell.counts
            hour.channels[told["channel"]] = cell
    return hour


def _cell(told: dict[str, Any], arrays: dict[str, Integers], reference: Reference) -> Summary:
    if arrays["below"].shape != (len(reference.quantiles), len(EDGES)):
        raise ValueError(f"of {len(arrays['below'])} signals, and the reference has {len(reference.quantiles)}")
    images = DocumentCounts(reference.block, told["images"], told["unnamed"], arrays["documents"])
    unusual = DocumentCounts(1, told["unusual_images"], told["unusual_unnamed"], arrays["unusual"])
    cell = Summary.empty(reference)
    readings = DocumentCounts(reference.block, told["readings"], told["readings_unnamed"], arrays["readings"])
    counts = RankCounts.of_none(tuple(reference.quantiles), block=reference.block)
    counts.below, counts.rank_sums = arrays["below"], arrays["rank_sums"]
    counts.documents, counts.readings, counts.unusual, counts.images = images, readings, unusual, told["images"]
    cell.counts = counts
    cell.corrected, cell.confirmed = told["corrected"], told["confirmed"]
    cell.confidence_sum, cell.doubt_sum = told["confidence_sum"], told["doubt_sum"]
    cell.unusual = [(score, reading_id) for score, reading_id in told["unusual"]]
    return cell
