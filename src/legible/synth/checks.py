"""Checks of the section `generate` before a file is written: sizes, characters and texts."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from legible.charset import REJECT, Charset
from legible.config import GenerateParams
from legible.errors import DataError, SettingsError
from legible.synth.alphabet import PEN_PATHS, load_alphabet
from legible.synth.fonts import MAX_NAMED, Font
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.words import Texts

Letters = Mapping[str, frozenset[str]]
"""The characters that each font, or the pen paths, draw."""

MINIMA = {"words": 0, "lines": 0, "styles": 1}
UP_TO_ONE = ("strength", "effects", "flattening", "foreign")
PROBES, MIN_DRAWN = 100, 10
"""Each font must draw MIN_DRAWN of PROBES texts, because a sample is drawn again only a few times."""


def check_asked(asked: GenerateParams, charset: Charset) -> None:
    """Raise SettingsError naming everything that is out of range."""
    sizes = {name: getattr(asked, name) for name in (*MINIMA, *UP_TO_ONE)}
    faults = [
        f"generate.{name} is {sizes[name]}; it needs {least} or more"
        for name, least in MINIMA.items()
        if sizes[name] < least
    ]
    faults += [f"generate.{name} is {sizes[name]}; it needs 0 to 1" for name in UP_TO_ONE if not 0 <= sizes[name] <= 1]
    if asked.lines > 0 and charset.unknown(" "):
        faults.append(f"charset {charset.name!r} lacks the space between words; add it, or set generate.lines to 0")
    named = sorted(kind for kind, weight in asked.shares.items() if weight > 0 and kind in SAMPLE_KINDS)
    if asked.boxes and named:
        faults.append(f"generate.boxes is not known for {', '.join(named)}; leave them out of generate.shares")
    if asked.foreign > 0 and charset.unknown(REJECT):
        faults.append(f"generate.foreign is {asked.foreign}; charset {charset.name!r} lacks the replacement character")
    if faults:
        raise SettingsError("; ".join(faults))


def letters_of(fonts: Sequence[Font]) -> Letters:
    """Return the letters of a kind: by font file, or by pen path where it has no fonts."""
    return {str(font.path): font.characters for font in fonts} or {PEN_PATHS: frozenset(load_alphabet()) | {" "}}


def check_characters(kinds: Mapping[str, Letters], charset: Charset) -> None:
    """Raise DataError for characters that no kind draws; print which characters a kind leaves to the others."""
    drawn = {kind: frozenset().union(*letters.values()) for kind, letters in kinds.items()}
    nowhere = [
        character
        for character in charset.characters
        if character != REJECT and not any(character in own for own in drawn.values())
    ]
    if nowhere:
        raise DataError(
            f"{' '.join(nowhere)} not drawn by {' or '.join(kinds)}; add a font that does, give its kind a weight in "
            "generate.shares, or take them out of the charset"
        )
    for kind, own in drawn.items():
        if kind in SAMPLE_KINDS:  # of which some show digits alone
            continue
        lacking = [c for c in charset.characters if c not in own and c != REJECT]
        if lacking:
            more = f" and {len(lacking) - MAX_NAMED} more" if len(lacking) > MAX_NAMED else ""
            tqdm.write(
                f"generate {kind}: {' '.join(lacking[:MAX_NAMED])}{more} left to the other kinds", file=sys.stderr
            )


def check_texts(kinds: Mapping[str, Letters], texts: Texts, *, units: Sequence[str], seed: int) -> None:
    """Raise DataError for fonts and pen paths that draw hardly any text."""
    rng = np.random.default_rng(seed)
    probes = {unit: [some_text(texts, rng, unit=unit) for _ in range(PROBES)] for unit in units}
    faults = [
        hardly_any(name)
        for letters in kinds.values()
        for name, characters in letters.items()
        if any(sum(map(characters.issuperset, probe)) < MIN_DRAWN for probe in probes.values())
    ]
    if faults:
        raise DataError("; ".join(faults))


def hardly_any(name: str) -> str:
    """Return the message about a font, or about pen paths."""
    way_out = "set generate.shares.strokes to 0" if name.startswith(PEN_PATHS) else "take it out of fonts.folders"
    return f"hardly any text of this charset is drawn by {name}; {way_out}"


def some_text(texts: Texts, rng: np.random.Generator, *, unit: str) -> str:
    """Return a word, or a line of 2 to 12 words."""
    return texts.word(rng) if unit == "words" else texts.line(rng, words=int(rng.integers(2, 13)))
