"""A verdict as an Evidently report.

Evidently draws, it does not decide: its own tests call drift in windows that have none, and miss inverted images in
small ones. Each of its columns shows the KS, the threshold and the decision of our verdict.
"""

import base64
import html
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from legible.drift.baseline import SAMPLE
from legible.drift.decide import Verdict
from legible.drift.reference import table
from legible.errors import BundleError, DataError
from legible.observations.row import Observation
from legible.observations.window import read_back

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

METHOD = "legible_ks"
PROJECT = "legible"
MAX_ROWS = 5000
"""The most rows of a side, because Evidently's time and HTML grow with them."""


def write_report(
    verdict: Verdict,
    observations: Sequence[Observation],
    *,
    known: Path,
    path: Path | None,
    at: float,
    workspace: Path | None = None,
    pictures: Sequence[Path] = (),
) -> None:
    """Write the verdict on these observations as HTML without outside scripts, and as a run of Evidently's workspace.

    `known` is the folder of the reference, a bundle's or a baseline's; `at` the time, in Unix seconds, that the run is
    filed under; `pictures` are files of the most unusual images, shown in the HTML.
    """
    snapshot = _snapshot(verdict, _current(verdict, observations), _reference_rows(known, verdict), at)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        snapshot.save_html(str(path))
        path.write_text(with_pictures(path.read_text(encoding="utf-8"), pictures), encoding="utf-8")
    if workspace is not None:
        _file(snapshot, workspace)


def with_pictures(page: str, pictures: Sequence[Path]) -> str:
    """Return the HTML with the most unusual images at its end, within it; as it was where there are none."""
    if not pictures:
        return page
    figures = "".join(
        f'<figure><img alt="" style="max-width: 100%" src="data:image/png;base64,{_base64(picture)}">'
        f"<figcaption>{html.escape(picture.stem)}</figcaption></figure>"
        for picture in pictures
    )
    body, end, rest = page.rpartition("</body>")
    return f"{body}<section><h2>Most unusual images</h2>{figures}</section>{end}{rest}"


def _base64(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode("ascii")


def _current(verdict: Verdict, observations: Sequence[Observation]) -> pd.DataFrame:
    if not verdict.signals:
        raise DataError(f"{verdict.images} images are too few for a report; it takes {verdict.smallest_window}")
    names = [signal.name for signal in verdict.signals]
    return pd.DataFrame(table(observations[-MAX_ROWS:], names), columns=names)


def _reference_rows(folder: Path, verdict: Verdict) -> pd.DataFrame:
    path = folder / "reference.parquet"
    if path.is_file():
        return pa.parquet.read_table(path).to_pandas()[:MAX_ROWS]
    if (folder / SAMPLE).is_file():
        rows = read_back(folder / SAMPLE).observations
        names = [signal.name for signal in verdict.signals]
        return pd.DataFrame(table(rows, names), columns=names)
    raise BundleError(f"{path}: no such file; run legible reference, or name a bundle's folder")


def _snapshot(verdict: Verdict, current: pd.DataFrame, known: pd.DataFrame, at: float) -> "Snapshot":
    # before the import: it sends usage statistics otherwise, and it takes seconds, which the pipeline is spared
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.metrics import DriftedColumnsCount, ValueDrift  # noqa: PLC0415

    _register(verdict)
    names = list(current.columns)
    definition = DataDefinition(numerical_columns=names)
    any_column = 1 / len(names)
    report = Report(
        [
            DriftedColumnsCount(columns=names, drift_share=any_column, method=METHOD, threshold=1.0),
            *(ValueDrift(column=name, method=METHOD, threshold=1.0) for name in names),
        ],
        include_tests=True,
    )
    with np.errstate(invalid="ignore"):  # its correlations with a column that is constant
        return report.run(
            Dataset.from_pandas(current, definition),
            Dataset.from_pandas(known[names], definition),
            timestamp=datetime.fromtimestamp(at, UTC),
            metadata={"verdict": verdict.outcome.value, "images": verdict.images},
        )


def _register(verdict: Verdict) -> None:
    """Make METHOD answer, for each column, what the verdict says; Evidently has one threshold, we one for each kind."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest  # noqa: PLC0415
    from evidently.legacy.core import ColumnType  # noqa: PLC0415

    decided = {signal.name: signal for signal in verdict.signals}

    def answer(_reference: "pd.Series[float]", current: "pd.Series[float]", *_: object) -> tuple[float, bool]:
        signal = decided[str(current.name)]
        return signal.ks / signal.threshold, signal.drifted

    limits = ", ".join(f"{limit:.3f} ({kind})" for kind, limit in verdict.thresholds.items())
    display_name = f"KS over deciles of the reference, in units of the calibrated threshold, {limits}"
    register_stattest(StatTest(METHOD, display_name, [ColumnType.Numerical], 1.0), answer)


def _file(snapshot: "Snapshot", folder: Path) -> None:
    from evidently.ui.workspace import Workspace  # noqa: PLC0415

    workspace = Workspace.create(str(folder))
    found = workspace.search_project(PROJECT)
    project = found[0] if found else workspace.create_project(PROJECT)
    workspace.add_run(project.id, snapshot)
