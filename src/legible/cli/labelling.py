"""`legible queue`: images of the service to transcribe."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Corrections, app


@app.command()
def queue(
    *,
    images: Annotated[Path, typer.Option(help="The images that the service kept.")] = HERE / "images",
    out: Annotated[Path, typer.Option(help="The folder to write: index.tsv and the images.")] = HERE / "queue",
    most: Annotated[int, typer.Option(min=1, help="The most images to transcribe.")] = 200,
    corrections: Corrections = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that reads and judges.")] = None,
) -> None:
    """Choose kept images to transcribe, those worth most first, as a folder to fill in. Example: legible queue"""
    from legible.labelling.queue import make_queue
    from legible.recognition.bundle import find_bundle

    made = make_queue(images, out, most=most, bundle=bundle or find_bundle(), corrections=corrections)
    for path in made.skipped:
        print(f"legible: {path} is no image that can be read; skipped", file=sys.stderr)
    print(f"{out}: {made.to_fill} images to transcribe in index.tsv, {made.filled} with a correction")
