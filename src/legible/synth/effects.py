"""Effects of a document on its writing: marks near it, the sheet it is on, the camera that takes it.

Each effect takes a strength from 0 (nothing changes) to 1. `synth.augment` holds what may happen to any image in
training; effects belong to the document, so a writer style keeps its own few.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from legible.arrays import Coverage
from legible.synth.paper import smooth_noise
from legible.synth.transforms import STILL, Moved, shifted

Rng = np.random.Generator

Place = Literal["ink", "sheet", "camera"]


@dataclass(frozen=True)
class Effect:
    """An effect.

    Those of `ink` change coverage (0 to 1, ink is 1); those of `sheet` and `camera` change light (0 to 255).
    """

    name: str
    place: Place
    chance: float
    """The probability that a style has it, at strength 1."""
    apply: Callable[[Coverage, Rng, float], Coverage]


@dataclass(frozen=True)
class MovingEffect:
    """An effect that moves points."""

    name: str
    place: Place
    chance: float
    apply: Callable[[Coverage, Rng, float], Moved[Coverage]]


@dataclass(frozen=True)
class Effects:
    """The effects of one writer style."""

    names: tuple[str, ...] = ()
    strength: float = 0.0
    often: float = 0.6
    """The fraction of the style's samples that show each of its effects."""

    def apply(self, place: Place, image: Coverage, rng: Rng) -> Moved[Coverage]:
        """Return the image (H, W) after this style's effects of the place; its size may change."""
        matrix = STILL
        for name in self.names if self.strength > 0 else ():
            effect = EFFECTS[name]
            if effect.place == place and rng.random() < self.often:
                if isinstance(effect, MovingEffect):
                    moved = effect.apply(image, rng, self.strength)
                    image, matrix = moved.image, moved.matrix @ matrix
                else:
                    image = effect.apply(image, rng, self.strength)
        return Moved(image, matrix)


NO_EFFECTS = Effects()


def draw_effects(rng: Rng, *, strength: float) -> Effects:
    """Draw the effects of a style, each by its chance; more strength gives more of them."""
    names = tuple(name for name, effect in EFFECTS.items() if rng.random() < effect.chance * strength)
    return Effects(names, strength=float(rng.uniform(0.3, 1.0)) * strength)


def _underline(ink: Coverage, rng: Rng, strength: float) -> Coverage:
    height, width = ink.shape
    y = height * rng.uniform(0.82, 0.98)
    return _lined(ink, rng, y=y, span=(rng.uniform(0, 0.1) * width, rng.uniform(0.85, 1) * width), strength=strength)


def _strike(ink: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw a thin line through the word, which stays readable."""
    height, width = ink.shape
    y = height * rng.uniform(0.4, 0.65)
    return _lined(ink, rng, y=y, span=(0, width), strength=0.6 * strength)


def _lined(ink: Coverage, rng: Rng, *, y: float, span: tuple[float, float], strength: float) -> Coverage:
    x = np.linspace(*span, 12)
    path = np.stack([x, y + np.cumsum(rng.normal(0, ink.shape[0] * 0.012, 12))], axis=1)
    line = np.zeros(ink.shape, np.uint8)
    thickness = max(round(ink.shape[0] * rng.uniform(0.015, 0.05)), 1)
    cv2.polylines(line, [np.round(path * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, shift=4)
    return np.maximum(ink, line.astype(np.float32) / 255 * np.float32(0.4 + 0.6 * strength))


def _neighbours(ink: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw feet of the line above or heads of the line below that reach into the crop, in this writing."""
    written = ink[ink.any(axis=1)]
    depth = min(max(round(len(ink) * rng.uniform(0.06, 0.08 + 0.16 * strength)), 1), len(written))
    piece = np.roll(written, int(rng.integers(ink.shape[1])), axis=1) * np.float32(min(1.0, 0.5 + strength))
    changed = ink.copy()
    if rng.random() < 0.6:  # noqa: PLR2004
        changed[:depth] = np.maximum(changed[:depth], piece[len(piece) - depth :])
    else:
        changed[len(ink) - depth :] = np.maximum(changed[len(ink) - depth :], piece[:depth])
    return changed


def _beside(ink: Coverage, rng: Rng, strength: float) -> Moved[Coverage]:
    """Draw the edge of the next word, cut off by the crop."""
    width = ink.shape[1]
    reach = max(round(ink.shape[0] * rng.uniform(0.03, 0.05 + 0.12 * strength)), 1)
    reach = min(reach, width // 8 + 1)
    piece = ink[:, width // 2 : width // 2 + reach]
    blank = np.zeros((ink.shape[0], max(ink.shape[0] // 4, 2)), np.float32)
    if rng.random() < 0.5:  # noqa: PLR2004
        return Moved(np.hstack([ink, blank, piece]), STILL)
    before = piece.shape[1] + blank.shape[1]
    return Moved(np.hstack([piece, blank, ink]), shifted(right=before, down=0))


def _fading(ink: Coverage, rng: Rng, strength: float) -> Coverage:
    """Fade like a pen that runs dry, or a print head with dead rows."""
    height, width = ink.shape
    if rng.random() < 0.5:  # noqa: PLR2004
        dry = 1 - 0.75 * strength * _smooth(rng, height, width, cell=max(height // 2, 6)) ** 2
    else:
        dry = np.where(rng.random((height, 1)) < 0.12 * strength, 0.15, 1.0)
    return np.asarray(ink * dry, np.float32)


def _form_box(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw the printed frame of a field, with or without a box for each character."""
    height, width = light.shape
    frame = np.zeros(light.shape, np.float32)
    inset = rng.uniform(-0.04, 0.06, 4) * height
    top, left = int(max(inset[0], 0)), int(max(inset[1], 0))
    bottom, right = height - 1 - int(max(inset[2], 0)), width - 1 - int(max(inset[3], 0))
    thickness = max(round(height * rng.uniform(0.01, 0.03)), 1)
    cv2.rectangle(frame, (left, top), (right, bottom), 1.0, thickness)
    if rng.random() < 0.4:  # noqa: PLR2004
        step = max(round(height * rng.uniform(0.5, 0.9)), 6)
        low = top if rng.random() < 0.5 else bottom - height // 5  # noqa: PLR2004
        for x in range(left, right, step):
            cv2.line(frame, (x, low), (x, bottom), 1.0, thickness)
    return light * (1 - frame * np.float32(0.15 + 0.55 * strength * rng.random()))


def _stain(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw a spill with a darker rim."""
    height, width = light.shape
    stain = np.zeros(light.shape, np.float32)
    radius = height * rng.uniform(0.4, 1.2)
    center = (int(rng.integers(width)), int(rng.integers(height)))
    cv2.circle(stain, center, round(radius), 0.6, -1, cv2.LINE_AA)
    cv2.circle(stain, center, round(radius), 1.0, max(round(height * 0.05), 1), cv2.LINE_AA)
    stain = cv2.GaussianBlur(stain, (0, 0), max(height * 0.03, 0.5))
    stain *= 0.7 + 0.3 * _smooth(rng, height, width, cell=5)
    return np.asarray(light * (1 - 0.4 * strength * stain), np.float32)


def _fold(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw a crease: a bright line between two sides that catch the light differently."""
    height, width = light.shape
    across = np.arange(width, dtype=np.float32) - rng.uniform(0, width)
    across = across + np.arange(height, dtype=np.float32)[:, None] * np.float32(rng.normal(0, 0.3))
    side = 0.18 * strength * np.exp(-np.abs(across) / (0.7 * height)) * np.sign(across)
    crease = 0.25 * strength * np.exp(-((across / max(0.03 * height, 0.8)) ** 2))
    return np.asarray(light * (1 - side) + 255 * crease * rng.choice([-0.5, 1.0]), np.float32)


def _show_through(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw what is on the back of the sheet: mirrored, blurred and faint."""
    back = cv2.GaussianBlur(255 - light[:, ::-1], (0, 0), max(light.shape[0] * 0.02, 0.6))
    back = np.roll(back, (int(light.shape[0] * rng.normal(0, 0.2)), int(rng.integers(light.shape[1]))), axis=(0, 1))
    paper = np.float32(np.median(back))
    return np.asarray(light - (0.1 + 0.25 * strength) * np.maximum(back - paper, 0), np.float32)


def _thermal(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Print like a receipt: weak black, rows of the print head, paper that has turned grey."""
    height = light.shape[0]
    rows = 1 + 0.12 * strength * np.sin(np.arange(height) * rng.uniform(1.5, 3.0))[:, None]
    weak = 255 - (255 - light) * (1 - 0.55 * strength * rng.random()) * rows
    return np.asarray(weak * (1 - 0.15 * strength) + rng.normal(0, 4 * strength, light.shape), np.float32)


def _scene(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Draw coloured letters on a coloured wall, as grey: any two levels far enough apart, either one the brighter."""
    height, width = light.shape
    wall = 255 * _smooth(rng, height, width, cell=max(height, 8))
    wall = rng.uniform(40, 215) + (wall - 127) * 0.25 * strength
    sign = 1 if float(wall.mean()) < 128 else -1  # noqa: PLR2004
    letters = wall + sign * rng.uniform(70, 120)
    ink = 1 - light / max(float(np.median(light)), 1.0)
    mixed = wall + (letters - wall) * np.clip(ink, 0, 1)
    return np.asarray(light + (mixed - light) * min(2 * strength, 1.0), np.float32)


def _perspective(light: Coverage, rng: Rng, strength: float) -> Moved[Coverage]:
    """Photograph from the side."""
    height, width = light.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.14, 0.14, (4, 2)).astype(np.float32) * np.float32(height * strength)
    moved -= moved.min(axis=0)
    size = np.maximum(np.ceil(moved.max(axis=0)), 2).astype(int)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    changed = cv2.warpPerspective(light, matrix, tuple(size.tolist()), borderMode=cv2.BORDER_REPLICATE)
    return Moved(np.asarray(changed, np.float32), matrix)


def _low_light(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Darken, with the noise of a sensor that counts few photons (its variance is proportional to the light)."""
    dim = light * (1 - strength * rng.uniform(0.3, 0.75))
    return np.asarray(dim + rng.normal(0, 1, light.shape) * np.sqrt(np.maximum(dim, 1)) * 1.2 * strength, np.float32)


def _uneven_contrast(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Add glare: contrast is lost in some places and kept in others."""
    height, width = light.shape
    lost = 0.65 * strength * _smooth(rng, height, width, cell=max(height, 8))
    return np.asarray(light + (rng.uniform(150, 255) - light) * lost, np.float32)


def _defocus(light: Coverage, rng: Rng, strength: float) -> Coverage:
    """Blur with a disc, as a lens out of focus does, not with a bell."""
    radius = 0.5 + light.shape[0] / 64 * strength * rng.uniform(0.3, 1.4)
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(light, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)


def _smooth(rng: Rng, height: int, width: int, *, cell: int) -> Coverage:
    """Return smooth noise, rounder than the grain of paper."""
    return smooth_noise(rng, height, width, cell=cell, interpolation=cv2.INTER_CUBIC)


EFFECTS: Mapping[str, Effect | MovingEffect] = {
    effect.name: effect
    for effect in (
        Effect("neighbours", "ink", 0.3, _neighbours),
        MovingEffect("beside", "ink", 0.15, _beside),
        Effect("underline", "ink", 0.12, _underline),
        Effect("strike", "ink", 0.03, _strike),
        Effect("fading", "ink", 0.2, _fading),
        Effect("show-through", "sheet", 0.1, _show_through),
        Effect("form-box", "sheet", 0.12, _form_box),
        Effect("stain", "sheet", 0.08, _stain),
        Effect("fold", "sheet", 0.08, _fold),
        Effect("thermal", "sheet", 0.08, _thermal),
        Effect("scene", "sheet", 0.1, _scene),
        MovingEffect("perspective", "camera", 0.15, _perspective),
        Effect("uneven-contrast", "camera", 0.12, _uneven_contrast),
        Effect("low-light", "camera", 0.1, _low_light),
        Effect("defocus", "camera", 0.1, _defocus),
    )
}
"""The effects in the order in which they happen."""
