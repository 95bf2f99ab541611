"""The alphabet of pen paths: how the centre line of each character runs, in several shapes, drawn for this project."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from legible.arrays import Flags
from legible.errors import DataError

Points = npt.NDArray[np.float32]

COMMENT = "//"
PEN_PATHS = "pen paths"
"""The name of the styles that draw with pen paths."""


@dataclass(frozen=True)
class Shape:
    """One way to write a character: all its strokes in one row of points; y goes up, and the x-height is 1."""

    character: str
    is_cursive: bool
    """Whether its first stroke comes from and goes to its neighbours."""
    points: Points
    """The points (n, 2) of all strokes."""
    starts: Flags
    """Whether the pen comes down at a point, (n,)."""
    corners: Flags
    """Whether the path turns sharply at a point, (n,)."""

    @cached_property
    def body(self) -> tuple[float, float]:
        """The smallest and greatest x; for small letters without tails, which reach under their neighbours."""
        x, y = self.points.T
        within = (y > -0.1) & (y < 1.1) & self.character.islower()  # noqa: PLR2004
        x = x[within] if within.any() else x
        return float(x.min()), float(x.max())

    @cached_property
    def main_end(self) -> int:
        """The number of points of the first stroke."""
        following = np.flatnonzero(self.starts)[1:]
        return int(following[0]) if following.size else len(self.points)


@lru_cache(maxsize=1)
def load_alphabet() -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of each character, as `alphabet.txt` lists them."""
    text = (files("legible.synth") / "alphabet.txt").read_text(encoding="utf-8")
    shapes: dict[str, tuple[Shape, ...]] = {}
    for line in text.splitlines():
        if line and not line.startswith(COMMENT):
            shape = parse_shape(line)
            shapes[shape.character] = (*shapes.get(shape.character, ()), shape)
    return shapes


def parse_shape(line: str) -> Shape:
    """Parse a line: `v p .03,1 .34,0! .66,1` -> a printed v of one stroke with a corner at its foot.

    Raise DataError.
    """
    character, kind, *rest = line.split()
    strokes = [stroke.split() for stroke in " ".join(rest).split(";")]
    try:
        rows = [tuple(float(n) for n in point.rstrip("!").split(",")) for stroke in strokes for point in stroke]
        points = np.array(rows, np.float32).reshape(len(rows), 2)
    except ValueError as error:
        raise DataError(f"{line!r} is no pen path: points are x,y or x,y!") from error
    starts = [place == 0 for stroke in strokes for place in range(len(stroke))]
    corners = [point.endswith("!") for stroke in strokes for point in stroke]
    return Shape(character, kind == "c", points, np.array(starts), np.array(corners))
