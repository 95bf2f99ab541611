"""A sheet as a scanner, a fax or a camera sees it; its lines move along, and in a photograph its corners; a
scan is all sheet.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.detection.geometry import LineShape, PagePoints, homography, moved_points, rotation
from legible.synth.pages.materials import chance
from legible.synth.pages.sheet import DrawnLine, DrawnPage, Rng
from legible.synth.paper import smooth_noise

CURVE_POINTS = 8
"""The number of points on each edge of a line on bent paper."""
Grey = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PaperBend:
    """Paper that rises and falls along its width: every column shifted down by amplitude * sin(...)."""

    amplitude: float
    cycles: float
    phase: float
    width: int

    def down(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(self.amplitude * np.sin(2 * np.pi * self.cycles * x / self.width + self.phase))


def seen(page: DrawnPage, rng: Rng) -> DrawnPage:
    """Return the page scanned, faxed or photographed, or as it was drawn."""
    kind = rng.random()
    aged = _aged(page, rng)
    if kind < 0.15:  # noqa: PLR2004
        return page
    if kind < 0.6:  # noqa: PLR2004
        return scanned(aged, rng)
    return photographed(aged, rng)


def scanned(page: DrawnPage, rng: Rng) -> DrawnPage:
    """Scan: rotated by a few degrees, sometimes bent at the spine, with specks, a dark rim, or black and white."""
    bent = _bent(page, _bend(page, rng, most=0.012)) if chance(rng, 0.2) else page
    turned = _turned(bent, rng.normal(0, 0.8) if chance(rng, 0.7) else 0.0)
    image = turned.image.astype(np.float32)
    if chance(rng, 0.3):
        image = _rim(image, rng)
    if chance(rng, 0.3):
        image = _binary(image, rng)
    return replace(turned, image=_bytes(image + rng.normal(0, rng.uniform(0, 5), image.shape)))


def photographed(page: DrawnPage, rng: Rng) -> DrawnPage:
    """Photograph on a table, the whole page or a part, in perspective, under uneven light."""
    bent = _bent(page, _bend(page, rng, most=0.03)) if chance(rng, 0.35) else page
    rows, columns = bent.image.shape
    room = rng.uniform(0.0, 0.35, 4) * min(rows, columns) if chance(rng, 0.85) else np.zeros(4)
    width, height = int(columns + room[0] + room[1]), int(rows + room[2] + room[3])
    tilt = rng.uniform(-0.07, 0.07, (4, 2)) * min(rows, columns)
    upright = bent.corners + np.array([room[0], room[2]])
    target = moved_points(upright + tilt, rotation(rng.normal(0, 0.05), center=(width / 2, height / 2)))
    matrix = homography(bent.corners, target)
    table = _table(rng, height, width)
    sheet = cv2.warpPerspective(bent.image, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=255)
    mask = cv2.warpPerspective(np.full((rows, columns), 255, np.uint8), matrix, (width, height))
    covered = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32) / 255
    paper = np.asarray(sheet, np.float32) * rng.uniform(0.75, 1.0)
    image = paper * covered + _shadowed(table, mask, rng) * (1 - covered)
    lit = image * _light(rng, height, width)
    blurred = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 1.2)) if chance(rng, 0.6) else lit
    noisy = blurred + rng.normal(0, rng.uniform(0, 9), blurred.shape)
    lines = tuple(DrawnLine(line.shape.moved(matrix), line.text) for line in bent.lines)
    ignored = tuple(moved_points(polygon, matrix) for polygon in bent.ignored)
    corners = moved_points(bent.corners, matrix)
    return DrawnPage(_bytes(noisy), lines, corners, bent.kind, ignored)


def _aged(page: DrawnPage, rng: Rng) -> DrawnPage:
    """Age: the other side shining through, yellowed or grained paper, faded or spotted ink."""
    image = page.image.astype(np.float32)
    rows, columns = image.shape
    if chance(rng, 0.15):
        other = cv2.GaussianBlur(page.image[:, ::-1], (0, 0), 1.5).astype(np.float32)
        image = np.minimum(image, 255 - (255 - np.roll(other, 37, axis=0)) * rng.uniform(0.05, 0.3))
    if chance(rng, 0.4):
        image *= 1 - rng.uniform(0, 0.25) * smooth_noise(rng, rows, columns, cell=max(rows // 6, 4))
    if chance(rng, 0.3):
        fading = smooth_noise(rng, rows, columns, cell=int(rng.integers(3, 60)))
        image = 255 - (255 - image) * (1 - rng.uniform(0.1, 0.7) * fading)
    if chance(rng, 0.15):
        specks = rng.random(image.shape) < rng.uniform(0.0001, 0.004)
        image[specks] = rng.integers(0, 255)
    return replace(page, image=_bytes(image))


def _bend(page: DrawnPage, rng: Rng, *, most: float) -> PaperBend:
    rows, columns = page.image.shape
    amplitude = rng.uniform(0.2, 1) * most * min(rows, columns)
    return PaperBend(amplitude, rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi), columns)


def _bent(page: DrawnPage, bend: PaperBend) -> DrawnPage:
    rows, columns = page.image.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    shifted = y - bend.down(np.arange(columns, dtype=np.float64)).astype(np.float32)
    image = cv2.remap(page.image, x, shifted, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def moved(points: PagePoints) -> PagePoints:
        return points + np.stack([np.zeros(len(points)), bend.down(points[:, 0])], axis=1)

    lines = tuple(DrawnLine(_through(_sampled(line.shape), moved), line.text) for line in page.lines)
    ignored = tuple(moved(polygon) for polygon in page.ignored)
    return replace(page, image=np.asarray(image), lines=lines, ignored=ignored)


def _through(shape: LineShape, move: Callable[[PagePoints], PagePoints]) -> LineShape:
    return LineShape(move(shape.upper), move(shape.lower))


def _sampled(shape: LineShape) -> LineShape:
    """Return the same straight edges with more points."""
    places = np.linspace(0, 1, CURVE_POINTS)[:, None]
    upper = shape.upper[:1] + places * (shape.upper[-1:] - shape.upper[:1])
    lower = shape.lower[:1] + places * (shape.lower[-1:] - shape.lower[:1])
    return LineShape(upper, lower)


def _turned(page: DrawnPage, degrees: float) -> DrawnPage:
    rows, columns = page.image.shape
    matrix = rotation(np.deg2rad(degrees), center=(columns / 2, rows / 2))
    image = cv2.warpAffine(page.image, matrix[:2], (columns, rows), flags=cv2.INTER_LINEAR, borderValue=255)
    return replace(
        page,
        image=np.asarray(image),
        lines=tuple(DrawnLine(line.shape.moved(matrix), line.text) for line in page.lines),
        ignored=tuple(moved_points(polygon, matrix) for polygon in page.ignored),
    )


def _rim(image: Grey, rng: Rng) -> Grey:
    """Draw dark edges, as of a book or a lid left open."""
    rows, columns = image.shape
    darkened = image.copy()
    grey = float(rng.uniform(0, 120))
    for side in range(4):
        if chance(rng, 0.5):
            wide = int(rng.uniform(0.002, 0.03) * (columns if side < 2 else rows)) + 1  # noqa: PLR2004
            strip = (
                (slice(None), slice(0, wide)),
                (slice(None), slice(columns - wide, None)),
                (slice(0, wide), slice(None)),
                (slice(rows - wide, None), slice(None)),
            )[side]
            darkened[strip] = np.minimum(darkened[strip], grey)
    return darkened


def _binary(image: Grey, rng: Rng) -> Grey:
    """Threshold to black and white, as faxes and old scans do, sometimes at half the resolution."""
    rows, columns = image.shape
    if chance(rng, 0.5):
        image = cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    noisy = image + rng.normal(0, rng.uniform(0, 25), image.shape)
    black = np.where(noisy < rng.uniform(110, 200), 0.0, 255.0).astype(np.float32)
    return np.asarray(cv2.resize(black, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _table(rng: Rng, rows: int, columns: int) -> Grey:
    """Draw what the sheet lies on: plain, grained like wood or cloth, or tiles; usually darker than paper."""
    level = rng.uniform(10, 200)
    cells = (int(rng.integers(2, 9)), int(rng.integers(20, 200)))
    grain = smooth_noise(rng, rows, columns, cell=cells[0]) + smooth_noise(rng, rows, columns, cell=cells[1])
    table = level + rng.uniform(5, 70) * (grain - 1)
    if chance(rng, 0.3):
        table += rng.uniform(5, 25) * np.sin(np.arange(columns) / rng.uniform(3, 30) + 3 * grain)
    if chance(rng, 0.2):
        step = int(rng.integers(60, 300))
        table[::step][:] -= 40
        table[:, ::step] -= 40
    return np.asarray(np.clip(table, 0, 255), np.float32)


def _shadowed(table: Grey, mask: GreyImage, rng: Rng) -> Grey:
    """Return the table, darker where the sheet's shadow falls."""
    if chance(rng, 0.5):
        return table
    reach = int(rng.integers(4, 24))
    shadow = cv2.GaussianBlur(np.roll(mask, reach, axis=(0, 1)), (0, 0), reach / 2).astype(np.float32) / 255
    return np.asarray(table * (1 - rng.uniform(0.2, 0.6) * shadow), np.float32)


def _light(rng: Rng, rows: int, columns: int) -> Grey:
    corners = rng.uniform(0.55, 1.05, (2, 2)).astype(np.float32)
    light = cv2.resize(corners, (columns, rows), interpolation=cv2.INTER_LINEAR)
    if chance(rng, 0.25):  # a hand's or a phone's shadow
        edge = smooth_noise(rng, rows, columns, cell=max(min(rows, columns) // 2, 4)) > rng.uniform(0.4, 0.7)
        light *= 1 - rng.uniform(0.1, 0.4) * cv2.GaussianBlur(edge.astype(np.float32), (0, 0), rng.uniform(4, 25))
    return np.asarray(light, np.float32)


def _bytes(image: npt.NDArray[np.floating]) -> GreyImage:
    return np.asarray(np.clip(image, 0, 255), np.uint8)
