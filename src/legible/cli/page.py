"""`legible page`: documents to the text of their pages."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.cli.app import app
from legible.cli.observing import Observations, OwnChannel, Sender, line_observer
from legible.errors import LegibleError, SettingsError
from legible.pages.result import PageFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from legible.cli.output_files import OutputFiles


@app.command()
def page(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, TIFF and PDF files of whole pages.")],
    *,
    form: Annotated[PageFormat, typer.Option("--format", help="The output format.")] = PageFormat.text,
    output: Annotated[Path | None, typer.Option(help="A folder to write files to; else stdout.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder; else LEGIBLE_BUNDLE or the shipped.")] = None,
    detector: Annotated[Path | None, typer.Option(help="The model of a line detector; else the bundle's.")] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Time limit of a page in seconds; 0 for none.")] = 60.0,
    observations: Observations = None,
    channel: OwnChannel = "",
    sender: Sender = "",
) -> None:
    """Read whole pages. Exit code 1: some could not be read. Example: legible page a.pdf --format pdf --output out"""
    from tqdm import tqdm

    from legible.cli.output_files import OutputFiles
    from legible.image_input import file_bytes
    from legible.observations.recorder import NamedOrigin
    from legible.pages.read import PageOptions
    from legible.pages.shipped import open_reader
    from legible.pages.write import files_of
    from legible.recognition.bundle import find_bundle, load_bundle

    if output is None and (form is PageFormat.pdf or len(paths) > 1):
        raise SettingsError("several files, or a PDF, do not go to stdout; name a folder by --output")
    targets = OutputFiles(output, form, paths)
    opened = load_bundle(bundle or find_bundle())
    failures = 0
    with line_observer(observations, NamedOrigin(channel, sender=sender), bundle=opened.id) as observer:
        told = {"observe": observer.observe_line} if observer else {}
        reader = open_reader(opened, detector=detector, options=PageOptions(seconds=seconds), **told)
        for path in tqdm(paths, desc="read", unit="file", disable=len(paths) == 1):
            if observer:
                observer.document = str(path.resolve())
            try:
                data = file_bytes(path)  # once: a pipe gives it once
                _write(files_of(reader.read(data), form, stem=path.stem, data=data), path, targets)
            except (LegibleError, OSError) as error:
                if len(paths) == 1:
                    raise
                failures += 1
                print(f"{path}: {error}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)


def _write(files: "Mapping[str, bytes]", path: Path, targets: "OutputFiles") -> None:
    from legible.files import replace_file

    if targets.folder is None:
        for content in files.values():
            sys.stdout.write(content.decode())
        return
    for target, content in targets.claim(path, files).items():
        with replace_file(target) as fresh:
            fresh.write_bytes(content)
