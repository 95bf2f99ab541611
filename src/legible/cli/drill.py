"""`legible drill`: corrupted images to a running service."""

import time
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Baseline, Root, app, params_of


@app.command()
def drill(
    *,
    corruption: Annotated[str, typer.Option(help="What befalls the images, such as blur or inversion.")],
    severity: Annotated[int, typer.Option(min=1, max=5, help="How badly.")] = 3,
    url: Annotated[str, typer.Option(help="The service.")] = "http://localhost:3000",
    images: Annotated[Path | None, typer.Option(help="A folder of pictures; else words are drawn.")] = None,
    clean: Annotated[int, typer.Option(min=0, help="Images sent as they are, before.")] = 100,
    count: Annotated[int, typer.Option(min=1, help="Corrupted images, at most.")] = 500,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait when all are sent.")] = 300,
    prometheus: Annotated[str, typer.Option(help="Its address, to see the rule.")] = "",
    alertmanager: Annotated[str, typer.Option(help="Its address, to see the alert.")] = "",
    observations: Annotated[Path | None, typer.Option(help="The service's log, to see the report.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that the service serves.")] = None,
    baseline: Baseline = None,
    key: Annotated[str, typer.Option(envvar="LEGIBLE_KEY", help="To read with, where keys are set.")] = "",
    metrics_key: Annotated[str, typer.Option(envvar="LEGIBLE_METRICS_KEY", help="The same for /metrics.")] = "",
    seed: Annotated[int, typer.Option(help="Of the drawn words and of the corruption.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
    root: Root = HERE,
) -> None:
    """Send corrupted images to a running service and see who notices: exit 0 all that were asked, 1 not all.

    Example: legible drill --corruption blur --severity 3 --images scans/ --prometheus http://localhost:9090
    """
    from legible.client import Client
    from legible.drill.detectors import detectors_of
    from legible.drill.images import corrupted, drawn, images_of
    from legible.drill.run import Plan
    from legible.drill.run import drill as run
    from legible.recognition.bundle import find_bundle

    detectors, unasked = detectors_of(
        url=url,
        metrics_key=metrics_key,
        prometheus=prometheus,
        alertmanager=alertmanager,
        observations=observations,
        bundle=bundle or (find_bundle() if observations else None),
        baseline=baseline,
        last=count,
        clock=time.time,
    )
    pictures = images_of(images) if images else drawn(params_of(root), root=root, seed=seed)
    plan = Plan(corruption, severity, clean, count, patience, unasked)
    with Client(url, key=key, tries=3) as client:
        outcome = run(
            plan,
            client,
            clean=pictures,
            corrupted=corrupted(pictures, corruption, severity, seed=seed),
            detectors=detectors,
            clock=time.time,
            pause=time.sleep,
        )
    print(outcome.to_json() if as_json else outcome.screen())
    if not outcome.passed:
        raise typer.Exit(1)
