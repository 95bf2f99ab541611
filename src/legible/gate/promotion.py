"""Put a candidate in the champion's folder, and back: each a replacement of the folder as a whole.

The former champion lies beside it, in `FOLDER.former`, so that one command brings it back. What a kill cut off is
finished by the same call again, and no bundle is lost by it.
"""

import itertools
import logging
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from legible.errors import BundleError, LegibleError
from legible.files import recover_folder, replace_folder
from legible.locks import lock_file_at_once
from legible.recognition.bundle import Bundle, load_bundle, read_manifest

log = logging.getLogger(__name__)


def former_of(folder: Path) -> Path:
    """Return where the bundle lies that was in this folder before."""
    return folder.with_name(f"{folder.name}.former")


def is_champion(candidate: Path, folder: Path) -> bool:
    """Return whether the folder holds a bundle of the candidate's id already, whole. Raise BundleError for none."""
    champion = _sound(folder)
    return champion is not None and champion.id == read_manifest(candidate).bundle_id


def promote(candidate: Path, folder: Path) -> Bundle:
    """Put a copy of the candidate in the folder, and what was there into `FOLDER.former`. Raise BundleError.

    Where the candidate is the champion already, both stay as they are.
    """
    with _changing(folder):
        return _promote(candidate, folder)


def _promote(candidate: Path, folder: Path) -> Bundle:
    chosen = load_bundle(candidate)
    _check_apart(chosen, folder)
    _finish_roll_back(folder)
    if is_champion(candidate, folder):
        return load_bundle(folder)
    if folder.exists() and not _is_damaged_copy(folder, chosen):
        _copy(load_bundle(folder).folder, former_of(folder))
    _copy(chosen.folder, folder)
    return load_bundle(folder)


def roll_back(folder: Path) -> Bundle:
    """Bring the former bundle back, and keep the one that it replaces as the former. Raise BundleError for none.

    A damaged champion is set aside as `FOLDER.damaged`, and a missing one is no obstacle; the former then stays too.
    """
    with _changing(folder):
        return _roll_back(folder)


def _roll_back(folder: Path) -> Bundle:
    if _finish_roll_back(folder):
        return load_bundle(folder)
    former = former_of(folder)
    if not former.is_dir():
        raise BundleError(f"{former}: no former bundle here; legible promote keeps one there")
    chosen, champion = load_bundle(former), _sound(folder)
    if champion is None:
        _set_aside(folder)
    elif champion.id == chosen.id:
        return champion
    else:
        _copy(champion.folder, _replaced(folder))
    _copy(chosen.folder, folder)
    made = load_bundle(folder)
    _keep_as_former(folder)
    return made


def _changing(folder: Path) -> AbstractContextManager[int]:
    """Return the lock of a promotion or rollback. Raise LegibleError where another one is at it."""
    place = folder.resolve()
    busy = f"{folder}: another promotion or rollback is changing it; let it end, then look which bundle is there"
    return lock_file_at_once(place.with_name(f".{place.name}.lock"), busy=busy)


def _check_apart(chosen: Bundle, folder: Path) -> None:
    """Raise BundleError for a candidate in a folder that a promotion writes to."""
    place = chosen.folder.resolve()
    if place == folder.resolve():
        raise BundleError(f"{chosen.folder} is the folder that it would replace; name the candidate's own folder")
    if place in {former_of(folder).resolve(), _replaced(folder).resolve()}:
        raise BundleError(f"{chosen.folder} is the former champion; legible rollback brings it back")


def _finish_roll_back(folder: Path) -> bool:
    """Finish an exchange that a kill cut off after the former bundle came back, and return whether there was one."""
    for place in (folder, former_of(folder), _replaced(folder)):
        recover_folder(place)
    champion, former, replaced = map(_sound, (folder, former_of(folder), _replaced(folder)))
    if champion is None or replaced is None:
        return False
    if champion.id == replaced.id:  # cut off before anything came back
        shutil.rmtree(replaced.folder)
        return False
    if former is not None and former.id != champion.id:  # somebody has put another champion there since
        return False
    _keep_as_former(folder)
    return True


def _replaced(folder: Path) -> Path:
    """Return where the replaced champion lies during an exchange. It is whole there until it becomes the former."""
    return folder.with_name(f"{folder.name}.rolled-back")


def _keep_as_former(folder: Path) -> None:
    """Make the replaced champion, where there is one, the former; the folder holds the former bundle by now."""
    replaced, former = _replaced(folder), former_of(folder).resolve()
    if _sound(replaced) is None:
        return
    if former.exists():
        shutil.rmtree(former)
    replaced.rename(former)


def _sound(folder: Path) -> Bundle | None:
    """Return the bundle of a folder; None where it is missing or damaged."""
    try:
        return load_bundle(folder)
    except LegibleError:
        return None


def _is_damaged_copy(folder: Path, chosen: Bundle) -> bool:
    """Return whether the folder says that it holds this bundle: a copy of it takes its place, and none is kept."""
    try:
        return read_manifest(folder).bundle_id == chosen.id
    except BundleError:
        return False


def _set_aside(folder: Path) -> None:
    """Rename a damaged bundle, so that somebody can look at it."""
    place = folder.resolve()
    if not place.exists():
        return
    names = (f"{place.name}.damaged{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
    aside = next(path for path in map(place.with_name, names) if not path.exists())
    place.rename(aside)
    log.warning("%s is damaged and was set aside as %s", folder, aside)


def _copy(source: Path, target: Path) -> None:
    with replace_folder(target) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True)
