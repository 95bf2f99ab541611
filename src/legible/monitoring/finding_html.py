"""A finding as HTML: the section that opens the report, and that the page of the person on call is made of."""

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

from legible.drift.decide import Outcome
from legible.drift.found import SignalDrift
from legible.monitoring.finding import UNLIKE, Check, utc

STYLE = Path(__file__).with_name("finding.css").read_text(encoding="utf-8")
SHOWN_PICTURES = 12
MAX_BAR = 3.0
"""Bars end at so many thresholds."""
MARKS = {Outcome.DRIFT: "drift", Outcome.NO_DRIFT: "usual", Outcome.NOT_ENOUGH_DATA: "unknown"}
HEADLINES = {
    Outcome.DRIFT: "Drift",
    Outcome.NO_DRIFT: "No drift",
    Outcome.NOT_ENOUGH_DATA: "Not enough data",
}


def finding_html(check: Check, *, source: Callable[[Path], str]) -> str:
    """Return a finding as a section of a page; `source` gives the `src` of a picture."""
    parts = (_headline(check), _facts(check), _steps(check), _signals(check), _pictures(check, source))
    return f'<section class="finding {MARKS[check.verdict.outcome]}">{"".join(parts)}</section>'


def _headline(check: Check) -> str:
    verdict = check.verdict
    unlike = f": {escape(UNLIKE[check.against])}" if verdict.outcome is Outcome.DRIFT else ""
    since = f"since {utc(check.since)}, " if check.since is not None else ""
    images = f"{verdict.images:,} image{'s' * (verdict.images != 1)}"
    return (
        f'<header class="verdict"><h1>{HEADLINES[verdict.outcome]}{unlike}</h1>'
        f"<p>{since}{images}, checked {utc(check.at)}</p></header>"
    )


def _facts(check: Check) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(check))
    return f"<dl>{rows}</dl>"


def facts(check: Check) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of what its reader asks for first."""
    verdict = check.verdict
    if verdict.outcome is Outcome.DRIFT:
        names = [f"{channel.name} ({channel.images:,} images)" for channel in check.channels]
        yield "Channel", ", ".join(names) or "all alike"
        yield "Looks like", check.likeness.removeprefix("looks like ").removeprefix("cause: ")
    if check.cause and verdict.outcome is Outcome.DRIFT:
        yield "Images concerned", f"about {check.cause.fraction:.0%}"
    if verdict.unusual:
        chance = f"by chance at most {verdict.unusual.threshold:.1%}"
        yield "Unusual images", f"{verdict.unusual.fraction:.1%} ({chance})"
    if documents := verdict.unusual_documents:
        yield "Unusual documents", f"{documents.far:,} of {documents.documents:,} far out"
    if check.estimate:
        yield "Estimated exact match", check.estimate.said().removeprefix("estimated exact match: ")
    if check.labels:
        yield "Exact match by labels", check.labels.said().removeprefix("exact match by labels: ")
    elif verdict.signals:
        yield "Exact match by labels", "unknown: no labels are named (--labels)"
    yield from (("Left out", line) for line in check.tally.screen())
    if check.report_failed:
        yield "Report", f"not drawn, {check.report_failed}"


def _steps(check: Check) -> str:
    steps = "".join(f"<li>{escape(step)}</li>" for step in check.advice)
    return f"<h2>What to do</h2><ol>{steps}</ol>"


def _signals(check: Check) -> str:
    if not check.verdict.signals:
        return ""
    rows = "".join(_signal(signal) for signal in check.verdict.signals)
    head = "<tr><th>Signal</th><th>Now</th><th>In thresholds: beyond 1 is drift</th></tr>"
    drifted = f"{len(check.verdict.drifted)} of {len(check.verdict.signals)}"
    summary = f"<summary>Signals: {drifted} beyond their threshold</summary>"
    opened = " open" if check.verdict.drifted else ""
    return f"<details{opened}>{summary}<table><thead>{head}</thead><tbody>{rows}</tbody></table></details>"


def _signal(signal: SignalDrift) -> str:
    moved = ("higher" if signal.shift > 0 else "lower") if signal.drifted else "as usual"
    width = 100 * min(signal.beyond, MAX_BAR) / MAX_BAR
    bar = f'<span class="bar"><i style="width:{width:.0f}%"></i></span>'
    kind = " <small>reading</small>" if signal.kind == "prediction" else ""
    mark = ' class="drifted"' if signal.drifted else ""
    name = escape(signal.name.replace("_", " "))
    return f"<tr{mark}><th>{name}{kind}</th><td>{moved}</td><td>{bar} {signal.beyond:.2f}</td></tr>"


def _pictures(check: Check, source: Callable[[Path], str]) -> str:
    if not check.verdict.signals:
        return ""
    if not check.pictures:
        return "<h2>Most unusual images</h2><p>None of them is kept (LEGIBLE_KEEP_IMAGES, --kept).</p>"
    figures = "".join(
        f'<figure><img alt="image of reading {escape(picture.stem)}" src="{escape(source(picture))}">'
        f"<figcaption>{escape(picture.stem)}</figcaption></figure>"
        for picture in check.pictures[:SHOWN_PICTURES]
    )
    return f'<h2>Most unusual images</h2><div class="pictures">{figures}</div>'
