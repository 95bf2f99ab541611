"""`legible data`: outside sources of the data set, and its samples."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.cli.app import HERE, Corrections, Root, app, params_of
from legible.errors import LegibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from legible.data.dataset import Sample
    from legible.data.sources import Source

data_app = typer.Typer(no_args_is_help=True, help="Outside sources of the data set (data/sources.json).")
app.add_typer(data_app, name="data")


@data_app.command("add")
def data_add(
    kind: Annotated[str, typer.Argument(help="iam, transcribed, pages, emnist or labels.")],
    path: Annotated[Path, typer.Argument(help="The folder of the source; for transcribed and pages also a .tar.")],
    *,
    name: Annotated[str, typer.Option(help="The name of the source; else its kind or its folder's name.")] = "",
    terms: Annotated[str, typer.Option(help="Licence or terms, for the model card.")] = "",
    is_open: Annotated[
        bool | None, typer.Option("--open/--not-open", help="Whether anyone may use it for any purpose.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the source, such as untold=case; see docs/data.md.")
    ] = None,
    images: Annotated[Path, typer.Option(help="For labels: the images that the service kept.")] = HERE / "images",
    observations: Annotated[
        Path, typer.Option(help="For labels: the service's observations, which know the document of an image.")
    ] = HERE / "observations",
    corrections: Corrections = None,
    root: Root = HERE,
) -> None:
    """Check a source, list it and put it under DVC. Example: legible data add iam ~/iam --terms "research only" """
    from legible.data.options import parse_options
    from legible.data.sources import add
    from legible.labelling.add_labels import Told, add_labels
    from legible.labelling.label_source import LabelFolders

    options = parse_options(option) if option else None
    if kind == "labels":
        told = Told(name or "labels", terms, is_open, options)
        source, made = add_labels(root, path, LabelFolders(images, observations), corrections=corrections, told=told)
        print(made.summary())
    else:
        source = add(root, kind=kind, path=path, name=name, terms=terms, is_open=is_open, options=options)
        print(f"{source.name}: {', '.join(f'{count} {what}' for what, count in source.counts.items())}")
    _print_faults(root, source)


def _print_faults(root: Path, source: "Source") -> None:
    from legible.data.labels import check_labels
    from legible.data.sources import raw_folder

    if (root / "params.yaml").is_file():
        for line in check_labels(source, raw_folder(root, source.name), params_of(root).charset.build()):
            print(line)


@data_app.command("drop")
def data_drop(
    names: Annotated[list[str] | None, typer.Argument(help="The sources to take out.")] = None,
    *,
    absent: Annotated[bool, typer.Option("--absent", help="Take out all that are not here.")] = False,
    root: Root = HERE,
) -> None:
    """Take sources out of the list; their files stay. Example: legible data drop iam sroie"""
    from legible.data.sources import absent_from, drop

    chosen = list(dict.fromkeys([*(names or []), *(absent_from(root) if absent else [])]))
    if not chosen and not absent:
        raise LegibleError("which source? name one that legible data list shows, or all that are not here: --absent")
    for name in chosen:
        drop(root, name)
    print(f"dropped: {', '.join(chosen) or 'none, for every listed source is here'}")


@data_app.command("rehearse")
def data_rehearse(
    project: Annotated[Path, typer.Argument(help="The project whose sources are rehearsed.")], *, root: Root
) -> None:
    """List a project's sources in another one, by links. Example: legible data rehearse . --root work/finetune"""
    from legible.data.rehearsal import rehearse

    found = rehearse(project, root)
    if found.here:
        print(f"rehearsed: {', '.join(found.here)}")
    if found.absent:
        print(f"not here, so that it is not rehearsed: {', '.join(found.absent)}")


@data_app.command("list")
def data_list(root: Root = HERE) -> None:
    """Print the listed sources, and whether each is here."""
    from legible.data.sources import listed, raw_folder

    for source in listed(root):
        state = "here" if raw_folder(root, source.name).is_dir() else "not here"
        counts = ", ".join(f"{count} {what}" for what, count in source.counts.items())
        print(f"{source.name}  {source.kind}  {counts}  {state}")


Split = Annotated[str, typer.Option(help="train, tune or validation; else all.")]
Group = Annotated[
    str,
    typer.Option(
        help="A source and kind, such as generated-print/word, or a slice of it, such as iam/word/long; else all."
    ),
]


@data_app.command("show")
def data_show(
    *,
    split: Split = "",
    group: Group = "",
    count: Annotated[int, typer.Option(min=1, help="Samples on the sheet.")] = 120,
    out: Annotated[Path, typer.Option(help="The image file to write.")] = Path("contact-sheet.png"),
    root: Root = HERE,
) -> None:
    """Write a contact sheet of samples with their labels. Example: legible data show --group iam/word"""
    from legible.image.contact_sheet import Cell, draw_sheet

    samples, total = _samples(root, split, group)
    shown = min(count, total)
    places = {number * total // shown for number in range(shown)}
    chosen = (sample for place, sample in enumerate(samples) if place in places)
    cells = [Cell(sample.image, (sample.text, sample.writer)) for sample in chosen]
    draw_sheet(out, cells, columns=6, picture=(220, 48))
    print(f"{out}: {shown} of {total} samples")


@data_app.command("check")
def data_check(
    *,
    split: Split = "",
    group: Group = "",
    suspects: Annotated[
        int, typer.Option(min=0, help="The number of least probable samples to show; 0 only counts.")
    ] = 60,
    out: Annotated[Path, typer.Option(help="The image file of the least probable samples.")] = Path("suspects.png"),
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle that judges; else LEGIBLE_BUNDLE or the shipped.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Count by source, writer, length and character; list the samples that the bundle finds least probable."""
    from tqdm import tqdm

    from legible.data.census import Census
    from legible.labelling.suspects import draw_suspects, find_suspects
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.recognizer import Recognizer

    samples, total = _samples(root, split, group)
    print(Census.of(tqdm(samples, total=total, unit="image", desc="count")).report(params_of(root).charset.characters))
    if suspects:
        recognizer = Recognizer.from_bundle(load_bundle(bundle or find_bundle()))
        samples, total = _samples(root, split, group)
        found = find_suspects(tqdm(samples, total=total, unit="image", desc="read"), recognizer, count=suspects)
        draw_suspects(out, found)
        print(f"\nleast likely, in {out}:")
        for suspect in found:
            print(f"{suspect.gap:7.1f}  {suspect.sample.id}  is {suspect.sample.text!r}, read {suspect.read!r}")


def _samples(root: Path, split: str, group: str) -> "tuple[Iterator[Sample], int]":
    """Return the samples of a split and group, or of a slice of the group, and their number."""
    from legible.data.dataset import Dataset

    dataset = Dataset.open(root / "data/dataset")
    source, kind, part = (*group.split("/", 2), "", "")[:3]
    whole = f"{source}/{kind}" if part else group
    total = dataset.count(split=split or None, group=whole or None)
    find = partial(dataset.samples, split=split or None, source=source or None, kind=kind or None)
    return _slice(find, total, group) if part else (find(), total)


def _slice(find: "Callable[[], Iterator[Sample]]", total: int, name: str) -> "tuple[Iterator[Sample], int]":
    from tqdm import tqdm

    from legible.evaluation.evaluate import case_of

    counts = Counter(n for sample in tqdm(find(), total=total, desc=name, unit="image") for n in case_of(sample).slices)
    if not counts[name]:
        raise LegibleError(f"no samples of {name}; there are {', '.join(sorted(counts))}")
    return (sample for sample in find() if name in case_of(sample).slices), counts[name]
