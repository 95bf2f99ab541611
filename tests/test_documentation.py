"""What a user may meet stands in docs/: each command, setting, parameter section, metric and alert."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import typer.main

from legible.cli import app
from legible.config import ENVIRONMENT_PREFIX, ServiceSettings

PROJECT = Path(__file__).parents[1]
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").glob("*.md")))
RUNBOOK = (PROJECT / "monitoring/runbook.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    root = typer.main.get_command(app)
    groups = {name: command for name, command in root.commands.items() if hasattr(command, "commands")}  # type: ignore[attr-defined]
    plain = [name for name in root.commands if name not in groups]  # type: ignore[attr-defined]
    return plain + [f"{group} {name}" for group, command in groups.items() for name in command.commands]


def metrics() -> list[str]:
    code = "".join(
        (PROJECT / "src/legible" / name).read_text() for name in ("service/metrics.py", "monitoring/exporter.py")
    )
    return sorted(set(re.findall(r'"(legible_[a-z_]+)"', code)))


def alerts() -> list[str]:
    rules = "".join(path.read_text() for path in sorted((PROJECT / "monitoring/rules").glob("*.yml")))
    return re.findall(r"alert: (\w+)", rules)


@pytest.mark.parametrize("command", commands())
def test_a_command_is_documented(command: str) -> None:
    assert f"legible {command}" in DOCS


@pytest.mark.parametrize("setting", [field.name for field in dataclasses.fields(ServiceSettings)])
def test_a_setting_of_the_service_is_documented(setting: str) -> None:
    assert ENVIRONMENT_PREFIX + setting.upper() in DOCS


@pytest.mark.parametrize("metric", metrics())
def test_a_metric_is_documented(metric: str) -> None:
    assert metric in DOCS


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_has_a_runbook_entry(alert: str) -> None:
    assert f"## {alert}" in RUNBOOK


def test_a_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
    assert len(targets) > 20
    assert [target for target in targets if f"make {target}" not in DOCS] == []


@pytest.mark.parametrize(
    ("shown", "group", "figures"),
    [("reads {:.1%} of printed words", "print", "slices"), ("validation words {:.1%}", "iam/word", "slices"),
     ("or {:.1%} with", "iam/word", "lexicon")],
)  # fmt: skip
def test_the_readme_states_figures_of_the_shipped_bundle(shown: str, group: str, figures: str) -> None:
    evaluation = json.loads((PROJECT / "models/bundle/evaluation.json").read_text(encoding="utf-8"))
    slices = evaluation["with_lexicon"]["slices"] if figures == "lexicon" else evaluation["slices"]
    readme = " ".join((PROJECT / "README.md").read_text(encoding="utf-8").split())
    assert shown.format(slices[group]["exact_match"]) in readme
