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
OVERLAP = 128
"""The pixels of a page that a band sees above and below its own, a multiple of MULTIPLE."""
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
        parts = [self._maps(image[seen], kept) for seen, kept in _bands(*image.shape)]
        return PageMaps(*(np.concatenate(rows) for rows in zip(*parts, strict=True)))

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
    fitting = MAX_PIXELS_AT_ONCE // columns - 2 * OVERLAP
    own = max(fitting - fitting % MULTIPLE, 2 * OVERLAP)
    if rows * columns <= MAX_PIXELS_AT_ONCE or own >= rows:
        own = rows
    for start in range(0, rows, own):
        stop = min(start + own, rows)
        first, last = max(start - OVERLAP, 0), min(stop + OVERLAP, rows)
        yield np.s_[first:last], np.s_[(start - first) // STRIDE : -(-(stop - first) // STRIDE)]


def network_input(image: GreyImage) -> npt.NDArray[np.float32]:
    """Return the network's input: ink 1 on paper 0, padded with paper to whole multiples, (H, W) -> (H', W')."""
    rows, columns = image.shape
    down, across = -rows % MULTIPLE, -columns % MULTIPLE
    filled = cv2.copyMakeBorder(255 - image, 0, down, 0, across, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(filled, np.float32) / np.float32(255)
