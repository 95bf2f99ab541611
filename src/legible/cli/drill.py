"""`legible drill`: corrupted images to a running service."""

import time
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Baseline, Root, app, params_of


@app.command()
def drill(
    *,
    corruption: Annotated[str, typer.Option(help="The corruption, such as blur or inversion.")],
    severity: Annotated[int, typer.Option(min=1, max=5, help="The severity, 1 to 5.")] = 3,
    url: Annotated[str, typer.Option(help="The address of the service.")] = "http://localhost:3000",
    images: Annotated[Path | None, typer.Option(help="A folder of pictures; else words are drawn.")] = None,
    clean: Annotated[int, typer.Option(min=0, help="Clean images to send first.")] = 100,
    count: Annotated[int, typer.Option(min=1, help="The most corrupted images.")] = 500,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait after all are sent.")] = 300,
    prometheus: Annotated[str, typer.Option(help="The address of Prometheus, to watch the rule.")] = "",
    alertmanager: Annotated[str, typer.Option(help="The address of Alertmanager, to watch the alert.")] = "",
    observations: Annotated[
        Path | None, typer.Option(help="The service's folder of observations, to watch the report.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that the service serves.")] = None,
    baseline: Baseline = None,
    key: Annotated[
        str, typer.Option(envvar="LEGIBLE_KEY", help="A key that may read, where the service has keys.")
    ] = "",
    metrics_key: Annotated[str, typer.Option(envvar="LEGIBLE_METRICS_KEY", help="A key for /metrics.")] = "",
    seed: Annotated[int, typer.Option(help="The seed of the drawn words and of the corruption.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    root: Root = HERE,
) -> None:
    """Send corrupted images to a running service and see who notices. Exit code 0: all detectors; 1: not all.

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
