"""`legible respond`: from drift to a candidate."""

import time
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Root, app
from legible.respond.steps import Step


@app.command()
def respond(
    step: Annotated[
        Step, typer.Argument(help="watch, queue, tune or propose alone; else all, one after the other.")
    ] = (Step.all_steps),
    *,
    observations: Annotated[Path, typer.Option(help="The service's folder of observations.")] = HERE / "observations",
    images: Annotated[Path, typer.Option(help="The images that the service kept.")] = HERE / "images",
    labels: Annotated[Path, typer.Option(help="The service's folder of labels.")] = HERE / "labels",
    issues: Annotated[str, typer.Option(help="`github` (by gh), or a folder for Markdown files.")] = "reports/issues",
    work: Annotated[Path, typer.Option(help="Where candidates are made.")] = HERE / "work/respond",
    last: Annotated[int, typer.Option(min=1, help="The newest N observations are judged.")] = 2000,
    min_exact_match: Annotated[
        float, typer.Option(min=0, max=1, help="An estimated exact match that is surely below this is harm.")
    ] = 0.0,
    most: Annotated[int, typer.Option(min=1, help="The most images of a channel to ask labels for.")] = 300,
    min_labels: Annotated[
        int, typer.Option(min=1, help="A candidate is made of so many labelled images more than the last one.")
    ] = 100,
    shadow: Annotated[
        Path | None, typer.Option(help="Copy a candidate to this folder of bundles, and open no pull request.")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="The proposed branch puts the candidate in models/bundle.")
    ] = False,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that is served.")] = None,
    root: Root = HERE,
) -> None:
    """Answer drift: an issue, images to label, a candidate, a pull request. Example: legible respond watch

    Each step may be run again: what is done already is not done twice. Nothing is ever merged.
    """
    from legible.recognition.bundle import find_bundle
    from legible.respond.run import Response
    from legible.respond.run import respond as run

    asked = Response(
        root,
        bundle or find_bundle(),
        observations,
        images,
        labels,
        issues,
        work,
        last,
        min_exact_match,
        most,
        min_labels,
        shadow,
        promote,
    )
    for line in run(asked, step, at=time.time()):
        print(line, flush=True)
