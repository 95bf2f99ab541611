"""`legible shadow`, `promote` and `rollback`: is a candidate better, and in or out with it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Root, app, params_of

Folder = Annotated[Path, typer.Option(help="The folder of the champion, which the service reads with.")]
Service = Annotated[
    list[str] | None, typer.Option(help="The address of a service that is told to load it anew; may be repeated.")
]
Model = Annotated[str, typer.Option(help="The name of the champion in LEGIBLE_BUNDLES.")]
Key = Annotated[str, typer.Option(envvar="LEGIBLE_RELOAD_KEY", help="A key of LEGIBLE_RELOAD_KEYS.")]
CHAMPION = HERE / "models/bundle"


@app.command()
def shadow(
    *,
    log: Annotated[Path, typer.Option(help="The service's folder of readings in the shadow.")] = HERE / "shadow",
    corrections: Annotated[Path, typer.Option(help="The service's folder of corrections.")] = HERE / "corrections",
    candidate: Annotated[str, typer.Option(help="The bundle id of the candidate; else the newest.")] = "",
) -> None:
    """Judge a candidate by what it read in the shadow. Exit codes: 0 not worse, 1 worse, 2 not enough data.

    Example: legible shadow --log shadow
    """
    from legible.gate.shadow import ShadowOutcome, judge_shadow
    from legible.observations.corrections import read_corrections
    from legible.observations.shadow import ShadowTally, read_shadow

    tally = ShadowTally()
    verdict = judge_shadow(read_shadow(log, tally=tally), read_corrections(corrections), candidate=candidate)
    print(verdict.screen())
    if tally.torn:
        print(f"legible: {tally.torn} torn lines were skipped", file=sys.stderr)
    raise typer.Exit({ShadowOutcome.WORSE: 1, ShadowOutcome.TOO_FEW: 2}.get(verdict.outcome, 0))


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="The folder of the candidate's bundle.")],
    *,
    champion: Folder = CHAMPION,
    service: Service = None,
    model: Model = "default",
    key: Key = "",
    root: Root = HERE,
) -> None:
    """Ask the gate; if it passes, put the candidate in the champion's folder and have services load it.

    The former champion stays beside it. Exit code 1 where the gate refuses. Example: legible promote models/candidate
    """
    from legible.cli.gate import gate_cases
    from legible.gate.decide import gate
    from legible.gate.promotion import promote as put

    verdict = gate(candidate, champion, floors=params_of(root).pack.floors, cases=gate_cases(root))
    print(verdict.table())
    if not verdict.passed:
        raise typer.Exit(1)
    bundle = put(candidate, champion)
    print(f"{champion}: {bundle.id}")
    _reload(service, model, key)


@app.command()
def rollback(*, champion: Folder = CHAMPION, service: Service = None, model: Model = "default", key: Key = "") -> None:
    """Bring back the bundle that the last promotion replaced. Example: legible rollback --service http://ocr:3000"""
    from legible.gate.promotion import roll_back

    print(f"{champion}: {roll_back(champion).id}")
    _reload(service, model, key)


def _reload(services: list[str] | None, model: str, key: str) -> None:
    """Tell each service to load the bundle that is in the folder now."""
    from legible.client import Client

    for address in services or ():
        with Client(address, key=key) as client:
            print(f"{address}: {client.reload(model)}")
