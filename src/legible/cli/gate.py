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


def _gate_cases(root: Path) -> "list[Case]":
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
    bundle: Annotated[Path, typer.Option(help="The candidate.")] = HERE / "models/bundle",
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

    with champion_folder(champion, root=root) as folder:
        cases = [] if recorded else _gate_cases(root)
        verdict = judge(bundle, folder, floors=params_of(root).pack.floors, cases=cases)
        figures = figures_beside(bundle, folder) if folder is not None and output == Output.markdown else ""
    if deploy:
        verdict = verdict.for_deploy()
    print({Output.table: verdict.table, Output.markdown: verdict.markdown, Output.json: verdict.json}[output]())
    if figures:
        print(figures)
    if not verdict.passed:
        raise typer.Exit(1)
