"""Evidently's workspace: opened wherever it lies, with a dashboard from the first run on, and runs that end.

A run takes more than a megabyte. The newest MAX_RECENT are kept, of earlier days the last one each, for KEPT_DAYS days.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

PROJECT = "legible"
TAB = "Drift"
MAX_RECENT = 100
KEPT_DAYS = 90
DAY_MILLISECONDS = 86_400_000
PANELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Exact match": ("MeanValue", ("estimated exact match", "exact match by labels")),
    "Confidence": ("MeanValue", ("confidence",)),
    "Images of the window": ("MeanValue", ("images of the window",)),
}
"""The metric and the columns of each plot, beside that of the signals."""


def open_workspace(folder: Path) -> Any:
    """Return the workspace in a folder, which is made where it is missing."""
    os.environ["DO_NOT_TRACK"] = "1"  # before the import: it sends usage statistics otherwise
    from evidently.ui.workspace import Workspace  # seconds, which a check without a workspace is spared  # noqa: PLC0415

    return Workspace.create(str(folder.resolve()))  # it takes no path with `..`


def file_run(snapshot: "Snapshot", folder: Path, *, signals: Sequence[str]) -> None:
    """Add a run to the project, its panels where they are missing, and remove the runs that nobody looks at."""
    workspace = open_workspace(folder)
    found = workspace.search_project(PROJECT)
    project = found[0] if found else workspace.create_project(PROJECT)
    workspace.add_run(project.id, snapshot)
    _add_panels(project.dashboard, signals)
    runs = workspace.list_runs(project.id)
    for run in outlived({run: made_at(run) for run in runs}):
        workspace.delete_run(project.id, run)


def made_at(run: Any) -> int:
    """Return when a run was made, in Unix milliseconds: its id is a UUID of version 7, which begins with the time."""
    return int(run.int >> 80)


def outlived(made: Mapping[Any, int]) -> list[Any]:
    """Return the runs to remove, by when each was made in Unix milliseconds."""
    newest_first = sorted(made, key=lambda run: -made[run])
    kept, days = set(newest_first[:MAX_RECENT]), set()
    now = made[newest_first[0]] if newest_first else 0
    for run in newest_first:
        day = made[run] // DAY_MILLISECONDS
        if day not in days and now - made[run] < KEPT_DAYS * DAY_MILLISECONDS:
            kept.add(run)
        days.add(day)
    return [run for run in newest_first if run not in kept]


def _add_panels(dashboard: Any, signals: Sequence[str]) -> None:
    """Add the plots that the dashboard has not."""
    from evidently.sdk.models import PanelMetric  # noqa: PLC0415
    from evidently.sdk.panels import line_plot_panel  # noqa: PLC0415

    there = {panel.title for panel in dashboard.model().panels}
    wanted = {"Drift by signal, in thresholds": ("ValueDrift", tuple(signals)), **PANELS}
    for title, (metric, columns) in wanted.items():
        if title not in there:
            values = [PanelMetric(metric=metric, metric_labels={"column": name}, legend=name) for name in columns]
            dashboard.add_panel(line_plot_panel(title=title, values=values), tab=TAB, create_if_not_exists=True)
