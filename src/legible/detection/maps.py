"""What the line detector answers with, and in which units: agreed between its network, its training and its use."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from legible.image.decode import GreyImage

STRIDE = 4
"""Pixels of the input, each way, that make one cell of the maps."""
MULTIPLE = 32
"""Both sides of the network's input are multiples of this."""
HEIGHT_UNIT = 16.0
"""Pixels of the input that a value of 1 in the maps of heights stands for."""

Map = npt.NDArray[np.float32]
"""(H / STRIDE, W / STRIDE)"""


@dataclass(frozen=True)
class PageMaps:
    """What the network says of each cell of a page.

    core: whether the middle of a line runs through it. gap: whether it lies between two cells of a row. sheet: whether
    it lies on the paper. above and below: from it to the upper and lower edge of its line, in pixels of the input.
    """

    core: Map
    gap: Map
    sheet: Map
    above: Map
    below: Map


class Detector(Protocol):
    """Whatever answers with the maps of a grey page (H, W)."""

    def maps(self, image: GreyImage) -> PageMaps:
        """Return the maps of a page whose text is scaled to what the network knows."""
