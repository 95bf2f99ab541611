"""Types of arrays that many modules use."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
GreyImage = npt.NDArray[np.uint8]
"""A picture (H, W), 0 black to 255 white."""
Coverage = npt.NDArray[np.float32]
"""How much of each pixel (H, W) is covered by ink, 0 to 1."""
Light = npt.NDArray[np.float32]
"""The light that falls on each pixel (H, W); 1 leaves it as it is."""
Matrix = npt.NDArray[np.float64]
"""A transform of points in homogeneous coordinates (3, 3), or its first two rows."""
