"""`legible detector`: train the line detector that `legible page` finds lines with."""

from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Root, app


@app.command()
def detector(
    pages: Annotated[Path, typer.Option(help="The folder with the archives of labelled pages.")] = Path("data/raw"),
    root: Root = HERE,
    *,
    file: Annotated[Path, typer.Option("--params", help="The parameter file.")] = Path("params/detector.yaml"),
    folder: Annotated[Path, typer.Option(help="The folder of checkpoint, curves and model.")] = Path(
        "training/detector"
    ),
    workers: Annotated[int, typer.Option(min=0, help="Processes that cut pieces of pages.")] = 1,
    stop_after: Annotated[int, typer.Option(min=0, help="Epochs to train now; 0 for all that are left.")] = 0,
) -> None:
    """Train the line detector, or continue its training, and export it. Example: legible detector --stop-after 5"""
    from legible.config.detector import load_detector_params
    from legible.training.detector_stage import train_line_detector

    train_line_detector(
        load_detector_params(root / file),
        root=root,
        pages=pages,
        folder=root / folder,
        workers=workers,
        stop_after=stop_after,
    )
    print(root / folder / "detector.tflite")
