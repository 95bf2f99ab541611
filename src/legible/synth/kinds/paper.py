"""The common parts of kinds on paper: the faults of photographs, scans and copies, and ink on a sheet."""

import numpy as np

from legible.arrays import Light
from legible.synth.faults import Fault
from legible.synth.glyphs import InkLevels
from legible.synth.kinds.kind import Rng, heavier
from legible.synth.paper import smooth_noise

PHOTO = (
    Fault("gradient", 0.2),
    Fault("shadow", 0.12),
    Fault("uneven-contrast", 0.08),
    Fault("low-light", 0.08, (0.1, 0.6)),
    Fault("defocus", 0.1, (0.2, 0.8)),
    Fault("motion", 0.08, (0.2, 0.7)),
    Fault("blur", 0.4),
    Fault("noise", 0.45, (0.02, 0.5)),
    Fault("jpeg", 0.45),
    Fault("gamma", 0.4),
    Fault("low-resolution", 0.25),
    Fault("sharpened", 0.25),
    Fault("paper-noise", 0.25, (0.1, 0.7)),
    Fault("fold", 0.06),
    Fault("stain", 0.03),
    Fault("vignette", 0.04),
)
"""The faults of photographs."""
SCAN = (
    Fault("paper-noise", 0.15, (0.05, 0.4)),
    Fault("show-through", 0.06, (0.1, 0.5)),
    Fault("blur", 0.5, (0.1, 0.7)),
    Fault("noise", 0.35, (0.01, 0.25)),
    Fault("jpeg", 0.4),
    Fault("gamma", 0.3),
    Fault("low-resolution", 0.3),
    Fault("sharpened", 0.3),
    Fault("specks", 0.12),
    Fault("salt-and-pepper", 0.07),
    Fault("scan-edge", 0.03),
    Fault("stamp", 0.04),
    Fault("low-contrast", 0.06, (0.2, 0.9)),
    Fault("gradient", 0.08),
)
COPY = (
    Fault("eaten", 0.3, (0.1, 0.7)),
    Fault("faded", 0.1),
    Fault("paper-noise", 0.3, (0.1, 0.5)),
    Fault("blur", 0.6, (0.1, 0.6)),
    Fault("two-levels", 0.85, (0.1, 1.0)),
    Fault("halftone", 0.07),
    Fault("fax", 0.12),
    Fault("specks", 0.2),
    Fault("salt-and-pepper", 0.15, (0.05, 0.6)),
    Fault("scan-edge", 0.04),
    Fault("jpeg", 0.15, (0.1, 0.6)),
    Fault("low-resolution", 0.25, (0.1, 0.7)),
)
"""The faults of faxes, copies, and scans in black and white."""


def tones(coverage: InkLevels, rng: Rng, *, paper: float, ink: float, uneven: float) -> Light:
    """Return ink that flows unevenly, on paper of one grey level."""
    inked = coverage.astype(np.float32)
    if uneven:
        inked *= 1 - np.float32(uneven) * smooth_noise(rng, *coverage.shape, cell=max(coverage.shape[0] // 3, 3))
    return np.asarray(paper + inked * np.float32((ink - paper) / 255), np.float32)


def thickened(coverage: InkLevels, rng: Rng, *, pixels: float) -> InkLevels:
    return heavier(coverage, pixels + float(rng.normal(0, 0.1)))


def final_height(rng: Rng, low: float, high: float) -> float:
    """Draw the pixels of an em in the final image; small ones are as frequent as large ones."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
