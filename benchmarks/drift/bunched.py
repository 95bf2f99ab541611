"""How often the drift check is wrong, and what it finds, where images come in documents: lines of receipts and forms.

    python benchmarks/drift/bunched.py RECEIPTS.tar --foreign FORMS.tar IAM/words.tar --altered blur --peers 40

`bunched_rows.py` says what the archives are; a file that `--save` wrote stands for one. Half of the documents, drawn at
random, are a deployment's normal; windows are of the others, in order of documents and interleaved. Each `--foreign` is
mixed in, a tenth of the images; with `--altered` all images of a window are changed, at severity 3. `--labels` draws
labels at random and tells how far off the estimate is with them. With `--peers` Evidently's preset and KS at 0.05 over
all columns (Bonferroni) judge as many windows of each kind. Prints a table and writes bunched.json.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from bunched_rows import rows_of
from drift_windows import evidently_drifts, upper_bound
from scipy import stats
from tqdm import tqdm

from legible.arrays import Floats
from legible.drift.baseline import make_baseline
from legible.drift.decide import Outcome, decide
from legible.drift.labelled import LabelledReading, by_labels
from legible.drift.reference import Reference, table
from legible.drift.signatures import NONE, Corrupted
from legible.observations.row import SIGNALS, Observation
from legible.synth.corrupt import CORRUPTIONS

HERE = Path(__file__).parent
SIZES = (50, 100, 200, 500, 1000, 2000)
FOUND_SIZES = (50, 100, 200, 500)
MIXED = (900, 54, 100, 6)
"""Usual images and documents, and foreign ones, of a window with a tenth foreign."""
SEVERITY = 3
LABELS, LABEL_WINDOW = 100, 1000
PEER_LEVEL = 0.05

Judge = Callable[[list[Observation]], bool]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pages", type=Path)
    options.add_argument("--foreign", type=Path, nargs="*", default=[])
    options.add_argument("--altered", nargs="*", default=[], choices=sorted(CORRUPTIONS))
    options.add_argument("--save", type=Path, help="a folder for the rows of each archive")
    options.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    options.add_argument("--lines", type=int, default=30, help="of a page, at most")
    options.add_argument("--splits", type=int, default=4, help="of the documents into normal and windows")
    options.add_argument("--windows", type=int, default=60, help="of each size and order in each split")
    options.add_argument("--peers", type=int, default=0, help="windows of each kind that others judge too")
    options.add_argument("--labels", action="store_true", help="the estimate with labels drawn at random")
    options.add_argument("--untold", action="store_true", help="no document is told")
    chosen = options.parse_args()
    read = partial(rows_of, bundle=chosen.bundle, lines=chosen.lines, save=chosen.save)
    usual = read(chosen.pages, ways=[(name, SEVERITY) for name in chosen.altered])
    foreign = {path.stem if path.stem != "words" else path.parent.name: plain(read(path)) for path in chosen.foreign}
    tallies: dict[str, list[int]] = {}
    for split in tqdm(range(chosen.splits), unit="split"):
        for name, drifted in judged(usual, foreign, chosen, np.random.default_rng(split)):
            tally = tallies.setdefault(name, [0, 0])
            tally[0] += int(drifted)
            tally[1] += 1
    (HERE / "bunched.json").write_text(json.dumps(tallies, indent=1) + "\n")
    for name, (found, windows) in tallies.items():
        print(f"{name:48} {found} of {windows}; 95 % bound {upper_bound(found, windows):.2%}")
    if chosen.labels:
        print(labelled(usual, np.random.default_rng(1)))


def plain(rows: Sequence[Corrupted]) -> list[Observation]:
    return [row.observation for row in rows if row.corruption == NONE]


def judged(
    rows: Sequence[Corrupted],
    foreign: dict[str, list[Observation]],
    chosen: argparse.Namespace,
    rng: np.random.Generator,
) -> Iterator[tuple[str, bool]]:
    """Yield kinds of window, and whether one of them was called drift."""
    usual = plain(rows)
    documents = rng.permutation(sorted({row.document for row in usual}))
    known = set(documents[: len(documents) // 2].tolist())
    normal = [row for row in usual if row.document in known]
    untold = [replace(row, document="", at=float(place)) for place, row in enumerate(normal)]
    reference = Reference.load(chosen.bundle)
    own = make_baseline(reference, untold if chosen.untold else normal, bundle="", at=0.0).reference
    judges: list[tuple[str, Judge, int]] = [("", partial(drifts, own, untold=chosen.untold), chosen.windows)]
    if chosen.peers:
        judges += [(f" by {name}", partial(peer, normal), chosen.peers) for name, peer in PEERS.items()]
    others = {name: [row.observation for row in rows if row.corruption == name] for name in (NONE, *chosen.altered)}
    pools = {name: Documents([r for r in some if r.document not in known]) for name, some in others.items()}
    odd = {name: Documents(some) for name, some in foreign.items()}
    for who, judge, windows in judges:
        for _ in range(windows):
            yield from ((f"{kind}{who}", judge(window)) for kind, window in windows_of(pools, odd, rng))


def windows_of(
    pools: "dict[str, Documents]", foreign: "dict[str, Documents]", rng: np.random.Generator
) -> "Iterator[tuple[str, list[Observation]]]":
    """Yield one window of each kind."""
    usual = pools[NONE]
    for n in SIZES:
        yield f"in order, {n} images", usual.in_order(n, rng)
        yield f"interleaved, {n} images", usual.interleaved(n, rng)
    for name, altered in pools.items():
        if name != NONE:
            for n in FOUND_SIZES:
                yield f"all {name}, in order, {n} images", altered.in_order(n, rng)
    images, of_usual, odd, of_odd = MIXED
    for name, strangers in foreign.items():
        rows = [*usual.of_some(images, of_usual, rng), *strangers.of_some(odd, of_odd, rng)]
        yield f"a tenth {name}, {images + odd} images", rows


def drifts(reference: Reference, rows: list[Observation], *, untold: bool) -> bool:
    window = [replace(row, document="", at=float(n)) for n, row in enumerate(rows)] if untold else rows
    return decide(reference, window).outcome is Outcome.DRIFT


def preset(normal: list[Observation], rows: list[Observation]) -> bool:
    return evidently_drifts(_columns(normal), _columns(rows))


def corrected_ks(normal: list[Observation], rows: list[Observation]) -> bool:
    known, current = _columns(normal), _columns(rows)
    return bool(min(stats.ks_2samp(known[n], current[n]).pvalue for n in known) < PEER_LEVEL / len(known))


PEERS = {"Evidently's preset": preset, "corrected KS": corrected_ks}


def _columns(rows: list[Observation]) -> dict[str, Floats]:
    return dict(zip(SIGNALS, table(rows).T, strict=True))


@dataclass(frozen=True)
class Documents:
    """Rows in order of their documents."""

    rows: list[Observation]

    def in_order(self, n: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images in a row, of documents in random order."""
        rows = [row for document in rng.permutation(self._names()) for row in self._of(document)]
        start = int(rng.integers(max(len(rows) - n, 0) + 1))
        return rows[start : start + n]

    def interleaved(self, n: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images of whatever documents."""
        return [self.rows[i] for i in rng.permutation(len(self.rows))[:n]]

    def of_some(self, n: int, documents: int, rng: np.random.Generator) -> list[Observation]:
        """Return n images of so many documents."""
        rows = [row for document in rng.permutation(self._names())[:documents] for row in self._of(document)]
        return [rows[i] for i in rng.permutation(len(rows))[:n]]

    def _names(self) -> list[str]:
        return sorted({row.document for row in self.rows})

    def _of(self, document: str) -> list[Observation]:
        return [row for row in self.rows if row.document == document]


def labelled(rows: Sequence[Corrupted], rng: np.random.Generator, *, tries: int = 400) -> str:
    """Say how far off the estimate is with LABELS labels of images drawn at random, and how often its interval holds.

    The truth is the exact match of the window itself.
    """
    own = [row for row in rows if row.corruption == NONE]
    off, bare, held = [], [], 0
    for _ in range(tries):
        window = [own[i] for i in rng.permutation(len(own))[:LABEL_WINDOW]]
        labels = [LabelledReading(r.observation.confidence, r.right, r.observation.document) for r in window[:LABELS]]
        confidences = np.asarray([row.observation.confidence for row in window])
        mean, deviation = float(confidences.mean()), float(confidences.std())
        found = by_labels(labels, confidence=mean, deviation=deviation, images=len(window))
        truth = float(np.mean([row.right for row in window]))
        if found is None:
            raise SystemExit(f"{LABELS} labels are too few")
        off.append(abs(found.exact_match - truth))
        bare.append(abs(mean - truth))
        held += found.low <= truth <= found.high
    return (
        f"with {LABELS} labels of {LABEL_WINDOW} images the estimate is off by {np.mean(off):.1%} on average, "
        f"{np.quantile(off, 0.95):.1%} in 5 of 100; without by {np.mean(bare):.1%}; "
        f"the interval holds {held / tries:.1%}"
    )


if __name__ == "__main__":
    main()
