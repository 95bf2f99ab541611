"""The reliability diagram (Niculescu-Mizil and Caruana 2005): of the readings with a given confidence, how many are
right.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from legible.evaluation.results import Result
from legible.scores import BINS

SIDE = 360
MARGIN = 48
MIN_RESULTS = 200
"""With fewer results a diagram of ten bins says nothing."""
COLOURS = ("#1f5fa8", "#b3261e", "#2e7d32", "#6a3d9a", "#8a5a00", "#00707a", "#444444", "#c2185b")


def draw_reliability(path: Path, slices: Mapping[str, Sequence[Result]]) -> None:
    """Draw an SVG with a line for each slice of enough results; on the diagonal confidence means what it says."""
    enough = {name: own for name, own in slices.items() if len(own) >= MIN_RESULTS}
    parts = [_axes()]
    for number, (name, own) in enumerate(enough.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = " ".join(f"{_x(given):.1f},{_y(right):.1f}" for given, right in reliability(own))
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(MARGIN + SIDE + 12, MARGIN + 16 * number + 12, name, fill=colour, anchor="start"))
    size = f'width="{SIDE + 2 * MARGIN + 220}" height="{SIDE + 2 * MARGIN}"'
    style = 'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12"'
    content = "\n".join([f'<svg {style} {size}><rect {size} fill="white"/>', *parts, "</svg>"])
    path.write_text(content + "\n", encoding="utf-8")


def reliability(results: Sequence[Result]) -> list[tuple[float, float]]:
    """Return mean confidence and fraction of right readings of bins of equal mass, by rising confidence."""
    rising = sorted(results, key=lambda result: result.confidence)
    bins = np.array_split(np.array([(one.confidence, one.right) for one in rising], np.float64), BINS)
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in bins if len(part)]


def _axes() -> str:
    box = f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>'
    diagonal = f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#999" stroke-dasharray="4 4"/>'
    ticks = [_text(_x(tick / 5), _y(0) + 16, f"{tick / 5:.1f}") for tick in range(6)]
    ticks += [_text(MARGIN - 6, _y(tick / 5) + 4, f"{tick / 5:.1f}", anchor="end") for tick in range(6)]
    names = [
        _text(_x(0.5), _y(0) + 36, "confidence"),
        _text(_x(0.5), MARGIN - 14, "share of readings that are right"),
    ]
    return "\n".join([box, diagonal, *ticks, *names])


def _text(x: float, y: float, said: str, *, fill: str = "#333", anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{said}</text>'


def _x(value: float) -> float:
    return MARGIN + SIDE * value


def _y(value: float) -> float:
    return MARGIN + SIDE * (1 - value)
