"""The dashboards: every metric in them is one that is exposed, and Prometheus understands every query."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from stand import MONITORING, rules

from legible.monitoring.exporter import Exporter
from legible.service import metrics

DASHBOARDS = sorted((MONITORING / "grafana/dashboards").glob("*.json"))
OTHERS = {"up", "ALERTS"}
"""Metrics of Prometheus' own."""


def dashboard(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def panels() -> Iterator[Any]:
    for path in DASHBOARDS:
        for panel in dashboard(path)["panels"]:
            yield pytest.param(panel, id=f"{path.stem}-{panel['title']}")


def expressions() -> list[str]:
    """All that dashboards and rules ask Prometheus."""
    boards = [dashboard(path) for path in DASHBOARDS]
    asked = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    noted = [note["expr"] for board in boards for note in board["annotations"]["list"]]
    return [*asked, *noted, *(rule["expr"] for rule in rules())]


def exposed() -> set[str]:
    """Names of the samples that the service and the scheduled check expose, as their registries have them."""
    families = [*metrics.REGISTRY.collect(), *Exporter().registry.collect()]
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return {family.name + ending for family in families for ending in endings.get(family.type, ())}


def test_every_metric_that_is_asked_for_is_in_the_code() -> None:
    known = exposed() | {rule["record"] for rule in rules() if "record" in rule} | OTHERS
    asked = set(re.findall(r"\b(?:legible[_:][a-z_:]+|up|ALERTS)\b", " ".join(expressions())))
    assert len(asked) > 30
    assert asked - known == set()


def test_every_metric_that_is_exposed_has_an_alert_or_a_panel() -> None:
    said = (str(rule.get("annotations", "")) for rule in rules())
    asked = " ".join([*expressions(), *said])
    families = [*metrics.REGISTRY.collect(), *Exporter().registry.collect()]
    ours = [family.name for family in families if family.name.startswith("legible_")]
    assert len(ours) > 15
    assert [name for name in ours if name not in asked] == []


def test_every_drift_series_that_is_recorded_is_looked_at() -> None:
    text = " ".join(expressions()) + (MONITORING / "runbook.md").read_text()
    assert [rule["record"] for rule in rules() if "record" in rule and rule["record"] not in text] == []


@pytest.mark.parametrize("panel", panels())
def test_a_panel_has_a_title_a_unit_and_a_query(panel: Any) -> None:
    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_lie_on_each_other(path: Path) -> None:
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard(path)["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    plain = [e.replace("$window", "1h").replace("$__rate_interval", "1m") for e in expressions()]
    group = {
        "name": "all",
        "rules": [{"record": f"asked:{i}", "expr": expression} for i, expression in enumerate(plain)],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    ran = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
