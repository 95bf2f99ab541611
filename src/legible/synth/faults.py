"""Faults of an image after it was printed: light, scanners, cameras, fax machines, files.

Each fault takes an image of light (H, W), 0 to 255 in float32, and a strength from 0 to 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from legible.arrays import Light
from legible.synth.effects import EFFECTS
from legible.synth.sheet_faults import (
    dead_dots,
    eaten,
    faded,
    fax,
    halftone,
    paper_noise,
    salt_and_pepper,
    scan_edge,
    specks,
    stamped,
    two_levels,
)

Rng = np.random.Generator
Apply = Callable[[Light, Rng, float], Light]


@dataclass(frozen=True)
class Fault:
    """A fault: its name, the probability that a writer style has it, and the range of its strength."""

    name: str
    chance: float
    strength: tuple[float, float] = (0.2, 1.0)


@dataclass(frozen=True)
class Faults:
    """The faults of one writer style with their strengths, in the order in which they happen."""

    chosen: tuple[tuple[str, float], ...] = ()
    often: float = 0.75
    """The probability of each fault in a sample."""

    def times(self, factor: float) -> "Faults":
        """Return the same faults, stronger by a factor."""
        return Faults(tuple((name, strength * factor) for name, strength in self.chosen), self.often)

    def apply(self, light: Light, rng: Rng, *, height: float) -> Light:
        """Return the image after its faults; small letters (by their height in pixels) are spoilt less."""
        lesser = float(np.clip(height / 28, 0.3, 1.0))
        for name, strength in self.chosen:
            if rng.random() < self.often:
                part = lesser if name in HARD_ON_SMALL else 1.0
                light = FAULTS[name](light, rng, strength * part * rng.uniform(0.6, 1.0))
        return light


def draw_faults(offered: tuple[Fault, ...], rng: Rng) -> Faults:
    chosen = {fault.name: rng.uniform(*fault.strength) for fault in offered if rng.random() < fault.chance}
    return Faults(tuple((name, float(chosen[name])) for name in FAULTS if name in chosen))


def _gradient(light: Light, rng: Rng, strength: float) -> Light:
    """Let light fall off across the image, to no less than two fifths."""
    corners = (1 - rng.uniform(0, 0.6 * strength, (2, 2))).astype(np.float32)
    if rng.random() < 0.5:
        corners[:, 0], corners[:, 1] = 1.0, 1 - 0.6 * strength
        corners = corners[:, ::-1] if rng.random() < 0.5 else corners
    return light * np.asarray(cv2.resize(corners, light.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _shadow(light: Light, rng: Rng, strength: float) -> Light:
    """Draw the shadow of a hand or a page: a part of the image keeps two fifths of its light or more."""
    height, width = light.shape
    across = np.arange(width, dtype=np.float32) + np.arange(height, dtype=np.float32)[:, None] * np.float32(
        rng.normal(0, 0.6)
    )
    edge, soft = rng.uniform(0.1, 0.9) * width, max(rng.exponential(0.15) * height, 0.3)
    shaded = (
        np.clip((across - edge) / soft + 0.5, 0, 1)
        if rng.random() < 0.5
        else np.clip((edge - across) / soft + 0.5, 0, 1)
    )
    return np.asarray(light * (1 - (0.15 + 0.45 * strength) * shaded), np.float32)


def _vignette(light: Light, rng: Rng, strength: float) -> Light:
    height, width = light.shape
    x = (np.arange(width, dtype=np.float32) - width * rng.uniform(0.3, 0.7)) / max(width, height)
    y = ((np.arange(height, dtype=np.float32) - height * rng.uniform(0.3, 0.7)) / max(width, height))[:, None]
    return np.asarray(light * np.clip(1 - 2.5 * strength * (x * x + y * y), 0.15, 1), np.float32)


def _noise(light: Light, rng: Rng, strength: float) -> Light:
    return light + rng.standard_normal(light.shape, np.float32) * np.float32(1 + 28 * strength)


def _blur(light: Light, rng: Rng, strength: float) -> Light:
    sigma = 0.3 + (0.3 + 0.035 * min(light.shape[0], 60)) * strength * rng.uniform(0.5, 1)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def _motion(light: Light, rng: Rng, strength: float) -> Light:
    length = max(round(2 + strength * light.shape[0] * 0.12), 2)
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(-0.5, 0.5) if rng.random() < 0.7 else rng.uniform(1.0, 2.1)
    half = (length - 1) / 2
    for step in np.linspace(-half, half, 2 * length):
        kernel[
            min(max(round(half + step * np.sin(angle)), 0), length - 1),
            min(max(round(half + step * np.cos(angle)), 0), length - 1),
        ] += 1
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)


def _low_resolution(light: Light, rng: Rng, strength: float) -> Light:
    """Scale to fewer pixels, sometimes up again by one of the ways in which programs do."""
    height, width = light.shape
    rows = max(round(height * (1 - 0.65 * strength * rng.uniform(0.6, 1))), min(height, 11))
    columns = max(width * rows // height, 2)
    small = cv2.resize(light, (columns, rows), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.45:
        return np.asarray(small, np.float32)
    way = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(4))]
    return np.asarray(cv2.resize(small, (width, height), interpolation=way), np.float32)


def _low_contrast(light: Light, rng: Rng, strength: float) -> Light:
    """Reduce the range to a tenth at least, bright or dark."""
    kept = np.float32(1 - 0.88 * strength * rng.uniform(0.6, 1))
    base = np.float32(255 * (1 - kept) * (rng.uniform(0.6, 1) if rng.random() < 0.75 else rng.uniform(0, 0.6)))
    return base + light * kept


def _gamma(light: Light, rng: Rng, strength: float) -> Light:
    power = float(np.exp(rng.normal(0, 0.6 * strength)))
    return np.asarray(255 * (np.clip(light, 0, 255) / 255) ** power, np.float32)


def _jpeg(light: Light, rng: Rng, strength: float) -> Light:
    quality = max(round(92 - 86 * strength * rng.uniform(0.6, 1)), 4)
    _, content = cv2.imencode(".jpg", np.clip(light, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.float32)


def _sharpened(light: Light, rng: Rng, strength: float) -> Light:
    """Sharpen as scanners and telephones do, with a bright rim around ink."""
    soft = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.6, 1.6))
    return np.asarray(light + (light - soft) * np.float32(2.2 * strength), np.float32)


def _effect(name: str) -> Apply:
    """Apply one of `synth.effects`, of those that move no point."""
    apply = EFFECTS[name].apply

    def applied(light: Light, rng: Rng, strength: float) -> Light:
        return np.asarray(apply(light, rng, strength), np.float32)

    return applied


HARD_ON_SMALL = frozenset(
    {
        "eaten",
        "dead-dots",
        "motion",
        "blur",
        "defocus",
        "low-resolution",
        "noise",
        "fax",
        "two-levels",
        "salt-and-pepper",
        "jpeg",
        "thermal",
        "low-light",
    }
)
FAULTS: Mapping[str, Apply] = {
    "dead-dots": dead_dots,
    "eaten": eaten,
    "faded": faded,
    "thermal": _effect("thermal"),
    "show-through": _effect("show-through"),
    "stamp": stamped,
    "stain": _effect("stain"),
    "fold": _effect("fold"),
    "paper-noise": paper_noise,
    "gradient": _gradient,
    "shadow": _shadow,
    "vignette": _vignette,
    "uneven-contrast": _effect("uneven-contrast"),
    "low-contrast": _low_contrast,
    "low-light": _effect("low-light"),
    "defocus": _effect("defocus"),
    "motion": _motion,
    "blur": _blur,
    "low-resolution": _low_resolution,
    "sharpened": _sharpened,
    "noise": _noise,
    "halftone": halftone,
    "two-levels": two_levels,
    "fax": fax,
    "specks": specks,
    "salt-and-pepper": salt_and_pepper,
    "scan-edge": scan_edge,
    "gamma": _gamma,
    "jpeg": _jpeg,
}
"""The faults in the order in which they happen."""
