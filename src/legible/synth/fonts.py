"""Font files: found in folders and Python packages, with the characters that they draw."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Literal

from fontTools.ttLib import woff2
from PIL import ImageFont

from legible.charset import REJECT
from legible.config import FontsParams
from legible.errors import DataError

SUFFIXES = (".woff2", ".woff", ".ttf", ".otf")
INSTALLED = re.compile(r"(.+?)-(?:latin|full)-")
"""The pattern of a file that `fonts` installed; it names the family."""
ENTRY_POINTS = "fonts_ttf"
"""The group of entry points with which Python packages of fonts register."""
MAX_NAMED = 100
"""The most characters that a message names one by one."""
NO_CHARACTER = "\U0010ffff"
"""A code point that a font draws as its glyph for missing characters."""

WOFF2 = b"wOF2"
OPENINGS_WORTH_UNPACKING = 50
"""After this many openings, unpacking a packed file has paid off."""
_openings: Counter[Path] = Counter()

FontKind = Literal["print", "handwriting"]


@dataclass(frozen=True)
class Font:
    """A font file and the characters of the charset that it draws."""

    path: Path
    family: str
    kind: FontKind
    characters: frozenset[str]

    def draws(self, text: str) -> bool:
        return self.characters.issuperset(text)


def find_fonts(params: FontsParams, *, root: Path, characters: str, more: str = "") -> list[Font]:
    """Return every font of the folders and packages, in order.

    Raise DataError where there is none, or a file is no font.
    """
    characters = characters.replace(REJECT, "")
    paths = [path for folder in params.folders for path in _files_under(root / folder)]
    paths += _packaged_files() if params.packages else []
    if not paths:
        where = ", ".join(params.folders) or "the installed packages"
        raise DataError(f"no fonts in {where}; run legible fonts, or set fonts.folders or fonts.packages")
    fonts = [_open(path, characters + more) for path in paths]
    undrawn = set(characters).difference(*(font.characters for font in fonts))
    if undrawn:
        named = " ".join(sorted(undrawn)[:MAX_NAMED])
        more = f" and {len(undrawn) - MAX_NAMED} more" if len(undrawn) > MAX_NAMED else ""
        raise DataError(f"no font draws {named}{more}; add one to fonts.folders that does")
    return fonts


def is_unseen(font: Font, params: FontsParams) -> bool:
    """Return whether the family is kept out of training."""
    return font.family in params.unseen


@lru_cache(maxsize=1)
def _handwriting() -> tuple[str, ...]:
    """Return the beginnings of the names of handwriting families."""
    lines = (files("legible.synth") / "handwriting_families.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@lru_cache(maxsize=256)
def load_face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels an em. A file that is opened often is unpacked once."""
    _openings[path] += 1
    file = io.BytesIO(_unpacked(path)) if _openings[path] > OPENINGS_WORTH_UNPACKING else str(path)
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1024)
def _unpacked(path: Path) -> bytes:
    """Return the OpenType font inside a WOFF2, which FreeType opens in a twentieth of the time; others as they are."""
    packed = path.read_bytes()
    if not packed.startswith(WOFF2):
        return packed
    with io.BytesIO(packed) as file, io.BytesIO() as font:
        woff2.decompress(file, font)
        return font.getvalue()


def _files_under(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of fonts; run legible fonts, or name another in fonts.folders")
    yield from (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)


def _packaged_files() -> list[Path]:
    """Return the files of the `font-*` packages, without symbols and thin cuts."""
    points = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    paths = {Path(file) for point in points for file in point.load().values()}
    return sorted(p for p in paths if not any(word in p.stem for word in ("Thin", "ExtraLight", "Black")))


def _open(path: Path, characters: str) -> Font:
    try:
        face = load_face(path, 24)
    except OSError as error:
        raise DataError(f"{path}: no font ({error}); take it out of the folder") from error
    family = _family(path, face)
    kind: FontKind = "handwriting" if slug(family).startswith(_handwriting()) else "print"
    return Font(path, family, kind, frozenset(_drawn(face, characters)))


def _family(path: Path, face: ImageFont.FreeTypeFont) -> str:
    """Return the family: by the name of an installed file, else as the font says."""
    named = INSTALLED.match(path.name)
    return named[1] if named else str(face.getname()[0])


def slug(family: str) -> str:
    return family.lower().replace(" ", "-")


def _drawn(face: ImageFont.FreeTypeFont, characters: Iterable[str]) -> Iterator[str]:
    """Return the characters whose glyph is not the one for a missing character."""
    missing = bytes(face.getmask(NO_CHARACTER))
    return (c for c in characters if c == " " or _is_drawn(bytes(face.getmask(c)), missing))


def _is_drawn(glyph: bytes, missing: bytes) -> bool:
    return any(glyph) and glyph != missing
