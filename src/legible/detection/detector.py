"""The line detector as it is served: from a grey page to maps at a quarter of its size. LiteRT, never Keras."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.arrays import GreyImage
from legible.detection.maps import HEIGHT_UNIT, MULTIPLE, STRIDE, Map, PageMaps
from legible.errors import BundleError

MAX_PIXELS_AT_ONCE = 2_000_000
"""A page with more pixels goes through the network in bands: it takes 30 MiB for a million pixels."""
MAX_COLUMNS = 8192
"""A wider page goes through it in parts side by side too: a band of 40,000 columns alone took a gigabyte."""
OVERLAP = 128
"""The pixels of a page that a part sees on each side of its own, a multiple of MULTIPLE."""
MODEL_FAULTS = (ValueError, RuntimeError, KeyError, IndexError, TypeError)
"""What LiteRT raises for no model, and what a model of another kind makes of a page."""


class LineDetector:
    """The detector in a LiteRT model; safe to call from several threads.

    model: its file, which may be replaced afterwards, or its content. Raise BundleError for what finds no lines.
    """

    def __init__(self, model: Path | bytes) -> None:
        if isinstance(model, Path) and not model.is_file():
            raise BundleError(f"{model}: no line detector here; take a bundle that has one, or train one")
        self._model = model if isinstance(model, bytes) else model.read_bytes()
        self._threads = threading.local()
        try:
            self.maps(np.full((MULTIPLE, MULTIPLE), 255, np.uint8))
        except MODEL_FAULTS as error:
            name = model if isinstance(model, Path) else "the detector of the bundle"
            raise BundleError(f"{name}: damaged, or no model that finds lines ({error}); take another") from error

    def maps(self, image: GreyImage) -> PageMaps:
        """Return the maps of a page (H, W), as many cells as it fills."""
        columns = [self._columns(image[:, seen], kept) for seen, kept in _parts(image.shape[1], MAX_COLUMNS)]
        return PageMaps(*(np.concatenate(found, axis=1) for found in zip(*columns, strict=True)))

    def _columns(self, image: GreyImage, kept: slice) -> list[Map]:
        """Return the maps of a part of a page, and of its columns of cells those that are `kept`."""
        bands = [self._maps(image[seen], rows) for seen, rows in _bands(*image.shape)]
        return [np.concatenate(found)[:, kept] for found in zip(*bands, strict=True)]

    def _maps(self, image: GreyImage, kept: slice) -> tuple[Map, ...]:
        """Return the maps of a band of a page, and of its rows of cells those that are `kept`."""
        output: dict[str, Any] = self._runner()(image=network_input(image)[None, :, :, None])
        across = -(-image.shape[1] // STRIDE)
        core, gap, sheet = np.moveaxis(output["probabilities"][0, kept, :across], -1, 0)
        above, below = np.moveaxis(output["heights"][0, kept, :across] * HEIGHT_UNIT, -1, 0)
        return core, gap, sheet, above, below

    def _runner(self) -> Any:
        if not hasattr(self._threads, "runner"):
            self._threads.runner = Interpreter(model_content=self._model, num_threads=1).get_signature_runner()
        return self._threads.runner


def _bands(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of a page that the network sees at once, and which of their rows of cells are the band's own."""
    fits = rows * columns <= MAX_PIXELS_AT_ONCE
    yield from _parts(rows, rows if fits else max(MAX_PIXELS_AT_ONCE // columns, 4 * OVERLAP))


def _parts(length: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Yield what is seen at once of a side of a page, and which of its cells are the part's own.

    A part is seen with OVERLAP on both sides, unless what it has of its own is all there is.
    """
    fitting = at_once - 2 * OVERLAP
    own = max(fitting - fitting % MULTIPLE, 2 * OVERLAP)
    if length <= at_once or own >= length:
        own = length
    for start in range(0, length, own):
        stop = min(start + own, length)
        first, last = max(start - OVERLAP, 0), min(stop + OVERLAP, length)
        yield np.s_[first:last], np.s_[(start - first) // STRIDE : -(-(stop - first) // STRIDE)]


def network_input(image: GreyImage) -> npt.NDArray[np.float32]:
    """Return the network's input: ink 1 on paper 0, padded with paper to whole multiples, (H, W) -> (H', W')."""
    rows, columns = image.shape
    down, across = -rows % MULTIPLE, -columns % MULTIPLE
    filled = cv2.copyMakeBorder(255 - image, 0, down, 0, across, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(filled, np.float32) / np.float32(255)
