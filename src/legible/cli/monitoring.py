"""`legible drift`, `rebase` and `monitor`: compare recent readings with the reference or the baseline."""

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
    from legible.observations.window import Selection

Log = Annotated[str, typer.Option(help="The service's folder of observations, one file, or a store: s3://...")]
LOG = "observations/v1"
AGO, UNIT_SECONDS = re.compile(r"([0-9]+)([mhd])"), {"m": 60, "h": 3600, "d": 86_400}
Since = Annotated[str, typer.Option(help="From this time on: 2026-11-21, 2026-11-21T08:00, or 1h ago.")]
Channel = Annotated[str, typer.Option(help="Only this channel.")]
Judge = Annotated[Path | None, typer.Option(help="The bundle whose reference decides.")]
Kept = Annotated[Path | None, typer.Option(help="The images that the service kept, to show the most unusual.")]
HtmlPath = Annotated[Path | None, typer.Option(help="The HTML file for the Evidently report.")]
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


def _selection(since: str, channel: str, *, now: float | None = None) -> "Selection":
    from legible.observations.window import Selection

    return Selection(since=_seconds(since, now=now) if since else -math.inf, channel=channel or None)


def _seconds(text: str, *, now: float | None = None) -> float:
    """Return the Unix time of an ISO date or time, in this machine's time zone where it names none, or of 10m, 1h, 2d
    ago.
    """
    if found := AGO.fullmatch(text):
        return (time.time() if now is None else now) - int(found[1]) * UNIT_SECONDS[found[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
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
    port: Annotated[int, typer.Option(help="Port of the metrics.")] = 3001,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    report: HtmlPath = None,
    workspace: Workspace = None,
) -> None:
    """Check for drift on a schedule, and serve the last verdict at /metrics. Example: legible monitor --every 300"""
    from legible.monitoring.check import LAST, ReportTarget, Standard, check
    from legible.monitoring.exporter import Exporter, watch
    from legible.monitoring.finding import Check
    from legible.observations.window import Selection
    from legible.recognition.bundle import find_bundle

    if since and not AGO.fullmatch(since):
        raise LegibleError(f"--since {since!r} is no length of time; write 10m, 1h or 2d")
    standard = Standard(bundle or find_bundle(), baseline, corrections, labels=labels)
    target = ReportTarget(report, workspace)
    exporter = Exporter()
    close = exporter.serve(port=port, host=host)
    print(f"drift verdicts at http://{host}:{port}/metrics, every {every:g} s", file=sys.stderr)

    def make_check(at: float) -> Check:
        chosen = Selection(since=_seconds(since, now=at) if since else -math.inf, channel=channel or None)
        return check(
            observations, standard, at=at, selection=chosen, last=last or (None if since else LAST), target=target
        )

    try:
        watch(make_check, exporter, every_seconds=every, clock=time.time, stop=threading.Event())
    except KeyboardInterrupt:
        close()
