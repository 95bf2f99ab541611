"""How well a network that saw generated images alone reads real handwriting, and what each part of the generator gives.

    python benchmarks/training/generated_only.py      (--epochs 4 --recipes strokes; --validation when all is chosen)

Trains `small` three times, from nothing: on fonts alone, with single-stroke handwriting, with paper and camera too.
Reads the IAM words of `tune`, or of `validation`, by best path, and with the shipped lexicon. Data sets and
checkpoints stay in work/generated-only: a run that was cut off goes on, and begins anew where generator, fonts or
settings changed. Prints a table and puts its rows among those of benchmarks/generated_only.json;
with --validation also into models/measured, for the card.
"""

import argparse
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from legible.config import Params, load_params
from legible.data.dataset import Dataset, Sample, Split
from legible.data.ingest import ingest
from legible.errors import DataError
from legible.evaluation.evaluate import best_path_texts
from legible.network.zoo import size_named
from legible.packing.measured import GeneratedOnly, record
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import artefact_recognizer
from legible.scores import cer, exact_match
from legible.synth.generate import generate
from legible.training.export import export
from legible.training.stage import train

PROJECT = Path(__file__).parents[2]
WORK = PROJECT / "work/generated-only"
AGAIN = "benchmarks/training/generated_only.py"


@dataclass(frozen=True)
class Recipe:
    """Probabilities of the generator's kinds, how far its effects go, and what an epoch is drawn from."""

    shares: Mapping[str, float]
    effects: float
    mixture: Mapping[str, float]


FONTS = {"generated-print/word": 0.5, "generated-handwriting/word": 3.0}
STROKES = {"generated-print/word": 0.3, "generated-handwriting/word": 2.2, "generated-strokes/word": 2.3}
RECIPES = {
    "fonts": Recipe({"print": 0.2, "handwriting": 0.8}, 0.0, FONTS),
    "strokes": Recipe({"print": 0.1, "handwriting": 0.4, "strokes": 0.5}, 0.0, STROKES),
    "effects": Recipe({"print": 0.1, "handwriting": 0.4, "strokes": 0.5}, 0.4, STROKES),
}


@dataclass(frozen=True)
class Row:
    """Of one recipe, so many epochs on what this revision of the generator draws, on IAM words of a split."""

    recipe: str
    size: str
    epochs: int
    revision: int
    split: str
    images: int
    exact_match: float
    cer: float
    exact_match_with_lexicon: float
    cer_with_lexicon: float


def settings(recipe: Recipe, *, size: str, epochs: int) -> Params:
    params = load_params(PROJECT / "params.yaml")
    return dataclasses.replace(
        params,
        generate=dataclasses.replace(
            params.generate,
            words=80_000,
            lines=0,
            styles=4000,
            shares=recipe.shares,
            effects=recipe.effects,
            flattening=0.9,
        ),
        train=dataclasses.replace(
            params.train,
            size=size,
            epochs=epochs,
            epoch_samples=32_768,
            dropout=0.0,
            strength=0.6,
            mixture=recipe.mixture,
            start_from="",
            averaged=1,
            batch_columns=2048,
            renormalized=True,
            precision="mixed_bfloat16",
            phases=(),
        ),
    )


def trained(name: str, params: Params) -> Path:
    """The folder with the artefact; what is there already is not made again."""
    root = WORK / f"{name}-{params.train.size}"
    made_from = json.dumps([asdict(params.fonts), asdict(params.generate), _fonts_lock()], sort_keys=True)
    known = root / "made-from.json"
    if not known.is_file() or known.read_text(encoding="utf-8") != made_from:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        known.write_text(made_from, encoding="utf-8")
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data/sources.json").write_text('{"version": 1, "sources": []}\n', encoding="utf-8")
    if not (root / "fonts").exists():
        (root / "fonts").symlink_to(PROJECT / "fonts")
    if not (root / "data/dataset/manifest.json").is_file():
        generate(params, root=root, processes=2)
        ingest(params, root=root)
    train(params, root=root, workers=2)
    export(params, root=root)
    return root


def _fonts_lock() -> str:
    return hashlib.sha256((PROJECT / "fonts/package-lock.json").read_bytes()).hexdigest()


def real_words(split: Split) -> list[Sample]:
    words = [one for one in Dataset.open(PROJECT / "data/dataset").samples(split=split) if one.group == "iam/word"]
    if not words:
        raise DataError("data/dataset holds no IAM words to read; see docs/data.md")
    return words


def measure(name: str, root: Path, samples: list[Sample], *, split: str, params: Params) -> Row:
    recognizer = artefact_recognizer(root / "training/artefact", workers=2)
    english = load_bundle(PROJECT / "models/bundle").lexicon("english")
    plain = best_path_texts(recognizer, [sample.image for sample in samples])
    readings = recognizer.read([sample.image for sample in samples], decoding=Decoding(recognizer.prior(english)))
    preferred = [reading.text for reading in readings]
    truths = [sample.text for sample in samples]
    scores = [score(truths=truths, predictions=texts) for texts in (plain, preferred) for score in (exact_match, cer)]
    return Row(name, params.train.size, params.train.epochs, params.generate.revision, split, len(samples), *scores)


def write_row(row: Row) -> None:
    """Among those of other recipes, epochs, revisions or splits that are there already."""
    path = PROJECT / "benchmarks/generated_only.json"
    there = [Row(**kept) for kept in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    every = {(one.revision, one.split, one.size, one.epochs, one.recipe): one for one in (*there, row)}
    content = json.dumps([asdict(every[key]) for key in sorted(every)], indent=1) + "\n"
    path.write_text(content, encoding="utf-8")


def for_the_card(row: Row, params: Params) -> GeneratedOnly:
    return GeneratedOnly(
        command=f"python {AGAIN} --epochs {row.epochs} --recipes {row.recipe} --validation",
        size=row.size,
        parameters=size_named(row.size).parameters,
        words=params.generate.words,
        revision=row.revision,
        images=row.images,
        exact_match=row.exact_match,
        cer=row.cer,
        exact_match_with_lexicon=row.exact_match_with_lexicon,
        cer_with_lexicon=row.cer_with_lexicon,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", default=",".join(RECIPES), help="which, of " + ", ".join(RECIPES))
    parser.add_argument("--size", default="small")
    parser.add_argument("--epochs", type=int, default=12, help="of 32,768 images")
    parser.add_argument("--validation", action="store_true", help="read validation, once all choices are made")
    asked = parser.parse_args()
    if unknown := set(asked.recipes.split(",")) - set(RECIPES):
        parser.error(f"--recipes has {', '.join(sorted(unknown))}; known: {', '.join(RECIPES)}")
    split: Split = "validation" if asked.validation else "tune"
    samples = real_words(split)
    print("| trained on | IAM words | exact match / CER | with lexicon |\n|---|---|---|---|")
    for name in asked.recipes.split(","):
        params = settings(RECIPES[name], size=asked.size, epochs=asked.epochs)
        row = measure(name, trained(name, params), samples, split=split, params=params)
        write_row(row)
        if asked.validation:
            record(PROJECT, for_the_card(row, params))
        print(
            f"| {row.recipe} | {row.images} of {row.split} | {row.exact_match:.1%} / {row.cer:.1%} | "
            f"{row.exact_match_with_lexicon:.1%} / {row.cer_with_lexicon:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
