"""Numbers that a file states: finite and within their bounds, or ValueError with the name, the value and the bounds."""

from collections.abc import Sequence

import numpy as np

from legible.arrays import Floats

LARGE = 1e100
"""No number is greater: squares and sums of such numbers are finite. A fit of what can be told apart for certain may
have weights of 1e13.
"""


def finite_number(value: object, name: str, *, low: float = -LARGE, high: float = LARGE) -> float:
    """Return a number between bounds, these included. Raise ValueError for anything else, also NaN and `true`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r:.40}, and no number from {low:g} to {high:g}")
    return float(value)


def whole_number(value: object, name: str, *, low: int, high: int = 10**12) -> int:
    """Return a whole number between bounds, these included. Raise ValueError for anything else, also 2.0."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r:.40}, and no whole number from {low} to {high}")
    return value


def finite_array(value: object, name: str, *, shape: Sequence[int]) -> Floats:
    """Return an array of finite numbers; -1 in its shape is any length. Raise ValueError for anything else."""
    made = np.asarray(value)
    is_shaped = made.ndim == len(shape) and all(n in (-1, m) for n, m in zip(shape, made.shape, strict=True))
    if not is_shaped or made.dtype.kind not in "iuf" or not np.all(np.abs(made) <= LARGE):
        raise ValueError(f"{name} is no array {tuple(shape)} of finite numbers")
    return made.astype(np.float64)
