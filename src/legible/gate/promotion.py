"""Put a candidate in the champion's folder, and back: each a replacement of the folder as a whole.

The former champion lies beside it, in `FOLDER.former`, so that one command brings it back.
"""

import shutil
from pathlib import Path

from legible.errors import BundleError
from legible.files import replace_folder
from legible.recognition.bundle import Bundle, load_bundle


def former_of(folder: Path) -> Path:
    """Return where the bundle lies that was in this folder before."""
    return folder.with_name(f"{folder.name}.former")


def promote(candidate: Path, folder: Path) -> Bundle:
    """Put a copy of the candidate in the folder, and what was there into `FOLDER.former`. Raise BundleError."""
    chosen = load_bundle(candidate)
    if folder.resolve() == chosen.folder.resolve():
        raise BundleError(f"{candidate} is the folder that it would replace; name the candidate's own folder")
    if folder.exists():
        _copy(load_bundle(folder).folder, former_of(folder))
    _copy(chosen.folder, folder)
    return load_bundle(folder)


def roll_back(folder: Path) -> Bundle:
    """Bring the former bundle back, and keep the one that it replaces as the former. Raise BundleError for none."""
    former = former_of(folder)
    if not former.is_dir():
        raise BundleError(f"{former}: no former bundle here; legible promote keeps one there")
    chosen = load_bundle(former)
    spare = folder.with_name(f"{folder.name}.rolled-back")
    _copy(load_bundle(folder).folder, spare)
    _copy(chosen.folder, folder)
    _copy(spare, former)
    shutil.rmtree(spare)
    return load_bundle(folder)


def _copy(source: Path, target: Path) -> None:
    with replace_folder(target) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True)
