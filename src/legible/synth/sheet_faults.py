"""Faults of the sheet and of the machine that printed, copied or faxed it; those of light and camera: `synth.faults`.

Each takes a picture of light (H, W), 0 to 255 in float32, and a strength from 0 to 1.
"""

import cv2
import numpy as np

from legible.arrays import Light
from legible.synth.paper import smooth_noise

Rng = np.random.Generator

BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) * 16 + 8


def paper_noise(light: Light, rng: Rng, strength: float) -> Light:
    height, width = light.shape
    coarse = smooth_noise(rng, height, width, cell=int(rng.integers(2, 9))) - np.float32(0.5)
    return light + coarse * np.float32(60 * strength)


def specks(light: Light, rng: Rng, strength: float) -> Light:
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


def salt_and_pepper(light: Light, rng: Rng, strength: float) -> Light:
    chance = rng.random(light.shape, np.float32)
    part = np.float32(0.07 * strength)
    pepper, salt = (part, part) if rng.random() < 0.6 else ((part, 0) if rng.random() < 0.5 else (0, part))
    return np.where(chance < pepper, np.float32(0), np.where(chance > 1 - salt, np.float32(255), light))


def two_levels(light: Light, rng: Rng, strength: float) -> Light:
    """Scan in black and white: a threshold between paper and ink, ragged by noise."""
    low, high = np.percentile(light, (2, 90))
    level = low + (high - low) * (0.5 + rng.uniform(-0.3, 0.22) * strength)
    ragged = light + rng.standard_normal(light.shape, np.float32) * np.float32((high - low) * 0.12 * strength)
    return np.where(ragged > level, np.float32(255), np.float32(0))


def halftone(light: Light, rng: Rng, strength: float) -> Light:
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


def fax(light: Light, rng: Rng, strength: float) -> Light:
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


def dead_dots(light: Light, rng: Rng, strength: float) -> Light:
    """Print with dots that fail: pale lines across the letters, or up and down through them."""
    paper = np.float32(np.percentile(light, 90))
    if rng.random() < 0.6:
        failing = rng.random((light.shape[0], 1)) < 0.15 * strength
    else:
        failing = rng.random((1, light.shape[1])) < 0.06 * strength
    return np.where(failing, light + (paper - light) * np.float32(0.75), light)


def faded(light: Light, rng: Rng, strength: float) -> Light:
    """Remove ink in patches."""
    height, width = light.shape
    paper = np.float32(np.percentile(light, 90))
    kept = 1 - np.float32(0.8 * strength) * smooth_noise(rng, height, width, cell=max(height // 2, 5)) ** 2
    return paper + (light - paper) * kept


def eaten(light: Light, rng: Rng, strength: float) -> Light:
    """Make holes in the ink, as worn type and rough or thermal paper leave them."""
    height, width = light.shape
    paper = np.float32(np.percentile(light, 90))
    holes = smooth_noise(rng, height, width, cell=int(rng.integers(1, 4)) + height // 60) > 1 - 0.4 * strength
    return np.where(holes, light + (paper - light) * np.float32(rng.uniform(0.5, 1)), light)


def scan_edge(light: Light, rng: Rng, strength: float) -> Light:
    """Draw the dark beyond the sheet, at one side or two."""
    height, width = light.shape
    for _ in range(1 + int(rng.random() < 0.2)):
        depth = max(round(height * rng.uniform(0.02, 0.03 + 0.1 * strength)), 1)
        side = int(rng.integers(4))
        if 2 * depth < min(height, width):
            part = (light[:depth], light[-depth:], light[:, :depth], light[:, -depth:])[side]
            part[:] = rng.uniform(0, 90)
    return light


def stamped(light: Light, rng: Rng, strength: float) -> Light:
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
