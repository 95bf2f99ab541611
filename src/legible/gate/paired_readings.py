"""Re-read the same images with both bundles, alternating, so that neither stored results nor machine load bias the
comparison.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from legible.evaluation.evaluate import Case, result_of
from legible.evaluation.results import Result
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class PairedReadings:
    """Results of both, and the median over the images of the candidate's time over the champion's."""

    candidate: list[Result]
    champion: list[Result]
    times_slower: float


def read_alone(candidate: Path, cases: Sequence[Case]) -> list[Result]:
    """Re-read images where there is no champion. Raise BundleError for a bundle that is not as packed."""
    reader = Recognizer.from_bundle(load_bundle(candidate))
    return [result_of(case, reader.read([case.image])[0]) for case in tqdm(cases, desc="read", unit="image")]


def read_by_both(candidate: Path, champion: Path, cases: Sequence[Case]) -> PairedReadings:
    """Re-read images with both bundles. Raise BundleError for a bundle that is not as packed."""
    readers = [Recognizer.from_bundle(load_bundle(folder)) for folder in (candidate, champion)]
    results: tuple[list[Result], list[Result]] = ([], [])
    ratios = []
    for case in tqdm(cases, desc="read by both", unit="image"):
        seconds = []
        for reader, own in zip(readers, results, strict=True):
            start = time.perf_counter()
            (reading,) = reader.read([case.image])
            seconds.append(time.perf_counter() - start)
            own.append(result_of(case, reading))
        ratios.append(seconds[0] / seconds[1])
    return PairedReadings(*results, times_slower=float(np.median(ratios)))
