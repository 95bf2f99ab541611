"""Images without text, whose reading is the empty text: paper, noise, rules, textures, logos, edges, bar codes."""

from collections.abc import Callable

import cv2
import numpy as np

from legible.arrays import GreyImage, Light
from legible.synth.composition import Crop
from legible.synth.faults import draw_faults
from legible.synth.fonts import Font
from legible.synth.glyphs import Setting
from legible.synth.kinds.kind import Look, Rng, SampleKind
from legible.synth.kinds.paper import COPY, PHOTO, SCAN
from legible.synth.paper import smooth_noise
from legible.synth.texts.documents import NOTHING


def blank_look(font: Font, rng: Rng) -> Look:
    """Draw a look of light and faults; the font sets nothing."""
    offered = (COPY, SCAN, PHOTO)[int(rng.integers(3))]
    return Look(Setting(font, 20), Crop(), faults=draw_faults(offered, rng))


def draw_blank(text: str, look: Look, others: Callable[[], str], rng: Rng) -> GreyImage:
    del text, others
    height = int(np.exp(rng.uniform(np.log(12), np.log(110))))
    width = int(np.clip(height * np.exp(rng.uniform(np.log(0.5), np.log(9))), 8, 700))
    paper = float(255 - rng.exponential(40)) if rng.random() < 0.8 else float(rng.uniform(0, 255))
    light = np.full((height, width), np.float32(paper))
    light = BLANKS[int(rng.integers(len(BLANKS)))](light, rng)
    return np.clip(look.faults.apply(light, rng, height=height), 0, 255).astype(np.uint8)


def _empty(light: Light, rng: Rng) -> Light:
    del rng
    return light


def _noisy(light: Light, rng: Rng) -> Light:
    return light + rng.standard_normal(light.shape, np.float32) * np.float32(rng.exponential(25))


def _cloudy(light: Light, rng: Rng) -> Light:
    height, width = light.shape
    cell = max(round(height * np.exp(rng.uniform(np.log(0.04), np.log(1)))), 1)
    return light + (smooth_noise(rng, height, width, cell=cell) - np.float32(0.5)) * np.float32(rng.uniform(20, 200))


def _ink(light: Light, rng: Rng) -> float:
    paper = float(light[0, 0])
    return float(np.clip(paper + (-1 if paper > 90 else 1) * rng.uniform(40, 220), 0, 255))


def _thickness(light: Light, rng: Rng) -> int:
    return int(max(round(light.shape[0] * rng.uniform(0.01, 0.08)), 1))


def _ruled(light: Light, rng: Rng) -> Light:
    """Draw the lines of a sheet or a form: level, upright, or both."""
    height, width = light.shape
    ink, thickness = _ink(light, rng), _thickness(light, rng)
    slope = rng.normal(0, 0.02)
    step = max(round(height * rng.uniform(0.2, 1.2)), 3)
    if rng.random() < 0.85:
        for y in range(int(rng.integers(-step // 2, step)), height, step):
            cv2.line(light, (0, y), (width, y + round(slope * width)), ink, thickness, cv2.LINE_AA)
    if rng.random() < 0.4:
        for x in range(int(rng.integers(step)), width, step if rng.random() < 0.5 else 4 * step):
            cv2.line(light, (x, 0), (x, height), ink, thickness, cv2.LINE_AA)
    return light


def _framed(light: Light, rng: Rng) -> Light:
    height, width = light.shape
    inset = (rng.uniform(0, 0.3, 4) * height).astype(int)
    ink = _ink(light, rng)
    cv2.rectangle(
        light,
        (int(inset[0]), int(inset[1])),
        (width - 1 - int(inset[2]), height - 1 - int(inset[3])),
        ink,
        _thickness(light, rng) if rng.random() < 0.8 else -1,
    )
    return light


def _logo(light: Light, rng: Rng) -> Light:
    """Draw rounds, triangles and bars, filled or not."""
    height, width = light.shape
    for _ in range(int(rng.integers(1, 5))):
        ink, thickness = _ink(light, rng), -1 if rng.random() < 0.5 else _thickness(light, rng) * 2
        center, radius = (
            (int(rng.integers(width)), int(rng.integers(height))),
            max(round(height * rng.uniform(0.15, 0.8)), 2),
        )
        chance = rng.random()
        if thickness > 0:  # not to be taken for an O or a C
            radius = max(radius, round(0.65 * height))
        if chance < 0.4:
            cv2.ellipse(
                light,
                center,
                (radius, max(round(radius * rng.uniform(0.3, 1)), 1)),
                rng.uniform(0, 180),
                0,
                float(rng.choice([360, 360, rng.uniform(120, 300)])),
                ink,
                thickness,
                cv2.LINE_AA,
            )
        else:
            points = np.array(center) + rng.normal(0, radius, (int(rng.integers(3, 7)), 2))
            path = [np.rint(points).astype(np.int32)]
            if thickness < 0:
                cv2.fillPoly(light, path, ink, cv2.LINE_AA)
            else:
                cv2.polylines(light, path, True, ink, thickness, cv2.LINE_AA)
    return light


def _bars(light: Light, rng: Rng) -> Light:
    """Draw a bar code or a hatching."""
    width = light.shape[1]
    unit = max(round(light.shape[0] * rng.uniform(0.02, 0.1)), 1)
    widths = rng.integers(1, 4, width // unit + 2) * unit
    dark = np.repeat(np.arange(len(widths)) % 2 == 0, widths)[:width]
    ink = np.float32(_ink(light, rng))
    light[:, dark] = ink
    margin = int(rng.integers(0, light.shape[0] // 3 + 1))
    if margin:
        light[-margin:] = light[0, ~dark][0] if (~dark).any() else light[0, 0]
    return light


def _edges(light: Light, rng: Rng) -> Light:
    """Draw fields of different grey, as walls, packages and pages have them."""
    height, width = light.shape
    for _ in range(int(rng.integers(1, 4))):
        points = np.array([[0, 0], [width, 0], [width, height], [0, height]]) + rng.normal(0, width / 2, (4, 2))
        cv2.fillPoly(light, [np.rint(points).astype(np.int32)], _ink(light, rng), cv2.LINE_AA)
    return _cloudy(light, rng) if rng.random() < 0.5 else light


def _dirt(light: Light, rng: Rng) -> Light:
    """Draw specks, hairs, and parts of other lines at the edge."""
    height, width = light.shape
    for _ in range(int(rng.integers(1, 25))):
        cv2.circle(
            light,
            (int(rng.integers(width)), int(rng.integers(height))),
            int(rng.exponential(0.02) * height),
            _ink(light, rng),
            -1,
            cv2.LINE_AA,
        )
    if rng.random() < 0.4:
        path = np.cumsum(rng.normal(0, height / 6, (8, 2)), axis=0) + np.array(
            [rng.uniform(0, width), rng.uniform(0, height)]
        )
        cv2.polylines(light, [np.rint(path).astype(np.int32)], False, _ink(light, rng), 1, cv2.LINE_AA)
    return light


def _stamped(light: Light, rng: Rng) -> Light:
    """Draw part of a round stamp, or of a big curve."""
    height, width = light.shape
    center = (int(rng.integers(-width // 4, width + width // 4)), int(rng.integers(-height, 2 * height)))
    radius = round(height * rng.uniform(0.5, 2.5))
    for scale in (1.0, 0.93, 0.7)[: int(rng.integers(1, 4))]:
        cv2.circle(light, center, max(round(radius * scale), 1), _ink(light, rng), _thickness(light, rng), cv2.LINE_AA)
    return light


def _grating(light: Light, rng: Rng) -> Light:
    """Draw fabric, brick, blinds or moiré."""
    height, width = light.shape
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    turn, period = rng.uniform(0, np.pi), max(height * rng.uniform(0.05, 0.5), 2)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = wave * np.sin((y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / (period * rng.uniform(0.5, 3)))
    return np.asarray(light + wave * np.float32(rng.uniform(10, 90)), np.float32)


BLANKS = (
    _empty,
    _noisy,
    _cloudy,
    _ruled,
    _ruled,
    _framed,
    _logo,
    _logo,
    _bars,
    _edges,
    _dirt,
    _dirt,
    _stamped,
    _grating,
)

BLANK = SampleKind("blanks", {"plain": 1.0}, NOTHING, blank_look, draw_blank, rare=0.0)
