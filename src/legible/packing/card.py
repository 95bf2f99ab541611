"""The model card: what a bundle reads and does not, what it was made from, and how well it reads.

Its text is `card.md.j2`; here are its tables.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import jinja2

from legible.charset import REJECT
from legible.config import Params
from legible.data.dataset import Manifest as DataManifest
from legible.data.sources import GENERATED, Source, listed
from legible.files import sha256_of, write_text
from legible.packing.measured import SPEED, generated_only_of, speed_of
from legible.recognition.bundle import CARD, DESCRIPTION, DETECTOR, MODEL
from legible.tables import markdown_table

SHOWN_DIGITS = 12
"""How many digits of a sha256 name a data set or a model."""
REAL_WORDS = "iam/word"
"""The group that `benchmarks/training/generated_only.py` reads."""
OWN_SOURCES = {
    "generated-print": "drawn by `legible generate` in printed fonts under open licences",
    "generated-handwriting": "drawn by `legible generate` in handwriting fonts under open licences",
    "generated-strokes": "written by `legible generate` with pen paths drawn for this project",
}

PRINT = "print"
"""What the slices of the print recipes begin with: `print`, `print-2`."""

PAGE_TITLES = {
    "cer": "CER in order",
    "word_f1": "F1 of words",
    "line_f1": "F1 of lines",
    "line_recall": "recall of lines",
    "line_precision": "precision of lines",
    "ordered": "lines in order",
    "upright": "set upright",
    "corners": "corners right",
    "invented": "with an invented line",
    "failed": "refused",
    "seconds": "CPU seconds",
}

FigureTable = Mapping[str, Any]
"""What evaluation.json holds under one of its keys."""


def _own_terms(source: str) -> str:
    """Return what the card says of a source that no list names: of generated images, how they were drawn."""
    if source in OWN_SOURCES:
        return OWN_SOURCES[source]
    drawn = source.startswith(GENERATED)
    return "drawn by `legible generate` in fonts under open licences" if drawn else "not stated"


def _stated(source: Source) -> str:
    """Return the terms of a listed source, and what its labels do not tell, which is then no error."""
    untold = source.options.untold
    return source.terms + (f"; labels do not tell {' and '.join(untold)}" if untold else "")


def write_card(folder: Path, params: Params, *, data_set: DataManifest, trained: Mapping[str, Any], root: Path) -> None:
    """Write card.md into a bundle's folder, from the figures that lie there."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    calibration = json.loads((folder / "confidence.json").read_text(encoding="utf-8"))
    terms = {source.name: _stated(source) for source in listed(root)}
    facts = {
        "characters": len(params.charset.characters),
        "charset": params.charset.name,
        "quantization": params.export.quantization,
        "kilobytes": (folder / MODEL).stat().st_size // 1000,
        "trained": trained,
        "data_set": data_set,
        "fingerprint": data_set.fingerprint[:SHOWN_DIGITS],
        "evaluation": evaluation,
        "samples": calibration["samples"],
        "empty_texts": calibration.get("empty_texts", False),
        "rejects": REJECT in params.charset.characters,
        "sources": _sources(data_set, terms),
        "speed": _speed(folder, root=root),
        "detector": detector_facts(folder, root=root),
        "generated_only": _generated_only(params, data_set, root=root),
        **_tables(evaluation),
    }
    write_text(folder / CARD, templates().get_template("card.md.j2").render(facts))


def templates() -> jinja2.Environment:
    """Return the templates of the card and its parts."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("legible.packing", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML
    )


def pages_section(folder: Path, *, root: Path) -> str:
    """Return the card's section of whole pages, of a bundle's folder that holds a detector."""
    return templates().get_template("pages.md.j2").render(detector=detector_facts(folder, root=root))


def _tables(evaluation: FigureTable) -> dict[str, object]:
    preferring = evaluation.get("with_lexicon", {})
    return {
        "slices": _slices(evaluation["slices"]),
        "decoders": _decoders(evaluation["best_path"], preferring.get("slices", {})),
        "covered": [f"{fraction:.1%} of {group}" for group, fraction in evaluation.get("lexicon_coverage", {}).items()],
        "writers": _writers(evaluation["writers"]),
        "same_reading": _same_reading(evaluation["same_reading"]),
        "thresholds": _thresholds(evaluation["thresholds"]),
        "thresholds_with_lexicon": _thresholds(preferring["thresholds"]) if preferring else "",
        "character_figures": _characters(evaluation["characters"], preferring.get("characters", {})),
        "corruptions": _corruptions(evaluation["corruptions"]["exact_match"]),
        "uncorrupted": f"{evaluation['corruptions']['exact_match']['none'][0]:.1%}",
    }


def _sources(data_set: DataManifest, terms: Mapping[str, str]) -> str:
    splits = ("train", "tune", "validation")
    rows = [
        (
            source,
            *(_count(data_set, split, source) for split in splits),
            terms.get(source) or _own_terms(source),
        )
        for source in data_set.present
    ]
    return markdown_table(("source", *splits, "terms"), rows)


def _count(data_set: DataManifest, split: str, source: str) -> int:
    groups = data_set.counts.get(split, {})
    return sum(count for group, count in groups.items() if group.startswith(f"{source}/"))


def real_first(found: FigureTable) -> list[tuple[str, Any]]:
    """Return the slices in the order of what one asks for: other people's pictures, IAM, the print recipes, drawn."""
    return sorted(found.items(), key=lambda item: (_place(item[0].partition("/")), item[0]))


def _place(name: tuple[str, str, str]) -> int:
    source, slash, _ = name
    if source.startswith(GENERATED):
        return 3
    if not slash or source.startswith(PRINT):
        return 2
    return 1 if source == "iam" else 0


def _slices(found: FigureTable) -> str:
    rows = [
        (name, row["count"], row["writers"], _with_interval(row), f"{row['cer']:.2%}", f"{row['wer']:.1%}", _error(row))
        for name, row in real_first(found)
    ]
    return markdown_table(("slice", "images", "writers", "exact match", "CER", "WER", "calibration error"), rows)


def _with_interval(row: Mapping[str, float]) -> str:
    between = f"{row['low']:.1%} to {row['high']:.1%}" if row["writers"] > 1 else "one writer"
    return f"{row['exact_match']:.1%} ({between})"


def _error(row: Mapping[str, float]) -> str:
    return f"{row['calibration_error']:.3f}"


def _decoders(best_path: FigureTable, preferring: FigureTable) -> str:
    if not preferring:
        alone = [(name, _with_interval(row), f"{row['cer']:.2%}") for name, row in real_first(best_path)]
        return markdown_table(("slice", "by best path", "CER"), alone)
    rows = []
    for name, row in real_first(best_path):
        other = preferring[name]
        plain = (_with_interval(row), f"{row['cer']:.2%}")
        rows.append((name, *plain, _with_interval(other), f"{other['cer']:.2%}", _error(other)))
    return markdown_table(("slice", "by best path", "CER", "with lexicon", "CER", "calibration error"), rows)


def _same_reading(found: FigureTable) -> str:
    changes = [name for name in next(iter(found.values())) if name != "images"]
    rows = [(group, row["images"], *(f"{row[name]:.1%}" for name in changes)) for group, row in found.items()]
    return markdown_table(("words", "images", *changes), rows)


def _writers(found: list[dict[str, Any]]) -> str:
    by_source: dict[str, list[float]] = {}
    for row in found:
        by_source.setdefault(row["writer"].split("/")[0], []).append(row["exact_match"])
    rows = [
        (source, len(own), *(f"{figure:.1%}" for figure in (min(own), median(own), max(own))))
        for source, own in sorted(by_source.items())
    ]
    return markdown_table(("source", "writers", "least", "median", "most"), rows)


def _characters(plain: FigureTable, preferring: FigureTable) -> str:
    if not preferring:
        alone = [(name, f"{row['right']:.1%}", _error(row)) for name, row in plain.items()]
        return markdown_table(("slice", "right", "calibration error"), alone)
    rows = []
    for name, row in plain.items():
        other = preferring.get(name, row)
        rows.append((name, f"{row['right']:.1%}", _error(row), f"{other['right']:.1%}", _error(other)))
    return markdown_table(("slice", "right", "calibration error", "with lexicon", "calibration error"), rows)


def _thresholds(found: FigureTable) -> str:
    rows = [
        (name, *(f"{row['accepted']:.1%}, {_right(row)}" for row in by_threshold.values()))
        for name, by_threshold in found.items()
    ]
    return markdown_table(("slice", *(f"from {threshold}" for threshold in found["all"])), rows)


def _right(threshold: Mapping[str, Any]) -> str:
    return "none" if threshold["right"] is None else f"{threshold['right']:.1%} right"


def _corruptions(found: Mapping[str, list[float]]) -> str:
    """Return the exact match at each severity of each corruption; `none`, without any, is not in the table."""
    curves = {name: values for name, values in found.items() if name != "none"}
    severities = range(1, max(map(len, curves.values())) + 1)
    rows = [(name, *(f"{value:.1%}" for value in values)) for name, values in curves.items()]
    return markdown_table(("severity", *severities), rows)


def detector_facts(folder: Path, *, root: Path) -> dict[str, Any] | None:
    """Return what the card says of the line detector and of whole pages; None for a bundle without."""
    if not (folder / DETECTOR).is_file():
        return None
    described = json.loads((root / "models/detector" / DESCRIPTION).read_text(encoding="utf-8"))
    groups = json.loads((folder / "pages.json").read_text(encoding="utf-8"))["groups"]
    sources = markdown_table(("source", "terms"), described["sources"].items())
    return {
        **described,
        "kilobytes": (folder / DETECTOR).stat().st_size // 1000,
        "terms": sources,
        "figures": _pages(groups),
    }


def _pages(groups: FigureTable) -> str:
    columns = {title: name for name, title in PAGE_TITLES.items() if any(name in row for row in groups.values())}
    rows = [
        (name, row["pages"], *(_figure(row.get(column), column) for column in columns.values()))
        for name, row in sorted(groups.items(), key=lambda item: (item[0].startswith("drawn/"), item[0]))
    ]
    return markdown_table(("pages of", "pages", *columns), rows)


def _figure(value: float | None, name: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name == "seconds" else f"{value:.1%}"


def _speed(folder: Path, *, root: Path) -> str:
    model = sha256_of(folder / MODEL)
    speed = speed_of(model, root=root)
    unknown = f"not measured for this model ({model[:SHOWN_DIGITS]}); `make bench` writes it to `{SPEED}`"
    return speed.sentence() if speed else unknown


def _generated_only(params: Params, data_set: DataManifest, *, root: Path) -> str:
    """Return what generated images of this revision alone gave, where the words that were read are here."""
    if not data_set.counts.get("validation", {}).get(REAL_WORDS):
        return ""
    found = generated_only_of(params.generate.revision, root=root)
    return found.sentence(revision=params.generate.revision) if found else ""
