"""What int8 costs: the float32 and the int8 artefact of the same weights read the same images of `tune`.

    python benchmarks/reading/quantization.py                 (or with --images 2000: of each group at most)

Best path, paired by image. Prints a table and writes benchmarks/quantization.json; `points` is how much exact match
int8 loses, in hundredths, with the 95 % interval of a bootstrap over images.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from legible.charset import Charset
from legible.ctc.decode import best_path_text
from legible.data.dataset import Dataset, Sample
from legible.network.zoo import build_inference_network, size_named
from legible.recognition.recognizer import Recognizer
from legible.sampling import spread
from legible.scores import cer
from legible.training.export import convert
from legible.training.weights import load_network

PROJECT = Path(__file__).parents[2]
RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    """Of one group: exact match and CER of both artefacts, and what int8 costs in points of exact match."""

    group: str
    images: int
    exact_float: float
    exact_int8: float
    cer_float: float
    cer_int8: float
    points: float
    low: float
    high: float


def recognizers(folder: Path, *, workers: int) -> dict[str, Recognizer]:
    network, description, charset = load_network(PROJECT / "models/weights")
    twin = build_inference_network(
        network, size_named(description.size), labels=charset.size, height=description.height
    )
    made = {}
    for quantization in ("none", "dynamic"):
        path = folder / f"{quantization}.tflite"
        path.write_bytes(convert(twin, quantization=quantization))
        made[quantization] = Recognizer(path, charset, normalization=description.normalization, workers=workers)
    return made


def texts(recognizer: Recognizer, samples: Sequence[Sample], charset: Charset) -> list[str]:
    found = []
    for sample in samples:
        logits = recognizer.logits(recognizer.preprocess(sample.image))
        found.append(best_path_text(logits, charset))
    return found


def compare(group: str, samples: Sequence[Sample], both: dict[str, Recognizer]) -> Row:
    truths = [sample.text for sample in samples]
    plain, small = (texts(both[name], samples, both[name].charset) for name in ("none", "dynamic"))
    right = [np.array([t == p for t, p in zip(truths, read, strict=True)], float) for read in (plain, small)]
    lost = (right[0] - right[1]) * 100
    rng = np.random.default_rng(0)
    drawn = lost[rng.integers(0, len(lost), (RESAMPLES, len(lost)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Row(
        group,
        len(samples),
        float(right[0].mean()),
        float(right[1].mean()),
        cer(truths=truths, predictions=plain),
        cer(truths=truths, predictions=small),
        float(lost.mean()),
        float(low),
        float(high),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=3000, help="of each group at most")
    most = parser.parse_args().images
    groups: dict[str, list[Sample]] = {}
    for sample in Dataset.open(PROJECT / "data/dataset").samples(split="tune"):
        groups.setdefault(sample.group, []).append(sample)
    with tempfile.TemporaryDirectory() as folder:
        both = recognizers(Path(folder), workers=1)
        rows = [compare(name, spread(own, most), both) for name, own in sorted(groups.items())]
    print("| tune | images | float32 exact, CER | int8 exact, CER | points lost (95 %) |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.group} | {row.images} | {row.exact_float:.1%}, {row.cer_float:.2%} | "
            f"{row.exact_int8:.1%}, {row.cer_int8:.2%} | {row.points:+.2f} ({row.low:+.2f} to {row.high:+.2f}) |"
        )
    content = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    (PROJECT / "benchmarks/quantization.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
