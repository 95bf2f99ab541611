"""Would the drift alerts fire for a window of observations? Asks promtool, with what the service would count."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from legible.drift.reference import EDGES, Reference, rank
from legible.drift.summary import image_ranks, ranked_by
from legible.image.statistics import STATISTICS
from legible.observations.origin import digest
from legible.observations.row import PREDICTION_SIGNALS, Observation
from legible.service.document_table import DocumentTable

RULES = Path(__file__).parents[2] / "monitoring/rules/drift.yml"
HISTOGRAMS = {
    **dict.fromkeys(STATISTICS, 'legible_image_statistic_bucket{{model="default",channel={},statistic={},le={}}}'),
    **dict.fromkeys(
        PREDICTION_SIGNALS, 'legible_prediction_signal_bucket{{model="default",channel={},signal={},le={}}}'
    ),
}
MINUTES = 60


def series(reference: Reference, observations: Sequence[Observation]) -> list[dict[str, str]]:
    """What the service counts of these observations, spread evenly over an hour and gone on with."""
    rng = np.random.default_rng(1)
    values = {
        'legible_drift_bunching{model="default"}': f"{reference.bunching}x90",
        'legible_bundle_info{model="default",bundle="b"}': "1x90",
    }
    rules = {kind: (rule.c, rule.m, rule.correlation) for kind, rule in reference.rules.items()}
    if reference.unusual:
        rules["unusual"] = (reference.unusual.level, reference.unusual.m, reference.unusual.correlation)
    for kind, (c, m, correlation) in rules.items():
        constants = {"constant": c, "reference_size": m, "correlation": correlation}
        if kind != "unusual":
            constants["smallest_window"] = reference.smallest_window
        values |= {
            f'legible_drift_{name}{{model="default",kind="{kind}"}}': f"{value}x90" for name, value in constants.items()
        }
    for channel in sorted({row.channel for row in observations}):
        values |= _of_channel(reference, channel, [row for row in observations if row.channel == channel], rng)
    return [{"series": name, "values": value} for name, value in values.items()]


def _of_channel(
    reference: Reference, channel: str, rows: Sequence[Observation], rng: np.random.Generator
) -> dict[str, str]:
    values = {}
    for name, histogram in HISTOGRAMS.items():
        ranked = np.asarray([rank(reference, name, row.signal(name), uniform=rng.random()) for row in rows])
        counts = {str(edge): (ranked <= edge).sum() for edge in EDGES} | {"+Inf": len(ranked)}
        for edge, count in counts.items():
            values[histogram.format(f'"{channel}"', f'"{name}"', f'"{edge}"')] = steadily(count)
    ranked = image_ranks(reference, ranked_by(reference, rows, rng))
    unusual = reference.unusual.is_unusual(ranked).sum() if reference.unusual else 0
    pairs = DocumentTable(None).add([digest(row.document, b"key") for row in rows], at=0.0).pairs
    pairs += sum(not row.document for row in rows) * (max(reference.block, reference.bunching) - 1)
    for name, count in {"legible_unusual_images_total": unusual, "legible_document_pairs_total": pairs}.items():
        values[f'{name}{{model="default",channel="{channel}"}}'] = steadily(count)
    return values


def steadily(count: float) -> str:
    """Counts that grow by so many an hour."""
    return f"0+{count / MINUTES}x90"


def passes(
    reference: Reference, observations: Sequence[Observation], *, fires: bool, alert: str = "ImageDrift"
) -> subprocess.CompletedProcess[str]:
    """promtool's verdict on the claim that the alert of the hour fires, or not, after an hour and a half of this."""
    expression = f'count(ALERTS{{alertname="{alert}", window="1h", alertstate="firing"}})'
    return run_rules(reference, observations, {expression: [{"value": 1}] if fires else []})


def run_rules(
    reference: Reference, observations: Sequence[Observation], expected: dict[str, list[dict[str, object]]]
) -> subprocess.CompletedProcess[str]:
    """promtool's verdict on expressions after an hour and a half of these observations, each with its samples."""
    claims = [{"expr": expr, "eval_time": "90m", "exp_samples": samples} for expr, samples in expected.items()]
    test = {"interval": "1m", "input_series": series(reference, observations), "promql_expr_test": claims}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yml"
        path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
        return subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
