"""The output of the line detector, and its units, for its network, its training and its use alike."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage

STRIDE = 4
"""The pixels of the input, in each direction, of one cell of the maps."""
MULTIPLE = 32
"""Both sides of the network's input are multiples of this."""
HEIGHT_UNIT = 16.0
"""The pixels of the input that a 1 in the maps of heights stands for."""

Map = npt.NDArray[np.float32]
"""A map (H / STRIDE, W / STRIDE)."""


@dataclass(frozen=True)
class PageMaps:
    """The network's answer for each cell of a page.

    core: whether the middle of a line runs through it. gap: whether it is between two cells of a row. sheet: whether it
    is on the paper. above and below: its distance to the upper and lower edge of its line, in pixels of the input.
    """

    core: Map
    gap: Map
    sheet: Map
    above: Map
    below: Map


class Detector(Protocol):
    """Anything that gives the maps of a grey page (H, W)."""

    def maps(self, image: GreyImage) -> PageMaps:
        """Return the maps of a page whose text is scaled to what the network knows."""
