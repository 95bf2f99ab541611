"""Would the alert ImageDrift fire for a window of observations? Asks promtool, with what the service would count."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from legible.drift.reference import EDGES, Reference, rank
from legible.image.statistics import STATISTICS
from legible.observations import Observation

RULES = Path(__file__).parents[1] / "monitoring/rules/drift.yml"


def series(reference: Reference, observations: Sequence[Observation]) -> list[dict[str, str]]:
    """What the service counts of these observations, spread evenly over an hour and gone on with."""
    rng = np.random.default_rng(1)
    counts = {
        "legible_drift_constant": f"{reference.rules['image'].c}x90",
        "legible_drift_reference_size": f"{reference.rules['image'].m}x90",
    }
    for name in STATISTICS:
        ranked = np.asarray([rank(reference, name, row.signal(name), uniform=rng.random()) for row in observations])
        histogram = {f'le="{edge}"': (ranked <= edge).sum() for edge in EDGES} | {'le="+Inf"': len(ranked)}
        counts |= {
            f'legible_image_statistic_bucket{{statistic="{name}",{le}}}': f"0+{count / 60}x90"
            for le, count in histogram.items()
        }
        counts[f'legible_image_statistic_count{{statistic="{name}"}}'] = f"0+{len(ranked) / 60}x90"
    return [{"series": name, "values": values} for name, values in counts.items()]


def passes(
    reference: Reference, observations: Sequence[Observation], *, fires: bool
) -> subprocess.CompletedProcess[str]:
    """promtool's verdict on the claim that the alert fires, or does not, after an hour and a half of this window."""
    expectation = {
        "expr": 'count(ALERTS{alertname="ImageDrift", alertstate="firing"})',
        "eval_time": "90m",
        "exp_samples": [{"value": 1}] if fires else [],
    }
    test = {"interval": "1m", "input_series": series(reference, observations), "promql_expr_test": [expectation]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.yml"
        path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
        return subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
