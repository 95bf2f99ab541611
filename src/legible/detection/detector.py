"""The line detector as it is served: from a grey page to maps at a quarter of its size. LiteRT, never Keras."""

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.arrays import GreyImage
from legible.detection.maps import HEIGHT_UNIT, MULTIPLE, STRIDE, PageMaps
from legible.errors import BundleError


class LineDetector:
    """The detector in a LiteRT model; safe to call from several threads."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise BundleError(f"{model}: no line detector here; take a bundle that has one, or train one")
        self._model = model
        self._threads = threading.local()

    def maps(self, image: GreyImage) -> PageMaps:
        """Return the maps of a page (H, W), as many cells as it fills."""
        rows, columns = image.shape
        output: dict[str, Any] = self._runner()(image=network_input(image)[None, :, :, None])
        down, across = -(-rows // STRIDE), -(-columns // STRIDE)
        core, gap, sheet = np.moveaxis(output["probabilities"][0, :down, :across], -1, 0)
        above, below = np.moveaxis(output["heights"][0, :down, :across] * HEIGHT_UNIT, -1, 0)
        return PageMaps(core, gap, sheet, above, below)

    def _runner(self) -> Any:
        if not hasattr(self._threads, "runner"):
            self._threads.runner = Interpreter(str(self._model), num_threads=1).get_signature_runner()
        return self._threads.runner


def network_input(image: GreyImage) -> npt.NDArray[np.float32]:
    """Return the network's input: ink 1 on paper 0, padded with paper to whole multiples, (H, W) -> (H', W')."""
    rows, columns = image.shape
    down, across = -rows % MULTIPLE, -columns % MULTIPLE
    filled = cv2.copyMakeBorder(255 - image, 0, down, 0, across, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(filled, np.float32) / np.float32(255)
