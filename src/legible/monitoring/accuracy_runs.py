"""The exact match in Evidently's workspace: a run for each day in a project of its own, with a plot of each group.

A run holds one row, and its metrics are the means of its columns: these the workspace can plot over time. The run of a
day is replaced where labels have come meanwhile.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from legible.drift.accuracy import AccuracyGroup, AccuracyInterval
from legible.monitoring.accuracy import Accuracy
from legible.monitoring.workspace import open_workspace

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

PROJECT = "legible exact match"
TAB = "Exact match"
MEAN = "MeanValue"


def file_accuracy(accuracy: Accuracy, folder: Path) -> int:
    """File a run for each day that is new or has changed, and return their number."""
    workspace = open_workspace(folder)
    found = workspace.search_project(PROJECT)
    project = found[0] if found else workspace.create_project(PROJECT)
    groups = [group for group in accuracy.groups if group.day]
    filed, made = _filed(workspace, project.id), 0
    for day, some in groupby(groups, key=lambda group: group.day):
        own = list(some)
        run, digest = filed.get(day, (None, ""))
        if digest == _digest(own):
            continue
        workspace.add_run(project.id, _snapshot(day, own))
        if run is not None:
            workspace.delete_run(project.id, run)
        made += 1
    _add_panels(project.dashboard, groups)
    return made


def _filed(workspace: Any, project_id: Any) -> dict[str, tuple[Any, str]]:
    """Return the run of each day and the digest of what it holds."""
    runs = [(run, workspace.get_run(project_id, run).metadata) for run in workspace.list_runs(project_id)]
    return {str(metadata["day"]): (run, str(metadata["digest"])) for run, metadata in runs}


def _digest(groups: Sequence[AccuracyGroup]) -> str:
    return hashlib.sha256(json.dumps([asdict(group) for group in groups]).encode()).hexdigest()[:16]


def _snapshot(day: str, groups: Sequence[AccuracyGroup]) -> "Snapshot":
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.metrics import MeanValue  # noqa: PLC0415

    columns = {name: value for group in groups for name, value in _columns(group).items()}
    frame = pd.DataFrame([columns])
    definition = DataDefinition(numerical_columns=list(columns))
    return Report([MeanValue(column=name) for name in columns]).run(
        Dataset.from_pandas(frame, definition),
        None,
        timestamp=datetime.fromisoformat(day).replace(tzinfo=UTC),
        metadata={"day": day, "digest": _digest(groups)},
        name=day,
    )


def _columns(group: AccuracyGroup) -> dict[str, float]:
    """Return the values of a group by the name of their column: `channel till, by labels, low`."""
    intervals: dict[str, AccuracyInterval | None] = {"estimated": group.estimated, "by labels": group.labelled}
    return {
        f"{_name(group)}, {kind}{end}": value
        for kind, interval in intervals.items()
        if interval is not None
        for end, value in (("", interval.value), (", low", interval.low), (", high", interval.high))
    }


def _name(group: AccuracyGroup) -> str:
    return "all" if group.by == "all" else f"{group.by} {group.name or '(none)'}"


def _add_panels(dashboard: Any, groups: Sequence[AccuracyGroup]) -> None:
    """Add a plot for each group that has none yet, of all columns that it may have."""
    from evidently.sdk.models import PanelMetric  # noqa: PLC0415
    from evidently.sdk.panels import line_plot_panel  # noqa: PLC0415

    there = {panel.title for panel in dashboard.model().panels}
    ends = [f"{kind}{end}" for kind in ("estimated", "by labels") for end in ("", ", low", ", high")]
    for name in sorted({_name(group) for group in groups} - there):
        values = [PanelMetric(metric=MEAN, metric_labels={"column": f"{name}, {end}"}, legend=end) for end in ends]
        dashboard.add_panel(line_plot_panel(title=name, values=values), tab=TAB, create_if_not_exists=True)
