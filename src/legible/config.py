"""Settings: `Params`, what changes the bundle (params.yaml), and `ServiceSettings`, what changes a running service.

Each section is a frozen dataclass. An unknown key is refused, with the nearest known one named. A key that comes
later has a default that says what was done before, so that a rollback to older parameters can be judged.
"""

import dataclasses
import difflib
import os
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from legible.charset import Charset
from legible.errors import SettingsError

Section = TypeVar("Section")

FLATTENING = 0.6
"""Of the words of `evaluate.print`, and of what is generated where nothing else is asked for."""


@dataclass(frozen=True)
class CharsetParams:
    name: str
    characters: str

    def build(self) -> Charset:
        return Charset(self.name, self.characters)


@dataclass(frozen=True)
class FontsParams:
    """Where font files are found. `folders` are searched for .woff, .woff2, .ttf and .otf."""

    revision: int
    folders: tuple[str, ...]
    packages: bool
    """Also use the fonts that are installed as Python packages."""
    unseen: tuple[str, ...]
    """Families kept out of generated training data, for `evaluate.print`."""


@dataclass(frozen=True)
class GenerateParams:
    revision: int
    words: int
    lines: int
    styles: int
    """Writer styles: fixed combinations of font, size, slant, ink and paper."""
    shares: Mapping[str, float]
    """How much of it is print, handwriting (in fonts) and strokes (pen paths)."""
    strength: float
    """How far augmentation goes, 0 to 1."""
    effects: float
    """How many and how strong the marks near the writing, the faults of the sheet and of the camera are, 0 to 1."""
    boxes: bool
    """Whether the boxes of characters are written too."""
    kerning: bool = False
    """Whether fonts are kerned by their tables of pairs."""
    names: bool = False
    """Whether people's names stand among the words, and names with titles, and addresses, in the lines."""
    flattening: float = FLATTENING
    """Words are drawn by their frequency to this power: 1 as running text has them, less where rare ones count."""


@dataclass(frozen=True)
class IngestParams:
    revision: int
    tune_share: float
    """Share of the training writers whose samples become `tune`."""
    validation_share: float
    """Share of the writers of sources without an official split that become `validation`."""
    segmentation: tuple[str, ...]
    """Which IAM segmentations are taken: ok, err."""
    pasted_share: float
    """Characters pasted to words and lines, for each character of an EMNIST source."""
    terms: str = ""
    """`open`: only sources that anyone may use for any purpose; `all`: every source. The manifest then names the terms
    of each; where this is empty every source is taken and no terms are named, as before."""
    leave_out: tuple[str, ...] = ()
    """Listed sources that are not taken."""

    def __post_init__(self) -> None:
        if self.terms not in ("", "open", "all"):
            raise SettingsError(f"ingest.terms is {self.terms!r}; known: open, all, or empty")


@dataclass(frozen=True)
class ThenParams:
    """A training that starts from the weights of the one before; only what differs from the first."""

    epochs: int
    epoch_samples: int
    learning_rate: float
    warmup_epochs: float
    dropout: float
    strength: float
    mixture: Mapping[str, float]
    precision: str = "float32"
    batch_columns: int = 0
    """0: as many as in the first."""
    consistency: float = 0.0
    renormalized: bool = False
    from_mean_of: int = 1
    """It starts from the mean of the weights of so many trainings before it; 1: from the last one's."""


@dataclass(frozen=True)
class TrainParams:
    revision: int
    size: str
    height: int
    """Pixels high of the network's input."""
    epochs: int
    epoch_samples: int
    batch_columns: int
    """Columns of pixels in one padded batch, so that batches of lines hold fewer samples than batches of words."""
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    dropout: float
    """In the temporal blocks."""
    strength: float
    """How far training images are augmented, 0 to 1."""
    mixture: Mapping[str, float]
    """Weight of each group of samples, `source/kind`, in an epoch; groups not named here are left out."""
    averaging: float
    """Momentum of the moving average of the weights; 0 switches it off."""
    precision: str
    """float32, or on a GPU or a processor with bfloat16 mixed_bfloat16; the weights are float32 in both."""
    start_from: str
    """Weights to fine-tune from; empty to start afresh."""
    then: tuple[ThenParams, ...]
    """Further trainings, each from the weights of the one before."""
    normalization: int = 1
    """The version of `image.normalize` that images are trained on, and then read with."""
    averaged: int = 1
    """Of how many of the last trainings' weights the result is the mean; 1: the last one's alone."""
    consistency: float = 0.0
    """Weight of how far two augmented views of each image are read apart; 0: one view."""
    renormalized: bool = False
    """Whether batches are normalised by the moving averages, as readings are, in place of by their own moments.

    A mean of several trainings then gets moving averages of its own.
    """
    start_with: tuple[str, ...] = ()
    """Further weights of the same size; the start is the mean of all."""

    @property
    def paired(self) -> bool:
        """Whether each image is trained on in two views."""
        return self.consistency > 0


@dataclass(frozen=True)
class ExportParams:
    revision: int
    quantization: str
    """`dynamic` for int8 weights with activation scales found at run time, `none` for float32."""


@dataclass(frozen=True)
class LexiconParams:
    """Of the words that readings with a lexicon prefer; the last seven: `ctc.lexicon.LexiconWeights`."""

    revision: int
    name: str
    language: str
    """As wordfreq calls it."""
    words: int
    """How many of the most frequent."""
    trust: float
    unknown: float
    letter: float
    free: float
    space: float
    capital: float
    capitals: float


@dataclass(frozen=True)
class ConfidenceParams:
    revision: int
    samples: int


@dataclass(frozen=True)
class PrintRecipe:
    """A fixed recipe of printed words in unseen families; changed only under a new name."""

    name: str
    seed: int
    words: int
    strength: float


@dataclass(frozen=True)
class EvaluateParams:
    revision: int
    print: PrintRecipe
    worst: int
    """How many of the worst errors are drawn."""
    corrupted: int
    """Images of `tune` that are read with each known corruption, at each severity."""


@dataclass(frozen=True)
class ReferenceParams:
    revision: int
    false_alarms_per_window: float
    """The stated false-alarm budget, over all statistics together."""
    smallest_window: int
    resamples: int
    images: int
    """Of the data set, whose statistics are the reference's; fewer where `per_writer` allows no more."""
    per_writer: int
    """Images of one writer, at most."""
    rows: int
    """Rows of the sample kept for Evidently."""


@dataclass(frozen=True)
class PackParams:
    revision: int
    floors: Mapping[str, float]
    """Least exact match for each slice, by name."""
    measured: Mapping[str, str]
    """Speed and memory for the card, by the first twelve digits of the model's sha256: another model's is left out."""
    generated_only: Mapping[str, str] = field(default_factory=dict)
    """How well a network that saw generated images alone reads the IAM words of `validation`, for the card, by the
    revision of `generate` that drew them: another's is left out, and where the data set has no such words."""


@dataclass(frozen=True)
class Params:
    """All of params.yaml; each section belongs to the DVC stage of the same name."""

    seed: int
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


def load_params(*paths: Path) -> Params:
    """Parameters of the first file with those of the following ones merged over it."""
    return build(Params, _merged_files(paths), where="params")


def dump_params(*paths: Path) -> str:
    """The same as YAML, once it is known to be sound."""
    import yaml  # kept out of the lean installation, which needs no parameters  # noqa: PLC0415

    load_params(*paths)
    return str(yaml.safe_dump(_merged_files(paths), allow_unicode=True, sort_keys=False))


def _merged_files(paths: Iterable[Path]) -> dict[str, Any]:
    import yaml  # as above  # noqa: PLC0415

    merged: dict[str, Any] = {}
    for path in paths:
        if not path.is_file():
            raise SettingsError(f"{path}: no such file; run in the project's folder or name one")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise SettingsError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        merged = merge(merged, _sections(content, path))
    return merged


def _sections(content: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise SettingsError(f"{path} holds a {type(content).__name__}; it needs sections such as `train:`")
    return content


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings joined, the second winning: `{a: {b: 1}} + {a: {c: 2}} -> {a: {b: 1, c: 2}}`.

    An empty one empties: `{a: {b: 1}} + {a: {}} -> {a: {}}`.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping) and len(value) > 0
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged


def build(section: type[Section], values: Mapping[str, Any], *, where: str) -> Section:
    """A settings dataclass from plain values, nested ones included. Raises SettingsError with all faults."""
    fields = {f.name: f for f in dataclasses.fields(section)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(section)
    faults = [_unknown_key(key, fields, where) for key in values if key not in fields]
    required = [n for n, f in fields.items() if _is_required(f)]
    faults += [f"{where}.{name} is missing" for name in required if name not in values]
    if faults:
        raise SettingsError("; ".join(faults))
    known = {k: _convert(hints[k], v, where=f"{where}.{k}") for k, v in values.items()}
    return section(**known)


def _is_required(settings_field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return settings_field.default is missing and settings_field.default_factory is missing


def _unknown_key(key: str, known: Mapping[str, Any], where: str) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{where}.{key} is unknown; {hint}"


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where} is {value!r}; it needs keys of its own")
        return build(typing.cast("type[Any]", hint), value, where=where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        kind = typing.get_args(hint)[0]
        alone = dataclasses.is_dataclass(kind) and isinstance(value, Mapping)
        return tuple(_convert(kind, item, where=where) for item in ([value] if alone else _listed(value, where)))
    if origin is not None:  # a Mapping of names to numbers
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where} is {value!r}; it needs names with a value each")
        kind = typing.get_args(hint)[1]
        return {name: _convert(kind, item, where=f"{where}.{name}") for name, item in value.items()}
    return _scalar(hint, value, where)


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{where} is {value!r}; it needs a list")
    return list(value)


def _scalar(hint: type[Any], value: Any, where: str) -> Any:
    whole_for_float = hint is float and isinstance(value, int) and not isinstance(value, bool)
    if whole_for_float:
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SettingsError(f"{where} is {value!r}; it needs a {hint.__name__}")
    return value


ENVIRONMENT_PREFIX = "LEGIBLE_"
OTHER_VARIABLES = frozenset({"LEGIBLE_BUNDLE", "LEGIBLE_WORKERS", "LEGIBLE_KEY", "LEGIBLE_METRICS_KEY"})
"""Of the environment, read elsewhere."""


@dataclass(frozen=True)
class ServiceSettings:
    """A running service; each field is overridden by `LEGIBLE_<FIELD>` in the environment."""

    max_image_bytes: int = 10_000_000
    max_body_bytes: int = 50_000_000
    """Of a whole request; more is refused while it arrives."""
    max_held_bytes: int = 200_000_000
    """Of all requests in one worker, and half of it of those that still arrive; more are refused with 429."""
    max_pixels: int = 40_000_000
    max_batch_images: int = 64
    max_in_flight: int = 32
    """Requests to read at a time in one worker; more are refused with 429 and Retry-After."""
    body_seconds: float = 20.0
    """Until when the body of a request has to have arrived."""
    drain_seconds: float = 5.0
    """From SIGTERM to the end of accepting: `/readyz` says 503 meanwhile, so that a balancer sends elsewhere."""
    accept: float = 0.9
    """A reading is `accepted` from this confidence on."""
    channels: tuple[str, ...] = field(default=("default",))
    """What `channel` may be; anything else is counted as `other`."""
    keys: tuple[str, ...] = ()
    """`name:sha256` of the keys that may read (`legible key`); none, and no keys_file: open to all."""
    keys_file: str = ""
    """A file with such an entry a line."""
    metrics_keys: tuple[str, ...] = ()
    """The same for `/metrics`."""
    cors_origins: tuple[str, ...] = ()
    """Sites whose pages may call from a browser, such as `https://example.org`."""
    request_log: bool = True
    """A line of JSON for each request to standard output."""
    observations_folder: str = "observations"
    observations_queue: int = 1000
    """Observations that may wait for the disk; more are dropped and counted."""
    observations_retention_days: int = 30
    observations_retention_bytes: int = 1_000_000_000
    """Of all workers' files together, about; the oldest go first."""
    keep_images: float = 0.0
    """Share of the images that are kept for labelling, the least confident and the most unusual first."""
    images_folder: str = "images"
    images_retention_days: int = 30
    images_retention_bytes: int = 500_000_000
    """Of all workers' images together, about; the oldest go first."""
    baseline: str = ""
    """The folder that `legible rebase` wrote: metrics then compare with this deployment's normal, not the bundle's."""
    feedback: bool = False
    """Whether `/feedback` takes corrections."""
    corrections_folder: str = "corrections"

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> "ServiceSettings":
        """Settings with the environment's `LEGIBLE_*` over the defaults; lists are comma-separated.

        Raises SettingsError for a value of the wrong kind, and for a name that is nearly one of a setting.
        """
        variables = os.environ if environment is None else environment
        hints = typing.get_type_hints(ServiceSettings)
        known = {ENVIRONMENT_PREFIX + name.upper() for name in hints} | OTHER_VARIABLES
        _refuse_misspelt(variables, known)
        values = {
            name: _parse(hints[name], variables[key], key)
            for name, key in ((n, ENVIRONMENT_PREFIX + n.upper()) for n in hints)
            if key in variables
        }
        return ServiceSettings(**values)


def _refuse_misspelt(variables: Mapping[str, str], known: Collection[str]) -> None:
    """Others of the prefix are let be: Kubernetes sets LEGIBLE_SERVICE_HOST and its like for a service of that name."""
    for name in sorted(variables):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                raise SettingsError(f"{name} is no setting; did you mean {near[0]}?")


def _parse(hint: Any, text: str, name: str) -> Any:
    if typing.get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("0", "1", "false", "true"):
            raise SettingsError(f"{name} is {text!r}; it needs 1 or 0")
        return text.lower() in ("1", "true")
    try:
        return hint(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}; it needs a {hint.__name__}") from error
