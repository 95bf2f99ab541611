"""The sources of the line detector's pages: drawn ones, and labelled ones in the layout of `data.pages`."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from legible.config.detector import Completeness
from legible.data.page_index import INDEX, index_rows
from legible.data.pages import splits_of
from legible.detection.geometry import LineShape
from legible.errors import DataError
from legible.files import parse_row
from legible.synth.pages.sheet import DrawnPage
from legible.training.detector_truth import TruePage
from legible.untrusted_files import decode_text

WORD_GAP = 1.1
"""Heights between two words of a row from which they belong to two lines."""
RAGGED = 0.08
"""The distance of a hand-made polygon from the ink on either side, as a fraction of the polygon's height."""


@dataclass(frozen=True)
class LabelledPage:
    """A page as its file's bytes, which take a tenth of the memory, and its row in the index."""

    name: str
    content: bytes
    row: Mapping[str, Any]
    lists: Completeness

    def opened(self) -> TruePage:
        image = np.asarray(Image.open(io.BytesIO(self.content)).convert("L"))
        shapes = lines_of(self.row)
        upright = tuple(shape for shape in shapes if shape.height <= shape.length * 1.5)
        on_side = tuple(shape.polygon for shape in shapes if shape.height > shape.length * 1.5)
        corners = np.array(self.row["corners"], float) if "corners" in self.row else None
        complete = self.lists == "all" or bool(self.row.get("complete"))
        polygons = any("polygon" in one for one in self.row.get("lines", ()))
        return TruePage(image, upright, on_side, corners, complete=complete, measured=not polygons)


def true_page(page: DrawnPage) -> TruePage:
    return TruePage(page.image, tuple(line.shape for line in page.lines), page.ignored, page.corners)


def labelled_pages(archive: Path, *, lists: Completeness, splits: Sequence[str], name: str = "") -> list[LabelledPage]:
    """Return the pages of an archive that belong to the splits. Raise DataError where it has no index."""
    with tarfile.open(archive) as tar:
        try:
            index = decode_text(_read(tar, INDEX), f"{archive}: {INDEX}")
            rows = [parse_row(row) for _, row in index_rows(index)]
        except KeyError as error:
            raise DataError(f"{archive}: no {INDEX} in it; write one with a row for each page") from error
        held = splits_of(name or archive.stem, [PurePosixPath(row["image"]).stem for row in rows])
        kept = [row for row in rows if held[PurePosixPath(row["image"]).stem] in splits]
        return [LabelledPage(row["image"], _read(tar, row["image"]), row, lists) for row in kept]


def lines_of(row: Mapping[str, Any]) -> list[LineShape]:
    """Return the shapes of the lines of an index row, words joined to lines."""
    if "words" in row:
        return joined_words([tuple(word["box"]) for word in row["words"]])
    return [_shape(line) for line in row.get("lines", ())]


def joined_words(boxes: Sequence[tuple[float, float, float, float]]) -> list[LineShape]:
    """Return the lines of words that follow each other in a row, no further apart than words of a line are."""
    rest = sorted(boxes, key=lambda box: box[0])
    lines = []
    while rest:
        line = [rest.pop(0)]
        while (following := _following(line[-1], rest)) is not None:
            rest.remove(following)
            line.append(following)
        left, top, right, bottom = np.array(line).T
        lines.append(LineShape.from_box(left[0], float(top.min()), right.max(), float(bottom.max())))
    return lines


def _following(
    word: tuple[float, float, float, float], rest: Sequence[tuple[float, float, float, float]]
) -> tuple[float, float, float, float] | None:
    high = word[3] - word[1]
    near = [
        box
        for box in rest
        if -0.5 * high < box[0] - word[2] < WORD_GAP * high
        and min(box[3], word[3]) - max(box[1], word[1]) > 0.5 * min(high, box[3] - box[1])
        and 0.5 < (box[3] - box[1]) / high < 2  # noqa: PLR2004
    ]
    return min(near, key=lambda box: box[0], default=None)


def _shape(line: Mapping[str, Any]) -> LineShape:
    polygon = line.get("polygon")
    if not polygon or len(polygon) < 4:  # noqa: PLR2004
        return LineShape.from_box(*line["box"])
    return LineShape.from_polygon(np.array(polygon, float)).padded(-RAGGED)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()
