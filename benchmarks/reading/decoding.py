"""What decoding costs: the lexicon's loading, and each way to decode, image by image on one thread.

    python benchmarks/reading/decoding.py                     (--images 300)

Reads `validation` with the shipped bundle, the network's time left out. Prints a table and writes
benchmarks/decoding.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from legible.config import load_params
from legible.ctc.decode import Probabilities, best_path, softmax
from legible.data.dataset import Dataset
from legible.evaluation.evaluate import print_cases, validation_cases
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding, search, search_alternatives
from legible.recognition.recognizer import Recognizer
from legible.sampling import spread

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """Milliseconds an image of one group, decoded in one way."""

    group: str
    way: str
    images: int
    median: float
    mean: float
    of_99_in_100: float
    most: float


def timed(decode: Callable[[Probabilities], object], images: Sequence[Probabilities]) -> np.ndarray:
    """Milliseconds of each image, decoded once; what a prior remembers of one helps with the next, as in service."""
    marks = [time.perf_counter()]
    for image in images:
        decode(image)
        marks.append(time.perf_counter())
    return np.diff(marks) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=300, help="of each group, at most")
    most = parser.parse_args().images
    bundle = load_bundle(PROJECT / "models/bundle")
    recognizer = Recognizer.from_bundle(bundle)
    started = time.perf_counter()
    lexicon = bundle.lexicon("english")
    seconds = time.perf_counter() - started
    print(
        f"{len(lexicon):,} words loaded in {seconds:.2f} s\n\n| images | way | median ms | mean | 99 % within | most |"
    )
    print("|---|---|---|---|---|---|")
    preferring = Decoding(recognizer.prior(lexicon))
    wide = Decoding(alternatives=5)
    ways: dict[str, Callable[[Probabilities], object]] = {
        "best path": best_path,
        "prefix beam": lambda shares: search(shares, Decoding()),
        "and five alternatives": lambda shares: search_alternatives(shares, wide, search(shares, wide)),
        "with lexicon": lambda shares: search(shares, preferring),
    }
    groups: dict[str, list[Probabilities]] = {}
    cases = [*print_cases(load_params(PROJECT / "params.yaml"), root=PROJECT)]
    cases += validation_cases(Dataset.open(PROJECT / "data/dataset"))
    for name in sorted({case.slices[0] for case in cases}):
        own = spread([case for case in cases if case.slices[0] == name], most)
        groups[name] = [softmax(recognizer.logits(recognizer.preprocess(case.image))) for case in own]
    rows = []
    for name, images in groups.items():
        for way, decode in ways.items():
            found = timed(decode, images)
            figures = (np.median(found), found.mean(), np.percentile(found, 99), found.max())
            rows.append(row := Row(name, way, len(images), *map(float, figures)))
            print(
                f"| {row.images} {row.group} | {row.way} | {row.median:.2f} | {row.mean:.2f} | "
                f"{row.of_99_in_100:.1f} | {row.most:.1f} |"
            )
    content = json.dumps({"words": len(lexicon), "seconds": seconds, "rows": [asdict(row) for row in rows]}, indent=1)
    (PROJECT / "benchmarks/decoding.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
