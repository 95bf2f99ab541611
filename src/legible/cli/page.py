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
    from legible.pages.result import DocumentResult


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
    """Read whole pages. Exit code 1: some could not be read. Example: legible page scan.pdf --format pdf --output ."""
    from tqdm import tqdm

    from legible.image_input import file_bytes
    from legible.observations.recorder import NamedOrigin
    from legible.pages.read import PageOptions
    from legible.pages.shipped import open_reader
    from legible.recognition.bundle import find_bundle, load_bundle

    if output is None and (form is PageFormat.pdf or len(paths) > 1):
        raise SettingsError("several files, or a PDF, do not go to stdout; name a folder by --output")
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
                _write(reader.read(data), data, form, path, output)
            except (LegibleError, OSError) as error:
                if len(paths) == 1:
                    raise
                failures += 1
                print(f"{path}: {error}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)


def _write(result: "DocumentResult", data: bytes, form: PageFormat, path: Path, output: Path | None) -> None:
    from legible.files import replace_file
    from legible.pages.write import files_of

    files = files_of(result, form, stem=path.stem, data=data)
    if output is None:
        for content in files.values():
            sys.stdout.write(content.decode())
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with replace_file(output / name) as fresh:
            fresh.write_bytes(content)
