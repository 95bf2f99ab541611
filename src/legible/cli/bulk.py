"""`legible bulk`: archives of any size, on the cores of this machine or on a Ray cluster."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import ALL_CORES, Address, Engine, EngineOption, app


class PartFormat(StrEnum):
    """The format of the parts that are written."""

    jsonl = "jsonl"
    parquet = "parquet"


@app.command()
def bulk(
    sources: Annotated[list[str], typer.Argument(help="Folders, tar shards or Parquet files, here or s3://...")],
    output: Annotated[str, typer.Option(help="An empty folder or prefix for the parts.")],
    *,
    engine: EngineOption = Engine.local,
    address: Address = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes here, or actors of a core each on Ray.")] = ALL_CORES,
    lexicon: Annotated[str, typer.Option(help="A lexicon of the bundle, such as english, whose words win.")] = "",
    format_: Annotated[PartFormat, typer.Option("--format", help="Of the parts.")] = PartFormat.jsonl,
    bundle: Annotated[Path | None, typer.Option(help="Another bundle's folder.")] = None,
) -> None:
    """Read archives, each image once; a killed run goes on. Example: legible bulk scans/ --output readings/"""
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.scale.bulk import read_bulk
    from legible.scale.plan import BulkJob

    folder = (bundle or find_bundle()).resolve()
    job = BulkJob(tuple(sources), load_bundle(folder).id, lexicon, format_.value)
    report = read_bulk(job, output, bundle=str(folder), engine=engine.value, workers=workers, address=address)
    print(
        f"{report.images_now} images read in {report.seconds} s ({report.images_per_second} a second), "
        f"{report.errors_now} of them with an error; {report.images_before} were there; "
        f"{report.parts} parts in {output}"
    )
