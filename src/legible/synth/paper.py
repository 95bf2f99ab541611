"""Ink on paper: the coverage of a text (0 to 1) becomes a grey image, as one writer's pen and sheet make it."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import Coverage, GreyImage

PaperKind = Literal["plain", "textured", "ruled", "squared", "patched"]
KINDS: tuple[PaperKind, ...] = ("plain", "textured", "ruled", "squared", "patched")
CHANCES = (0.5, 0.22, 0.08, 0.04, 0.16)


@dataclass(frozen=True)
class Paper:
    """A sheet: its grey level, its kind, and how strong lines or grain are (0 to 1)."""

    kind: PaperKind
    level: float
    strength: float


@dataclass(frozen=True)
class Ink:
    """The grey level of full ink, and how unevenly it flows (0 to 1)."""

    level: float
    unevenness: float


def draw_paper(rng: np.random.Generator, *, strength: float) -> Paper:
    kind = KINDS[int(rng.choice(len(KINDS), p=CHANCES))] if rng.random() < strength + 0.3 else "plain"
    return Paper(kind, level=255 - rng.exponential(25 * strength + 1), strength=rng.uniform(0.1, 1.0) * strength)


def draw_ink(rng: np.random.Generator, *, strength: float) -> Ink:
    return Ink(level=min(rng.exponential(60 * strength + 5), 150), unevenness=rng.uniform(0, 0.5) * strength)


def lay(coverage: Coverage, paper: Paper, ink: Ink, rng: np.random.Generator) -> GreyImage:
    """Return the image (H, W) of ink on paper."""
    height, width = coverage.shape
    sheet = np.full((height, width), max(paper.level, ink.level + 60), np.float32)
    sheet -= _marks(paper, height, width, rng)
    if ink.unevenness:
        coverage = coverage * (1 - ink.unevenness * smooth_noise(rng, height, width, cell=max(height // 3, 4)))
    return np.clip(sheet + (ink.level - sheet) * coverage, 0, 255).astype(np.uint8)


def _marks(paper: Paper, height: int, width: int, rng: np.random.Generator) -> Coverage:
    """Return how much darker marks make the sheet, in grey levels."""
    marks = np.zeros((height, width), np.float32)
    if paper.kind == "textured":
        marks += smooth_noise(rng, height, width, cell=6) * 30 * paper.strength
        marks += rng.normal(0, 6 * paper.strength, marks.shape).astype(np.float32)
    elif paper.kind == "ruled":
        marks[_ruling(rng, height)] = 110 * paper.strength
    elif paper.kind == "squared":
        marks[_ruling(rng, height, spacing=height // 2)] = 70 * paper.strength
        marks[:, _ruling(rng, width, spacing=height // 2)] = 70 * paper.strength
    elif paper.kind == "patched":  # crops whose surroundings were painted white
        left, right = np.sort(rng.integers(0, width + 1, 2))
        marks[int(rng.integers(0, height // 2 + 1)) :, left:right] = 30 * paper.strength
    return marks


def _ruling(rng: np.random.Generator, length: int, *, spacing: int = 0) -> npt.NDArray[np.int64]:
    """Return the places of thin lines."""
    distance = max(spacing or length, 6)
    return np.arange(int(rng.integers(0, distance)), length, distance)


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, *, cell: int, interpolation: int = cv2.INTER_LINEAR
) -> Coverage:
    """Return noise from 0 to 1 that changes over `cell` pixels."""
    coarse = rng.random((height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=interpolation).clip(0, 1), np.float32)
