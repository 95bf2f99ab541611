"""The model card: what a bundle reads and does not, what it was made from, and how well it reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from legible.config import Params
from legible.data.dataset import Manifest as DataManifest
from legible.data.sources import listed
from legible.files import sha256_of
from legible.recognition.bundle import CARD, MODEL

MEASURED_DIGITS = 12
"""Of a model's sha256, to say which model `pack.measured` speaks of."""
REAL_WORDS = "iam/word"
"""The group that `benchmarks/generated_only.py` reads, and `pack.generated_only` speaks of."""
OWN_SOURCES = {
    "generated-print": "drawn by `legible generate` in printed fonts under open licences",
    "generated-handwriting": "drawn by `legible generate` in handwriting fonts under open licences",
    "generated-strokes": "written by `legible generate` with pen paths drawn for this project",
}


def write_card(folder: Path, params: Params, *, data_set: DataManifest, trained: Mapping[str, Any], root: Path) -> None:
    """Write card.md into a bundle's folder, from the figures that lie there."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    calibration = json.loads((folder / "confidence.json").read_text(encoding="utf-8"))
    parts = [
        _head(folder, params, trained),
        _sources(data_set, {source.name: source.terms for source in listed(root)}),
        _figures(evaluation),
        _writers(evaluation),
        _same_reading(evaluation),
        _confidence(evaluation, calibration),
        _corruptions(evaluation["corruptions"]),
        _speed(folder, params),
        *_generated_only(params, data_set),
        _limits(),
        _how_to_reproduce(data_set, trained),
    ]
    (folder / CARD).write_text("\n".join(parts), encoding="utf-8")


def _head(folder: Path, params: Params, trained: Mapping[str, Any]) -> str:
    kilobytes = (folder / MODEL).stat().st_size // 1000
    return f"""# Model card

Reads a picture of one word or one line in the {len(params.charset.characters)} characters of `{params.charset.name}`,
printed or handwritten, and answers with its text and the probability that all of it is right.

- Network `{trained["size"]}`, convolutions and CTC, {trained["height"]} pixels high and of free width; served by LiteRT
  with quantization `{params.export.quantization}` in {kilobytes} kB.
- Trained with {trained["backend"]} on a {trained.get("device", "cpu").upper()}; `manifest.json` beside this card states
  the sums of data set and parameters, and the revision of each stage.
"""


def _sources(data_set: DataManifest, terms: Mapping[str, str]) -> str:
    lines = ["## Data", "", "| source | train | tune | validation | terms |", "|---|---|---|---|---|"]
    for source in data_set.present:
        counts = [_count(data_set, split, source) for split in ("train", "tune", "validation")]
        said = terms.get(source) or OWN_SOURCES.get(source, "not stated")
        lines.append(f"| {source} | {counts[0]} | {counts[1]} | {counts[2]} | {said} |")
    if data_set.absent:
        lines += ["", f"Not used: {', '.join(data_set.absent)}."]
    by_image = f", of {' and '.join(data_set.by_image)}, which few wrote, by image" if data_set.by_image else ""
    splits = f"Splits are by writer or writer style{by_image}. `validation` is for figures only."
    return "\n".join([*lines, "", splits, ""])


def _count(data_set: DataManifest, split: str, source: str) -> int:
    groups = data_set.counts.get(split, {})
    return sum(count for group, count in groups.items() if group.startswith(f"{source}/"))


def _figures(evaluation: Mapping[str, Any]) -> str:
    lines = [
        "## How well it reads",
        "",
        f"The served artefact on `validation` and on the print recipe `{evaluation['print_recipe']}` (families never",
        "trained on), prefix beam search, case-sensitive; in brackets the 95 % interval of exact match, resampled by",
        "writer.",
        "",
        "| slice | images | writers | exact match | CER | WER | calibration error |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in evaluation["slices"].items():
        lines.append(
            f"| {name} | {row['count']} | {row['writers']} | {_with_interval(row)} | {row['cer']:.2%} | "
            f"{row['wer']:.1%} | {row['calibration_error']:.3f} |"
        )
    return "\n".join([*lines, "", *_otherwise_decoded(evaluation), ""])


def _with_interval(row: Mapping[str, float]) -> str:
    between = f"{row['low']:.1%} to {row['high']:.1%}" if row["writers"] > 1 else "one writer"
    return f"{row['exact_match']:.1%} ({between})"


def _otherwise_decoded(evaluation: Mapping[str, Any]) -> list[str]:
    """The same by best path, and where a lexicon is asked for."""
    preferring = evaluation["with_lexicon"]
    covered = (f"{share:.1%} of {group}" for group, share in evaluation["lexicon_coverage"].items())
    lines = [
        f"By best path, which is the network alone, and where the lexicon `{preferring['name']}` is asked for:",
        "",
        "| slice | by best path | CER | with lexicon | CER | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in evaluation["best_path"].items():
        other = preferring["slices"][name]
        lines.append(
            f"| {name} | {_with_interval(row)} | {row['cer']:.2%} | {_with_interval(other)} | {other['cer']:.2%} | "
            f"{other['calibration_error']:.3f} |"
        )
    return [*lines, "", f"The lexicon (the most frequent words by wordfreq) holds of all words {', '.join(covered)}."]


def _same_reading(evaluation: Mapping[str, Any]) -> str:
    changes = [name for name in next(iter(evaluation["same_reading"].values())) if name != "images"]
    lines = [
        "How many words still give the same text, right or wrong, where the image says the same:",
        "",
        f"| words | images | {' | '.join(changes)} |",
        "|---" * (2 + len(changes)) + "|",
    ]
    for group, row in evaluation["same_reading"].items():
        lines.append(f"| {group} | {row['images']} | " + " | ".join(f"{row[name]:.1%}" for name in changes) + " |")
    return "\n".join([*lines, ""])


def _writers(evaluation: Mapping[str, Any]) -> str:
    shares: dict[str, list[float]] = {}
    for row in evaluation["writers"]:
        shares.setdefault(row["writer"].split("/")[0], []).append(row["exact_match"])
    lines = [
        "Exact match differs by writer (a person, a writer style, or a family of `print`):",
        "",
        "| source | writers | least | median | most |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {source} | {len(own)} | {min(own):.1%} | {median(own):.1%} | {max(own):.1%} |"
        for source, own in sorted(shares.items())
    ]
    return "\n".join([*lines, ""])


def _confidence(evaluation: Mapping[str, Any], calibration: Mapping[str, Any]) -> str:
    lines = [
        "## Confidence",
        "",
        f"Fitted on {calibration['samples']} samples of `tune` (the formula: `recognition.calibration`).",
        "On `validation`, what accepting readings from a confidence on accepts, and how many of them are right:",
        "",
        *_thresholds(evaluation["thresholds"]),
        "",
        "With the lexicon:",
        "",
        *_thresholds(evaluation["with_lexicon"]["thresholds"]),
        "",
        "Characters: how many of those that were read are right, and the calibration error of their confidence:",
        "",
        "| slice | right | calibration error | with lexicon | calibration error |",
        "|---|---|---|---|---|",
    ]
    preferring = evaluation["with_lexicon"]["characters"]
    for name, row in evaluation["characters"].items():
        other = preferring.get(name, row)
        said = (f"{one['right']:.1%} | {one['calibration_error']:.3f}" for one in (row, other))
        lines.append(f"| {name} | {' | '.join(said)} |")
    lines += ["", "![How many readings of a confidence are right](reliability.svg)"]
    return "\n".join([*lines, ""])


def _thresholds(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| slice | " + " | ".join(f"from {threshold}" for threshold in found["all"]) + " |",
        "|---" * (1 + len(found["all"])) + "|",
    ]
    for name, rows in found.items():
        said = " | ".join(f"{row['accepted']:.1%}, {_right(row)}" for row in rows.values())
        lines.append(f"| {name} | {said} |")
    return lines


def _right(threshold: Mapping[str, Any]) -> str:
    return "none" if threshold["right"] is None else f"{threshold['right']:.1%} right"


def _corruptions(found: Mapping[str, Any]) -> str:
    """found: `images` and `exact_match`, of each corruption the shares at its severities, of `none` the one without."""
    curves = dict(found["exact_match"])
    (plain,) = curves.pop("none")
    severities = range(1, max(map(len, curves.values())) + 1)
    lines = [
        "## What corruption does to it",
        "",
        f"Exact match on {found['images']} images of `tune`, each corrupted in each way; {plain:.1%} as they are.",
        "",
        "| severity | " + " | ".join(map(str, severities)) + " |",
        "|---" * (1 + len(severities)) + "|",
        *(f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares) + " |" for name, shares in curves.items()),
    ]
    return "\n".join([*lines, ""])


def _speed(folder: Path, params: Params) -> str:
    known = sha256_of(folder / MODEL)[:MEASURED_DIGITS]
    unknown = f"not measured for this model ({known}); `make bench` prints the line for `params.yaml: pack.measured`"
    return f"## Speed and memory\n\n{params.pack.measured.get(known, unknown)}.\n"


def _generated_only(params: Params, data_set: DataManifest) -> list[str]:
    """What `benchmarks/generated_only.py` gave with a network of its own, of this revision's images on these words."""
    said = params.pack.generated_only.get(str(params.generate.revision), "")
    said = said if data_set.counts.get("validation", {}).get(REAL_WORDS) else ""
    return [f"## From generated images alone\n\n{said}\n"] if said else []


def _how_to_reproduce(data_set: DataManifest, trained: Mapping[str, Any]) -> str:
    made = f"data set {data_set.fingerprint[:MEASURED_DIGITS]}, weights by {trained['backend']}"
    return f"""## How to reproduce it

With the parameters whose sum `manifest.json` states, and the sources named above (`dvc pull`, or `legible data add` for
one that may not be shared; `legible data drop NAME` does without):

```
make retrain      # dvc repro: {made}, bundle and this card
make gate         # the bundle made beside the one on main
```

`dvc repro` trains so; weights that are committed under `models/weights` may stem from trainings on earlier data sets:
`docs/recipe.md` tells their history. The same data set, parameters and seed give the same weights on a CPU; a GPU, or
another processor, may differ in last digits.
"""


def _limits() -> str:
    return """## Limits

- One word or one line to an image; it does not find lines on a page.
- English texts and Latin letters; other scripts are read as nonsense, which the drift check notices.
- A sign alone in its image (`.` or `,` or `'`) loses its place on the line with its margins, and is often confused.
- A blank image is read as no text, with confidence 0; an image in which there is anything but paper, as some text.
- Confidence is calibrated on images like those it was trained on; where the drift check speaks, trust it less.
"""
