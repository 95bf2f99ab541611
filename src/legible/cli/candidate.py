"""`legible shadow`, `promote`, `rollback` and `reload`: is a candidate better, and in or out with it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import HERE, Root, app, params_of
from legible.errors import LegibleError

Folder = Annotated[Path, typer.Option(help="The folder of the champion, which the service reads with.")]
Service = Annotated[
    list[str] | None, typer.Option(help="The address of a service that is told to load it anew; may be repeated.")
]
Model = Annotated[str, typer.Option(help="The name of the champion in LEGIBLE_BUNDLES.")]
Key = Annotated[str, typer.Option(envvar="LEGIBLE_RELOAD_KEY", help="A key of LEGIBLE_RELOAD_KEYS.")]
CHAMPION = HERE / "models/bundle"
SECONDS_TO_ANSWER = 10.0
"""A service that has not answered for this long is not there."""
REFUSED = {401: "the key is no reload key of this model", 403: "the key is refused", 404: "it reloads no models"}
"""What a service says of a reload by its status; LEGIBLE_RELOAD_KEYS switches reloads on."""


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
    from legible.gate.promotion import is_champion
    from legible.gate.promotion import promote as put

    _check_services(service, model, key)
    if is_champion(candidate, champion):
        print(f"{champion}: {put(candidate, champion).id}, the champion already; the former stays")
        _reload(service, model, key)
        return
    from legible.cli.gate import gate_cases
    from legible.gate.decide import gate

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

    _check_services(service, model, key)
    print(f"{champion}: {roll_back(champion).id}")
    _reload(service, model, key)


@app.command()
def reload(*, service: Service = None, model: Model = "default", key: Key = "") -> None:
    """Have services load the bundle that is in a model's folder now. Example: legible reload --service http://ocr:3000

    Repeats that step of a promotion or a rollback alone, where it failed.
    """
    if not service:
        raise LegibleError("name a service: --service http://localhost:3000")
    _check_services(service, model, key)
    _reload(service, model, key)


def _check_services(services: list[str] | None, model: str, key: str) -> None:
    """Raise LegibleError where a service does not answer, or would refuse to reload; asking it changes nothing."""
    import httpx

    for address in services or ():
        with _in_one_line(
            address, "nothing was changed; mend that, or leave out --service and run legible reload later"
        ):
            if not address.startswith(("http://", "https://")):
                raise LegibleError("no address of a service, such as http://localhost:3000")
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            place = f"{address.rstrip('/')}/models/{model}/reload"
            status = httpx.get(place, headers=headers, timeout=SECONDS_TO_ANSWER).status_code
            if status in REFUSED:
                raise LegibleError(REFUSED[status])


def _reload(services: list[str] | None, model: str, key: str) -> None:
    """Tell each service to load the bundle that is in the folder now. Raise LegibleError, naming those that did not."""
    from legible.client import Client

    faults = []
    for address in services or ():
        again = (
            f"the bundle is in its place, only this reload failed; repeat it alone: legible reload --service {address}"
        )
        try:
            with _in_one_line(address, f"{again} --model {model}"), Client(address, key=key) as client:
                print(f"{address}: {client.reload(model)}")
        except LegibleError as error:
            faults.append(str(error))
    if faults:
        raise LegibleError("; ".join(faults))


@contextmanager
def _in_one_line(address: str, way_out: str) -> Iterator[None]:
    """Raise LegibleError for what a service, or the way to it, refuses: address, key, network, answer."""
    import httpx

    from legible.client import ServiceError

    try:
        yield
    except (ServiceError, LegibleError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise LegibleError(f"{address}: {said}; {way_out}") from error
