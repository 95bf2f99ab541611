"""A picture of the worst errors: image, truth, reading, and confidence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from legible.arrays import GreyImage
from legible.evaluation.results import Result
from legible.image.contact_sheet import Cell, draw_sheet
from legible.reading import Reading


class Shown(Protocol):
    """The fields of a case that the picture needs."""

    @property
    def image(self) -> GreyImage: ...
    @property
    def text(self) -> str: ...


def draw_worst(
    path: Path, cases: Sequence[Shown], readings: Sequence[Reading], results: Sequence[Result], *, count: int
) -> None:
    """Draw the wrong readings with the highest confidence, three in a row."""
    wrong = [place for place, result in enumerate(results) if not result.right]
    chosen = sorted(wrong, key=lambda place: -results[place].confidence)[:count]
    cells = [_cell(cases[place], readings[place]) for place in chosen]
    draw_sheet(path, cells, columns=3, picture=(400, 48))


def _cell(case: Shown, reading: Reading) -> Cell:
    return Cell(case.image, (f"is    {case.text}", f"read {reading.text}  {reading.confidence:.2f}"))
