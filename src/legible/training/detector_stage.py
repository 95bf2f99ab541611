"""`legible detector`: params/detector.yaml, fonts and labelled pages -> a line detector in int8, with exact resume."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.config.detector import DetectorParams
from legible.data.dataset import Split
from legible.errors import DataError
from legible.files import replace_folder, sha256_of, write_text
from legible.network.detector import DETECTORS
from legible.recognition.bundle import DESCRIPTION, DETECTOR
from legible.synth.pages.materials import Materials, materials_of
from legible.training.detector import epochs_done, train_detector
from legible.training.detector_batches import PieceSource, piece_pool
from legible.training.detector_export import export_detector
from legible.training.detector_pieces import cut_piece
from legible.training.detector_sources import LabelledPage, labelled_pages

MODEL = DETECTOR
PUBLISHED = "models/detector"
FORMAT_VERSION = 1
RANGE_PIECES = 96
"""The pieces of tune pages on which the ranges of int8 are found."""
TUNE_DRAWN = 0.5
"""The fraction of drawn pages among those that the curves are measured on."""


def train_line_detector(
    detector: DetectorParams,
    *,
    root: Path,
    pages: Path,
    folder: Path,
    workers: int = 0,
    stop_after: int = 0,
) -> None:
    """Train in `folder` from the archives of `pages`; continue a run of the same parameters, fonts and archives.

    When all epochs are done, or `stop_after` more of them, the weights that were reached are exported to
    folder/detector.tflite; those of all epochs to root/models/detector too. Raise DataError for a source that is not
    there.
    """
    archives = {name: archive_of(pages, name) for name in detector.sources}
    materials = materials_of(detector, root=root, unseen=False)
    train = piece_source(detector, archives, materials, split="train")
    tune = dataclasses.replace(
        piece_source(detector, archives, materials, split="tune"), seed=detector.seed + 1, drawn=TUNE_DRAWN
    )
    folder.mkdir(parents=True, exist_ok=True)
    with piece_pool(train, workers=workers) as pool, piece_pool(tune, workers=0) as measured:
        identity = _identity(archives, materials)
        network = train_detector(detector, pool, measured, folder=folder, pages=identity, stop_after=stop_after)
    export_detector(network, DETECTORS[detector.size], range_pieces(tune), target=folder / MODEL)
    if epochs_done(folder) == detector.epochs:
        publish(folder / MODEL, detector, root=root)


def publish(model: Path, detector: DetectorParams, *, root: Path) -> None:
    """Write root/models/detector: the model of a finished training, and what it was trained on."""
    description = {
        "version": FORMAT_VERSION,
        "size": detector.size,
        "epochs": detector.epochs,
        "pieces": detector.epochs * detector.epoch_pages * detector.pieces,
        "drawn": detector.drawn,
        "sources": {name: source.terms for name, source in detector.sources.items()},
        "params": hashlib.sha256(json.dumps(dataclasses.asdict(detector), sort_keys=True).encode()).hexdigest(),
    }
    with replace_folder(root / PUBLISHED) as fresh:
        shutil.copyfile(model, fresh / DETECTOR)
        write_text(fresh / DESCRIPTION, json.dumps(description, indent=1) + "\n")


def archive_of(pages: Path, name: str) -> Path:
    """Return the archive of a source: pages/NAME.tar, or the only one in pages/NAME. Raise DataError for none."""
    found = [pages / f"{name}.tar"] if (pages / f"{name}.tar").is_file() else sorted((pages / name).glob("*.tar"))
    if len(found) != 1:
        raise DataError(
            f"{pages}: no archive of the source {name} (looked for {name}.tar and {name}/*.tar); bring it, or take the "
            "source out of the parameters"
        )
    return found[0]


def piece_source(
    detector: DetectorParams, archives: dict[str, Path], materials: Materials, *, split: Split
) -> PieceSource:
    """Return where the pieces of a split come from."""
    labelled: list[tuple[tuple[LabelledPage, ...], float]] = []
    for name, source in detector.sources.items():
        found = tuple(labelled_pages(archives[name], lists=source.lists, splits=(split,), name=name))
        if not found:
            raise DataError(f"source {name} has no page of the {split} split; take it out of the parameters")
        labelled.append((found, source.weight))
    return PieceSource(detector.seed, materials, tuple(labelled), detector.drawn, detector.pieces, detector.side)


def range_pieces(source: PieceSource) -> Iterable[npt.NDArray[np.float32]]:
    """Return pieces (1, side, side, 1), ink 1 on paper 0, of pages in turn."""
    count = -(-RANGE_PIECES // source.pieces)
    for number in range(count):
        rng = np.random.default_rng([source.seed, number])
        page = source.page(rng)
        for _ in range(source.pieces):
            image = cut_piece(page, rng, side=source.side).image
            yield image[None, ..., None].astype(np.float32) / np.float32(255)


def _identity(archives: dict[str, Path], materials: Materials) -> str:
    """Return a hash of what the pages are made of."""
    fonts = sorted(f"{font.family}/{font.path.name}" for font in (*materials.prints, *materials.hands))
    content = [{name: sha256_of(path) for name, path in archives.items()}, fonts]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
