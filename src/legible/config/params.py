"""Parameters: what changes the bundle, params.yaml as one frozen dataclass a section.

A key that comes later has a default that says what was done before, so that a rollback to older parameters can be
judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from legible.charset import Charset
from legible.config.checked import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt, Section

DEFAULT_FLATTENING = 0.6
"""The flattening of the words of `evaluate.print`, and of generated words where params.yaml names none."""


MAX_DROPOUT = 0.99
MAX_AVERAGING = 0.999999


@dataclass(frozen=True)
class CharsetParams(Section):
    name: str
    characters: Annotated[str, MinLen(1)]

    def build(self) -> Charset:
        return Charset(self.name, self.characters)


@dataclass(frozen=True)
class FontsParams(Section):
    """Where font files are found: `folders` are searched for .woff, .woff2, .ttf and .otf."""

    revision: NonNegativeInt
    folders: tuple[str, ...]
    packages: bool
    """Also use the fonts that are installed as Python packages."""
    unseen: tuple[str, ...]
    """The families kept out of generated training data, for `evaluate.print`."""


@dataclass(frozen=True)
class GenerateParams(Section):
    revision: NonNegativeInt
    words: NonNegativeInt
    lines: NonNegativeInt
    styles: PositiveInt
    """The number of writer styles: fixed combinations of font, size, slant, ink and paper."""
    shares: Mapping[str, NonNegativeFloat]
    """The weights of print, handwriting (in fonts) and strokes (pen paths) among the samples."""
    strength: Fraction
    """How far augmentation goes, 0 to 1."""
    effects: Fraction
    """How many and how strong the marks near the writing, the faults of the sheet and of the camera are, 0 to 1."""
    boxes: bool
    """Whether the boxes of characters are written too."""
    kerning: bool = False
    """Whether fonts are kerned by their tables of pairs."""
    names: bool = False
    """Whether people's names stand among the words, and names with titles, and addresses, in the lines."""
    flattening: NonNegativeFloat = DEFAULT_FLATTENING
    """The exponent of a word's frequency when words are drawn: 1 as in running text, less to draw rare words more."""
    language: Literal["en", "zh"] = "en"
    """The language of print, handwriting and strokes; zh is Chinese, with numbers and Latin words among it."""
    foreign: Fraction = 0.0
    """The fraction of samples with characters outside the charset, of the kinds in `synth.kinds.registry`."""


@dataclass(frozen=True)
class IngestParams(Section):
    revision: NonNegativeInt
    tune_share: Fraction
    """The fraction of the training writers whose samples become `tune`."""
    validation_share: Fraction
    """The fraction of the writers of sources without an official split that become `validation`."""
    segmentation: tuple[Literal["ok", "err"], ...]
    """The IAM segmentations that are taken."""
    pasted_share: NonNegativeFloat
    """The number of characters pasted to words and lines, for each character of an EMNIST source."""
    terms: Literal["", "open", "all"] = ""
    """`open` takes only sources that anyone may use for any purpose, `all` takes every source.

    The manifest then names the terms of each; where this is empty every source is taken and no terms are named, as
    before.
    """
    leave_out: tuple[str, ...] = ()
    """Listed sources that are not taken."""
    pasted_lines: Fraction = 0.2
    """The fraction of lines among the samples pasted of an EMNIST source; 0 where the charset has no space."""
    pasted_gap: Fraction = 0.2
    """Gaps between pasted characters are narrower than this fraction of their height."""


Dropout = Annotated[float, Ge(0), Le(MAX_DROPOUT)]
Averaging = Annotated[float, Ge(0), Le(MAX_AVERAGING)]
Mixture = Mapping[str, NonNegativeFloat]
"""The weight of each group of samples, `source/kind`, in an epoch; groups not named are left out."""


@dataclass(frozen=True)
class PhaseParams(Section):
    """One phase of a training: what differs from the section `train`. What is None is as it stands there."""

    name: str = ""
    """The name for `legible train --stop-after`; a phase without one is called by its number, from 1."""
    from_mean_of: PositiveInt = 1
    """Initialise from the average weights of the previous N phases; 1 takes those of the last one."""
    epochs: PositiveInt | None = None
    epoch_samples: PositiveInt | None = None
    batch_columns: PositiveInt | None = None
    learning_rate: NonNegativeFloat | None = None
    weight_decay: NonNegativeFloat | None = None
    warmup_epochs: NonNegativeFloat | None = None
    dropout: Dropout | None = None
    strength: Fraction | None = None
    mixture: Mixture | None = None
    """In params.yaml also the name of one of `train.mixtures`."""
    averaging: Averaging | None = None
    precision: str | None = None
    consistency: NonNegativeFloat | None = None
    renormalized: bool | None = None


@dataclass(frozen=True)
class TrainParams(Section):
    revision: NonNegativeInt
    size: str
    height: PositiveInt
    """The height of the network's input in pixels."""
    epochs: PositiveInt
    epoch_samples: PositiveInt
    batch_columns: PositiveInt
    """The columns of pixels in one padded batch, so that batches of lines hold fewer samples than batches of words."""
    learning_rate: NonNegativeFloat
    weight_decay: NonNegativeFloat
    warmup_epochs: NonNegativeFloat
    dropout: Dropout
    """The dropout of the temporal blocks."""
    strength: Fraction
    """How far training images are augmented, 0 to 1."""
    mixture: Mixture
    """In params.yaml also the name of one of `mixtures`."""
    averaging: Averaging
    """The momentum of the moving average of the weights; 0 switches it off."""
    precision: str
    """float32, or on a GPU or a processor with bfloat16 mixed_bfloat16; the weights are float32 in both."""
    start_from: str
    """The folder of weights that the first phase starts from; empty to start from nothing."""
    phases: tuple[PhaseParams, ...] = ()
    """The phases, each from the weights of the one before; without any there is one, as stated here."""
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    """Mixtures by name, for `mixture` here and in the phases."""
    normalization: PositiveInt = 1
    """The version of `image.normalize` that images are trained on, and then read with."""
    averaged: PositiveInt = 1
    """The number of last phases whose average weights are the result; 1 takes the last one's."""
    consistency: NonNegativeFloat = 0.0
    """The weight of the difference between the readings of two augmented views of an image; 0 draws one view."""
    renormalized: bool = False
    """Whether batches are normalised by the moving averages, as in reading, instead of by their own moments.

    An average of several phases then gets moving averages of its own.
    """
    batch_multiple: PositiveInt = 1
    """Each batch holds a multiple of so many samples, so that so many devices, or a part of them, can share it."""
    start_with: tuple[str, ...] = ()
    """Further folders of weights of the same size; the first phase starts from the average of all."""

    interpolation: tuple[Fraction, ...] = ()
    """Ways from the start to the trained weights, 0 to 1; that which reads `tune` best is the result (WiSE-FT).

    No group that the start was trained on may lose more than a point; the groups of `own` are to gain.
    """
    own: tuple[str, ...] = ()
    """The sources that a fine-tuning is for; all others stand for what the start can read already."""

    @property
    def paired(self) -> bool:
        """Whether each image is trained on in two views."""
        return self.consistency > 0


@dataclass(frozen=True)
class ExportParams(Section):
    revision: NonNegativeInt
    quantization: Literal["dynamic", "none"]
    """`dynamic` for int8 weights with activation scales found at run time, `none` for float32."""


@dataclass(frozen=True)
class LexiconParams(Section):
    """The words that readings with a lexicon prefer; the last seven are those of `ctc.lexicon.LexiconWeights`."""

    revision: NonNegativeInt
    name: str
    language: str
    """The language as wordfreq calls it."""
    words: NonNegativeInt
    """The number of most frequent words that are taken; 0 for a bundle without a lexicon."""
    trust: float
    unknown: float
    letter: float
    free: float
    space: float
    capital: float
    capitals: float


@dataclass(frozen=True)
class ConfidenceParams(Section):
    revision: NonNegativeInt
    samples: PositiveInt


@dataclass(frozen=True)
class PrintRecipe(Section):
    """A fixed recipe of printed words in unseen families; changed only under a new name."""

    name: str
    seed: NonNegativeInt
    words: NonNegativeInt
    strength: Fraction
    """How far the odd words are spoilt; with `kinds`, how much further than in generated training data."""
    families: tuple[str, ...] = ()
    """The families that it is drawn in; empty: all of `fonts.unseen`."""
    characters: str = ""
    """The characters that its words are made of; empty: those of the charset."""
    kinds: Mapping[str, NonNegativeFloat] = field(default_factory=dict)
    """The weights of the kinds of samples (`synth.kinds.registry`) that it is drawn as; empty: printed words."""


@dataclass(frozen=True)
class EvaluateParams(Section):
    revision: NonNegativeInt
    print: PrintRecipe
    worst: NonNegativeInt
    """The number of worst errors that are drawn."""
    corrupted: NonNegativeInt
    """The number of images of `tune` that are read with each known corruption, at each severity."""
    more_print: tuple[PrintRecipe, ...] = ()
    """Further recipes; their slices bear their names."""


@dataclass(frozen=True)
class ReferenceParams(Section):
    revision: NonNegativeInt
    false_alarms_per_window: Annotated[float, Gt(0), Le(1)]
    """The stated false-alarm budget, over all statistics together."""
    smallest_window: PositiveInt
    resamples: PositiveInt
    images: PositiveInt
    """The number of images of the data set in the reference; fewer where `per_writer` allows no more."""
    per_writer: PositiveInt
    """The most images of one writer."""
    rows: NonNegativeInt
    """The rows of the sample kept for Evidently."""


@dataclass(frozen=True)
class PackParams(Section):
    revision: NonNegativeInt
    floors: Mapping[str, Fraction]
    """The lowest exact match that is allowed for each slice, by name."""
    max_bytes: PositiveInt = 5_000_000
    """The largest size of the bundle; never more than bundles may have at all."""
    leave_out: tuple[Literal["results.jsonl.gz", "reference.parquet", "signatures.json"], ...] = ()
    """Files that a small bundle goes without: the gate then reads the images again, reports draw no reference, and the
    drift check names no cause."""


@dataclass(frozen=True)
class Params(Section):
    """All of params.yaml; each section belongs to the DVC stage of the same name."""

    seed: NonNegativeInt
    charset: CharsetParams
    fonts: FontsParams
    generate: GenerateParams
    ingest: IngestParams
    train: TrainParams
    export: ExportParams
    lexicon: LexiconParams
    confidence: ConfidenceParams
    evaluate: EvaluateParams
    reference: ReferenceParams
    pack: PackParams
