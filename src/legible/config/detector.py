"""Parameters of the line detector: params/detector.yaml as a frozen dataclass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from legible.config.checked import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    from_plain,
)
from legible.config.params import DEFAULT_FLATTENING, CharsetParams, FontsParams
from legible.errors import SettingsError

ASCII = CharsetParams("ascii", "".join(map(chr, range(32, 127))))
PACKAGED = FontsParams(1, (), packages=True, unseen=())
"""The fonts that come as Python packages."""
Completeness = Literal["all", "some", "corners"]
"""Whether a source lists all lines of its pages, some of them, or the corners of the sheet alone."""


@dataclass(frozen=True)
class DetectorSource(Section):
    """A source of labelled pages: what its index lists, and its weight among the labelled ones."""

    lists: Completeness = "all"
    weight: PositiveFloat = 1.0
    terms: str = "not stated"
    """The terms of use, for the card."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of its labels when pages are measured, as in data/sources.json: `{untold: [case]}`."""


@dataclass(frozen=True)
class DetectorParams(Section):
    """The parameters that decide the weights of the line detector, beside the files of its sources."""

    charset: CharsetParams = ASCII
    """The characters of the texts on drawn pages."""
    fonts: FontsParams = PACKAGED
    """The fonts of drawn pages; `unseen` families are on those that are measured alone."""
    names: bool = False
    """Whether people's names and addresses stand in the texts."""
    flattening: NonNegativeFloat = DEFAULT_FLATTENING
    """The exponent of a word's frequency in the texts, as in GenerateParams."""
    size: str = "base"
    epochs: PositiveInt = 80
    epoch_pages: PositiveInt = 160
    """The number of pages that an epoch cuts its pieces from."""
    pieces: PositiveInt = 12
    """The number of pieces of each page."""
    side: PositiveInt = 320
    """Pixels of a piece each way; a multiple of 32."""
    drawn: Fraction = 0.6
    """The fraction of pages that are drawn; the others come from the sources."""
    sources: Mapping[str, DetectorSource] = field(default_factory=dict)
    batch: PositiveInt = 16
    learning_rate: PositiveFloat = 0.002
    weight_decay: NonNegativeFloat = 0.01
    averaging: Fraction = 0.998
    """The momentum of the moving average of the weights that is kept at the end; 0 for none."""
    tune_pages: PositiveInt = 24
    """The number of pages, drawn and of the tune splits, on which the loss is measured after each epoch."""
    seed: int = 1
    validation_pages: NonNegativeInt = 12
    """The number of drawn pages of each kind that `legible evaluate-pages` reads, beside the sources' own."""
    empty_pages: NonNegativeInt = 100
    """The number of drawn pages without text among them."""

    def __post_init__(self) -> None:
        if self.side % 32:
            raise SettingsError(f"detector.side is {self.side}; a multiple of 32, such as 320")


def load_detector_params(path: Path) -> DetectorParams:
    """Return the parameters of a file. Raise SettingsError with all faults at once."""
    import yaml  # kept out of the lean installation, which trains nothing  # noqa: PLC0415

    if not path.is_file():
        raise SettingsError(f"{path}: no such file; run in the project's folder or name one")
    return from_plain(DetectorParams, yaml.safe_load(path.read_text(encoding="utf-8")) or {}, where="detector")
