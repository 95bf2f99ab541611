"""The Prometheus rules decide as `decide` does: proven by promtool on ranks of drawn images."""

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from drawn_words import inverted, observed, reference_of, words_drawn
from prometheus_window import passes, run_rules
from stand import MONITORING, rules
from test_documents import receipts, trained

from legible.drift.baseline import make_baseline
from legible.drift.decide import decide
from legible.drift.reference import EDGES, Reference
from legible.observations.row import Observation
from legible.service import metrics

PROJECT = Path(__file__).parents[1]
lacking = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; Debian has it in its package prometheus"
)


def promtool(test: Callable[..., None]) -> Callable[..., None]:
    """Needs promtool, and its time."""
    return lacking(pytest.mark.slow(test))


def alert_names() -> set[str]:
    return {str(rule["alert"]) for rule in rules() if "alert" in rule}


def run_promtool(*arguments: object) -> None:
    ran = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@promtool
def test_prometheus_takes_the_configuration_and_its_rules() -> None:
    run_promtool("check", "config", MONITORING / "prometheus.yml")


@promtool
@pytest.mark.parametrize("path", sorted((MONITORING / "tests").glob("*.yml")), ids=lambda path: path.stem)
def test_the_rules_pass_their_own_tests(path: Path) -> None:
    run_promtool("test", "rules", path)


@cache
def known() -> Reference:
    return reference_of(observed(words_drawn(400, seed=1)))


@promtool
@pytest.mark.parametrize(
    ("observations", "fires"),
    [
        (observed(inverted(words_drawn(200, seed=2))), True),
        (observed(words_drawn(200, seed=2)), False),
        (observed(inverted(words_drawn(40, seed=2))), False),
    ],
    ids=["200 inverted", "200 others", "40 inverted"],
)
def test_the_rule_fires_where_the_report_says_drift(observations: list[Observation], *, fires: bool) -> None:
    assert (decide(known(), observations).exit_code == 1) == fires
    ran = passes(known(), observations, fires=fires)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_there_is_a_constant_rank_for_each_edge() -> None:
    constants = {r["labels"]["le"]: r["expr"] for r in rules() if r.get("record") == "legible:rank"}  # type: ignore[index]
    assert constants == {str(edge): f"vector({edge})" for edge in EDGES}


@promtool
def test_doubtful_readings_of_usual_images_are_prediction_drift_alone() -> None:
    doubtful = [dataclasses.replace(row, confidence=0.3) for row in observed(words_drawn(200, seed=2))]
    for alert, fires in {"PredictionDrift": True, "ImageDrift": False}.items():
        ran = passes(known(), doubtful, fires=fires, alert=alert)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@cache
def bunched() -> Reference:
    return make_baseline(trained(), receipts(60, seed=2), bundle="", at=0.0, resamples=500).reference


def of_channel(rows: list[Observation], channel: str) -> list[Observation]:
    return [dataclasses.replace(row, channel=channel) for row in rows]


@promtool
@pytest.mark.parametrize(("shift", "fires"), [(0.0, False), (3.0, True)], ids=["usual", "changed"])
def test_documents_are_judged_by_the_rule_of_the_report(shift: float, *, fires: bool) -> None:
    rows = receipts(40, seed=3, shift=shift)
    verdict = decide(bunched(), rows)
    assert (verdict.exit_code == 1) == fires
    threshold = verdict.thresholds["image"]
    furthest = max(signal.beyond for signal in verdict.signals if signal.kind == "image")
    alike = [
        f'abs(legible:drift:threshold{{kind="image", window="1h"}} / {threshold} - 1) < bool 0.02',
        f'abs(legible:drift:ratio{{kind="image", window="1h"}} / {furthest} - 1) < bool 0.03',
    ]
    claims = {f"sum({expression})": [{"value": 1}] for expression in alike}
    claims['count(ALERTS{alertname="ImageDrift", window="1h", alertstate="firing"})'] = [{"value": 1}] if fires else []
    ran = run_rules(bunched(), rows, claims)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@promtool
def test_the_channel_that_the_report_calls_drifted_has_the_alert() -> None:
    rows = [*of_channel(receipts(40, seed=3), "post"), *of_channel(receipts(12, seed=5, shift=3.0), "mobile")]
    verdict = decide(bunched(), rows)
    assert [channel.name for channel in verdict.channels if channel.drifted] == ["mobile"]
    firing = 'count by (channel) (ALERTS{alertname="ChannelDrift", kind="image", window="1h", alertstate="firing"})'
    ran = run_rules(bunched(), rows, {firing: [{"labels": '{channel="mobile"}', "value": 1}]})
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_objective_is_an_edge_of_the_histogram() -> None:
    (slow,) = (str(rule["expr"]) for rule in rules() if rule.get("record") == "legible:read:slow_share")
    (objective,) = re.findall(r'le="([^"]+)"', slow)
    assert float(objective) in metrics.SECONDS


def test_every_alert_is_seen_to_fire_and_to_keep_quiet() -> None:
    tests = [
        test for path in (MONITORING / "tests").glob("*.yml") for test in yaml.safe_load(path.read_text())["tests"]
    ]
    claims = [claim for test in tests for claim in test.get("promql_expr_test", ())]
    fired = "".join(str(claim) for claim in claims if claim["exp_samples"])
    quiet = [claim["expr"] for claim in claims if not claim["exp_samples"]]
    assert [name for name in alert_names() if f'"{name}"' not in fired] == []
    assert [name for name in alert_names() if not any(f'"{name}"' in e or e == "count(ALERTS)" for e in quiet)] == []


def test_every_alert_links_its_entry_of_the_runbook_as_published() -> None:
    for annotations in (rule["annotations"] for rule in rules() if "alert" in rule):
        published = '{{ or $externalLabels.runbook_url "monitoring/runbook.md" }}'
        assert annotations["runbook_url"] == annotations["runbook"].replace("monitoring/runbook.md", published)  # type: ignore[index]


@pytest.mark.parametrize("alert", [rule for rule in rules() if "alert" in rule], ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do_and_has_a_runbook_entry(alert: dict[str, dict[str, str]]) -> None:
    assert alert["annotations"]["action"]
    place, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (\w+)$", (PROJECT / place).read_text(), flags=re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_the_runbook_has_no_entry_without_an_alert() -> None:
    headings = re.findall(r"^## (\w+)$", (MONITORING / "runbook.md").read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(alert_names())
