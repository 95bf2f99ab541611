"""The trend over days as HTML: how far the furthest finding was beyond its threshold, and the exact match."""

from collections.abc import Sequence
from pathlib import Path

from legible.monitoring.history import Day

TREND_STYLE = Path(__file__).with_name("trend.css").read_text(encoding="utf-8")
STEP, BAR, HEIGHT = 20, 14, 100
"""In units of the drawing: from day to day, the width of a bar, and the height."""
MAX_BEYOND = 3.0


def trend_html(days: Sequence[Day]) -> str:
    """Return two charts and the table behind them; nothing before the first check."""
    if not days:
        return ""
    return (
        '<section class="finding trend"><h2>Trend by day (UTC)</h2>'
        f'<div class="charts">{_drift_chart(days)}{_match_chart(days)}</div>'
        f"<details><summary>As a table</summary>{_table(days)}</details></section>"
    )


def _drift_chart(days: Sequence[Day]) -> str:
    bars = "".join(
        f'<rect class="{"beyond" if day.beyond > 1 else "within"}" x="{_left(place)}" width="{BAR}" '
        f'y="{HEIGHT - _tall(day.beyond):.1f}" height="{_tall(day.beyond):.1f}"><title>{_said(day)}</title></rect>'
        for place, day in enumerate(days)
    )
    threshold = HEIGHT - _tall(1.0)
    line = f'<line x1="0" x2="{_wide(days)}" y1="{threshold:.1f}" y2="{threshold:.1f}"/>'
    return _chart(days, "Furthest finding in thresholds: above the line is drift", bars + line)


def _match_chart(days: Sequence[Day]) -> str:
    dots = "".join(
        f'<circle class="{kind}" cx="{_left(place) + BAR / 2}" cy="{HEIGHT * (1 - value):.1f}" r="4">'
        f"<title>{day.name}: {value:.1%} {kind}</title></circle>"
        for place, day in enumerate(days)
        for kind, value in (("estimated", day.exact_match), ("labelled", day.labelled))
        if value is not None
    )
    grid = "".join(f'<line x1="0" x2="{_wide(days)}" y1="{y}" y2="{y}"/>' for y in (0, HEIGHT / 2, HEIGHT))
    says = '<span class="estimated">●</span> estimated, <span class="labelled">●</span> by labels'
    return _chart(days, f"Exact match, 0 to 100 %: {says}", grid + dots)


def _chart(days: Sequence[Day], caption: str, drawn: str) -> str:
    view = f'viewBox="-2 -6 {_wide(days) + 4} {HEIGHT + 12}" preserveAspectRatio="xMinYMid meet"'
    ends = f"<p><span>{days[0].name}</span><span>{days[-1].name}</span></p>"
    return f'<figure><figcaption>{caption}</figcaption><svg {view} role="img">{drawn}</svg>{ends}</figure>'


def _table(days: Sequence[Day]) -> str:
    head = "<tr><th>Day</th><th>Furthest</th><th>Checks with drift</th><th>Estimated</th><th>By labels</th></tr>"
    rows = "".join(
        f"<tr><th>{day.name}</th><td>{day.beyond:.2f}</td><td>{day.drifted} of {day.checks}</td>"
        f"<td>{_percent(day.exact_match)}</td><td>{_percent(day.labelled)}</td></tr>"
        for day in reversed(days)
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _said(day: Day) -> str:
    return f"{day.name}: {day.beyond:.2f} thresholds, drift in {day.drifted} of {day.checks} checks"


def _left(place: int) -> int:
    return place * STEP + (STEP - BAR) // 2


def _wide(days: Sequence[Day]) -> int:
    return max(len(days), 14) * STEP


def _tall(beyond: float) -> float:
    return HEIGHT * min(beyond, MAX_BEYOND) / MAX_BEYOND
