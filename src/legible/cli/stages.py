"""The stages of the pipeline, one command each, and `legible params`. Command, DVC stage and function share a name."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from legible.cli.app import ALL_CORES, HERE, Address, Engine, EngineOption, Processes, Root, app, params_of


@app.command()
def params(
    files: Annotated[list[Path], typer.Argument(help="Parameter files, each merged over the ones before.")],
) -> None:
    """Print merged and checked parameters. Example: legible params params.yaml params/tiny.yaml"""

    from legible.config import dump_params

    print(dump_params(*files), end="")


@app.command()
def fonts(root: Root = HERE) -> None:
    """Stage: install the fonts of fonts/package-lock.json with npm."""
    from legible.data.sources import require
    from legible.synth.font_packages import install_fonts

    if "DVC_STAGE" in os.environ:
        require(root)  # the first stage of dvc repro says what the later ones will lack
    install_fonts(params_of(root), root=root)


@app.command()
def generate(
    root: Root = HERE, processes: Processes = ALL_CORES, engine: EngineOption = Engine.local, address: Address = ""
) -> None:
    """Stage: draw words and lines into data/generated, in the IAM layout. Example: legible generate --engine ray"""
    from legible.scale.drawing import RayDrawing
    from legible.synth.generate import generate as run

    draw = RayDrawing(address).draw if engine is Engine.ray else None
    run(params_of(root), root=root, processes=processes, draw=draw)


@app.command()
def ingest(root: Root = HERE) -> None:
    """Stage: generated and listed sources into data/dataset."""
    from legible.data.ingest import ingest as run

    print(run(params_of(root), root=root).summary())


@app.command()
def train(
    root: Root = HERE,
    *,
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare images.")] = ALL_CORES,
    threads: Annotated[int, typer.Option(min=0, help="Threads that compute; 0 leaves it to the backend.")] = 0,
    stop_after: Annotated[
        str, typer.Option(help="The name or number of a phase: stop after it, as a recipe that ends there.")
    ] = "",
    devices: Annotated[int, typer.Option(min=1, help="Accelerators that share each batch, on all hosts (JAX).")] = 1,
    hosts: Annotated[int, typer.Option(min=1, help="Machines that train together (JAX).")] = 1,
    host: Annotated[int, typer.Option(min=0, help="The number of this machine among them, from 0.")] = 0,
    coordinator: Annotated[str, typer.Option(help="The address of host 0, such as 10.0.0.1:9876.")] = "",
    tensorboard: Annotated[
        Path | None, typer.Option(envvar="LEGIBLE_TENSORBOARD", help="A folder for TensorBoard's curves too.")
    ] = None,
) -> None:
    """Stage: data/dataset into models/weights; continues where it was stopped. Example: legible train --threads 1"""
    from legible.training.threads import limit_threads

    params = params_of(root)
    limit_threads(threads)
    from legible.training.devices import share_batches
    from legible.training.hosts import join_hosts
    from legible.training.stage import train as run  # computes from here on

    join_hosts(coordinator, count=hosts, number=host)
    share_batches(devices, multiple=params.train.batch_multiple, hosts=hosts)
    if tensorboard is None:
        run(params, root=root, workers=workers, stop_after=stop_after)
        return
    from legible.training.tensorboard import TensorBoardCurves

    curves = TensorBoardCurves(tensorboard)
    run(params, root=root, workers=workers, stop_after=stop_after, on_epoch=curves.log)


@app.command()
def export(
    root: Root = HERE,
    *,
    from_checkpoint: Annotated[
        bool, typer.Option("--from-checkpoint", help="Export the newest checkpoint of a running training.")
    ] = False,
) -> None:
    """Stage: models/weights into the LiteRT artefact."""
    params = params_of(root)
    from legible.training.export import export as run
    from legible.training.stage import save_newest

    run(params, root=root, weights=save_newest(params, root=root) if from_checkpoint else None)


@app.command()
def evaluate(root: Root = HERE, engine: EngineOption = Engine.local, address: Address = "") -> None:
    """Stage: read the validation split and evaluate.print, as it is served. Example: legible evaluate --engine ray"""
    from functools import partial

    from legible.evaluation.evaluate import evaluate as run
    from legible.recognition.recognizer import Recognizer
    from legible.scale.reading import RayRecognizer

    make = partial(RayRecognizer, address=address) if engine is Engine.ray else Recognizer
    run(params_of(root), root=root, make=make)


STAGES = {
    "lexicon": ("legible.packing.lexicon", "the most frequent words, for readings that ask for them."),
    "confidence": ("legible.packing.confidence", "calibrate confidence on the tune split."),
    "page-confidence": (
        "legible.packing.page_confidence",
        "calibrate which found lines are text, and how sure lines of pages are, on tune pages.",
    ),
    "evaluate-pages": (
        "legible.evaluation.pages",
        "read drawn pages and those that the detector's sources hold back, with detector and recogniser.",
    ),
    "reference": ("legible.packing.reference", "the reference of the image statistics, and the calibrated drift rule."),
    "pack": ("legible.packing.pack", "all of it into models/bundle, with its card."),
    "add-pages": (
        "legible.packing.add_pages",
        "models/detector and the figures of pages into the bundle that is there; its other files stay.",
    ),
    "open-bundle": ("legible.packing.open_bundle", "a second bundle from open sources alone, in models/open."),
}
"""Stages without options of their own: the module with the function of the same name, and what it does."""


def stage_command(name: str, module: str) -> Callable[[Path], None]:
    """Return the command that runs a stage with the parameters of a project's folder."""

    def command(root: Root = HERE) -> None:
        params = params_of(root)
        getattr(import_module(module), name.replace("-", "_"))(params, root=root)

    return command


for _name, (_module, _help) in STAGES.items():
    app.command(_name, help=f"Stage: {_help}")(stage_command(_name, _module))
