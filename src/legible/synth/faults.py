"""Faults of an image after it was printed: light, scanners, cameras, fax machines, files.

Each fault takes an image of light (H, W), 0 to 255 in float32, and a strength from 0 to 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.synth.effects import EFFECTS
from legible.synth.paper import smooth_noise

Light = npt.NDArray[np.float32]
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


def _paper_noise(light: Light, rng: Rng, strength: float) -> Light:
    height, width = light.shape
    coarse = smooth_noise(rng, height, width, cell=int(rng.integers(2, 9))) - np.float32(0.5)
    return light + coarse * np.float32(60 * strength)


def _specks(light: Light, rng: Rng, strength: float) -> Light:
    """Draw a few dots and hairs, on the text and far from it."""
    height, width = light.shape
    for _ in range(1 + int(rng.poisson(6 * strength * rng.random()))):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        radius = max(int(rng.exponential(0.03) * height), 0)
        level = float(rng.uniform(0, 120)) if rng.random() < 0.85 else 255.0
        if rng.random() < 0.15:
            end = (center[0] + int(rng.normal(0, height / 3)), center[1] + int(rng.normal(0, height / 5)))
            cv2.line(light, center, end, level, 1, cv2.LINE_AA)
        else:
            cv2.ellipse(
                light, center, (radius, max(int(radius * rng.uniform(0.5, 1.2)), 0)), 0, 0, 360, level, -1, cv2.LINE_AA
            )
    return light


def _salt_and_pepper(light: Light, rng: Rng, strength: float) -> Light:
    chance = rng.random(light.shape, np.float32)
    part = np.float32(0.07 * strength)
    pepper, salt = (part, part) if rng.random() < 0.6 else ((part, 0) if rng.random() < 0.5 else (0, part))
    return np.where(chance < pepper, np.float32(0), np.where(chance > 1 - salt, np.float32(255), light))


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


def _two_levels(light: Light, rng: Rng, strength: float) -> Light:
    """Scan in black and white: a threshold between paper and ink, ragged by noise."""
    low, high = np.percentile(light, (2, 90))
    level = low + (high - low) * (0.5 + rng.uniform(-0.3, 0.22) * strength)
    ragged = light + rng.standard_normal(light.shape, np.float32) * np.float32((high - low) * 0.12 * strength)
    return np.where(ragged > level, np.float32(255), np.float32(0))


BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) * 16 + 8


def _halftone(light: Light, rng: Rng, strength: float) -> Light:
    """Draw grey as a pattern of dots: ordered, clustered or random."""
    height, width = light.shape
    chance = rng.random()
    if chance < 0.4:
        limits = np.tile(BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width]
    elif chance < 0.7:
        turned, period = rng.uniform(0, np.pi / 2), rng.uniform(2.5, 5)
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        u, v = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
        limits = 127 + 64 * (np.sin(u * 2 * np.pi / period) + np.sin(v * 2 * np.pi / period))
    else:
        limits = rng.uniform(10, 245, light.shape).astype(np.float32)
    raised = np.clip(light, 0, 255 - 30 * strength)
    dots = np.where(raised > limits, np.float32(255), np.float32(0))
    if rng.random() < 0.6:
        dots = np.asarray(cv2.GaussianBlur(dots, (0, 0), rng.uniform(0.4, 1.0)), np.float32)
    return dots


def _fax(light: Light, rng: Rng, strength: float) -> Light:
    """Fax: rows that slipped or were lost, and every second one twice."""
    rows = np.arange(light.shape[0])
    if rng.random() < 0.5:
        rows = rows // 2 * 2
    lost = rng.random(len(rows)) < 0.06 * strength
    slipped = np.where(rng.random(len(rows)) < 0.15 * strength, rng.integers(-1, 2, len(rows)), 0)
    faxed = light[rows]
    for row in np.flatnonzero(slipped):
        faxed[row] = np.roll(faxed[row], slipped[row])
    faxed[lost] = 255.0
    return faxed


def _dead_dots(light: Light, rng: Rng, strength: float) -> Light:
    """Print with dots that fail: pale lines across the letters, or up and down through them."""
    paper = np.float32(np.percentile(light, 90))
    if rng.random() < 0.6:
        failing = rng.random((light.shape[0], 1)) < 0.15 * strength
    else:
        failing = rng.random((1, light.shape[1])) < 0.06 * strength
    return np.where(failing, light + (paper - light) * np.float32(0.75), light)


def _faded(light: Light, rng: Rng, strength: float) -> Light:
    """Remove ink in patches."""
    height, width = light.shape
    paper = np.float32(np.percentile(light, 90))
    kept = 1 - np.float32(0.8 * strength) * smooth_noise(rng, height, width, cell=max(height // 2, 5)) ** 2
    return paper + (light - paper) * kept


def _eaten(light: Light, rng: Rng, strength: float) -> Light:
    """Make holes in the ink, as worn type and rough or thermal paper leave them."""
    height, width = light.shape
    paper = np.float32(np.percentile(light, 90))
    holes = smooth_noise(rng, height, width, cell=int(rng.integers(1, 4)) + height // 60) > 1 - 0.4 * strength
    return np.where(holes, light + (paper - light) * np.float32(rng.uniform(0.5, 1)), light)


def _low_contrast(light: Light, rng: Rng, strength: float) -> Light:
    """Reduce the range to a tenth at least, bright or dark."""
    kept = np.float32(1 - 0.88 * strength * rng.uniform(0.6, 1))
    base = np.float32(255 * (1 - kept) * (rng.uniform(0.6, 1) if rng.random() < 0.75 else rng.uniform(0, 0.6)))
    return base + light * kept


def _gamma(light: Light, rng: Rng, strength: float) -> Light:
    power = float(np.exp(rng.normal(0, 0.6 * strength)))
    return np.asarray(255 * (np.clip(light, 0, 255) / 255) ** power, np.float32)


def _scan_edge(light: Light, rng: Rng, strength: float) -> Light:
    """Draw the dark beyond the sheet, at one side or two."""
    height, width = light.shape
    for _ in range(1 + int(rng.random() < 0.2)):
        depth = max(round(height * rng.uniform(0.02, 0.03 + 0.1 * strength)), 1)
        side = int(rng.integers(4))
        if 2 * depth < min(height, width):
            part = (light[:depth], light[-depth:], light[:, :depth], light[:, -depth:])[side]
            part[:] = rng.uniform(0, 90)
    return light


def _stamped(light: Light, rng: Rng, strength: float) -> Light:
    """Draw a stamp or watermark across the text: rings, bars or big pale letters."""
    height, width = light.shape
    mark = np.zeros(light.shape, np.uint8)
    center = (int(rng.integers(width)), int(rng.integers(-height // 3, height + height // 3)))
    thickness = max(round(height * rng.uniform(0.03, 0.12)), 1)
    chance = rng.random()
    if chance < 0.4:
        radius = round(height * rng.uniform(0.6, 2.0))
        cv2.circle(mark, center, radius, 255, thickness, cv2.LINE_AA)
        cv2.circle(mark, center, round(radius * 0.8), 255, max(thickness // 2, 1), cv2.LINE_AA)
    elif chance < 0.8:
        word = "".join(chr(65 + int(n)) for n in rng.integers(0, 26, int(rng.integers(3, 7))))
        cv2.putText(
            mark,
            word,
            (center[0] - width // 3, center[1] + height // 2),
            cv2.FONT_HERSHEY_SIMPLEX,
            height / rng.uniform(18, 34),
            255,
            thickness,
            cv2.LINE_AA,
        )
        turn = cv2.getRotationMatrix2D(center, rng.uniform(-35, 35), 1)
        mark = np.asarray(cv2.warpAffine(mark, turn, (width, height)), np.uint8)
    else:
        cv2.line(mark, (0, int(rng.integers(height))), (width, int(rng.integers(height))), 255, thickness, cv2.LINE_AA)
    return light * (1 - mark.astype(np.float32) * np.float32((0.08 + 0.35 * strength) / 255))


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
    "dead-dots": _dead_dots,
    "eaten": _eaten,
    "faded": _faded,
    "thermal": _effect("thermal"),
    "show-through": _effect("show-through"),
    "stamp": _stamped,
    "stain": _effect("stain"),
    "fold": _effect("fold"),
    "paper-noise": _paper_noise,
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
    "halftone": _halftone,
    "two-levels": _two_levels,
    "fax": _fax,
    "specks": _specks,
    "salt-and-pepper": _salt_and_pepper,
    "scan-edge": _scan_edge,
    "gamma": _gamma,
    "jpeg": _jpeg,
}
"""The faults in the order in which they happen."""
