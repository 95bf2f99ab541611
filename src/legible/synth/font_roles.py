"""The font families of each kind of samples: `font_roles.txt`, one role a line."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np

from legible.errors import DataError
from legible.synth.fonts import Font, slug

ONLY = "only"
"""The families that `print` leaves to other kinds."""
CUT = re.compile(r"-full-(\d+)-")
ITALICS, BOLD, HEAVY_FROM = 0.25, 0.5, 700
"""The probability weights of slanted and of bold cuts, and the font weight from which a cut is bold."""
UPRIGHT = frozenset({"receipt", "typewriter", "pixel", "dots"})
"""The roles without slanted cuts, because their machines have none."""
THIN, HEAVY = (100, 300), 900
"""The weights of cuts that only the roles `thin` and `heavy` draw."""


@lru_cache(maxsize=1)
def families_by_role() -> Mapping[str, frozenset[str]]:
    lines = (files("legible.synth") / "font_roles.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, set[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            role, families = line.split(":")
            found.setdefault(role, set()).update(families.split())
    return {role: frozenset(families) for role, families in found.items()}


def weight_of(font: Font) -> int:
    """Return the weight of a font by its file's name; 400 where the name does not say."""
    found = CUT.search(font.path.name)
    return int(found[1]) if found else 400


def is_common(font: Font) -> bool:
    """Return whether `print` draws with the font: no cut of extreme weight, no family that is left to other kinds."""
    return weight_of(font) not in (*THIN, HEAVY) and slug(font.family) not in families_by_role()[ONLY]


def fonts_of(role: str, fonts: Sequence[Font]) -> tuple[Font, ...]:
    """Return the fonts of a role. `plain`: all that `print` draws with; `thin`, `heavy`: cuts of these weights."""
    if role == "plain":
        return tuple(font for font in fonts if font.kind == "print" and is_common(font))
    if role == "thin":
        lettered = families_by_role()["segments"] | families_by_role()["segments14"]
        return tuple(font for font in fonts if weight_of(font) in THIN and slug(font.family) not in lettered)
    if role == "heavy":
        return tuple(font for font in fonts if weight_of(font) == HEAVY)
    families = families_by_role()[role]
    found = tuple(font for font in fonts if slug(font.family) in families and weight_of(font) not in (THIN[0], HEAVY))
    found = _whole(found)
    return tuple(font for font in found if "italic" not in font.path.name.lower()) if role in UPRIGHT else found


def _whole(fonts: tuple[Font, ...]) -> tuple[Font, ...]:
    """Return the fonts without files of a part of a family's letters, where there are files with all of them."""
    whole = {font.family for font in fonts if "-full-" in font.path.name}
    return tuple(font for font in fonts if font.family not in whole or "-full-" in font.path.name)


def _liking(font: Font) -> float:
    """Return how often a cut is drawn beside an upright one of common weight."""
    return (ITALICS if "italic" in font.path.name.lower() else 1.0) * (BOLD if weight_of(font) >= HEAVY_FROM else 1.0)


def draw_font(roles: Mapping[str, float], fonts: Mapping[str, Sequence[Font]], rng: np.random.Generator) -> Font:
    """Draw a role by its weight among those with fonts here, then any of its families, then any cut of the family."""
    there = [role for role in roles if fonts[role]]
    if not there:
        raise DataError(
            f"no font of the roles {', '.join(roles)} is here; add fonts/more/files to fonts.folders, run legible fonts"
        )
    chances = np.cumsum([roles[role] for role in there])
    own = fonts[there[min(int(np.searchsorted(chances, rng.random() * chances[-1])), len(there) - 1)]]
    families = sorted({font.family for font in own})
    family = families[int(rng.integers(len(families)))]
    cuts = [font for font in own if font.family == family]
    weights = np.cumsum([_liking(font) for font in cuts])
    return cuts[min(int(np.searchsorted(weights, rng.random() * weights[-1])), len(cuts) - 1)]
