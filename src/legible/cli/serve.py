"""`legible serve` and `legible key`: the HTTP service and the keys that may call it."""

import sys
from typing import Annotated

import typer

from legible.cli.app import ALL_CORES, app


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="TCP port.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = ALL_CORES,
) -> None:
    """Serve the page and the HTTP end points. Example: legible serve --port 3000"""
    from legible.service.run import run

    run(host=host, port=port, workers=workers)


@app.command()
def key(name: Annotated[str, typer.Argument(help="Whose key it is.")]) -> None:
    """Make an API key: the key to stderr, once; the entry to keep to stdout. Example: legible key shop >> keys"""
    from legible.service.keys import entry, new_key

    made = new_key()
    print(entry(name, made))
    print(f"the key of {name}, shown this once: {made}", file=sys.stderr)
