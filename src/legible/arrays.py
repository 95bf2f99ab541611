"""Types of arrays that many modules use."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
