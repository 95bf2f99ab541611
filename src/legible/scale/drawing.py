"""Stage `generate` on a Ray cluster: the same samples, byte for byte, drawn by its cores and written here."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from legible.scale.cluster import RayPool
from legible.synth.determinism import NUMPY_WITHOUT, draw_plainly, plain_numpy
from legible.synth.samples import Drawn, Job, draw_chunk

Result = TypeVar("Result")


class RayDrawing:
    """Draws chunks of samples on a cluster, in place of processes of this machine."""

    def __init__(self, address: str) -> None:
        with plain_numpy():
            self._pool = RayPool(address, environment={NUMPY_WITHOUT: os.environ[NUMPY_WITHOUT]})

    def draw(self, job: Job, ranges: Iterable[tuple[int, int]]) -> Iterator[list[Drawn]]:
        """Yield the samples of each range, in order."""
        kept = self._pool.keep(job)
        return self._pool.map(_draw, ((kept, start, end) for start, end in ranges))


def _draw(job: Any, start: int, end: int) -> list[Drawn]:
    draw_plainly()
    return draw_chunk(job, start, end)
