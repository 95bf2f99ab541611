"""The command line: one verb a command, results to stdout, progress to stderr, one line for an error.

Heavy libraries are imported by the command that needs them, so that `legible read` stays quick and lean.
"""

import json
import math
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import legible
from legible.errors import LegibleError
from legible.reading import Reading

if TYPE_CHECKING:
    from legible.config import Params
    from legible.data.dataset import Sample
    from legible.evaluation.evaluate import Case

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
ERROR_EXIT = 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=legible.__doc__)
data_app = typer.Typer(no_args_is_help=True, help="Outside sources of the data set (data/sources.json).")
app.add_typer(data_app, name="data")

Root = Annotated[Path, typer.Option(help="The project's folder: params.yaml, data, models.")]
Processes = Annotated[int, typer.Option(min=1, help="Worker processes or threads.")]
HERE = Path()
ALL_CORES = os.cpu_count() or 1


def main() -> None:
    """Entry point: any error ends in exit code 3, as 1 says drift, or refused; a LegibleError in one line on stderr."""
    try:
        app()
    except LegibleError as error:
        print(f"legible: {error}", file=sys.stderr)
        raise SystemExit(ERROR_EXIT) from None
    except OSError as error:
        print(f"legible: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(ERROR_EXIT) from None
    except Exception:  # noqa: BLE001  # a fault of ours
        traceback.print_exc()
        raise SystemExit(ERROR_EXIT) from None


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines: path, text, confidence.")] = False,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder; else LEGIBLE_BUNDLE or the shipped.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that read.")] = 1,
    lexicon: Annotated[str, typer.Option(help="Prefer the words of this lexicon of the bundle, such as english.")] = "",
    alternatives: Annotated[int, typer.Option(min=0, help="How many other texts to say; with --json.")] = 0,
) -> None:
    """Read images. Example: legible read scans/ word.png --json"""
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.decoding import Decoding
    from legible.recognition.recognizer import Recognizer

    files = list(_image_files(paths))
    opened = load_bundle(bundle or find_bundle())
    recognizer = Recognizer.from_bundle(opened, workers=workers)
    prior = recognizer.prior(opened.lexicon(lexicon)) if lexicon else None
    read_images = partial(recognizer.read, decoding=Decoding(prior, alternatives))
    failures = 0
    for path, outcome in zip(files, _read_files(files, read_images), strict=True):
        failures += isinstance(outcome, LegibleError)
        _print_outcome(path, outcome, as_json=as_json)
    if failures:
        raise typer.Exit(1)


def _image_files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise LegibleError(f"{path}: no such file or folder")
        if path.is_file():
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise LegibleError(f"{path}: no images ({', '.join(sorted(IMAGE_SUFFIXES))}) in this folder")
        yield from inside


def _read_files(
    files: list[Path], read_images: Callable[[list[Any]], list[Reading]]
) -> Iterator[Reading | LegibleError]:
    from tqdm import tqdm

    from legible.image.decode import decode

    for path in tqdm(files, unit="image", disable=len(files) < 20):  # noqa: PLR2004
        try:
            yield read_images([decode(path.read_bytes())])[0]
        except LegibleError as error:
            yield error


def _print_outcome(path: Path, outcome: Reading | LegibleError, *, as_json: bool) -> None:
    if isinstance(outcome, LegibleError):
        if as_json:
            print(json.dumps({"path": str(path), "error": str(outcome)}, ensure_ascii=False))
        print(f"legible: {path}: {outcome}", file=sys.stderr)
    elif as_json:
        fields: dict[str, Any] = {"path": str(path), "text": outcome.text, "confidence": round(outcome.confidence, 4)}
        if outcome.alternatives:
            fields["alternatives"] = [[other.text, round(other.confidence, 4)] for other in outcome.alternatives]
        print(json.dumps(fields, ensure_ascii=False))
    else:
        print(f"{outcome.confidence:6.3f}  {outcome.text}  [{path}]")


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

    require(root)  # the first stage says what the later ones will lack
    install_fonts(_params(root), root=root)


@app.command()
def generate(root: Root = HERE, processes: Processes = ALL_CORES) -> None:
    """Stage: draw words and lines into data/generated, in the IAM layout."""
    from legible.synth.generate import generate as run

    run(_params(root), root=root, processes=processes)


@app.command()
def ingest(root: Root = HERE) -> None:
    """Stage: generated and listed sources into data/dataset."""
    from legible.data.ingest import ingest as run

    print(run(_params(root), root=root).summary())


@app.command()
def train(
    root: Root = HERE,
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare images.")] = ALL_CORES,
    threads: Annotated[int, typer.Option(min=0, help="Threads that compute; 0: as many as the backend takes.")] = 0,
    stop_after: Annotated[
        str, typer.Option(help="A phase, by name or number: the weights are those of a recipe that ends there.")
    ] = "",
) -> None:
    """Stage: data/dataset into models/weights; continues where it was stopped. Example: legible train --threads 1"""
    from legible.training.threads import limit_threads

    limit_threads(threads)
    from legible.training.stage import train as run

    run(_params(root), root=root, workers=workers, stop_after=stop_after)


@app.command()
def export(
    root: Root = HERE,
    *,
    from_checkpoint: Annotated[
        bool, typer.Option("--from-checkpoint", help="What the training that runs has reached, not models/weights.")
    ] = False,
) -> None:
    """Stage: models/weights into the LiteRT artefact."""
    from legible.training.export import export as run
    from legible.training.stage import save_newest

    weights = save_newest(_params(root), root=root) if from_checkpoint else None
    run(_params(root), root=root, weights=weights)


@app.command()
def lexicon(root: Root = HERE) -> None:
    """Stage: the most frequent words, for readings that ask for them."""
    from legible.packing.lexicon import lexicon as run

    run(_params(root), root=root)


@app.command()
def confidence(root: Root = HERE) -> None:
    """Stage: calibrate confidence on the tune split."""
    from legible.packing.confidence import confidence as run

    run(_params(root), root=root)


@app.command()
def evaluate(root: Root = HERE) -> None:
    """Stage: read the validation split and evaluate.print with what is served."""
    from legible.evaluation.evaluate import evaluate as run

    run(_params(root), root=root)


@app.command()
def reference(root: Root = HERE) -> None:
    """Stage: the reference of the image statistics, and the calibrated drift rule."""
    from legible.packing.reference import reference as run

    run(_params(root), root=root)


@app.command()
def pack(root: Root = HERE) -> None:
    """Stage: all of it into models/bundle, with its card."""
    from legible.packing.pack import pack as run

    run(_params(root), root=root)


def _params(root: Path) -> "Params":
    from legible.config import load_params

    return load_params(root / "params.yaml")


Log = Annotated[Path, typer.Option(help="The service's log, or a file of observations.")]
LOG = HERE / "observations/v1"
Channel = Annotated[str, typer.Option(help="Only this channel.")]
Judge = Annotated[Path | None, typer.Option(help="The bundle whose reference decides.")]
Normal = Annotated[Path | None, typer.Option(help="This deployment's own normal, of legible rebase.")]
Corrections = Annotated[Path | None, typer.Option(help="The service's corrections, for true figures.")]
Kept = Annotated[Path | None, typer.Option(help="The images that the service kept, to show the most unusual.")]
HtmlPath = Annotated[Path | None, typer.Option(help="Where the Evidently report (HTML) is written.")]
Workspace = Annotated[Path | None, typer.Option(help="An Evidently workspace that gets the run.")]


@app.command()
def drift(
    *,
    observations: Log = LOG,
    images: Annotated[Path | None, typer.Option(help="A folder of images in place of observations.")] = None,
    bundle: Judge = None,
    baseline: Normal = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="How many of the newest; 1000, or all where --since is given.")
    ] = None,
    since: Annotated[str, typer.Option(help="From this time on, such as 2026-11-21 or 2026-11-21T08:00.")] = "",
    channel: Channel = "",
    corrections: Corrections = None,
    kept: Kept = None,
    report: HtmlPath = None,
    workspace: Workspace = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as JSON.")] = False,
) -> None:
    """Say whether recent images look unlike the reference: exit 0 no, 1 yes, 2 not enough data, 3 error.

    Example: legible drift --last 1000 --report reports/drift.html
    """
    from legible.monitoring.check import LAST, ReportTarget, Standard, check, check_rows
    from legible.monitoring.image_files import ImageFiles
    from legible.observations.window import Selection
    from legible.recognition.bundle import find_bundle

    standard = Standard(bundle or find_bundle(), baseline, corrections, kept)
    target = ReportTarget(report, workspace)
    if images:
        asked = {"last": last, "since": since, "channel": channel, "corrections": corrections, "kept": kept}
        if given := [f"--{option}" for option, value in asked.items() if value]:
            raise LegibleError(f"{', '.join(given)} choose among observations; leave them out with --images")
        pictures = ImageFiles(list(_image_files([images])), standard.bundle)
        made = check_rows(pictures.observations(at=time.time()), standard, at=time.time(), target=target)
        for path in pictures.skipped:
            print(f"legible: {path} is no image that can be read; skipped", file=sys.stderr)
    else:
        made = check(
            observations,
            standard,
            at=time.time(),
            selection=Selection(since=_seconds(since) if since else -math.inf, channel=channel or None),
            last=last or (None if since else LAST),
            target=target,
        )
    print(made.to_json() if as_json else made.screen())
    raise typer.Exit(made.exit_code)


@app.command()
def rebase(
    *,
    since: Annotated[str, typer.Option(help="From this time on, such as 2026-11-21 or 2026-11-21T08:00.")],
    observations: Log = LOG,
    bundle: Judge = None,
    channel: Channel = "",
    out: Annotated[Path, typer.Option(help="The folder to write, for legible drift --baseline.")] = HERE / "baseline",
) -> None:
    """Call what was read since then normal, for legible drift --baseline. Example: legible rebase --since 2026-11-21"""
    from legible.monitoring.check import Standard
    from legible.monitoring.check import rebase as run
    from legible.observations.window import Selection, WindowTally
    from legible.recognition.bundle import find_bundle

    tally = WindowTally()
    made = run(
        observations,
        Standard(bundle or find_bundle()),
        at=time.time(),
        selection=Selection(since=_seconds(since), channel=channel or None),
        tally=tally,
    )
    made.save(out)
    for line in tally.screen():
        print(line)
    print(f"{out}: the normal of {made.images} observations; legible drift --baseline {out}")


@app.command()
def queue(
    *,
    images: Annotated[Path, typer.Option(help="The images that the service kept.")] = HERE / "images",
    out: Annotated[Path, typer.Option(help="The folder to write: index.tsv and the images.")] = HERE / "queue",
    most: Annotated[int, typer.Option(min=1, help="Images to transcribe, at most.")] = 200,
    corrections: Corrections = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that reads and judges.")] = None,
) -> None:
    """Choose kept images to transcribe, those worth most first, as a folder to fill in. Example: legible queue"""
    from legible.labelling.queue import make_queue
    from legible.recognition.bundle import find_bundle

    made = make_queue(images, out, most=most, bundle=bundle or find_bundle(), corrections=corrections)
    for path in made.skipped:
        print(f"legible: {path} is no image that can be read; skipped", file=sys.stderr)
    print(f"{out}: {made.to_fill} images to transcribe in index.tsv, {made.filled} with a correction")


def _seconds(text: str) -> float:
    """Unix time of an ISO date or time, of this machine's zone where it names none."""
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        raise LegibleError(f"--since {text!r} is no time; write 2026-11-21 or 2026-11-21T08:00") from error


@app.command()
def monitor(
    *,
    observations: Log = LOG,
    bundle: Judge = None,
    baseline: Normal = None,
    corrections: Corrections = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds between checks.")] = 300,
    port: Annotated[int, typer.Option(help="Port of the metrics.")] = 3001,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    report: HtmlPath = None,
    workspace: Workspace = None,
) -> None:
    """Check for drift on a schedule, with the verdict at /metrics. Example: legible monitor --every 300"""
    from legible.monitoring.check import ReportTarget, Standard, check
    from legible.monitoring.exporter import Exporter, watch
    from legible.monitoring.finding import Check
    from legible.recognition.bundle import find_bundle

    standard = Standard(bundle or find_bundle(), baseline, corrections)
    target = ReportTarget(report, workspace)
    exporter = Exporter()
    close = exporter.serve(port=port, host=host)
    print(f"drift verdicts at http://{host}:{port}/metrics, every {every:g} s", file=sys.stderr)

    def make_check(at: float) -> Check:
        return check(observations, standard, at=at, target=target)

    try:
        watch(make_check, exporter, every_seconds=every, clock=time.time, stop=threading.Event())
    except KeyboardInterrupt:
        close()


@app.command()
def drill(
    *,
    corruption: Annotated[str, typer.Option(help="What befalls the images, such as blur or inversion.")],
    severity: Annotated[int, typer.Option(min=1, max=5, help="How badly.")] = 3,
    url: Annotated[str, typer.Option(help="The service.")] = "http://localhost:3000",
    images: Annotated[Path | None, typer.Option(help="A folder of pictures; else words are drawn.")] = None,
    clean: Annotated[int, typer.Option(min=0, help="Images sent as they are, before.")] = 100,
    count: Annotated[int, typer.Option(min=1, help="Corrupted images, at most.")] = 500,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait when all are sent.")] = 300,
    prometheus: Annotated[str, typer.Option(help="Its address, to see the rule.")] = "",
    alertmanager: Annotated[str, typer.Option(help="Its address, to see the alert.")] = "",
    observations: Annotated[Path | None, typer.Option(help="The service's log, to see the report.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle that the service serves.")] = None,
    baseline: Normal = None,
    key: Annotated[str, typer.Option(envvar="LEGIBLE_KEY", help="To read with, where keys are set.")] = "",
    metrics_key: Annotated[str, typer.Option(envvar="LEGIBLE_METRICS_KEY", help="The same for /metrics.")] = "",
    seed: Annotated[int, typer.Option(help="Of the drawn words and of the corruption.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
    root: Root = HERE,
) -> None:
    """Send corrupted images to a running service and see who notices: exit 0 all that were asked, 1 not all.

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
    pictures = images_of(images) if images else drawn(_params(root), root=root, seed=seed)
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


@data_app.command("add")
def data_add(
    kind: Annotated[str, typer.Argument(help="iam, transcribed, pages or emnist.")],
    path: Annotated[Path, typer.Argument(help="The folder that holds it; of transcribed or pages also a .tar.")],
    *,
    name: Annotated[str, typer.Option(help="What to list it as; else its kind or its folder's name.")] = "",
    terms: Annotated[str, typer.Option(help="Licence or terms, for the model card.")] = "",
    is_open: Annotated[
        bool | None, typer.Option("--open/--not-open", help="Whether anyone may use it for any purpose.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="How to take it, such as untold=case; see docs/data.md.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Check a source, list it and put it under DVC. Example: legible data add iam ~/iam --terms "research only" """
    from legible.data.labels import check_labels
    from legible.data.options import parse_options
    from legible.data.sources import add, raw_folder

    options = parse_options(option) if option else None
    source = add(root, kind=kind, path=path, name=name, terms=terms, is_open=is_open, options=options)
    print(f"{source.name}: {', '.join(f'{count} {what}' for what, count in source.counts.items())}")
    if (root / "params.yaml").is_file():
        for line in check_labels(source, raw_folder(root, source.name), _params(root).charset.build()):
            print(line)


@data_app.command("drop")
def data_drop(name: str, root: Root = HERE) -> None:
    """Take a source out of the list; its files stay. Example: legible data drop iam"""
    from legible.data.sources import drop

    drop(root, name)


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
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("contact-sheet.png"),
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
    suspects: Annotated[int, typer.Option(min=0, help="Least likely samples to show; 0 counts only.")] = 60,
    out: Annotated[Path, typer.Option(help="Picture of the least likely samples.")] = Path("suspects.png"),
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle that judges; else LEGIBLE_BUNDLE or the shipped.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Count by source, writer, length and character; list the samples that the bundle finds least likely."""
    from tqdm import tqdm

    from legible.data.census import Census
    from legible.labelling.suspects import draw_suspects, find_suspects
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.recognizer import Recognizer

    samples, total = _samples(root, split, group)
    print(Census.of(tqdm(samples, total=total, unit="image", desc="count")).report(_params(root).charset.characters))
    if suspects:
        recognizer = Recognizer.from_bundle(load_bundle(bundle or find_bundle()))
        samples, total = _samples(root, split, group)
        found = find_suspects(tqdm(samples, total=total, unit="image", desc="read"), recognizer, count=suspects)
        draw_suspects(out, found)
        print(f"\nleast likely, in {out}:")
        for suspect in found:
            print(f"{suspect.gap:7.1f}  {suspect.sample.id}  is {suspect.sample.text!r}, read {suspect.read!r}")


def _samples(root: Path, split: str, group: str) -> "tuple[Iterator[Sample], int]":
    """Those of a split and group, or of a slice of it, and how many they are."""
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


class Output(StrEnum):
    """How a verdict is printed."""

    table = "table"
    markdown = "markdown"
    json = "json"


def _gate_cases(root: Path) -> "list[Case]":
    """Validation images and the print recipe; none where there is no data set."""
    from legible.data.dataset import Dataset
    from legible.evaluation.evaluate import print_cases, validation_cases

    if not (root / "data/dataset/manifest.json").is_file():
        return []
    return [*validation_cases(Dataset.open(root / "data/dataset")), *print_cases(_params(root), root=root)]


@app.command()
def gate(
    *,
    champion: Annotated[
        str, typer.Option(help="A git revision, or a bundle's folder; `none` judges floors alone.")
    ] = "main",
    bundle: Annotated[Path, typer.Option(help="The candidate.")] = HERE / "models/bundle",
    recorded: Annotated[bool, typer.Option("--recorded", help="Compare records, though data are here.")] = False,
    deploy: Annotated[bool, typer.Option("--deploy", help="Refuse what could only be judged by records.")] = False,
    output: Annotated[Output, typer.Option("--format", help="How the verdict is printed.")] = Output.table,
    root: Root = HERE,
) -> None:
    """Judge the bundle here against the champion: exit 0 it may ship, 1 it may not. Example: legible gate

    Where data/dataset is, both bundles read its validation images again; else their recorded results are compared.
    """
    from legible.gate.champion import champion_folder
    from legible.gate.decide import gate as judge
    from legible.gate.figures_table import figures_beside

    with champion_folder(champion, root=root) as folder:
        cases = [] if recorded else _gate_cases(root)
        verdict = judge(bundle, folder, floors=_params(root).pack.floors, cases=cases)
        figures = figures_beside(bundle, folder) if folder is not None and output == Output.markdown else ""
    if deploy:
        verdict = verdict.for_deploy()
    print({Output.table: verdict.table, Output.markdown: verdict.markdown, Output.json: verdict.json}[output]())
    if figures:
        print(figures)
    if not verdict.passed:
        raise typer.Exit(1)
