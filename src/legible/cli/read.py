"""`legible read`: images to texts."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from legible.cli.app import UNENCODABLE, app
from legible.cli.observing import (
    Document,
    FileObserver,
    FolderDocument,
    Observations,
    OwnChannel,
    Sender,
    file_observer,
)
from legible.cli.read_formats import Format, Outcome, writer_of
from legible.errors import LegibleError, SettingsError

if TYPE_CHECKING:
    from legible.recognition.decoding import Decoding
    from legible.recognition.recognizer import Recognizer

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
HEIF_SUFFIXES = frozenset({".heic", ".heif"})
"""Suffixes that are read where the library for HEIF is installed."""
OTHER_SUFFIXES = frozenset({".pdf", ".gif", ".heic", ".heif", ".avif", ".jp2", ".svg", ".psd"})
"""Suffixes of images and documents that are not read; such files in a folder are named."""
FRAMED_SUFFIXES = frozenset({".tif", ".tiff", ".webp"})
"""Suffixes of formats that are read and may hold several frames."""
STANDARD_INPUT = "-"
MIN_FILES_WITH_BAR = 20
MAX_ALTERNATIVES = 10
"""The most alternatives, as in service: the beam, and so the time and memory of a reading, grow with them."""


@dataclass(frozen=True)
class Given:
    """One image to read: its name in the answer, and its path."""

    name: str
    image: Path | bytes


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Image files, folders of them, or - for standard input.")],
    *,
    form: Annotated[
        Format | None, typer.Option("--format", help="table, or text (the texts alone), json (lines), tsv, csv.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[Path | None, typer.Option(help="The file to write; it is written whole or not at all.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder; else LEGIBLE_BUNDLE or the shipped.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that read.")] = 1,
    lexicon: Annotated[str, typer.Option(help="Prefer the words of this lexicon of the bundle, such as english.")] = "",
    alternatives: Annotated[
        int, typer.Option(min=0, max=MAX_ALTERNATIVES, help="The number of other texts to name.")
    ] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="Straight quotes and hyphens for typographic ones.")] = False,
    observations: Observations = None,
    channel: OwnChannel = "",
    document: Document = "",
    folder_document: FolderDocument = False,
    sender: Sender = "",
) -> None:
    """Read images. Exit code 1: some could not be read. Example: legible read scans/ word.png --format tsv"""
    from legible.observations.recorder import NamedOrigin
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.decoding import Decoding
    from legible.recognition.recognizer import Recognizer

    chosen = _format(form, as_json=as_json, alternatives=alternatives)
    given, missing = find_images(paths)
    _check_apart(output, given)
    opened = load_bundle(bundle or find_bundle())
    recognizer = Recognizer.from_bundle(opened, workers=workers)
    prior = recognizer.prior(opened.lexicon(lexicon)) if lexicon else None
    decoding = Decoding(prior, alternatives, plain, lexicon)
    origin = NamedOrigin(channel, document, sender, lexicon)
    failures = missing
    with (
        file_observer(observations, origin, by_folder=folder_document, bundle=opened.id) as observer,
        _opened(output) as file,
    ):
        write = writer_of(chosen, file, alternatives=alternatives)
        for one, outcome in zip(given, _outcomes(given, recognizer, decoding), strict=True):
            failures += isinstance(outcome, Exception)
            write(one.name, outcome)
            _say_of(one, outcome)
            _observe(observer, one, outcome)
    if failures:
        raise typer.Exit(1)


def _format(form: Format | None, *, as_json: bool, alternatives: int) -> Format:
    if as_json and form not in (None, Format.json):
        raise SettingsError(f"--json and --format {form} contradict each other; leave one out")
    chosen = Format.json if as_json else form or Format.table
    if alternatives and chosen is Format.text:
        raise SettingsError("--format text prints the texts alone; name another --format for --alternatives")
    return chosen


def find_images(paths: Sequence[Path]) -> tuple[list[Given], int]:
    """Return the images of files, folders and standard input, and how many paths are not there, each named on stderr.

    Raise LegibleError where nothing is there to read.
    """
    from legible.image_input import image_file

    given: list[Given] = []
    missing = 0
    for path in paths:
        if str(path) == STANDARD_INPUT:
            given.append(Given(STANDARD_INPUT, image_file(sys.stdin.buffer)[1]))
        elif path.is_dir():
            given += [Given(str(one), one) for one in image_files(path)]
        elif path.exists():
            given.append(Given(str(path), path))
        elif len(paths) == 1:
            raise LegibleError(f"{path}: {absence(path)}")
        else:
            missing += 1
            say(f"{path}: {absence(path)}")
    if not given:
        raise LegibleError("nothing to read: not one of these files and folders is there")
    return given, missing


def image_files(folder: Path) -> list[Path]:
    """Return the image files under a folder, in order; what else looks like a picture is named on stderr.

    Raise LegibleError for a folder without images.
    """
    from legible.image import heif

    readable = IMAGE_SUFFIXES | (HEIF_SUFFIXES if heif.is_readable() else frozenset())
    found = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    for path in found:
        if path.exists() and not path.is_file():
            say(f"{path}: a pipe or device; skipped")
        elif path.suffix.lower() in OTHER_SUFFIXES - readable:
            say(f"{path}: {path.suffix.lower()[1:].upper()} is not read; skipped")
    images = [p for p in found if p.suffix.lower() in readable and (p.is_file() or not p.exists())]
    if not images:
        raise LegibleError(f"{folder}: no images ({', '.join(sorted(readable))}) in this folder")
    return images


def absence(path: Path) -> str:
    """Say why a path is not there."""
    return f"a link to {path.readlink()}, which is not there" if path.is_symlink() else "no such file or folder"


def say(line: str) -> None:
    """Print a line about one image to stderr."""
    print(f"legible: {line}", file=sys.stderr)


def _outcomes(given: Sequence[Given], recognizer: "Recognizer", decoding: "Decoding") -> Iterator[Outcome]:
    from tqdm import tqdm

    hidden = len(given) < MIN_FILES_WITH_BAR
    outcomes = recognizer.try_each((one.image for one in given), decoding=decoding)
    yield from tqdm(outcomes, total=len(given), unit="image", disable=hidden)


def _say_of(given: Given, outcome: Outcome) -> None:
    """Say on stderr why an image could not be read, or that only its first frame was."""
    if isinstance(outcome, Exception):
        say(f"{given.name}: {reason(outcome)}")
    elif (frames := frame_count(given.image)) > 1:
        say(f"{given.name}: {frames} frames, of which the first is read")


def _observe(observer: "FileObserver | None", given: Given, outcome: Outcome) -> None:
    if observer is not None and not isinstance(outcome, Exception):
        observer.observe(given.image, outcome)


def reason(error: Exception) -> str:
    """Return the message of an image's error, without the path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def frame_count(image: Path | bytes) -> int:
    """Return the number of frames of an image file, such as the pages of a TIFF; 1 for formats that hold one."""
    from legible.image.inputs import count_frames
    from legible.image_input import file_bytes

    if isinstance(image, Path) and image.suffix.lower() not in FRAMED_SUFFIXES:
        return 1
    return count_frames(image if isinstance(image, bytes) else file_bytes(image))


def _check_apart(output: Path | None, given: Sequence[Given]) -> None:
    """Raise SettingsError for an output that would take the place of an image."""
    read_files = {one.image.resolve() for one in given if isinstance(one.image, Path)}
    if output is not None and output.resolve() in read_files:
        raise SettingsError(f"{output} is read, and would be replaced; name another file by --output")


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Yield the file to write to, which replaces the former one when it is whole; standard output where none is
    named. A pipe or device is written to as it is.
    """
    from legible.files import is_special, replace_file

    if output is None:
        yield sys.stdout
        return
    if is_special(output):
        with output.open("w", encoding="utf-8", errors=UNENCODABLE, newline="") as file:
            yield file
        return
    with replace_file(output) as fresh, fresh.open("w", encoding="utf-8", errors=UNENCODABLE, newline="") as file:
        yield file
