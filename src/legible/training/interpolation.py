"""How far to go from the start of a fine-tuning to its end, so that what the start can read is not forgotten.

The weights between both are tried (WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903) on samples of
`tune`: the own ones are to be read better, and none of the other groups much worse than by the start.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from legible.arrays import Float32s
from legible.config import Params
from legible.data.dataset import Sample
from legible.errors import DataError
from legible.files import JsonFormat
from legible.network.loss import CTCModel
from legible.sampling import evenly_by_group
from legible.scores import cer, exact_match
from legible.training.batches import PreprocessingConfig
from legible.training.curves import read_samples
from legible.training.loop import initial_model, preprocessing_of
from legible.training.phases import TrainingPhase

FORMAT = JsonFormat("interpolation", 1, "train again", DataError)
FILE = "training/interpolation.json"
MAX_LOSS = 0.01
"""The largest fall of exact match in any other group."""
JUDGED_FROM = 80
"""Groups with fewer samples of `tune` are not judged: one word more or less would decide."""
READ = 3000
"""The most samples of `tune` that are read for each fraction."""
WITHOUT_OWN = 0.5
"""The largest fraction where `tune` has no own sample; the middle is what WiSE-FT recommends unseen."""


@dataclass(frozen=True)
class Trial:
    """How the weights at one fraction read `tune`: own CER and exact match, and the exact match of each other group."""

    fraction: float
    own_cer: float | None
    own_exact: float | None
    others: Mapping[str, float]

    def fall(self, start: "Trial") -> float:
        """Return the largest fall of exact match in another group, as a fraction; 0 where none fell."""
        return max((start.others[group] - exact for group, exact in self.others.items()), default=0.0)


def interpolate(
    model: CTCModel, phases: Sequence[TrainingPhase], tune: Sequence[Sample], params: Params, *, root: Path
) -> Trial:
    """Give the model the best weights between its start and its own, and write training/interpolation.json."""
    ends = _weights(initial_model(phases[0], root=root)), _weights(model)
    samples, preprocessing = _chosen(tune, params.train.own), preprocessing_of(phases[-1].params)
    fractions = sorted({0.0, *params.train.interpolation})
    trials = []
    for fraction in tqdm(fractions, desc="interpolate", unit="fraction"):
        model.set_weights(_between(*ends, fraction))
        trials.append(_trial(model, fraction, samples, params.train.own, preprocessing))
    best = choose(trials)
    model.set_weights(_between(*ends, best.fraction))
    tqdm.write(f"train: {said(trials, best)}", file=sys.stderr)
    content = {"chosen": best.fraction, "trials": [asdict(trial) for trial in trials]}
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    FORMAT.save(root / FILE, content)
    return best


def choose(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the lowest own CER of those in which no other group fell by more than MAX_LOSS.

    The first trial is the start. Where `tune` has no own sample it is the largest fraction up to WITHOUT_OWN.
    """
    start = trials[0]
    allowed = [trial for trial in trials if trial.fall(start) <= MAX_LOSS]
    if start.own_cer is None:
        return max((trial for trial in allowed if trial.fraction <= WITHOUT_OWN), key=lambda trial: trial.fraction)
    return min(allowed, key=lambda trial: (trial.own_cer or 0.0, trial.fraction))


def said(trials: Sequence[Trial], best: Trial) -> str:
    """Say in a line what was chosen, and what it gives on `tune`."""
    start, chosen = trials[0], f"went {best.fraction:.0%} of the way from the start"
    if best.own_cer is None or start.own_cer is None:
        return f"{chosen}; `tune` holds no own sample to choose by"
    fall = f"no other group fell by more than {max(best.fall(start), 0.0):.1%}"
    return f"{chosen}; own CER of `tune` {start.own_cer:.1%} -> {best.own_cer:.1%}, and {fall}"


def _chosen(tune: Sequence[Sample], own: Sequence[str]) -> list[Sample]:
    """Return all own samples, at most READ, and as many others, spread over groups that are large enough to judge."""
    ours = [sample for sample in tune if sample.source in own]
    others = [sample for sample in tune if sample.source not in own]
    counts: dict[str, int] = {}
    for sample in others:
        counts[sample.group] = counts.get(sample.group, 0) + 1
    judged = [sample for sample in others if counts[sample.group] >= JUDGED_FROM]
    return [*evenly_by_group(ours, READ // 2), *evenly_by_group(judged, READ)]


def _trial(
    model: CTCModel, fraction: float, samples: Sequence[Sample], own: Sequence[str], preprocessing: PreprocessingConfig
) -> Trial:
    texts = read_samples(model, samples, preprocessing)
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for sample, text in zip(samples, texts, strict=True):
        truths, predictions = groups.setdefault("" if sample.source in own else sample.group, ([], []))
        truths.append(sample.comparable(sample.text))
        predictions.append(sample.comparable(text))
    ours = groups.pop("", None)
    others = {group: exact_match(truths=t, predictions=p) for group, (t, p) in sorted(groups.items())}
    if ours is None:
        return Trial(fraction, None, None, others)
    truths, predictions = ours
    exact = exact_match(truths=truths, predictions=predictions)
    return Trial(fraction, cer(truths=truths, predictions=predictions), exact, others)


def _weights(model: CTCModel) -> list[Float32s]:
    return list(model.get_weights())


def _between(start: Sequence[Float32s], end: Sequence[Float32s], fraction: float) -> list[Float32s]:
    """Return the weights at a fraction of the way: `_between([0.0], [4.0], 0.25)` is `[1.0]`."""
    return [(first + fraction * (last - first)).astype(first.dtype) for first, last in zip(start, end, strict=True)]
