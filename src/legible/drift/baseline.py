"""The baseline: a deployment's own reference for change, made from what it read.

Whether an estimate is reliable is still judged by the bundle's reference. Consecutive readings resemble each other as
images of one writer do, so blocks of them take the place of writers in the calibration.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from legible.arrays import Floats
from legible.config import ReferenceParams
from legible.drift.arrival import MAX_UNTOLD
from legible.drift.calibrate import make_reference, rows_of
from legible.drift.documents import DocumentCounts, effective_images
from legible.drift.gather import RowSample, block_length, in_blocks
from legible.drift.odd_documents import DocumentRule, make_document_rule
from legible.drift.reference import EDGES, UNKNOWN_CORRELATION, Reference
from legible.drift.summary import Summary, chunks, image_ranks, ranked_by
from legible.errors import BundleError, DataError
from legible.file_numbers import finite_array, finite_number, whole_number
from legible.files import JsonFormat, sha256_of
from legible.observations.row import Observation, write_observations
from legible.observations.window import read_back

FORMAT = JsonFormat("baseline", 1, "run legible rebase again, or name the folder it wrote", BundleError)
FILE, SAMPLE = "baseline.json", "sample.jsonl"
DOCUMENT_BUDGET = 0.5
"""The fraction of the budget of false alarms that the rule on documents has."""
ASSUMED_BLOCK = 50
"""Images of a document that nobody told, at least; the lines of a receipt or a form."""
MIN_IMAGES = 1000
"""The smallest number of observations for a baseline."""
RESAMPLES = 20_000
SAMPLE_ROWS = 2000


@dataclass(frozen=True)
class Baseline:
    """`deviations` (signals, edges) are the deployment's normal as the reference of the bundle `bundle` sees it."""

    reference: Reference
    bundle: str
    at: float
    images: int
    deviations: Floats
    sample: tuple[Observation, ...]

    def save(self, folder: Path) -> None:
        """Write its files, all of them before the first takes its place; FILE has the sums of the others."""
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
            fresh = Path(scratch)
            self.reference.save(fresh)
            write_observations(fresh / SAMPLE, self.sample)
            sums = {path.name: sha256_of(path) for path in sorted(fresh.iterdir())}
            content = {
                "bundle": self.bundle,
                "at": self.at,
                "images": self.images,
                "deviations": self.deviations.round(5).tolist(),
                "sums": sums,
            }
            FORMAT.save(fresh / FILE, content, indent=None)
            for name in (*sums, FILE):
                (fresh / name).rename(folder / name)

    @staticmethod
    def load(folder: Path, *, bundle: str) -> "Baseline":
        """Open a baseline. Raise BundleError for none, a damaged one, another format, and one of another bundle."""
        with FORMAT.parse(folder / FILE) as content:
            return _opened(folder, content, bundle)


def _opened(folder: Path, content: Mapping[str, Any], bundle: str) -> Baseline:
    if content["bundle"] != bundle:
        raise BundleError(
            f"{folder}: this baseline is of bundle {content['bundle'] or 'unknown'}, and {bundle or 'unknown'} "
            "decides; run legible rebase again, or name the bundle it is of"
        )
    for name, digest in content.get("sums", {}).items():  # earlier baselines state none
        if not (folder / name).is_file() or sha256_of(folder / name) != digest:
            raise BundleError(f"{folder}: {name} is of another baseline than {FILE}; run legible rebase again")
    reference = Reference.load(folder)
    deviations = finite_array(content["deviations"], "deviations", shape=(len(reference.quantiles), len(EDGES)))
    at, images = finite_number(content["at"], "at"), whole_number(content["images"], "images", low=1)
    sample = read_back(folder / SAMPLE).observations
    return Baseline(reference, content["bundle"], at, images, deviations, sample)


def make_baseline(
    reference: Reference,
    observations: Iterable[Observation],
    *,
    bundle: str,
    at: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Baseline:
    """Make a baseline of observations; `reference` is the bundle's. Raise DataError for too few."""
    summary, gathered = Summary.empty(reference, seed=seed), RowSample()
    for chunk in chunks(observations):
        summary.add(chunk)
        gathered.add(chunk)
    if summary.images < MIN_IMAGES:
        raise DataError(
            f"{summary.images} observations make no baseline; it takes {MIN_IMAGES}: wait, or go further back"
        )
    unnamed = gathered.unnamed()
    block = block_length(ranked_by(reference, unnamed, np.random.default_rng(seed))) if unnamed else 1
    rows = [replace(row, writer=row.document) for row in (*gathered.named(), *in_blocks(unnamed, block))]
    is_told = len(unnamed) <= MAX_UNTOLD * len(rows)
    section = ReferenceParams(
        revision=0,
        false_alarms_per_window=reference.false_alarms_per_window * (1 - DOCUMENT_BUDGET * is_told),
        smallest_window=reference.smallest_window,
        resamples=resamples,
        images=len(rows),
        per_writer=len(rows),
        rows=SAMPLE_ROWS,
    )
    lexicon, alike = _most_frequent_lexicon(rows)
    made = make_reference(
        {"image": rows_of(rows, "image"), "prediction": rows_of(alike, "prediction")}, section, seed=seed
    )
    counts = DocumentCounts()
    counts.add([row.document for row in rows])
    budget = reference.false_alarms_per_window
    made = replace(made, block=block, bunching=counts.bunching, false_alarms_per_window=budget, lexicon=lexicon)
    if is_told:
        documents = _document_rule(made, gathered.named(), budget=budget * DOCUMENT_BUDGET, section=section, seed=seed)
        made = replace(made, documents=documents)
    else:
        made = _careful(made, images=len(rows), block=max(block, ASSUMED_BLOCK))
    sample = tuple(summary.sample[:SAMPLE_ROWS])
    return Baseline(made, bundle, at, summary.images, summary.counts.deviations, sample)


def _most_frequent_lexicon(rows: Sequence[Observation]) -> tuple[str, list[Observation]]:
    """Return the lexicon that most were read with, empty for none, and the rows that were."""
    ((lexicon, _),) = Counter(row.lexicon for row in rows).most_common(1)
    return lexicon, [row for row in rows if row.lexicon == lexicon]


def _document_rule(
    reference: Reference, rows: Sequence[Observation], *, budget: float, section: ReferenceParams, seed: int
) -> DocumentRule | None:
    rng = np.random.default_rng(seed)
    ranked = image_ranks(reference, ranked_by(reference, rows, rng))
    named = [row.document for row in rows]
    return make_document_rule(ranked, named, budget=budget, resamples=section.resamples, rng=rng)


def _careful(reference: Reference, *, images: int, block: int) -> Reference:
    """Return rules that hold where images come from documents that nobody told, of about `block` images each.

    Where such documents arrive interleaved the order of arrival shows nothing of them: their correlation is assumed.
    """
    known = {}
    for kind, part in reference.known.items():
        correlation = max(part.rule.correlation, UNKNOWN_CORRELATION)
        worth = effective_images(images, bunching=block, correlation=correlation)
        rule = replace(part.rule, m=min(part.rule.m, worth), correlation=correlation)
        known[kind] = replace(part, rule=rule)
    unusual = reference.unusual
    if unusual:
        correlation = max(unusual.correlation, UNKNOWN_CORRELATION)
        worth = effective_images(images, bunching=block, correlation=correlation)
        unusual = replace(unusual, m=min(unusual.m, worth), correlation=correlation)
    bunching = max(reference.bunching, float(block))
    return replace(reference, known=known, block=block, bunching=bunching, unusual=unusual)
