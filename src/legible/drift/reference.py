"""The reference of a bundle: the distribution of each signal, the rank of a value in it, and the drift rules.

The service needs only this and numpy: `Reference.load`, then `rank` for each signal of each observation.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from legible.arrays import Floats
from legible.drift.documents import effective_images
from legible.drift.odd_documents import DocumentRule
from legible.drift.unusual import UnusualRule
from legible.errors import BundleError, DataError
from legible.file_numbers import finite_array, finite_number, whole_number
from legible.files import JsonFormat
from legible.image.statistics import STATISTICS
from legible.observations.row import PREDICTION_SIGNALS, SIGNALS, Observation

ONE_RULE = 1
"""The format version before this one, which is still read."""
FORMAT = JsonFormat("reference", 2, "run legible reference again, or name a bundle's folder", BundleError, (ONE_RULE,))
UNKNOWN_CORRELATION = 0.3
"""The correlation within documents where a rule of earlier versions states none."""
EDGES = tuple(i / 10 for i in range(1, 10))
"""Upper edges of the rank's buckets, in reports as in metrics; the last bucket goes to 1."""
MIN_QUANTILES = 2
MIN_OF_RULE = 1e-3
"""The least c and m of a rule: with less every window drifts, or none."""
CELLS = 200
"""Cells of equal probability between quantiles: a multiple of ten, so that every edge is a quantile."""

SignalKind = Literal["image", "prediction"]
KINDS: Mapping[SignalKind, tuple[str, ...]] = {"image": STATISTICS, "prediction": PREDICTION_SIGNALS}


@dataclass(frozen=True)
class Rule:
    """Drift is max over a kind's signals of KS above `c * sqrt(1/n + 1/m)`, in windows worth n independent images.

    m is the number of independent images that the reference is worth (images of one writer are alike), `correlation`
    that of images of one document.
    """

    c: float
    m: float
    correlation: float = UNKNOWN_CORRELATION

    def threshold(self, images: float, *, bunching: float = 1.0, tests: int = 1) -> float:
        """Return the KS above which a window drifts: `Rule(c=2.3, m=8000).threshold(50) -> 0.33`.

        Several tests share one budget: their c is greater, as the probability of a KS beyond c falls with exp(-2 c^2).
        """
        n = effective_images(images, bunching=bunching, correlation=self.correlation)
        c = math.sqrt(self.c**2 + math.log(tests) / 2)
        return c * math.sqrt(1 / n + 1 / self.m)


@dataclass(frozen=True)
class KnownSignals:
    """The quantiles (CELLS + 1,) of each signal of a kind, the number of images and writers behind them, and their
    rule.
    """

    quantiles: Mapping[str, Floats]
    images: int
    writers: int
    rule: Rule


@dataclass(frozen=True)
class Reference:
    """The known distributions of each kind of signals, and the budget that the rules keep.

    A window of the reference's kind, of `smallest_window` images or more, is called drift by either rule with a
    probability of at most `false_alarms_per_window`, of which each rule has half.
    """

    known: Mapping[SignalKind, KnownSignals]
    false_alarms_per_window: float
    smallest_window: int
    block: int = 1
    """Images without a document count as documents of so many each."""
    bunching: float = 1.0
    """How bunched the images of this deployment are: the images of the document that one belongs to, on average."""
    unusual: UnusualRule | None = None
    """The rule on single images that lie far out; earlier versions had none."""
    documents: DocumentRule | None = None
    """The rule on documents that lie far out, of a baseline whose images name theirs."""
    lexicon: str = ""
    """The lexicon of the readings whose prediction signals these are."""

    @cached_property
    def quantiles(self) -> Mapping[str, Floats]:
        """Return the quantiles of every signal."""
        return {name: grid for known in self.known.values() for name, grid in known.quantiles.items()}

    @cached_property
    def grids(self) -> Mapping[str, list[float]]:
        """Return the quantiles as plain numbers: for one value at a time they are searched ten times as fast."""
        return {name: grid.tolist() for name, grid in self.quantiles.items()}

    @property
    def rules(self) -> Mapping[SignalKind, Rule]:
        return {kind: known.rule for kind, known in self.known.items()}

    def save(self, folder: Path) -> None:
        """Write reference.json and drift.json."""
        known = {
            kind: {
                "images": part.images,
                "writers": part.writers,
                "quantiles": {name: grid.tolist() for name, grid in part.quantiles.items()},
            }
            for kind, part in self.known.items()
        }
        rules = {kind: vars(rule) for kind, rule in self.rules.items()}
        FORMAT.save(folder / "reference.json", {"known": known})
        FORMAT.save(
            folder / "drift.json",
            {
                "false_alarms_per_window": self.false_alarms_per_window,
                "smallest_window": self.smallest_window,
                "block": self.block,
                "bunching": round(self.bunching, 2),
                "lexicon": self.lexicon,
                "rules": rules,
                **({"unusual": self.unusual.told()} if self.unusual else {}),
                **({"documents": self.documents.told()} if self.documents else {}),
            },
        )

    @staticmethod
    def load(folder: Path) -> "Reference":
        """Open a folder's reference. Raise BundleError where a file is missing, damaged or of another format."""
        with FORMAT.parse(folder / "reference.json") as content:
            parts = {kind: _part(_with_two_rules(content)["known"][kind]) for kind in KINDS}
        with FORMAT.parse(folder / "drift.json") as content:
            drift = _with_two_rules(content)
            known = {kind: KnownSignals(*parts[kind], rule=_rule(drift["rules"][kind])) for kind in KINDS}
            budget = finite_number(drift["false_alarms_per_window"], "false_alarms_per_window", low=0.0, high=1.0)
            smallest = whole_number(drift["smallest_window"], "smallest_window", low=1)
            signals, unusual = len(known["image"].quantiles), drift.get("unusual")
            unusual = UnusualRule.of_told(unusual, signals=signals) if unusual else None
            documents = drift.get("documents")
            documents = DocumentRule.of_told(documents, signals=signals) if documents else None
            block = whole_number(drift.get("block", 1), "block", low=1)
            bunching = finite_number(drift.get("bunching", 1.0), "bunching", low=1.0)
            lexicon = str(drift.get("lexicon", ""))
            return Reference(known, budget, smallest, block, bunching, unusual, documents, lexicon)


def _part(content: Mapping[str, Any]) -> tuple[dict[str, Floats], int, int]:
    """Return the quantiles of each signal of a kind, and how many images and writers they are of."""
    quantiles = {name: _quantiles(grid, name) for name, grid in content["quantiles"].items()}
    images, writers = (whole_number(content[name], name, low=0) for name in ("images", "writers"))
    return quantiles, images, writers


def _quantiles(content: object, name: str) -> Floats:
    grid = finite_array(content, name, shape=(-1,))
    if len(grid) < MIN_QUANTILES or np.any(np.diff(grid) < 0):
        raise ValueError(f"{name} holds no {MIN_QUANTILES} quantiles or more, each at least the one before")
    return grid


def _rule(content: Mapping[str, Any]) -> Rule:
    correlation = finite_number(content.get("correlation", UNKNOWN_CORRELATION), "correlation", low=0.0, high=1.0)
    c, m = (finite_number(content[name], name, low=MIN_OF_RULE) for name in ("c", "m"))
    return Rule(c, m, correlation)


def rank(reference: Reference, name: str, value: float, *, uniform: float) -> float:
    """Return F(value) in [0, 1], F the reference's distribution of this signal; `uniform` in [0, 1) parts equal values.

    A signal that is 2 in half of the reference and else 3 gives 2 a rank anywhere in 0 ... 0.5, so that the
    ranks of the reference's own kind are uniform, whatever the signal.
    """
    grid = reference.grids[name]
    left, right = bisect_left(grid, value), bisect_right(grid, value)
    return min(max((left + (right - left) * uniform - 0.5) / (len(grid) - 1), 0.0), 1.0)


def ranks(quantiles: Floats, values: Floats, *, uniforms: Floats) -> Floats:
    """Return the ranks of many values (N,) of one signal. Each quantile stands for the cell around it."""
    left = np.searchsorted(quantiles, values, side="left")
    right = np.searchsorted(quantiles, values, side="right")
    return np.clip((left + (right - left) * uniforms - 0.5) / (len(quantiles) - 1), 0, 1)


def quantiles_of(values: Floats) -> Floats:
    """Return quantiles (CELLS + 1,) that are values themselves, so that equal values stay equal."""
    return np.quantile(values, np.linspace(0, 1, CELLS + 1), method="inverted_cdf")


def table(observations: Sequence[Observation], names: Sequence[str] = SIGNALS) -> Floats:
    """Return the signals (N, signals). Raise DataError naming those that the observations lack."""
    measured = [name for name in names if name not in PREDICTION_SIGNALS]
    predicted = [name for name in names if name in PREDICTION_SIGNALS]
    try:
        rows = [
            [*(row.statistics[name] for name in measured), *(getattr(row, name) for name in predicted)]
            for row in observations
        ]
    except KeyError:
        lacking = sorted({name for row in observations for name in set(measured) - row.statistics.keys()})
        raise DataError(
            f"observations lack {', '.join(lacking)}; use observations and a bundle made by the same legible"
        ) from None
    places = [[*measured, *predicted].index(name) for name in names]
    return np.asarray(rows, np.float64).reshape(len(rows), len(names))[:, places]


def _with_two_rules(content: dict[str, Any]) -> dict[str, Any]:
    """Return format 1 as format 2: its one rule, found for all signals together, holds for either kind."""
    if content["version"] != ONE_RULE:
        return content
    if "c" in content:
        return {**content, "rules": {kind: {"c": content["c"], "m": content["m"]} for kind in KINDS}}
    known = {
        kind: {
            **content,
            "quantiles": {name: content["quantiles"][name] for name in names if name in content["quantiles"]},
        }
        for kind, names in KINDS.items()
    }
    return {"known": known}
