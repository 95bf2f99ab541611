"""The options with which `legible read` and `legible page` write observations, for `legible drift` to judge."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.errors import LegibleError

if TYPE_CHECKING:
    from legible.arrays import GreyImage
    from legible.observations.recorder import NamedOrigin, Recorder
    from legible.reading import Reading

Observations = Annotated[
    Path | None, typer.Option(help="The folder to write observations to, as the service does, for legible drift.")
]
OwnChannel = Annotated[str, typer.Option(help="The channel of the observations; command where none is named.")]
Document = Annotated[str, typer.Option(help="The document that all of the images belong to.")]
FolderDocument = Annotated[bool, typer.Option(help="The images of each folder belong to one document.")]
Sender = Annotated[str, typer.Option(help="The sender of the images; observations hold a digest of it.")]


@dataclass
class FileObserver:
    """Observes the readings of image files."""

    recorder: "Recorder"
    origin: "NamedOrigin"
    by_folder: bool

    def observe(self, image: Path | bytes, reading: "Reading") -> None:
        """Observe the reading of a file or of bytes, which are decoded once more."""
        from legible.image.decode import decode
        from legible.image_input import file_bytes

        pixels = decode(image if isinstance(image, bytes) else file_bytes(image))
        self.recorder.record(pixels, reading, self._origin_of(image))

    def _origin_of(self, image: Path | bytes) -> "NamedOrigin":
        if self.by_folder and isinstance(image, Path):
            return dataclasses.replace(self.origin, document=str(image.resolve().parent))
        return self.origin


@dataclass
class LineObserver:
    """Observes the lines of pages: those of one file share its document."""

    recorder: "Recorder"
    origin: "NamedOrigin"
    document: str = ""

    def observe_line(self, image: "GreyImage", reading: "Reading") -> str:
        """Observe one line of the document that is being read; return the id of its reading."""
        return self.recorder.record(image, reading, dataclasses.replace(self.origin, document=self.document))


@contextmanager
def file_observer(
    folder: Path | None, origin: "NamedOrigin", *, by_folder: bool, bundle: str
) -> Iterator[FileObserver | None]:
    """Yield an observer that writes to a folder; None without one. Raise LegibleError for options that need one."""
    if by_folder and origin.document:
        raise LegibleError("--document and --folder-document contradict each other; leave one out")
    if folder is None and (by_folder or origin.document):
        raise LegibleError("--document and --folder-document are written to observations; name --observations")
    with _recorder(folder, origin, bundle) as recorder:
        yield FileObserver(recorder, origin, by_folder) if recorder else None


@contextmanager
def line_observer(folder: Path | None, origin: "NamedOrigin", *, bundle: str) -> Iterator[LineObserver | None]:
    """Yield an observer of lines that writes to a folder; None without one."""
    with _recorder(folder, origin, bundle) as recorder:
        yield LineObserver(recorder, origin) if recorder else None


@contextmanager
def _recorder(folder: Path | None, origin: "NamedOrigin", bundle: str) -> Iterator["Recorder | None"]:
    if folder is None:
        if origin.channel or origin.sender:
            raise LegibleError("--channel and --sender are written to observations; name --observations")
        yield None
        return
    from legible.observations.recorder import Recorder

    try:
        origin.channel.encode()
    except UnicodeEncodeError as error:
        raise LegibleError(f"--channel {origin.channel!a} is no UTF-8; name another") from error
    with Recorder(folder, bundle=bundle) as recorder:
        yield recorder
    if recorder.lost:
        print(f"legible: {recorder.lost} observations could not be written to {folder}", file=sys.stderr)
