"""Stage `confidence`: one temperature, fitted on `tune`, that makes a reading's confidence the chance that it is right.

Temperature scaling (Guo et al. 2017, section 4.2). The confidence is the product of the best path's shares, see
`reader.recognizer.interpret`; the temperature is the one under which whether readings are right is likeliest.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from legible.config import Params
from legible.ctc.decode import log_softmax
from legible.data.dataset import Dataset, Sample
from legible.errors import DataError
from legible.image.normalize import normalize
from legible.reader.recognizer import Recognizer, artefact_recognizer, interpret

FORMAT_VERSION = 1
TEMPERATURES = np.geomspace(0.25, 8.0, 41)
BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The fitted temperature, and the expected calibration error on `tune` without and with it."""

    version: int
    temperature: float
    samples: int
    error_before: float
    error_after: float


def confidence(params: Params, *, root: Path) -> None:
    """Write root/training/confidence.json."""
    recognizer = artefact_recognizer(root / "training/artefact")
    samples = evenly_by_group(
        list(Dataset.open(root / "data/dataset").samples(split="tune")), params.confidence.samples
    )
    if not samples:
        raise DataError("data/dataset holds no tune samples to calibrate on; add writers, or raise ingest.tune_share")
    calibration = calibrate(recognizer, samples)
    content = json.dumps(asdict(calibration), indent=1) + "\n"
    (root / "training/confidence.json").write_text(content, encoding="utf-8")


def calibrate(recognizer: Recognizer, samples: Sequence[Sample]) -> Calibration:
    """Logits of each sample once; then the temperature of the least binary cross-entropy."""
    right, logits = [], []
    for sample in tqdm(samples, desc="calibrate", unit="image"):
        columns = normalize(sample.image, height=recognizer.height, stride=recognizer.stride)
        logits.append(recognizer.logits(columns))
        right.append(interpret(logits[-1], recognizer.charset, temperature=1.0).text == sample.text)
    truth = np.array(right, np.float64)
    given = np.array([[_path_share(one / t) for one in logits] for t in TEMPERATURES])
    best = int(np.argmin([cross_entropy(row, truth) for row in given]))
    plain = np.array([_path_share(one) for one in logits])
    return Calibration(
        FORMAT_VERSION,
        round(float(TEMPERATURES[best]), 4),
        len(samples),
        error_before=calibration_error(plain, truth),
        error_after=calibration_error(given[best], truth),
    )


def cross_entropy(given: Floats, right: Floats) -> float:
    """Mean of -log of the chance that was given to what happened."""
    clipped = np.clip(given, 1e-6, 1 - 1e-6)
    return float(-np.mean(right * np.log(clipped) + (1 - right) * np.log(1 - clipped)))


def calibration_error(given: Floats, right: Floats) -> float:
    """Expected calibration error over BINS bins of equal mass (Nguyen and O'Connor 2015)."""
    order = np.argsort(given, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    gaps = [abs(given[part].mean() - right[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(order))


def evenly_by_group(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most so many samples (one of each group at least), equal numbers of each source and kind, spread over each."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    share = max(count // max(len(groups), 1), 1)
    return [sample for members in groups.values() for sample in spread(members, share)]


def spread(members: Sequence[Sample], count: int) -> list[Sample]:
    """At most so many, at equal distances."""
    step = max(len(members) / count, 1.0)
    return [members[int(place * step)] for place in range(min(count, len(members)))]


def _path_share(logits: npt.NDArray[np.float32]) -> float:
    return float(np.exp(log_softmax(logits).max(axis=-1).sum()))
