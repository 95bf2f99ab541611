"""`legible drift`, `rebase` and `monitor`: compare recent readings with the reference or the baseline."""

import dataclasses
import math
import re
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legible.cli.app import HERE, Baseline, Corrections, Labels, app
from legible.cli.read import image_files
from legible.errors import LegibleError

if TYPE_CHECKING:
    from legible.monitoring.accuracy import AccuracyLedger
    from legible.monitoring.check import ReportTarget, Standard
    from legible.monitoring.finding import Check
    from legible.observations.window import Selection

Log = Annotated[str, typer.Option(help="The service's folder of observations, one file, or a store: s3://...")]
LOG = "observations/v1"
AGO, UNIT_SECONDS = re.compile(r"([0-9]+)([mhd])"), {"m": 60, "h": 3600, "d": 86_400}
Since = Annotated[str, typer.Option(help="From this time on: 2026-11-21, 2026-11-21T08:00, or 1h ago.")]
Channel = Annotated[str, typer.Option(help="Only this channel.")]
Judge = Annotated[Path | None, typer.Option(help="The bundle whose reference decides.")]
Kept = Annotated[Path | None, typer.Option(help="The images that the service kept, to show the most unusual.")]
HtmlPath = Annotated[Path | None, typer.Option(help="The HTML file for the Evidently report.")]
AccuracySince = Annotated[
    str, typer.Option("--accuracy", help="Say the exact match by day too, since a time: 30d, 2026-11-01.")
]
Workspace = Annotated[Path | None, typer.Option(help="The Evidently workspace that keeps the run.")]


@app.command()
def drift(
    *,
    observations: Log = LOG,
    images: Annotated[Path | None, typer.Option(help="A folder of images in place of observations.")] = None,
    summaries: Annotated[str, typer.Option(help="What legible compact wrote, in place of observations.")] = "",
    bundle: Judge = None,
    baseline: Baseline = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="The newest N observations; 1000, or all with --since.")
    ] = None,
    since: Since = "",
    channel: Channel = "",
    corrections: Corrections = None,
    labels: Labels = None,
    kept: Kept = None,
    report: HtmlPath = None,
    workspace: Workspace = None,
    accuracy: AccuracySince = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Say whether recent images differ from the reference. Exit codes: 0 no, 1 yes, 2 not enough data, 3 error.

    Example: legible drift --last 1000 --report reports/drift.html
    """
    from legible.monitoring.check import LAST, ReportTarget, Standard, check, check_rows
    from legible.monitoring.compact import check_summaries
    from legible.monitoring.image_files import ImageFiles
    from legible.recognition.bundle import find_bundle

    standard = Standard(bundle or find_bundle(), baseline, corrections, kept, labels)
    target = ReportTarget(report, workspace)
    if images:
        asked = {
            "last": last,
            "since": since,
            "channel": channel,
            "corrections": corrections,
            "labels": labels,
            "kept": kept,
            "accuracy": accuracy,
        }
        if given := [f"--{option}" for option, value in asked.items() if value]:
            raise LegibleError(f"{', '.join(given)} choose among observations; leave them out with --images")
        paths, root = (image_files(images), images) if images.is_dir() else ([images], None)
        pictures = ImageFiles(paths, standard.bundle, root)
        made = check_rows(pictures.observations(at=time.time()), standard, at=time.time(), target=target)
        for path in pictures.skipped:
            print(f"legible: {path} is no image that can be read; skipped", file=sys.stderr)
    elif summaries:
        asked = {"last": last, "corrections": corrections, "kept": kept, "report": report, "workspace": workspace}
        asked["accuracy"] = accuracy
        if given := [f"--{option}" for option, value in asked.items() if value]:
            raise LegibleError(f"{', '.join(given)} need rows, and summaries hold none; leave them out")
        made = check_summaries(summaries, standard, at=time.time(), selection=_selection(since, channel))
    else:
        made = check(
            observations,
            standard,
            at=time.time(),
            selection=_selection(since, channel),
            last=last or (None if since else LAST),
            target=target,
        )
    if accuracy:
        made = _with_accuracy(made, _ledger(observations, standard), accuracy, channel, target)
    print(made.to_json() if as_json else made.screen())
    raise typer.Exit(made.exit_code)


@app.command()
def compact(
    *,
    observations: Log = LOG,
    summaries: Annotated[str, typer.Option(help="The folder or prefix to write to.")] = "summaries",
    since: Since = "",
    bundle: Judge = None,
    baseline: Baseline = None,
    corrections: Corrections = None,
) -> None:
    """Summarise observations by the hour, for legible drift --summaries. Example: legible compact --since 2026-11-21

    An hour is summarised when it is over, and again when more of its rows have come.
    """
    from legible.monitoring.check import Standard
    from legible.monitoring.compact import compact as run
    from legible.recognition.bundle import find_bundle

    standard = Standard(bundle or find_bundle(), baseline, corrections)
    earliest = _seconds(since) if since else -math.inf
    report = run(observations, standard, summaries, at=time.time(), since=earliest)
    print(f"{summaries}: {report.images} images of {report.written} hours summarised; {report.up_to_date} up to date")
    if report.left_alone:
        print(f"left alone, as observations that they count are gone: {', '.join(report.left_alone)}")


@app.command()
def rebase(
    *,
    since: Annotated[str, typer.Option(help="From this time on: 2026-11-21, 2026-11-21T08:00, or 1h ago.")],
    observations: Log = LOG,
    bundle: Judge = None,
    channel: Channel = "",
    out: Annotated[Path, typer.Option(help="The folder to write, for legible drift --baseline.")] = HERE / "baseline",
) -> None:
    """Make the readings since a time the baseline of legible drift. Example: legible rebase --since 2026-11-21"""
    from legible.drift.reach import reach_said
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
    for line in reach_said(made.reference):
        print(line)


def _ledger(observations: str, standard: "Standard") -> "AccuracyLedger":
    from legible.monitoring.accuracy import AccuracyLedger

    return AccuracyLedger(
        observations, bundle=standard.bundle, labels=standard.labels, corrections=standard.corrections
    )


def _with_accuracy(
    made: "Check", ledger: "AccuracyLedger", since: str, channel: str, target: "ReportTarget"
) -> "Check":
    """Return a check with the exact match by day, which is filed in the workspace where one is named."""
    accuracy = ledger.count(since=_seconds(since, now=made.at), at=made.at, channel=channel or None)
    if target.workspace:
        from legible.monitoring.accuracy_runs import file_accuracy

        file_accuracy(accuracy, target.workspace)
    return dataclasses.replace(made, accuracy=accuracy)


def _selection(since: str, channel: str, *, now: float | None = None) -> "Selection":
    from legible.observations.window import Selection

    return Selection(since=_seconds(since, now=now) if since else -math.inf, channel=channel or None)


def _seconds(text: str, *, now: float | None = None) -> float:
    """Return the Unix time of an ISO date or time, in this machine's time zone where it names none, or of 10m, 1h, 2d
    ago: of 1970 at the earliest.
    """
    if found := AGO.fullmatch(text):
        return max((time.time() if now is None else now) - int(found[1]) * UNIT_SECONDS[found[2]], 0.0)
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError) as error:
        raise LegibleError(f"--since {text!r} is no time; write 2026-11-21, 2026-11-21T08:00, 10m, 1h or 2d") from error


@app.command()
def monitor(
    *,
    observations: Log = LOG,
    bundle: Judge = None,
    baseline: Baseline = None,
    corrections: Corrections = None,
    labels: Labels = None,
    channel: Channel = "",
    last: Annotated[
        int | None, typer.Option(min=1, help="The newest N observations; 1000, or all with --since.")
    ] = None,
    since: Annotated[str, typer.Option(help="The window of each check, such as 1h.")] = "",
    every: Annotated[float, typer.Option(min=1, help="Seconds between checks.")] = 300,
    kept: Kept = None,
    history: Annotated[Path | None, typer.Option(help="The file that keeps past checks over a restart.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the page and the metrics.")] = 3001,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    report: HtmlPath = None,
    workspace: Workspace = None,
    accuracy: Annotated[str, typer.Option(help="Export the exact match by day too, of the last 30d.")] = "",
) -> None:
    """Check for drift on a schedule; a page at / and /metrics tell the last verdict. Example: legible monitor

    Who reaches the port sees the images that --kept shows.
    """
    from legible.monitoring.check import LAST, ReportTarget, Standard, check
    from legible.monitoring.exporter import Exporter, watch
    from legible.monitoring.finding import Check
    from legible.monitoring.history import History
    from legible.observations.window import Selection
    from legible.recognition.bundle import find_bundle

    for option, length in (("since", since), ("accuracy", accuracy)):
        if length and not AGO.fullmatch(length):
            raise LegibleError(f"--{option} {length!r} is no length of time; write 10m, 1h or 2d")
    standard = Standard(bundle or find_bundle(), baseline, corrections, kept, labels)
    target = ReportTarget(report, workspace)
    ledger = _ledger(observations, standard)
    exporter = Exporter(History(history, at=time.time()))
    close = exporter.serve(port=port, host=host)
    print(f"drift verdicts at http://{host}:{port}/ and /metrics, every {every:g} s", file=sys.stderr)

    def make_check(at: float) -> Check:
        chosen = Selection(since=_seconds(since, now=at) if since else -math.inf, channel=channel or None)
        made = check(
            observations, standard, at=at, selection=chosen, last=last or (None if since else LAST), target=target
        )
        return _with_accuracy(made, ledger, accuracy, channel, target) if accuracy else made

    try:
        watch(make_check, exporter, every_seconds=every, clock=time.time, stop=threading.Event())
    except KeyboardInterrupt:
        close()
