"""The stand for tests: the real Prometheus, Alertmanager and receiver over a service, hurried."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from drawn_words import START, WRITERS, reference_of
from serving import PROJECT, free_port

from legible.arrays import GreyImage
from legible.files import sha256_of
from legible.observations.row import observe
from legible.recognition.bundle import MANIFEST, load_bundle
from legible.recognition.recognizer import Recognizer

MONITORING = PROJECT / "monitoring"
PROGRAMS = ("prometheus", "prometheus-alertmanager")
PATIENCE_SECONDS = 120
HURRY = {"[10m]": "[10s]", "[1h]": "[20s]", "[1d]": "[40s]", "interval: 1m": "interval: 1s"}


def rules() -> list[dict[str, Any]]:
    """All recording rules and alerts."""
    texts = [path.read_text() for path in sorted((MONITORING / "rules").glob("*.yml"))]
    return [rule for text in texts for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def are_installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


def bundle_knowing(images: Sequence[GreyImage], shipped: Path, folder: Path) -> Path:
    """A copy of the shipped bundle whose reference is of these images, as it reads them."""
    shutil.copytree(shipped, folder)
    readings = Recognizer.from_bundle(load_bundle(shipped)).read(list(images))
    rows = [
        observe(image, reading, channel="default", at=START, writer=f"w{i % WRITERS}")
        for i, (image, reading) in enumerate(zip(images, readings, strict=True))
    ]
    reference_of(rows).save(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@dataclass(frozen=True)
class Stand:
    """Addresses of what runs, and where the receiver prints."""

    prometheus: str
    alertmanager: str
    received: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}).raise_for_status()
        return list(answer.json()["data"]["result"])

    def wait_until_connected(self) -> None:
        """Wait until Prometheus has scraped the service, and knows where to send alerts: seconds after it is ready."""
        self.wait_for("up == 1")
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = httpx.get(f"{self.prometheus}/api/v1/alertmanagers").raise_for_status()
            if answer.json()["data"]["activeAlertmanagers"]:
                return
            time.sleep(0.2)
        raise AssertionError(f"Prometheus found no Alertmanager within {PATIENCE_SECONDS} s")

    def logs(self) -> str:
        """Return what each program printed, for the message of a test that fails."""
        return "\n".join(f"{path.name}:\n{path.read_text()}" for path in self.received.parent.glob("*.log"))

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """Its samples as soon as there are any."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if samples := self.query(expression):
                return samples
            time.sleep(0.5)
        raise AssertionError(f"nothing within {PATIENCE_SECONDS} s: {expression}")


@contextlib.contextmanager
def watched(folder: Path, service: str) -> Iterator[Stand]:
    """Prometheus with hurried copies of the rules over a service, its alerts sent on to the receiver."""
    ports = {name: free_port() for name in ("prometheus", "alertmanager", "receiver")}
    configure(folder, service.removeprefix("http://"), ports)
    commands: dict[str, list[object]] = {
        "receiver": [sys.executable, MONITORING / "receiver.py", "--port", ports["receiver"]],
        "alertmanager": [
            "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alerts",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}", "--cluster.listen-address=",
        ],
        "prometheus": [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            # a notification that fails is sent again after this; the usual minute outlasts every window here
            "--rules.alert.resend-delay=1s",
        ],
    }  # fmt: skip
    with contextlib.ExitStack() as running:
        for name, command in commands.items():
            running.enter_context(started(command, log=folder / f"{name}.log"))
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        stand = Stand(addresses["prometheus"], addresses["alertmanager"], folder / "receiver.log")
        for address in (stand.prometheus, stand.alertmanager):
            wait_until_ready(address)
        stand.wait_until_connected()
        yield stand


def configure(folder: Path, service: str, ports: dict[str, int]) -> None:
    """Copies of monitoring's files with these addresses, everything in seconds."""
    (folder / "rules").mkdir()
    for path in (MONITORING / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(hurried(path.read_text()))
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"] = [{"job_name": "legible", "static_configs": [{"targets": [service]}]}]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    routing = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    routing["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    routing["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{ports['receiver']}/"
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(routing))


def hurried(rules: str) -> str:
    """The same rules with seconds for minutes."""
    for long, short in HURRY.items():
        rules = rules.replace(long, short)
    return re.sub(r"for: \d+[mh]", "for: 1s", rules)


@contextlib.contextmanager
def started(command: Sequence[object], *, log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(address: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/-/ready").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"{address} is not ready")
