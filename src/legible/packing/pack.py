"""Stage `pack`: artefact, calibration, figures and reference become models/bundle, with its card and checksums."""

import dataclasses
import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from legible.config import Params
from legible.data.dataset import Dataset
from legible.errors import BundleError
from legible.evaluation.results import PACKED_RESULTS, RESULTS
from legible.files import replace_folder, sha256_of
from legible.packing.card import write_card
from legible.recognition.bundle import (
    CHARSET,
    CONFIDENCE,
    DESCRIPTION,
    DETECTOR,
    FORMAT,
    LEXICON,
    LEXICON_SUFFIX,
    MANIFEST,
    MAX_BYTES,
    MODEL,
    PAGE_CONFIDENCE,
    BundleManifest,
)

PARTS = {
    MODEL: f"training/artefact/{MODEL}",
    CHARSET: f"training/artefact/{CHARSET}",
    CONFIDENCE: f"training/{CONFIDENCE}",
    "evaluation.json": "evaluation/evaluation.json",
    PACKED_RESULTS: f"evaluation/{RESULTS}",
    "reliability.svg": "evaluation/reliability.svg",
    "reference.json": "drift/reference.json",
    "drift.json": "drift/drift.json",
    "reference.parquet": "drift/reference.parquet",
    "signatures.json": "drift/signatures.json",
    "quality.json": "drift/quality.json",
}
"""The files of a bundle besides the lexicon, and the stage's output that each of them is."""
PAGE_PARTS = {
    DETECTOR: f"models/detector/{DETECTOR}",
    PAGE_CONFIDENCE: f"models/pages/{PAGE_CONFIDENCE}",
    "pages.json": "models/pages/pages.json",
    "pages.jsonl": "models/pages/pages.jsonl",
}
"""The further files of a bundle that reads whole pages: all of them where there is a detector, else none."""


def pack(params: Params, *, root: Path) -> None:
    """Write root/models/bundle. Raise BundleError where a part is missing or the whole is too large."""
    parts = {name: place for name, place in PARTS.items() if name not in params.pack.leave_out}
    if params.lexicon.words:
        parts[f"{LEXICON}{params.lexicon.name}{LEXICON_SUFFIX}"] = "training/lexicon.gz"
    if (root / PAGE_PARTS[DETECTOR]).is_file():
        parts |= PAGE_PARTS
    missing = [place for place in parts.values() if not (root / place).is_file()]
    if missing:
        raise BundleError(f"cannot pack without {', '.join(missing)}; run dvc repro")
    data_set = Dataset.open(root / "data/dataset").manifest
    trained = json.loads((root / "models/weights" / DESCRIPTION).read_text(encoding="utf-8"))
    with replace_folder(root / "models/bundle") as fresh:
        for name, place in parts.items():
            _put(root / place, fresh / name)
        write_card(fresh, params, data_set=data_set, trained=trained, root=root)
        manifest = make_manifest(
            fresh, params, data_set=data_set.fingerprint, sources=data_set.present, trained=trained
        )
        FORMAT.save(fresh / MANIFEST, dataclasses.asdict(manifest))
        check_size(fresh, max_bytes=params.pack.max_bytes)


def _put(source: Path, target: Path) -> None:
    """Copy a file, compressed where its new name says so; the same content gives the same bytes."""
    if target.suffix == ".gz" and source.suffix != ".gz":
        target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    else:
        shutil.copyfile(source, target)


def make_manifest(
    folder: Path, params: Params, *, data_set: str, sources: Any, trained: Mapping[str, Any]
) -> BundleManifest:
    """Make the manifest of the files in a folder."""
    sections = dataclasses.asdict(params)
    return BundleManifest(
        format_version=FORMAT.version,
        files={path.name: sha256_of(path) for path in sorted(folder.iterdir())},
        data_set=data_set,
        params=hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest(),
        revisions={n: s["revision"] for n, s in sections.items() if isinstance(s, dict) and "revision" in s},
        sources=tuple(sources),
        backend=trained["backend"],
        device=trained.get("device", "cpu"),
        normalization=trained.get("normalization", 1),
    )


def check_size(folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    size = sum(path.stat().st_size for path in folder.iterdir())
    allowed = min(max_bytes, MAX_BYTES)
    if size > allowed:
        largest = max(folder.iterdir(), key=lambda path: path.stat().st_size)
        raise BundleError(f"the bundle has {size} bytes, at most {allowed} may be; {largest.name} is the largest part")
