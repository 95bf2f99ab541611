"""The bundle: the folder that is shipped and served (format v1). It is found, checked against its sums, and opened.

A bundle holds a LiteRT model, JSON, Parquet, Markdown and word lists. It holds no pickle, so opening one runs no code.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import legible
from legible.charset import Charset
from legible.ctc.lexicon import Lexicon
from legible.errors import BundleError, SettingsError
from legible.file_numbers import whole_number
from legible.files import JsonFormat, intact_folder, sha256_of
from legible.image.normalize import NEWEST
from legible.recognition.calibration import Calibration
from legible.untrusted_files import read_file

FORMAT = JsonFormat("bundle", 1, "pack the bundle again or fetch it anew", BundleError, version_key="format_version")
MODEL = "model.tflite"
DETECTOR = "detector.tflite"
"""The line detector; a bundle without it reads words and lines, and no pages."""
PAGE_CONFIDENCE = "page-confidence.json"
"""The formulas for how far the lines that this detector finds are to be trusted."""
CHARSET = "charset.json"
DESCRIPTION = "description.json"
"""Lies beside weights and artefacts; a bundle has its manifest instead."""
CONFIDENCE = "confidence.json"
LEXICON, LEXICON_SUFFIX = "lexicon-", ".gz"
MANIFEST = "manifest.json"
CARD = "card.md"
REQUIRED = frozenset({MODEL, CHARSET, CONFIDENCE, CARD})
"""The files that every bundle holds; a manifest that lists none of them would vouch for nothing."""
MAX_BYTES = 5_000_000
"""The largest size of a bundle."""
MAX_FILE_BYTES = 200_000_000
"""The most bytes of a file that are read, also of a bundle from elsewhere."""
MAX_NAME = 200
"""The most characters of a file's name."""


@dataclass(frozen=True)
class BundleManifest:
    """What a bundle is made of: the sha256 of each file, and of the data set and parameters behind them."""

    format_version: int
    files: Mapping[str, str]
    data_set: str
    params: str
    revisions: Mapping[str, int]
    sources: tuple[str, ...]
    backend: str
    device: str
    normalization: int = 1
    """The version of `image.normalize` that the model was trained with."""

    @property
    def bundle_id(self) -> str:
        """The first twelve hexadecimal digits of the sha256 over the files' sums."""
        return hashlib.sha256(json.dumps(dict(self.files), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle whose sums were checked."""

    folder: Path
    manifest: BundleManifest
    charset: Charset
    calibration: Calibration

    @property
    def id(self) -> str:
        return self.manifest.bundle_id

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def has_detector(self) -> bool:
        return DETECTOR in self.manifest.files

    @property
    def detector(self) -> Path:
        """The line detector's model. Raise BundleError for a bundle that holds none."""
        if not self.has_detector:
            raise BundleError(f"bundle {self.id} holds no line detector ({DETECTOR}); take one that does, or name one")
        return self.folder / DETECTOR

    @property
    def card(self) -> str:
        """The model card in Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")

    @property
    def lexicons(self) -> tuple[str, ...]:
        """The names of the lexicons in the bundle, such as `english`."""
        names = [name for name in self.manifest.files if name.startswith(LEXICON) and name.endswith(LEXICON_SUFFIX)]
        return tuple(name.removeprefix(LEXICON).removesuffix(LEXICON_SUFFIX) for name in sorted(names))

    def content(self, name: str) -> bytes:
        """Read a file. Raise BundleError where it is not as packed: the folder may hold another bundle by now."""
        return _as_packed(self.folder / name, self.manifest)

    def lexicon_content(self, name: str) -> bytes:
        """Read the file of a lexicon. Raise SettingsError for a name that is not among `lexicons`."""
        if name not in self.lexicons:
            known = ", ".join(self.lexicons) or "none"
            raise SettingsError(f"no lexicon {name!r} in bundle {self.id}; there: {known}")
        return self.content(f"{LEXICON}{name}{LEXICON_SUFFIX}")

    def lexicon(self, name: str, *, content: bytes | None = None) -> Lexicon:
        """Load a lexicon by its name, from its file's `content` where that was read before."""
        read = self.lexicon_content(name) if content is None else content
        return Lexicon.load(self.folder / f"{LEXICON}{name}{LEXICON_SUFFIX}", read=lambda _: read)


def find_bundle(environment: Mapping[str, str] | None = None, *, working_folder: Path | None = None) -> Path:
    """Return the bundle's folder: LEGIBLE_BUNDLE, else inside the installed package, else models/bundle.

    `models/bundle` is looked for under the working folder, then in the checkout that an editable installation comes
    from. Raise BundleError where there is none.
    """
    named = (os.environ if environment is None else environment).get("LEGIBLE_BUNDLE")
    if named:
        return intact_folder(Path(named))
    package = Path(legible.__file__).parent
    here = working_folder or Path.cwd()
    places = [package / "_bundle", here / "models/bundle", package.parents[1] / "models/bundle"]
    for place in places:
        if (intact_folder(place) / MANIFEST).is_file():
            return intact_folder(place)
    raise BundleError(f"no bundle in {' or '.join(str(p) for p in places)}; set LEGIBLE_BUNDLE or run dvc repro")


def load_bundle(folder: Path) -> Bundle:
    """Open a bundle and check the sum of each file.

    Raise BundleError for a folder without a bundle, for another format, for a file that is not as it was packed, and
    for one that the manifest does not list: what is served is what was packed.
    """
    folder = intact_folder(folder)
    try:
        manifest = read_manifest(folder)
        faults = _faults(folder, manifest.files)
        if faults:
            raise BundleError(f"{folder}: {'; '.join(faults)}; pack the bundle again or fetch it anew")
        read = partial(_as_packed, manifest=manifest)
        charset = Charset.load(folder / CHARSET, read=read)
        return Bundle(folder, manifest, charset, Calibration.load(folder / CONFIDENCE, read=read))
    except OSError as error:  # it is replaced meanwhile, or may not be read
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); pack it again or fetch it anew") from error


def _as_packed(path: Path, manifest: BundleManifest) -> bytes:
    """Read a file of a bundle. Raise BundleError where it is not as packed."""
    try:
        content = read_file(path, limit=MAX_FILE_BYTES)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; bundle {manifest.bundle_id} is not here any more") from error
    if hashlib.sha256(content).hexdigest() != manifest.files[path.name]:
        raise BundleError(f"{path} is not as packed; bundle {manifest.bundle_id} is not here any more")
    return content


def read_manifest(folder: Path) -> BundleManifest:
    """Read the manifest alone, without checking sums. Raise BundleError where it is missing or of another format."""
    path = intact_folder(folder) / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder}: no bundle here ({MANIFEST} is missing); name a bundle's folder or run dvc repro")
    with FORMAT.parse(path, read=partial(read_file, limit=MAX_FILE_BYTES)) as content:
        _check_sums(content["files"])
        if whole_number(content.get("normalization", 1), "normalization", low=1) > NEWEST:
            raise BundleError(
                f"{folder}: trained on normalisation {content['normalization']}, newer than the {NEWEST} that legible "
                f"{legible.__version__} knows; install the legible that packed it"
            )
        return BundleManifest(**{**content, "sources": tuple(content["sources"])})


def _check_sums(files: object) -> None:
    """Raise ValueError for anything but names of files with their sums."""
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise ValueError("files is no object of names and sums")
    if any(len(name) > MAX_NAME or "\0" in name for name in files):
        raise ValueError(f"files has a name of more than {MAX_NAME} characters, or with a NUL")


def _faults(folder: Path, files: Mapping[str, str]) -> list[str]:
    named_elsewhere = [name for name in files if Path(name).name != name]
    if named_elsewhere:
        return [f"{MANIFEST} lists {name!r}, which is no name of a file in it" for name in named_elsewhere]
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    unlisted = [f"{name} is not listed in {MANIFEST}" for name in sorted((there | REQUIRED) - files.keys())]
    return unlisted + [fault for name, digest in files.items() if (fault := _fault(folder / name, digest))]


def _fault(path: Path, digest: str) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    if path.stat().st_size > MAX_FILE_BYTES:
        return f"{path.name} has more than {MAX_FILE_BYTES} bytes"
    return None if sha256_of(path) == digest else f"{path.name} is not as packed"
