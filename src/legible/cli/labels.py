"""`legible labels`: labels out of the labelling page, and into it."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, app

labels_app = typer.Typer(no_args_is_help=True, help="Labels of the labelling page: export and import.")
app.add_typer(labels_app, name="labels")

Folder = Annotated[Path, typer.Option("--labels", help="The service's folder of labels.")]
Images = Annotated[Path, typer.Option(help="The images that the service kept.")]


class Exchange(StrEnum):
    """The formats that labels are exported in."""

    label_studio = "label-studio"
    index_tsv = "index"


@labels_app.command("export")
def labels_export(
    out: Annotated[Path, typer.Argument(help="The JSON file, or for index the folder, to write.")],
    *,
    output: Annotated[Exchange, typer.Option("--format", help="label-studio or index.")] = Exchange.label_studio,
    folder: Folder = HERE / "labels",
    images: Images = HERE / "images",
    prefix: Annotated[
        str, typer.Option(help="For label-studio: what stands before an image's name in its address.")
    ] = "/data/local-files/?d=images/",
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="For label-studio: kept images without a label too.")
    ] = False,
) -> None:
    """Write labels for Label Studio, or as a folder with index.tsv. Example: legible labels export tasks.json"""
    from legible.labelling.exchange import export_index, export_label_studio

    if output == Exchange.index_tsv:
        print(f"{out}: {export_index(folder, images, out)} images")
    else:
        count = export_label_studio(folder, images, out, prefix=prefix, unlabelled=unlabelled)
        print(f"{out}: {count} tasks")


@labels_app.command("import")
def labels_import(
    file: Annotated[Path, typer.Argument(help="An export of Label Studio (JSON), or an index.tsv that was filled in.")],
    *,
    folder: Folder = HERE / "labels",
    labeller: Annotated[str, typer.Option(help="Who labelled, where the file does not say.")] = "imported",
) -> None:
    """Add labels that were made elsewhere, each once. Example: legible labels import tasks.json"""
    from legible.labelling.exchange import import_labels

    done = import_labels(file, folder, labeller=labeller, at=round(time.time(), 3))
    print(f"{folder}: {done.added} labels added, {done.known} were there already, or are older than what is there")
