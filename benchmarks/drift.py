"""Does the drift check notice inverted validation images, and keep quiet about others?

Reads random images of data/dataset (`validation`, all sources) with the shipped bundle, logs observations as the
service does, and asks `legible drift`, and promtool about the Prometheus rule. Prints a table, writes drift.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from prometheus_window import passes
from tqdm import tqdm

from legible import observations
from legible.data.dataset import Dataset
from legible.drift.reference import Reference
from legible.image.decode import GreyImage
from legible.observations import observe
from legible.reader.bundle import load_bundle
from legible.reader.recognizer import Recognizer

HERE = Path(__file__).parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    options.add_argument("--images", type=int, default=200)
    chosen = options.parse_args()
    recognizer = Recognizer.from_bundle(load_bundle(chosen.bundle))
    samples = list(Dataset.open(Path("data/dataset")).samples(split="validation"))
    drawn = np.random.default_rng(1).permutation(len(samples))
    windows = {
        "inverted": [255 - samples[place].image for place in drawn[: chosen.images]],
        "others": [samples[place].image for place in drawn[chosen.images : 2 * chosen.images]],
        "too few": [samples[place].image for place in drawn[:20]],
    }
    rows = [judge(name, images, recognizer, chosen.bundle) for name, images in windows.items()]
    (HERE / "drift.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(f"{row['window']:10} {row['images']:5} images  exit {row['exit_code']}  {row['outcome']:16} "
              f"ImageDrift {'fires' if row['alert_fires'] else 'is silent':9}  "
              f"largest KS {row['largest_ks']:.2f} thresholds")  # fmt: skip


def judge(name: str, images: list[GreyImage], recognizer: Recognizer, bundle: Path) -> dict[str, object]:
    rows = [
        observe(image, recognizer.read([image])[0], channel="benchmark", at=time.time())
        for image in tqdm(images, desc=name, unit="image")
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "window.jsonl"
        observations.write(path, rows)
        command = [sys.executable, "-m", "legible", "drift", "--json", "--observations", str(path)]
        outcome = subprocess.run([*command, "--bundle", str(bundle)], capture_output=True, text=True, check=False)
    verdict = json.loads(outcome.stdout)
    reference = Reference.load(bundle)
    fires = next(claim for claim in (True, False) if passes(reference, rows, fires=claim).returncode == 0)
    largest = max((signal["ks"] / signal["threshold"] for signal in verdict["signals"]), default=0.0)
    return {
        "window": name,
        "images": len(images),
        "exit_code": outcome.returncode,
        "outcome": verdict["outcome"],
        "alert_fires": fires,
        "largest_ks": largest,
    }


if __name__ == "__main__":
    main()
