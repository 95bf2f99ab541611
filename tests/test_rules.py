"""The Prometheus rules decide as `decide` does: proven by promtool on ranks of drawn images."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from drawn_words import inverted, observed, reference_of, words_drawn
from prometheus_window import passes

from legible.config import load_params
from legible.drift.decide import decide
from legible.drift.reference import EDGES, Reference
from legible.observations import Observation

PROJECT = Path(__file__).parents[1]
MONITORING = PROJECT / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; Debian has it in its package prometheus"
)


def rules() -> list[dict[str, object]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


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


def test_the_smallest_window_of_the_rule_is_that_of_params_yaml() -> None:
    (alert,) = (rule for rule in rules() if rule.get("alert") == "ImageDrift")
    smallest = load_params(PROJECT / "params.yaml").reference.smallest_window
    assert f"legible:image_statistic:images >= {smallest}\n" in str(alert["expr"])


@pytest.mark.parametrize("alert", [rule for rule in rules() if "alert" in rule], ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do_and_has_a_runbook_entry(alert: dict[str, dict[str, str]]) -> None:
    assert alert["annotations"]["action"]
    place, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (\w+)$", (PROJECT / place).read_text(), flags=re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_the_runbook_has_no_entry_without_an_alert() -> None:
    headings = re.findall(r"^## (\w+)$", (MONITORING / "runbook.md").read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(str(rule["alert"]) for rule in rules() if "alert" in rule)
