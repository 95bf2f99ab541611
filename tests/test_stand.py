"""The stand: its files are sound, and an alert of the real Prometheus arrives at the receiver."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer.main
import yaml
from drawn_words import inverted, words_drawn
from serving import served
from stand import MONITORING, Stand, are_installed, bundle_knowing, watched

from legible.arrays import GreyImage
from legible.cli import app
from legible.client import Client
from legible.drill.images import png

COMPOSE = yaml.safe_load((MONITORING / "compose.yaml").read_text())


def test_the_compose_file_fits_its_schema() -> None:
    check = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    command = [sys.executable, "-m", *check, MONITORING / "compose.yaml"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_part_of_the_stand_is_pinned_and_hardened(name: str) -> None:
    part = COMPOSE["services"][name]
    assert "build" in part or re.search(r":v?\d+\.\d+\.\d+$", part["image"])
    assert part["read_only"]
    assert part["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in part.get("ports", ()))


def test_what_the_stand_mounts_is_there() -> None:
    mounts = [mount.split(":")[0] for part in COMPOSE["services"].values() for mount in part.get("volumes", ())]
    missing = [m for m in mounts if not (m in COMPOSE["volumes"] or (MONITORING / m).exists())]
    assert missing == []


def test_the_stand_calls_commands_and_options_that_exist() -> None:
    root = typer.main.get_command(app)
    commands = [part.get("command", []) for part in COMPOSE["services"].values()]
    calls = [command[3:] for command in commands if command[:3] == ["python", "-m", "legible"]]
    assert {name for name, *_ in calls} == {"serve", "monitor"}
    for name, *arguments in calls:
        known = {option for parameter in root.commands[name].params for option in parameter.opts}  # type: ignore[attr-defined]
        assert {argument.split("=")[0] for argument in arguments if argument.startswith("--")} <= known


def test_parts_find_each_other_by_name() -> None:
    files = [MONITORING / name for name in ("prometheus.yml", "alertmanager.yml")]
    files += (MONITORING / "grafana/provisioning").rglob("*.yml")
    hosts = set(re.findall(r"\b([a-z]+):(?:3000|3001|9090|9093|8080)\b", "".join(path.read_text() for path in files)))
    assert hosts == {"legible", "monitor", "alertmanager", "prometheus", "receiver"}
    assert hosts <= set(COMPOSE["services"])


def send(address: str, images: Sequence[GreyImage]) -> None:
    with Client(address) as client:
        assert len(list(client.read_many(map(png, images)))) == len(images)


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed; it comes with prometheus-alertmanager"
)
def test_alertmanager_takes_its_configuration() -> None:
    ran = subprocess.run(["amtool", "check-config", MONITORING / "alertmanager.yml"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def service(tmp_path: Path, bundle_folder: Path) -> Iterator[str]:
    """A service that knows drawn words."""
    bundle = bundle_knowing(words_drawn(400, seed=1), bundle_folder, tmp_path / "bundle")
    with served(tmp_path, LEGIBLE_BUNDLE=str(bundle)) as address:
        yield address


@pytest.fixture
def stand(tmp_path: Path, service: str) -> Iterator[Stand]:
    (tmp_path / "stand").mkdir()
    with watched(tmp_path / "stand", service) as stand:
        yield stand


@pytest.mark.slow
@pytest.mark.skipif(not are_installed(), reason="Prometheus or Alertmanager is not installed; Debian has both")
def test_the_alert_arrives_when_images_are_inverted_and_not_before(service: str, stand: Stand) -> None:
    stand.wait_for('legible:drift:too_little_data{kind="image", window="1h"} == 1')
    send(service, words_drawn(150, seed=2))
    stand.wait_for('legible:drift:ratio{kind="image", window="1h"} < 1')
    assert stand.query('ALERTS{alertname="ImageDrift"}') == []

    until = time.monotonic() + 120
    while "firing ImageDrift" not in stand.received.read_text():
        assert time.monotonic() < until, stand.received.read_text()
        send(service, inverted(words_drawn(50, seed=3)))
    assert "monitoring/runbook.md#imagedrift" in stand.received.read_text()


@pytest.mark.slow
@pytest.mark.skipif(not are_installed(), reason="Prometheus or Alertmanager is not installed; Debian has both")
def test_in_a_drill_metrics_rule_alert_and_report_notice(tmp_path: Path, service: str, stand: Stand) -> None:
    (tmp_path / "words").mkdir()
    for number, image in enumerate(words_drawn(150, seed=2)):
        (tmp_path / f"words/{number:03}.png").write_bytes(png(image))
    command = [
        *(sys.executable, "-m", "legible", "drill", "--corruption=inversion", "--severity=5", "--json", "--clean=150"),
        *(f"--url={service}", f"--prometheus={stand.prometheus}", f"--alertmanager={stand.alertmanager}"),
        *(f"--images={tmp_path / 'words'}", f"--observations={tmp_path / 'observations'}"),
        *(f"--bundle={tmp_path / 'bundle'}", "--patience=60"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr + stand.logs()
    outcome = json.loads(ran.stdout)
    assert [one["detector"] for one in outcome["detections"]] == ["metrics", "rule", "alert", "report"]
    assert {one["detector"]: one["images"] for one in outcome["detections"]}["metrics"] <= 100
