"""What a user may meet stands in docs/: each command, setting, parameter section, metric and alert."""

import dataclasses
import json
import re
import runpy
from pathlib import Path

import pytest
import typer.main
from test_architecture import HOMES

from legible.cli import app
from legible.config import ENVIRONMENT_PREFIX, ServiceSettings
from legible.monitoring.exporter import Exporter

PROJECT = Path(__file__).parents[1]
PAGES = sorted((PROJECT / "docs").rglob("*.md"))
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
ENTRANCES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]
RUNBOOK = (PROJECT / "monitoring/runbook.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    root = typer.main.get_command(app)
    groups = {name: command for name, command in root.commands.items() if hasattr(command, "commands")}  # type: ignore[attr-defined]
    plain = [name for name in root.commands if name not in groups]  # type: ignore[attr-defined]
    return plain + [f"{group} {name}" for group, command in groups.items() for name in command.commands]


def metrics() -> list[str]:
    code = (PROJECT / "src/legible/service/metrics.py").read_text(encoding="utf-8")
    checked = {sample.name for metric in Exporter().registry.collect() for sample in metric.samples}
    labelled = {metric.name for metric in Exporter().registry.collect()}
    names = {*re.findall(r'"(legible_[a-z_]+)"', code), *checked, *labelled}
    return sorted(name for name in names if not name.endswith("_created"))


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


def text_without_code(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", text_without_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *ENTRANCES], ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_without_code(page))
    for link in (link for link in links if not link.startswith("http")):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*PAGES, *ENTRANCES], ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_file_of_the_code_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`([\w./-]+\.py)`", page.read_text(encoding="utf-8"))
    homes = (PROJECT, PROJECT / "src/legible")
    assert [name for name in named if not any((home / name).is_file() for home in homes)] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    names = [page.relative_to(PROJECT / "docs").as_posix() for page in PAGES]
    assert [name for name in names if f": {name}" not in navigation] == []


def test_the_picture_of_the_architecture_shows_the_code() -> None:
    picture = runpy.run_path(str(PROJECT / "docs/draw_architecture.py"))["picture"]()
    stored = (PROJECT / "docs/architecture.svg").read_text(encoding="utf-8")
    assert picture == stored, "packages, imports or docstrings changed: python docs/draw_architecture.py"


def test_each_home_of_a_heavy_library_is_in_the_architecture() -> None:
    page = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
    assert [place for places in HOMES.values() for place in places if f"`{place}`" not in page] == []


@pytest.mark.parametrize(
    ("images", "group"),
    [("scanned receipts, lines", "sroie/line"), ("photographed receipts, lines", "wildreceipt/line"),
     ("forms, words", "funsd/word"), ("scenes, words", "iiit5k-train/word"),
     ("books of 1790 to 1920, lines", "oldbooks/line"),
     ("typescripts in Danish, lines", "ehri-danish/line"), ("printed words in 8 families of fonts", "print"),
     ("handwritten English words (IAM)", "iam/word")],
)  # fmt: skip
def test_the_readme_states_figures_of_the_shipped_bundle(images: str, group: str) -> None:
    evaluation = json.loads((PROJECT / "models/bundle/evaluation.json").read_text(encoding="utf-8"))
    found, with_lexicon = evaluation["slices"][group], evaluation["with_lexicon"]["slices"][group]
    row = f"| {images} | {found['exact_match']:.1%} | {found['cer']:.2%} | {with_lexicon['exact_match']:.1%} |"
    assert row in (PROJECT / "README.md").read_text(encoding="utf-8")
