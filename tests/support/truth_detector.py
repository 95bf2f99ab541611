"""A detector that knows the lines: it answers with the maps that the network would be taught for them."""

import cv2
import numpy as np

from legible.detection.geometry import LineShape, scaling
from legible.detection.maps import HEIGHT_UNIT, STRIDE, PageMaps
from legible.training.detector_truth import TruePage, truth_maps


class TruthDetector:
    """Answers for a page of a width that holds these lines, at whatever scale it is shown; the page is all sheet."""

    def __init__(self, *lines: LineShape, width: int, blurred: bool = False) -> None:
        self.lines = lines
        self.width = width
        self.blurred = blurred
        self.factors: list[float] = []

    def maps(self, image: np.ndarray) -> PageMaps:
        factor = image.shape[1] / self.width
        self.factors.append(factor)
        rows, columns = (side // STRIDE * STRIDE for side in image.shape)
        page = TruePage(image, self.lines)
        core, gap, sheet, above, below, *_ = np.moveaxis(
            truth_maps(page, scaling(factor), shape=(rows, columns)), -1, 0
        )
        if self.blurred:
            core = cv2.GaussianBlur(core, (0, 0), 0.8)
        return PageMaps(core, gap, np.ones_like(sheet), above * HEIGHT_UNIT, below * HEIGHT_UNIT)
