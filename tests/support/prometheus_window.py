"""Would the drift alerts fire for a window of observations? Asks promtool, with what the service would count."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from legible.drift.reference import EDGES, Reference, rank
from legible.image.statistics import STATISTICS
from legible.observations.row import PREDICTION_SIGNALS, Observation

RULES = Path(__file__).parents[2] / "monitoring/rules/drift.yml"
HISTOGRAMS = {
    **dict.fromkeys(STATISTICS, "legible_image_statistic_bucket{{statistic={},le={}}}"),
    **dict.fromkeys(PREDICTION_SIGNALS, "legible_prediction_signal_bucket{{signal={},le={}}}"),
}


def series(reference: Reference, observations: Sequence[Observation]) -> list[dict[str, str]]:
    """What the service counts of these observations, spread evenly over an hour and gone on with."""
    rng = np.random.default_rng(1)
    values = {}
    for kind, rule in reference.rules.items():
        constants = {"constant": rule.c, "reference_size": rule.m, "smallest_window": reference.smallest_window}
        values |= {f'legible_drift_{name}{{kind="{kind}"}}': f"{value}x90" for name, value in constants.items()}
    for name, histogram in HISTOGRAMS.items():
        ranked = np.asarray([rank(reference, name, row.signal(name), uniform=rng.random()) for row in observations])
        counts = {str(edge): (ranked <= edge).sum() for edge in EDGES} | {"+Inf": len(ranked)}
        values |= {histogram.format(f'"{name}"', f'"{edge}"'): f"0+{count / 60}x90" for edge, count in counts.items()}
    return [{"series": name, "values": value} for name, value in values.items()]


def passes(
    reference: Reference, observations: Sequence[Observation], *, fires: bool, alert: str = "ImageDrift"
) -> subprocess.CompletedProcess[str]:
    """promtool's verdict on the claim that the alert of the hour fires, or not, after an hour and a half of this."""
    expectation = {
        "expr": f'count(ALERTS{{alertname="{alert}", window="1h", alertstate="firing"}})',
        "eval_time": "90m",
        "exp_samples": [{"value": 1}] if fires else [],
    }
    test = {"interval": "1m", "input_series": series(reference, observations), "promql_expr_test": [expectation]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yml"
        path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
        return subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
