"""`legible sweep`: a training for each combination of settings."""

from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Root, app


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="The settings and their values, such as params/sweep.yaml.")],
    root: Root = HERE,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time.")] = 1,
    curves: Annotated[Path | None, typer.Option(help="The folder for a page with the curves of all.")] = None,
) -> None:
    """Train with each combination of settings, and keep each as a DVC experiment; a stopped sweep goes on.

    Example: legible sweep params/sweep.yaml
    """
    from legible.scale.sweep import Sweep, draw_curves, run_sweep, table_of

    asked = Sweep.load(file)
    failed = run_sweep(asked, root=root, jobs=jobs)
    print(table_of(asked, root=root))
    if curves and (page := draw_curves(asked, curves, root=root)):
        print(f"curves: {page}")
    if failed:
        raise typer.Exit(1)
