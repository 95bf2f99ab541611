"""The idx format of MNIST and its relatives: big-endian arrays, gz or not."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.errors import DataError
from legible.untrusted_files import MAX_ARRAY_BYTES, read_file, read_gzip

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The type of the array by the third byte of the file (LeCun, Cortes, Burges: THE MNIST DATABASE, file formats)."""


def read_idx(path: Path) -> npt.NDArray[Any]:
    """Read the array of a file. Raise DataError for a file that is damaged or not in the idx format."""
    try:
        read = read_gzip if path.suffix == ".gz" else read_file
        content = read(path, limit=MAX_ARRAY_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:  # noqa: PLR2004
        raise DataError(f"{path}: no idx file; its first bytes are {content[:4].hex() or 'missing'}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{path}: ends within its header; fetch it again")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    kind = np.dtype(TYPES[content[2]])
    if len(content) - start != math.prod(shape) * kind.itemsize:
        raise DataError(f"{path}: {len(content) - start} bytes where {shape} of {kind.name} stands; fetch it again")
    return np.frombuffer(content, kind, offset=start).reshape(shape)
