"""Weights written to a disk that may be full: an error that says so, where HDF5 would end the process."""

from pathlib import Path
from typing import Any

import numpy as np

NUMBER_BYTES = 4
"""The bytes of a weight; the few larger numbers fit into what is counted for each variable."""
BYTES_FOR_EACH = 4096
"""What HDF5 writes beside the numbers of a variable, at most."""


def write_weights(model: Any, path: Path) -> None:
    """Write a model's weights, and its optimizer's, to an HDF5 file. Raise OSError where there is no room for them.

    The room is taken first: HDF5 that finds none while it closes a file ends the process with a segmentation fault.
    """
    try:
        path.write_bytes(bytes(room_for(model)))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, f"{error.strerror}; make room, and run again", str(path)) from error
    model.save_weights(path)


def room_for(model: Any) -> int:
    """Return the most bytes that a model's file has."""
    own = [*model.variables, *(model.optimizer.variables if getattr(model, "optimizer", None) else ())]
    return sum(int(np.prod(one.shape)) * NUMBER_BYTES + BYTES_FOR_EACH for one in own) + BYTES_FOR_EACH
