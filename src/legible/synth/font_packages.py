"""Stage `fonts`: install npm packages of fonts, and keep the files that are drawn with, with their licences."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from legible.config import Params
from legible.config.detector import load_detector_params
from legible.errors import DataError

FONTSOURCE, EXPO, SEGMENTS = "@fontsource", "@expo-google-fonts", "dseg"
"""The packages: Latin subsets of Google's families, the same families with all letters, and segment displays."""
SUBSETS = ("latin-400-normal", "latin-700-normal", "latin-400-italic")
"""The files taken from a package of subsets: its Latin letters in three cuts."""
CUTS = {
    "100Thin": "100-normal",
    "300Light": "300-normal",
    "400Regular": "400-normal",
    "400Regular_Italic": "400-italic",
    "700Bold": "700-normal",
    "900Black": "900-normal",
}
"""The files taken from a package of whole fonts, where it has them, and what they are called here."""
SEGMENT_CUTS = {"Regular": "400-normal", "Bold": "700-normal", "Light": "300-normal", "Italic": "400-italic"}
ALWAYS = ("fonts/files", "fonts/more/files")
"""The outputs of the stage."""
LICENCES = ("LICENSE", "LICENSE_FONT", "DSEG-LICENSE.txt")


def install_fonts(params: Params, *, root: Path) -> None:
    """Run `npm ci` beside each folder of fonts that has a package.json there, and fill the folder anew.

    The folders are `fonts.folders`, and those of params/detector.yaml where it is there.

    The stage's outputs, `fonts/files` and `fonts/more/files`, are made in any case. A folder without a package.json
    beside it belongs to the user and is left alone.
    """
    for folder in ALWAYS:
        _emptied(root / folder)
    detector = root / "params/detector.yaml"
    others = load_detector_params(detector).fonts.folders if detector.is_file() else ()
    for folder in dict.fromkeys((*params.fonts.folders, *others)):
        place = root / folder
        if (place.parent / "package.json").is_file():
            _install(place)


def _install(kept: Path) -> None:
    where = kept.parent
    outcome = subprocess.run(["npm", "ci"], cwd=where, capture_output=True, text=True, check=False)  # noqa: S607
    if outcome.returncode:
        raise DataError(f"npm ci failed in {where.name}/: {outcome.stderr.strip() or outcome.stdout.strip()}")
    _emptied(kept)
    for family, licence, files in _families(where / "node_modules"):
        folder = kept / family
        folder.mkdir()
        shutil.copyfile(licence, folder / "LICENSE")
        for source, name in files:
            shutil.copyfile(source, folder / name)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _families(modules: Path) -> Iterator[tuple[str, Path, list[tuple[Path, str]]]]:
    """Yield each family: its licence, and the files to keep, where they are and what they are called here."""
    for package in _packages(modules / FONTSOURCE):
        names = [f"{package.name}-{cut}.woff2" for cut in SUBSETS]
        yield package.name, _licence(package), _present((package / "files" / name, name) for name in names)
    for package in _packages(modules / EXPO):
        yield package.name, _licence(package), list(_whole_fonts(package))
    for package in _packages(modules / SEGMENTS / "fonts"):
        if package.name.startswith(("DSEG7-C", "DSEG7-M", "DSEG14")):
            yield package.name.lower(), _licence(modules / SEGMENTS), list(_segment_fonts(package))


def _packages(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _present(files: Iterator[tuple[Path, str]]) -> list[tuple[Path, str]]:
    return [(source, name) for source, name in files if source.is_file()]


def _whole_fonts(package: Path) -> Iterator[tuple[Path, str]]:
    """Yield the cuts of a package that has each cut in a folder of its own, or all of them side by side."""
    for cut, name in CUTS.items():
        for source in sorted([*package.glob(f"{cut}/*_{cut}.ttf"), *package.glob(f"*_{cut}.ttf")]):
            yield source, f"{package.name}-full-{name}.ttf"


def _segment_fonts(folder: Path) -> Iterator[tuple[Path, str]]:
    for cut, name in SEGMENT_CUTS.items():
        for source in sorted(folder.glob(f"*-{cut}.ttf")):
            yield source, f"{folder.name.lower()}-full-{name}.ttf"


def _licence(package: Path) -> Path:
    """Return the licence of the font; a package of whole fonts has another one for its code."""
    found = [package / name for name in LICENCES if (package / name).is_file()]
    if not found:
        raise DataError(f"{package}: a font package without a licence; take it out of package.json")
    return found[-1]
