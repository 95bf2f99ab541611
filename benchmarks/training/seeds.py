"""How much of a figure is luck: `small`, trained from nothing with three seeds on data/dataset.

    python benchmarks/training/seeds.py                        (--seeds 1,2,3 --epochs 5)

Trains five epochs of 32,768 images, in batches of 4,096 columns normalised as they will be read (`train.renormalized`).
Reads the IAM words of `validation` and the print recipe with each int8 artefact, by best path. Nothing is chosen by it.
Checkpoints stay in work/seeds: a run that was cut off goes on. Prints a table and writes benchmarks/seeds.json.
"""

import argparse
import dataclasses
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generated_only import real_words

from legible.config import Params, load_params
from legible.evaluation.evaluate import best_path_texts
from legible.recognition.recognizer import artefact_recognizer
from legible.scores import cer, exact_match
from legible.synth.print_recipes import print_recipe
from legible.training.export import export
from legible.training.phases import phases_of
from legible.training.stage import train

PROJECT = Path(__file__).parents[2]
WORK = PROJECT / "work/seeds"


@dataclass(frozen=True)
class Row:
    """Of one seed, on one set of images."""

    seed: int
    read: str
    images: int
    exact_match: float
    cer: float


def settings(seed: int, *, epochs: int) -> Params:
    params = load_params(PROJECT / "params.yaml")
    changed = dataclasses.replace(
        params.train,
        size="small",
        epochs=epochs,
        epoch_samples=32_768,
        batch_columns=4096,
        renormalized=True,
        dropout=0.0,
        strength=0.3,
        precision="mixed_bfloat16",
        mixture=phases_of(params)[-1].train.mixture,
        start_from="",
        averaged=1,
        phases=(),
    )
    return dataclasses.replace(params, seed=seed, train=changed)


def trained(params: Params) -> Path:
    """The folder with the artefact."""
    root = WORK / str(params.seed)
    (root / "data").mkdir(parents=True, exist_ok=True)
    if not (root / "data/dataset").exists():
        (root / "data/dataset").symlink_to(PROJECT / "data/dataset")
    train(params, root=root, workers=2)
    export(params, root=root)
    return root / "training/artefact"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--epochs", type=int, default=5, help="of 32,768 images")
    asked = parser.parse_args()
    params = load_params(PROJECT / "params.yaml")
    sets: dict[str, list[Any]] = {
        "IAM words of validation": real_words("validation"),
        "print": list(print_recipe(params.evaluate.print, params, root=PROJECT)),
    }
    rows = []
    print("| seed | read | exact match / CER |\n|---|---|---|")
    for seed in map(int, asked.seeds.split(",")):
        recognizer = artefact_recognizer(trained(settings(seed, epochs=asked.epochs)), workers=2)
        for name, samples in sets.items():
            read = best_path_texts(recognizer, [sample.image for sample in samples])
            scores = [
                score(truths=[sample.text for sample in samples], predictions=read) for score in (exact_match, cer)
            ]
            rows.append(row := Row(seed, name, len(samples), *scores))
            print(f"| {row.seed} | {row.images} {row.read} | {row.exact_match:.1%} / {row.cer:.2%} |", flush=True)
    for name in sets:
        found = [row.exact_match for row in rows if row.read == name]
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        print(f"{name}: exact match {statistics.mean(found):.1%}, standard deviation {100 * spread:.1f} points")
    content = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    (PROJECT / "benchmarks/seeds.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
