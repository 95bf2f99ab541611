"""`legible recalibrate`: refit confidence for one deployment, or undo that."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, app
from legible.cli.monitoring import LOG, Log


@app.command()
def recalibrate(
    *,
    observations: Log = LOG,
    labels: Annotated[Path, typer.Option(help="The service's folder of labels.")] = HERE / "labels",
    bundle: Annotated[Path | None, typer.Option(help="The bundle whose readings were labelled.")] = None,
    out: Annotated[Path, typer.Option(help="The folder that LEGIBLE_RECALIBRATION names.")] = HERE / "recalibration",
    accept: Annotated[
        float, typer.Option(envvar="LEGIBLE_ACCEPT", min=0, max=1, help="The confidence from which the gate looks.")
    ] = 0.9,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what held before.")] = False,
) -> None:
    """Refit confidence on labels drawn at random. Refused, with exit code 1, where held-out labels get worse.

    Example: legible recalibrate --labels labels --out recalibration
    """
    from legible.monitoring.recalibrate import recalibrate as run
    from legible.recognition.bundle import find_bundle, read_manifest
    from legible.recognition.recalibration import undo as put_back

    if undo:
        former = put_back(out)
        said = f"the recalibration before holds again, of bundle {former.bundle}" if former else "none holds any more"
        print(f"{out}: {said}")
        return
    of = read_manifest(bundle or find_bundle()).bundle_id
    made = run(observations, labels, bundle=of, accept=accept, at=time.time())
    for line in made.screen():
        print(line)
    if not made.passed:
        print("legible: refused, nothing was written", file=sys.stderr)
        raise typer.Exit(1)
    made.made.save(out)
    print(f"{out}: holds from now on; undo it with legible recalibrate --undo --out {out}")
