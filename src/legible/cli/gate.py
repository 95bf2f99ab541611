"""`legible gate`: decide whether a bundle may replace the champion."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.cli.app import HERE, Root, app, params_of

if TYPE_CHECKING:
    from legible.evaluation.evaluate import Case


class Output(StrEnum):
    """The format in which a verdict is printed."""

    table = "table"
    markdown = "markdown"
    json = "json"


def gate_cases(root: Path) -> "list[Case]":
    """Return the validation images and the print recipe; an empty list where there is no data set."""
    from legible.data.dataset import Dataset
    from legible.evaluation.evaluate import print_cases, validation_cases

    if not (root / "data/dataset/manifest.json").is_file():
        return []
    return [*validation_cases(Dataset.open(root / "data/dataset")), *print_cases(params_of(root), root=root)]


@app.command()
def gate(
    *,
    champion: Annotated[
        str, typer.Option(help="A git revision, or a bundle's folder; `none` judges floors alone.")
    ] = "main",
    bundle: Annotated[
        Path, typer.Option(help="The candidate: its folder, or the project that made it, such as work/finetune.")
    ] = HERE / "models/bundle",
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Compare recorded results, even where the data set is here.")
    ] = False,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Refuse whatever could only be judged by recorded results.")
    ] = False,
    output: Annotated[Output, typer.Option("--format", help="The format of the verdict.")] = Output.table,
    root: Root = HERE,
) -> None:
    """Judge the bundle here against the champion: exit code 0 if it may ship, 1 if not. Example: legible gate

    Where data/dataset is, both bundles read its validation images again; else their recorded results are compared.
    """
    from legible.gate.champion import champion_folder
    from legible.gate.decide import gate as judge
    from legible.gate.figures_table import figures_beside
    from legible.gate.layout import candidate_place

    place = candidate_place(bundle, root=root)
    with champion_folder(champion, root=root) as folder:
        cases = [] if recorded else gate_cases(place.project)
        verdict = judge(place.bundle, folder, floors=params_of(place.project).pack.floors, cases=cases)
        figures = figures_beside(place.bundle, folder) if folder is not None and output == Output.markdown else ""
    if deploy:
        verdict = verdict.for_deploy()
    print({Output.table: verdict.table, Output.markdown: verdict.markdown, Output.json: verdict.json}[output]())
    if figures:
        print(figures)
    if not verdict.passed:
        raise typer.Exit(1)


@app.command("before-after")
def before_after(
    before: Annotated[Path, typer.Argument(help="The bundle that a fine-tuning started from.")],
    after: Annotated[Path, typer.Argument(help="The fine-tuned bundle, or the project that made it.")],
    *,
    own: Annotated[
        list[str] | None, typer.Option(help="A source that it was tuned to; else those of `train.own`.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Set a bundle beside its start, slice by slice. Example: legible before-after models/bundle work/finetune"""
    from legible.errors import DataError
    from legible.gate.before_after import before_and_after, table
    from legible.gate.layout import candidate_place

    place = candidate_place(after, root=root)
    cases = gate_cases(place.project)
    if not cases:
        raise DataError(f"{place.project}/data/dataset is not here; both bundles read its images: legible ingest")
    print(table(before_and_after(before, place.bundle, cases, own=own or params_of(place.project).train.own)))
