"""`legible sweep`: a training for each combination of settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.cli.app import HERE, Address, Engine, Root, app

if TYPE_CHECKING:
    from legible.scale.sweep import Sweep


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="The settings and their values, such as params/sweep.yaml.")],
    *,
    root: Root = HERE,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time.")] = 1,
    curves: Annotated[Path | None, typer.Option(help="The folder for a page with the curves of all.")] = None,
    tensorboard: Annotated[str, typer.Option(help="A folder for TensorBoard's curves of each trial too.")] = "",
    engine: Annotated[
        Engine, typer.Option(help="local: DVC experiments; ray: Ray Tune, which ends bad trials early.")
    ] = Engine.local,
    address: Address = "",
) -> None:
    """Train with each combination of settings, and say which is best; a stopped sweep goes on.

    Example: legible sweep params/sweep.yaml
    """
    from legible.scale.sweep import Sweep

    asked = Sweep.load(file)
    if engine is Engine.ray:
        page, is_whole = _on_ray(asked, root=root, jobs=jobs, curves=curves, tensorboard=tensorboard, address=address)
    else:
        page, is_whole = _by_dvc(asked, root=root, jobs=jobs, curves=curves, tensorboard=tensorboard)
    if page:
        print(f"curves: {page}")
    if not is_whole:
        raise typer.Exit(1)


def _by_dvc(
    asked: "Sweep", *, root: Path, jobs: int, curves: Path | None, tensorboard: str
) -> tuple[Path | None, bool]:
    from legible.scale.sweep import draw_curves, run_sweep, table_of

    failed = run_sweep(asked, root=root, jobs=jobs, tensorboard=tensorboard)
    print(table_of(asked, root=root))
    return draw_curves(asked, curves, root=root) if curves else None, not failed


def _on_ray(
    asked: "Sweep", *, root: Path, jobs: int, curves: Path | None, tensorboard: str, address: str
) -> tuple[Path | None, bool]:
    from legible.scale.tuned_sweep import draw_tuned, run_tuned, table_of_tuned

    done = run_tuned(asked, root=root, jobs=jobs, address=address, tensorboard=tensorboard)
    print(table_of_tuned(asked, done))
    for one in done:
        if one.failure:
            typer.echo(f"{one.trial.name} failed: {one.failure.strip().splitlines()[-1]}", err=True)
    return draw_tuned(done, curves) if curves else None, not any(one.failure for one in done)
