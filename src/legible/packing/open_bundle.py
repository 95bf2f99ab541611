"""Stage `open-bundle`: a second bundle, from what anyone may use for any purpose alone.

Its weights are those that the training had before it met other sources (`training.phases.open_phases`); its confidence,
figures and reference are made from samples of open sources too. Everything goes through the stages of models/bundle,
in a folder of its own.
"""

import shutil
import sys
from pathlib import Path

from tqdm import tqdm

from legible.config import Params
from legible.data.chosen import choose_sources, closed_sources, open_sources
from legible.data.dataset import Dataset
from legible.evaluation.evaluate import evaluate
from legible.files import replace_folder, write_text
from legible.packing.confidence import confidence
from legible.packing.lexicon import lexicon
from legible.packing.pack import pack
from legible.packing.reference import reference
from legible.training.export import export
from legible.training.stage import OPEN_WEIGHTS

BUNDLE = "models/open"
FOLDER = "training/open"
"""The folder in which the stages of the open bundle run, laid out as the project's."""
LINKED = ("fonts", "models/measured", "data/sources.json")
"""What the stages read besides data set and weights."""


def open_bundle(params: Params, *, root: Path) -> None:
    """Write root/models/open: root/models/bundle itself where all its sources are open.

    It holds only a README that says so, where no phase was trained on open sources alone.
    """
    with replace_folder(root / BUNDLE) as fresh:
        if (root / OPEN_WEIGHTS).is_dir():
            shutil.copytree(_made(params, root), fresh, dirs_exist_ok=True)
        else:
            said = f"no phase was trained on open sources alone; {BUNDLE} is empty"
            tqdm.write(f"open-bundle: {said}", file=sys.stderr)
            write_text(fresh / "README", f"{said}\n")  # git keeps no folder without files


def _made(params: Params, root: Path) -> Path:
    """Return the folder of the bundle, which the stages before it have made, or make now."""
    data_set = Dataset.open(root / "data/dataset")
    if not closed_sources(data_set):
        return root / "models/bundle"
    folder = _prepared(root)
    choose_sources(data_set, folder / "data/dataset", open_sources(data_set))
    for stage in (export, lexicon, confidence, evaluate, reference, pack):
        stage(params, root=folder)
    return folder / "models/bundle"


def _prepared(root: Path) -> Path:
    """Return the emptied folder with copies of the weights and links to what is only read."""
    folder = root / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(root / OPEN_WEIGHTS, folder / "models/weights")
    for name in filter(lambda one: (root / one).exists(), LINKED):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to((root / name).resolve())
    return folder
