"""`legible serve` and `legible key`: the HTTP service and the keys that may call it."""

import os
import socket
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from legible.cli.app import ALL_CORES, app
from legible.errors import SettingsError


@app.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="TCP port; else LEGIBLE_PORT, else 3000.", show_default=False)
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; else LEGIBLE_HOST, else 127.0.0.1.", show_default=False)
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes; else LEGIBLE_WORKERS, else one for each core.", show_default=False),
    ] = None,
) -> None:
    """Serve the page and the HTTP calls. Example: legible serve --port 3000"""
    check_no_metrics_folder(os.environ)
    from legible.service.run import run

    at = port or number_of("LEGIBLE_PORT", os.environ, most=65535) or 3000
    address = host or os.environ.get("LEGIBLE_HOST", "") or "127.0.0.1"
    check_free(address, at)
    run(host=address, port=at, workers=workers or number_of("LEGIBLE_WORKERS", os.environ) or ALL_CORES)


def check_no_metrics_folder(environment: Mapping[str, str]) -> None:
    """Raise SettingsError for a folder of metrics that is named: BentoML would give its workers another."""
    name = "PROMETHEUS_MULTIPROC_DIR"
    if name in environment:
        raise SettingsError(
            f"{name} is {environment[name]!r}; legible serve makes a folder of its own in TMPDIR for each service; "
            f"unset {name}"
        )


def number_of(name: str, environment: Mapping[str, str], *, most: int = 1_000_000) -> int | None:
    """Return the number that a variable states, 1 to `most`; None where it is not set.

    `tcp://...` is none: Kubernetes sets LEGIBLE_PORT so for a service of that name.
    """
    text = environment.get(name, "")
    if not text or text.startswith("tcp://"):
        return None
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise SettingsError(f"{name} is {text!r}; it needs a number from 1 to {most}")
    return int(text)


def check_free(host: str, port: int) -> None:
    """Raise SettingsError where another program listens on the port, before anything is started or printed."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise SettingsError(f"{host}:{port}: {error.strerror}; name another port with --port") from error


@app.command()
def key(name: Annotated[str, typer.Argument(help="The name of the key's owner.")]) -> None:
    """Make an API key: the key on stderr, once; the entry to store on stdout. Example: legible key shop >> keys"""
    from legible.service.keys import entry, new_key

    made = new_key()
    print(entry(name, made))
    print(f"the key of {name}, shown this once: {made}", file=sys.stderr)
