"""A finding as an Evidently report, which opens with it.

Evidently draws, it does not decide: its own tests call drift in windows that have none, and miss inverted images in
small ones. Each of its columns shows the KS, the threshold and the decision of our verdict.
"""

import base64
import os
import re
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
from legible.files import write_text
from legible.monitoring.finding import Check
from legible.monitoring.finding_html import STYLE, finding_html
from legible.monitoring.workspace import file_run
from legible.observations.row import Observation
from legible.observations.window import read_back

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

METHOD = "legible_ks"
CONFIDENCE = frozenset({"confidence"})
MAX_ROWS = 5000
"""The most rows of a side, because Evidently's time and HTML grow with them."""


def write_report(
    check: Check,
    observations: Sequence[Observation],
    *,
    known: Path,
    path: Path | None,
    workspace: Path | None = None,
) -> None:
    """Write the finding on these observations as HTML without outside scripts, and as a run of Evidently's workspace.

    `known` is the folder of the reference, a bundle's or a baseline's.
    """
    verdict = check.verdict
    snapshot = _snapshot(check, _current(verdict, observations), _reference_rows(known, verdict))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        snapshot.save_html(str(path))
        write_text(path, with_finding(path.read_text(encoding="utf-8"), check))
    if workspace is not None:
        file_run(snapshot, workspace, signals=[signal.name for signal in verdict.signals])


def with_finding(page: str, check: Check) -> str:
    """Return Evidently's page opened with the finding, its most unusual images within it."""
    section = f"<style>{STYLE}</style>{finding_html(check, source=_data)}"
    return re.sub(r"<body[^>]*>", lambda body: f"{body[0]}{section}", page, count=1)


def _data(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


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


def _snapshot(check: Check, current: pd.DataFrame, known: pd.DataFrame) -> "Snapshot":
    # before the import: it sends usage statistics otherwise, and it takes seconds, which the pipeline is spared
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.metrics import DriftedColumnsCount, MeanValue, ValueDrift  # noqa: PLC0415

    verdict = check.verdict
    _register(verdict)
    names, stated = list(current.columns), _stated(check)
    definition = DataDefinition(numerical_columns=[*names, *stated])
    report = Report(
        [
            *(MeanValue(column=name) for name in (*stated, *CONFIDENCE.intersection(names))),
            DriftedColumnsCount(columns=names, drift_share=1 / len(names), method=METHOD, threshold=1.0),  # any column
            *(ValueDrift(column=name, method=METHOD, threshold=1.0) for name in names),
        ],
        include_tests=True,
    )
    with np.errstate(invalid="ignore"):  # its correlations with a column that is constant
        return report.run(
            Dataset.from_pandas(current.assign(**stated), definition),
            Dataset.from_pandas(known[names].assign(**stated), definition),
            timestamp=datetime.fromtimestamp(check.at, UTC),
            metadata={"verdict": verdict.outcome.value, "images": verdict.images},
        )


def _stated(check: Check) -> dict[str, float]:
    """Return what the finding states of the whole window, by the column that gets it: so the workspace can plot it."""
    stated = {"images of the window": float(check.verdict.images)}
    if check.estimate and not check.estimate.unreliable:
        stated["estimated exact match"] = check.estimate.exact_match
    if check.labels and check.labels.estimate:
        stated["exact match by labels"] = check.labels.estimate.exact_match
    return stated


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
