"""The outside sources of the data set: data/sources.json, and the raw files in data/raw/<name>.

Raw files are not in git. `add` puts them under DVC where there is a DVC repository, so that `dvc push` carries them to
a private remote.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from legible.data.dataset import Tally
from legible.data.emnist import open_emnist
from legible.data.iam import join_handwritten, open_iam
from legible.data.options import SourceOptions
from legible.data.pages import open_pages
from legible.data.transcribed import open_transcribed
from legible.errors import DataError
from legible.files import JsonFormat, intact_folder, recover_folder, replace_folder, sha256_of
from legible.locks import lock_file
from legible.untrusted_files import check_regular

FORMAT = JsonFormat("list of sources", 1, "get it back from git", DataError)
KINDS = ("iam", "transcribed", "pages", "emnist", "labels")
ARCHIVED = ("transcribed", "pages")
"""The kinds that may be added as one `.tar`."""
LABELS_LOCK = "data/.labels.lock"
GENERATED = "generated-"
"""The prefix of sources that `generate` draws: `generated-print` is in data/generated/print."""
FIRST_KINDS = ("print", "handwriting", "strokes")
"""The generated kinds that come before others in a data set."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?<!\.dvc)")
"""The names that a source may have: a folder in data/raw, beside which DVC puts NAME.dvc."""
UNTOLD = "without text"
"""The count of images that nobody has transcribed yet; `ingest` leaves them out."""


@dataclass(frozen=True)
class Source:
    """A listed source: what it held when it was added, and the sha256 of each of its files."""

    name: str
    kind: str
    terms: str
    counts: Mapping[str, int]
    sha256: Mapping[str, str]
    open: bool = False
    """Whether anyone may use it for any purpose, as stated by whoever added it."""
    options: SourceOptions = field(default_factory=SourceOptions)

    def stated(self) -> dict[str, Any]:
        """Return the entry for data/sources.json; fields that were added later are left out where they say nothing."""
        later: dict[str, Any] = {"open": True} if self.open else {}
        later |= {"options": options} if (options := self.options.stated()) else {}
        return {
            "name": self.name, "kind": self.kind, "terms": self.terms, "counts": dict(self.counts),
            "sha256": dict(self.sha256), **later,
        }  # fmt: skip

    @staticmethod
    def of(stated: Mapping[str, Any]) -> "Source":
        """Return an entry of data/sources.json. Raise ValueError for a name that is no folder of data/raw."""
        if not NAME.fullmatch(stated["name"]):
            raise ValueError(f"{stated['name']!r} is no name of a source")
        return Source(**{**stated, "options": SourceOptions.of(stated.get("options", {}))})


def listed(root: Path) -> list[Source]:
    """Return the sources of data/sources.json, in order; an empty list where there is no such file."""
    path = root / "data/sources.json"
    if not path.is_file():
        return []
    with FORMAT.parse(path) as content:
        return [Source.of(source) for source in content["sources"]]


def raw_folder(root: Path, name: str) -> Path:
    """Return where the files of a source lie, also after a kill while it was added again."""
    return intact_folder(root / "data/raw" / name)


def generated(root: Path) -> dict[str, Path]:
    """Return the folder of each generated source that is here."""
    place = root / "data/generated"
    kinds = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
    ordered = [kind for kind in FIRST_KINDS if kind in kinds] + [kind for kind in kinds if kind not in FIRST_KINDS]
    return {f"{GENERATED}{kind}": place / kind for kind in ordered}


def require(root: Path) -> list[Source]:
    """Return the listed sources if all of them are here. Raise DataError naming each that is not, with the ways on."""
    missing = absent_from(root)
    if missing:
        files = " ".join(f"data/raw/{name}.dvc" for name in missing)
        without = "--absent" if len(missing) > 1 else missing[0]
        raise DataError(
            f"listed sources are not here: {', '.join(missing)}. Go on without: legible data drop {without}. Or fetch "
            f"what you have pushed to a remote of your own (none comes with legible): dvc pull {files}. Who publishes "
            "each: docs/data.md."
        )
    return listed(root)


def absent_from(root: Path) -> list[str]:
    """Return the names of the listed sources whose files are not here."""
    return [source.name for source in listed(root) if not raw_folder(root, source.name).is_dir()]


def add(
    root: Path,
    *,
    kind: str,
    path: Path,
    name: str = "",
    terms: str = "",
    is_open: bool | None = None,
    options: SourceOptions | None = None,
) -> Source:
    """Check a source, copy it to data/raw, list it and put it under DVC. Raise DataError for a source without images.

    A source that is listed already is read again only where its files, its copy or its options changed. Without new
    terms or options it keeps its own.
    """
    if kind not in KINDS:
        raise DataError(f"{kind!r} is no kind of source; known: {', '.join(KINDS)}")
    if not (path.is_dir() or (path.is_file() and kind in ARCHIVED)):
        raise DataError(f"{path}: no such folder; name the folder that holds the source")
    name = name or (kind if kind == "iam" else path.resolve().name.removesuffix(".tar"))
    _check_name(root, name, kind)
    folder = root / "data/raw" / name
    _check_apart(path.resolve(), folder.resolve())
    check_regular(path)
    former = _listed_as(root, name)
    kept = former or Source(name, kind, "", {}, {})
    own = kept.options if options is None else options
    counts = _unchanged(former, folder, path) if kept.options == own else None
    is_new = counts is None
    if counts is None:
        counts = count_samples(kind, path, own)
    with _locked_source(root, name):
        if _listed_as(root, name) == former:
            recover_folder(folder)
            if is_new and folder.resolve() != path.resolve():
                _take_away_link(folder)
                _copy(path, folder)
            is_free = kept.open if is_open is None else is_open
            source = Source(name, kind, terms or kept.terms, counts, _sums(folder), is_free, own)
            with locked_list(root):
                others = [other for other in listed(root) if other.name != name]
                write_list(root, [*others, source])
                _track(root, name)
            return source
    # another command has listed it anew meanwhile: what this one keeps of the former one is another now
    return add(root, kind=kind, path=path, name=name, terms=terms, is_open=is_open, options=options)


def _listed_as(root: Path, name: str) -> Source | None:
    return next((source for source in listed(root) if source.name == name), None)


@contextmanager
def _locked_source(root: Path, name: str) -> Iterator[None]:
    """Keep others from copying a source to the same folder, until this one is listed."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    with lock_file(root / f"data/.lock.{name}"):
        yield


@contextmanager
def locked_list(root: Path) -> Iterator[None]:
    """Keep others from changing the list, and what DVC tracks, from when it is read until it is written."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    with lock_file(root / "data/.lock"):
        yield


@contextmanager
def locked_labels(root: Path, name: str) -> Iterator[Path]:
    """Keep others from changing sources of labels, from when the former version is read until the next is listed.

    Yield the folder of one, after what a killed command left was finished: its files stay there until the next one.
    """
    _check_name(root, name, "labels")
    (root / "data").mkdir(parents=True, exist_ok=True)
    folder = root / "data/raw" / name
    with lock_file(root / LABELS_LOCK):
        recover_folder(folder)
        yield folder


def _unchanged(former: Source | None, folder: Path, path: Path) -> Mapping[str, int] | None:
    """Return the counts of a listed source whose files at `path` and in its folder are unchanged, else None."""
    return former.counts if former and former.sha256 == _sums(path) == _sums(folder) else None


def drop(root: Path, name: str) -> None:
    """Take a source out of the list and out of DVC; its raw files stay where they are."""
    with locked_list(root):
        sources = listed(root)
        if name not in {source.name for source in sources}:
            known = ", ".join(source.name for source in sources) or "none"
            raise DataError(f"{name!r} is no listed source; listed: {known}")
        write_list(root, [source for source in sources if source.name != name])
        raw_folder(root, f"{name}.dvc").unlink(missing_ok=True)


def count_samples(kind: str, path: Path, options: SourceOptions | None = None) -> dict[str, int]:
    """Count a source's readable, untranscribed and damaged images. Raise DataError where none can be trained on."""
    tally = Tally()
    if kind == "iam":
        kinds: list[str] = [entry.kind for entry, _ in open_iam(path, join_tokens=join_handwritten).images(tally)]
    elif kind == "emnist":
        kinds = ["character" for file in open_emnist(path) for _ in file.texts]
    elif kind == "pages":
        kinds = [text.kind for _, text, _, _ in open_pages(path, options).crops(tally)]
    else:
        kinds = [row.kind if row.text else UNTOLD for row, _ in open_transcribed(path, options).images(tally)]
    if not set(kinds) - {UNTOLD}:
        counts = {**tally.dropped, "damaged": len(tally.damaged)}
        reasons = ", ".join(f"{reason} ({count})" for reason, count in counts.items() if count)
        raise DataError(
            f"{path}: not one image of this source can be read and has a text{f'; {reasons}' if reasons else ''}"
        )
    left_out = {"left out": sum(tally.dropped.values())} if kind in ARCHIVED and tally.dropped else {}
    return {**{kind: kinds.count(kind) for kind in sorted(set(kinds))}, "damaged": len(tally.damaged), **left_out}


def _check_name(root: Path, name: str, kind: str) -> None:
    """Raise DataError for a name that is no folder name, or belongs to a source of another kind."""
    if not NAME.fullmatch(name):
        raise DataError(
            f"{name!r} is no name of a source; name it with --name: small letters, digits, '.', '_' and '-', "
            "a letter or digit first, no .dvc at its end"
        )
    if name.startswith(GENERATED):
        raise DataError(f"{name!r} is the name of generated samples; choose another with --name")
    others = [source.kind for source in listed(root) if source.name == name and source.kind != kind]
    if others:
        raise DataError(
            f"{name!r} is listed as {others[0]}; choose another name with --name, or legible data drop {name} first"
        )


def _check_apart(path: Path, folder: Path) -> None:
    """Raise DataError where one folder is inside the other: a copy would hold itself, or replace its own source."""
    if path in folder.parents or folder in path.parents:
        raise DataError(f"{path} and {folder} lie within each other; add a folder outside, or choose another --name")


def _take_away_link(folder: Path) -> None:
    """Delete a link to a source of another project, as `rehearse` makes them: its files are not to be replaced."""
    place = folder.resolve()
    if folder.is_symlink() and place.parent.name == "raw" and (place.parents[1] / "sources.json").is_file():
        folder.unlink()


def _copy(path: Path, folder: Path) -> None:
    with replace_folder(folder) as fresh:
        if path.is_dir():
            shutil.copytree(path, fresh, copy_function=shutil.copyfile, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, fresh / path.name)


def _sums(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of a folder, or of an archive."""
    if folder.is_file():
        return {folder.name: sha256_of(folder)}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def write_list(root: Path, sources: list[Source]) -> None:
    path = root / "data/sources.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    FORMAT.save(path, {"sources": [source.stated() for source in sources]})


def _track(root: Path, name: str) -> None:
    if not (root / ".dvc").is_dir():
        return
    outcome = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", "add", f"data/raw/{name}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise DataError(f"dvc add data/raw/{name} failed: {outcome.stderr.strip() or outcome.returncode}")
