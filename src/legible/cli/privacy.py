"""`legible forget` and `legible held`: delete, or hand over, what is held of readings."""

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from legible.cli.app import HERE, Root, app
from legible.errors import LegibleError

if TYPE_CHECKING:
    from legible.labelling.forget import Held

Observations = Annotated[Path, typer.Option(help="The service's folder of observations.")]
Images = Annotated[Path, typer.Option(help="The images that the service kept.")]
Labels = Annotated[Path, typer.Option(help="The service's folder of labels.")]
Corrected = Annotated[Path, typer.Option("--corrections", help="The service's folder of corrections.")]
Shadow = Annotated[Path, typer.Option(help="The service's folder of what a candidate read in the shadow.")]
Queue = Annotated[Path, typer.Option(help="The folder that legible queue wrote.")]
StoreAddress = Annotated[
    str, typer.Option("--store", envvar="LEGIBLE_OBSERVATIONS_STORE", help="The store that services send to: s3://...")
]
Collector = Annotated[
    str, typer.Option(envvar="LEGIBLE_OBSERVATIONS_COLLECTOR", help="The collector that services send to.")
]


def takes_held(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each place in which something may be held; it gets them together as `held`."""

    def places(
        *,
        observations: Observations = HERE / "observations",
        images: Images = HERE / "images",
        labels: Labels = HERE / "labels",
        corrections: Corrected = HERE / "corrections",
        queue: Queue = HERE / "queue",
        shadow: Shadow = HERE / "shadow",
        root: Root = HERE,
        store: StoreAddress = "",
        collector: Collector = "",
    ) -> "Held":
        from legible.labelling.forget import Held

        return Held(observations, images, labels, corrections, queue, shadow, root, store, collector)

    options = inspect.signature(places).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(held=places(**{name: given.pop(name) for name in options}), **given)

    own = [one for one in inspect.signature(command).parameters.values() if one.name != "held"]
    run.__signature__ = inspect.Signature([*own, *options.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*own, *options.values())}
    return run


@app.command()
@takes_held
def forget(
    readings: Annotated[list[str] | None, typer.Argument(help="Reading ids, as answers name them.")] = None,
    *,
    channel: Annotated[str, typer.Option(help="Every reading of this channel.")] = "",
    held: "Held",
) -> None:
    """Delete all that is held of readings. Example: legible forget 20261129T10-7-00000000002a

    What could not be reached is named, and the exit code is then 1.
    """
    from legible.labelling.forget import forget as run
    from legible.labelling.held import readings_of

    if bool(readings) == bool(channel):
        raise LegibleError("name reading ids, or a --channel; an answer of the service names its reading_id")
    done = run(readings or readings_of(channel, held), held)
    print(done.said())
    for sentence in done.unreached:
        print(f"legible: not reached: {sentence}", file=sys.stderr)
    if done.unreached:
        raise typer.Exit(1)


@app.command("held")
@takes_held
def export_held(
    channel: Annotated[str, typer.Argument(help="The channel.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    *,
    held: "Held",
) -> None:
    """Write a folder with all that is held of a channel. Example: legible held mobile mobile-held/"""
    from legible.labelling.held import export_channel

    counts = export_channel(channel, held, out)
    print(f"{out}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
    if held.collector:
        print(f"legible: not reached: {held.collector}: ask there for legible.channel {channel!r}", file=sys.stderr)
        raise typer.Exit(1)
