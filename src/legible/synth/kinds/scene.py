"""Words of shops, posters, packages and plates as a camera sees them, and lettering of unusual design."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage, Light
from legible.synth.composition import Canvas, Crop, Surroundings, compose, margins_of, rows_of, softened
from legible.synth.faults import Fault, draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import InkLevels, Line, Setting, set_line
from legible.synth.kinds.kind import Look, Rng, SampleKind, draw_line, finished, heavier
from legible.synth.kinds.paper import PHOTO, SCAN, tones
from legible.synth.paper import smooth_noise
from legible.synth.texts.documents import LABELS, SIGNS

Corners = npt.NDArray[np.floating]
"""The x and y of the corners, clockwise from the top left: (4, 2)."""
CAMERA = (
    Fault("gradient", 0.25),
    Fault("shadow", 0.1),
    Fault("uneven-contrast", 0.12),
    Fault("low-light", 0.12),
    Fault("defocus", 0.15),
    Fault("motion", 0.12),
    Fault("blur", 0.45),
    Fault("low-resolution", 0.35),
    Fault("noise", 0.4, (0.02, 0.5)),
    Fault("jpeg", 0.55),
    Fault("sharpened", 0.3),
    Fault("gamma", 0.5),
    Fault("low-contrast", 0.15, (0.1, 0.8)),
    Fault("vignette", 0.06),
)


@dataclass(frozen=True)
class Paint:
    """The grey levels of letters and their ground."""

    ground: float
    letters: float
    texture: float
    """How much the ground changes, in grey levels."""
    texture_cell: float
    """The size of the ground's texture, as a fraction of the height."""
    outline: float
    """The width of a rim around letters, as a fraction of the height; 0 for none."""
    rim: float
    """The grey level of the rim."""
    shadow: tuple[float, float]
    """The offset of a shadow, as fractions of the height; (0, 0) for none."""
    shade: float
    """The grey level of the shadow."""
    fill: float
    """How much the letters change from top to bottom."""
    split: float
    """The grey level of the ground beyond an edge, as of other things behind the letters; `ground` for none."""


@dataclass(frozen=True)
class Bend:
    """How a sign is turned to the camera; lengths are fractions of the height."""

    tilt: float
    """The standard deviation of the corners' places."""
    arch: float
    """The standard deviation of the rise of the line's middle."""
    slope: float
    """The standard deviation of the rotation, in degrees."""


def draw_paint(rng: Rng) -> Paint:
    ground = float(rng.uniform(0, 255))
    apart = float(rng.uniform(45, 230))
    up = rng.random() < (255 - ground) / 255
    letters = float(np.clip(ground + (apart if up else -apart), 0, 255))
    if abs(letters - ground) < 40:
        letters = 255.0 if ground < 128 else 0.0
    angle = rng.uniform(0, 2 * np.pi)
    reach = rng.uniform(0.03, 0.1) if rng.random() < 0.2 else 0.0
    return Paint(
        ground,
        letters,
        texture=float(rng.exponential(14)) if rng.random() < 0.7 else 0.0,
        texture_cell=float(np.exp(rng.uniform(np.log(0.03), np.log(1.0)))),
        outline=float(rng.uniform(0.02, 0.09)) if rng.random() < 0.15 else 0.0,
        rim=float(rng.uniform(0, 255)),
        shadow=(float(reach * np.cos(angle)), float(reach * np.sin(angle))),
        shade=float(rng.uniform(0, ground)) if rng.random() < 0.8 else float(rng.uniform(0, 255)),
        fill=float(rng.normal(0, 25)) if rng.random() < 0.25 else 0.0,
        split=float(np.clip(letters + (ground - letters) * rng.uniform(0.45, 1.2), 0, 255))
        if rng.random() < 0.12
        else ground,
    )


def scene_look(font: Font, rng: Rng) -> Look:
    size = int(rng.integers(36, 60))
    final = float(np.exp(rng.uniform(np.log(16), np.log(100))))
    return Look(
        setting=Setting(
            font,
            size,
            tracking=float(rng.choice([0.0, rng.uniform(-0.03, 0.06), rng.uniform(0.05, 0.4)], p=[0.4, 0.45, 0.15])),
        ),
        crop=Crop(tight=0.8, margins=(-0.03, float(rng.uniform(0.05, 0.3))), loose=0.04, degrees=2.5, stretch=0.2),
        scale=final / size,
        surroundings=Surroundings(
            above=0.2, below=0.2, beside=0.1, underline=0.02, box=0.08, leading=float(rng.uniform(0.8, 1.2))
        ),
        press=partial(_painted_heavier, pixels=float(rng.normal(0, 0.5))),
        lay=partial(
            paint,
            look=draw_paint(rng),
            bend=Bend(float(rng.exponential(0.05)), float(rng.normal(0, 0.25)) if rng.random() < 0.15 else 0.0, 2.5),
        ),
        faults=draw_faults(CAMERA, rng),
    )


def _painted_heavier(coverage: InkLevels, rng: Rng, *, pixels: float) -> InkLevels:
    del rng
    return heavier(coverage, pixels)


def draw_scene(text: str, look: Look, others: Callable[[], str], rng: Rng) -> GreyImage:
    """Draw a sign, bent and seen from the side, cut out, painted on its ground."""
    line = set_line(text, look.setting, rng)
    pressed = Line(look.press(line.coverage, rng), line.baseline, line.ascent, line.descent, line.words)

    def neighbour() -> Line:
        other = others()
        return set_line(other, look.setting, rng) if look.draws(other) and other.strip() else line

    canvas = compose(pressed, look.surroundings, neighbour, rng)
    bend: Bend = look.lay.keywords["bend"]  # type: ignore[attr-defined]
    return finished(seen(canvas, look, bend, rng), look, rng)


def seen(canvas: Canvas, look: Look, bend: Bend, rng: Rng) -> InkLevels:
    """Return a crop around the text after an arch, a rotation and a view from the side."""
    top, bottom = rows_of(canvas, look.crop, rng)
    coverage = canvas.coverage
    if bend.arch:
        rise = bend.arch * min(bottom - top, (canvas.right - canvas.left) / 3)
        coverage, (top, bottom) = _arched(canvas, (top, bottom), rise)
    corners = np.array(
        [[canvas.left, top], [canvas.right, top], [canvas.right, bottom], [canvas.left, bottom]], np.float32
    )
    moved, size = _moved(canvas, corners, look, bend, rng)
    perspective = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(
        cv2.warpPerspective(softened(coverage, look.scale), perspective, size, flags=cv2.INTER_LINEAR), np.uint8
    )


def _moved(canvas: Canvas, corners: Corners, look: Look, bend: Bend, rng: Rng) -> tuple[Corners, tuple[int, int]]:
    """Return where the corners of the text go, and the size of the crop around them: width, height."""
    height = float(corners[2, 1] - corners[0, 1]) * look.scale
    turn = np.deg2rad(np.clip(rng.normal(0, bend.slope), -12, 12))
    across = look.scale * float(np.exp(rng.normal(0, look.crop.stretch)))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([across, look.scale])
    moved = (corners - corners[0]) @ matrix.T + rng.normal(0, bend.tilt, (4, 2)).clip(-0.25, 0.25) * height
    margins = margins_of(canvas, look.crop, rng) * height
    moved -= moved.min(axis=0) - margins[:2]
    width, tall = np.maximum(np.rint(moved.max(axis=0) + margins[2:]), 6).astype(int)
    return moved, (int(width), int(tall))


def _arched(canvas: Canvas, rows_of_text: tuple[int, int], rise: float) -> tuple[InkLevels, tuple[int, int]]:
    """Return the canvas with the line's middle raised, and the rows between which the line then is."""
    left, right, (top, bottom) = canvas.left, canvas.right, rows_of_text
    rows, columns = canvas.coverage.shape
    pad = int(abs(rise)) + 1
    x = np.arange(columns, dtype=np.float32)
    middle, half = (left + right) / 2, max((right - left) / 2, 1)
    lift = np.float32(rise) * np.clip(1 - ((x - middle) / half) ** 2, -0.5, 1)
    y = np.arange(rows + 2 * pad, dtype=np.float32)[:, None] - pad + lift
    bent = cv2.remap(canvas.coverage, np.broadcast_to(x, y.shape).copy(), y.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(bent, np.uint8), (top + pad - max(round(rise), 0), bottom + pad - min(round(rise), 0))


def paint(coverage: InkLevels, rng: Rng, *, look: Paint, bend: Bend) -> Light:
    del bend
    height, width = coverage.shape
    light = np.full((height, width), np.float32(look.ground))
    if look.split != look.ground:
        edge = rng.uniform(0, width) + np.arange(height, dtype=np.float32)[:, None] * np.float32(rng.normal(0, 1))
        light = np.where(np.arange(width, dtype=np.float32) < edge, light, np.float32(look.split))
    if look.texture:
        light += (
            smooth_noise(rng, height, width, cell=max(round(look.texture_cell * height), 1)) - np.float32(0.5)
        ) * np.float32(3 * look.texture)
    if look.shadow != (0.0, 0.0):
        step = (round(look.shadow[1] * height), round(look.shadow[0] * height))
        cast = np.roll(coverage, step, axis=(0, 1)).astype(np.float32) / 255
        light += (np.float32(look.shade) - light) * cast
    if look.outline:
        reach = max(round(look.outline * height), 1)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        light += (np.float32(look.rim) - light) * (np.asarray(cv2.dilate(coverage, kernel), np.float32) / 255)
    letters = np.float32(look.letters) + np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(look.fill)
    return np.asarray(light + (letters - light) * (coverage.astype(np.float32) / 255), np.float32)


def lettering_look(font: Font, rng: Rng) -> Look:
    """Draw a look of stencils, blackletter, pixels, hairlines and heavy display faces on plain grounds."""
    size = int(rng.integers(30, 56))
    final = float(np.exp(rng.uniform(np.log(12), np.log(70))))
    dark = bool(rng.random() < 0.2)
    paper, ink = float(255 - rng.exponential(25)), float(min(rng.exponential(40), 150))
    chance = rng.random()
    return Look(
        setting=Setting(font, size, tracking=float(max(rng.normal(0.01, 0.04), -0.03))),
        crop=Crop(tight=0.6, margins=(-0.02, float(rng.uniform(0.05, 0.5))), loose=0.08, degrees=1.0, stretch=0.1),
        scale=final / size,
        surroundings=Surroundings(
            above=0.1, below=0.1, beside=0.03, underline=0.04, strike=0.02, box=0.06, pale=0.03, tab=0.03
        ),
        press=partial(_painted_heavier, pixels=float(rng.normal(0, 0.4))),
        lay=partial(tones, paper=ink if dark else paper, ink=paper if dark else ink, uneven=0.0),
        faults=draw_faults(() if chance < 0.3 else SCAN if chance < 0.7 else PHOTO, rng),
    )


SCENE = SampleKind(
    "scene",
    {"display": 0.4, "condensed": 0.22, "office": 0.23, "heavy": 0.05, "plain": 0.1},
    SIGNS,
    scene_look,
    draw_scene,
)
LETTERING = SampleKind(
    "lettering",
    {
        "stencil": 0.22,
        "blackletter": 0.22,
        "pixel": 0.18,
        "thin": 0.14,
        "display": 0.12,
        "heavy": 0.06,
        "condensed": 0.06,
        "plain": 0.0001,
    },
    LABELS,
    lettering_look,
    draw_line,
)
