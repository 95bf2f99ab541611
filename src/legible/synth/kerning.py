"""The pair kerning of a font, as HarfBuzz applies it; Pillow without Raqm sees only the old `kern` table."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb
from fontTools.ttLib import TTFont
from fontTools.ttLib.sfnt import SFNTWriter

TABLES = {"GDEF", "GPOS", "GSUB", "cmap", "head", "hhea", "kern", "maxp"}
"""The tables that kerning is read from; its differences need no widths."""
UNJOINED = {"liga": False, "clig": False, "calt": False}
"""Features that are switched off, because letters are drawn one by one and none may join its neighbour."""


def kerning(path: Path, text: str) -> npt.NDArray[np.float64]:
    """Return how much wider each character's advance is than without kerning, as fractions of the em: (len(text),)."""
    face = _face(path)
    change = np.zeros(len(text))
    for sign, kern in ((1, True), (-1, False)):
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        hb.shape(hb.Font(face), buffer, {**UNJOINED, "kern": kern})
        for glyph, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            change[glyph.cluster] += sign * place.x_advance / face.upem
    return change


@lru_cache(maxsize=1024)
def _face(path: Path) -> hb.Face:
    """Open a face from any file that fontTools opens, because HarfBuzz itself reads no WOFF2."""
    with TTFont(path, lazy=True) as font, io.BytesIO() as file:
        tables = font.reader.keys() & TABLES
        writer = SFNTWriter(file, numTables=len(tables))
        for tag in sorted(tables):
            writer[tag] = font.reader[tag]
        writer.close()
        return hb.Face(file.getvalue())
