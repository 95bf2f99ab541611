"""What deploys: the manifests fit their schemas and the service, the smoke test tells a sound service from others."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from conftest import PROJECT
from jsonschema import Draft202012Validator
from serving import served
from test_run import started

from legible.config import ServiceSettings
from legible.service.api import FEEDBACK, READ, READ_BATCH, READ_PAGE
from legible.service.app import RELOAD, seconds_of_document
from legible.service.lanes import HELD_REQUESTS, LIGHT_PART
from legible.service.page_messages import MAX_ANSWER_BYTES

MANIFESTS = PROJECT / "deploy/kubernetes"
VERSION = "1.31"
OURS = sorted(path for path in MANIFESTS.glob("*.yaml") if path.stem not in ("kustomization", "monitor"))


def manifest(name: str) -> Any:
    return yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_manifest_fits_its_schema(path: Path) -> None:
    kubernetes_validate.validate(yaml.safe_load(path.read_text(encoding="utf-8")), VERSION, strict=True)


def test_a_manifest_that_does_not_fit_is_refused() -> None:
    broken = manifest("deployment")
    broken["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def faults_of_monitor(content: Any) -> list[str]:
    """The Kubernetes schemas know nothing of what the Prometheus operator adds to them."""
    schema = json.loads((PROJECT / "tests/servicemonitor.schema.json").read_text(encoding="utf-8"))
    return [fault.message for fault in Draft202012Validator(schema).iter_errors(content)]


def test_the_monitor_fits_the_schema_of_the_prometheus_operator() -> None:
    assert faults_of_monitor(manifest("monitor")) == []


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("intervall", "15s", "'intervall' was unexpected"),
        ("interval", "15 seconds", "'15 seconds' does not match"),
        ("port", 3000, "3000 is not of type 'string'"),
    ],
)
def test_a_monitor_that_does_not_fit_is_refused(field: str, value: Any, fault: str) -> None:
    broken = manifest("monitor")
    broken["spec"]["endpoints"][0][field] = value
    (found,) = faults_of_monitor(broken)
    assert fault in found


def test_every_manifest_is_applied() -> None:
    listed = manifest("kustomization")["resources"]
    assert sorted(listed) == sorted(path.name for path in MANIFESTS.glob("*.yaml") if path.stem != "kustomization")


def test_the_monitor_and_the_service_find_their_pods() -> None:
    pods = manifest("deployment")["spec"]["template"]["metadata"]["labels"]
    assert manifest("service")["spec"]["selector"].items() <= pods.items()
    assert manifest("disruption")["spec"]["selector"]["matchLabels"].items() <= pods.items()
    (port,) = manifest("service")["spec"]["ports"]
    assert manifest("monitor")["spec"]["endpoints"][0]["port"] == port["name"]
    container = manifest("deployment")["spec"]["template"]["spec"]["containers"][0]
    assert port["targetPort"] in [one["name"] for one in container["ports"]]


def test_pods_have_time_to_drain_and_settings_that_exist() -> None:
    pod = manifest("deployment")["spec"]["template"]["spec"]
    variables = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    ours = {name: value for name, value in variables.items() if name.startswith("LEGIBLE_")}
    settings = ServiceSettings.from_environment(ours)
    assert {name.removeprefix("LEGIBLE_").lower() for name in ours} <= set(vars(settings))
    assert pod["terminationGracePeriodSeconds"] > settings.drain_seconds + settings.request_seconds


WORKER_BYTES = 160_000_000
"""A worker that holds no request; tests/test_attacks.py measures one that holds many."""


def test_what_requests_may_hold_fits_into_the_memory_that_a_pod_gets() -> None:
    container = manifest("deployment")["spec"]["template"]["spec"]["containers"][0]
    variables = {one["name"]: one["value"] for one in container["env"] if one["name"].startswith("LEGIBLE_")}
    settings = ServiceSettings.from_environment(variables)
    images = HELD_REQUESTS * settings.max_pixels + settings.max_pixels // LIGHT_PART
    bodies = settings.max_held_bytes * 9 // 8  # a buffer that grows is an eighth larger
    answers = settings.max_page_requests * 2 * MAX_ANSWER_BYTES  # and a copy, as it is sent
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert WORKER_BYTES + settings.max_decode_bytes + images + bodies < 0.8 * 2**30
    assert WORKER_BYTES + bodies + answers + settings.max_page_memory_bytes < 0.8 * 2**31


def test_the_service_stands_behind_an_ingress_with_its_own_limits() -> None:
    notes = {name.rpartition("/")[2]: text for name, text in manifest("ingress")["metadata"]["annotations"].items()}
    settings = ServiceSettings()
    assert int(notes["proxy-body-size"]) == settings.max_body_bytes
    assert int(notes["proxy-read-timeout"]) > settings.request_seconds
    assert notes["proxy-request-buffering"] == "on"
    (rule,) = manifest("ingress")["spec"]["rules"]
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {
        manifest("service")["metadata"]["name"]
    }


def test_the_ingress_publishes_every_call_and_no_metrics() -> None:
    (rule,) = manifest("ingress")["spec"]["rules"]
    exact = {path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Exact"}
    under = [path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Prefix"]
    source = (PROJECT / "src/legible/service/app.py").read_text(encoding="utf-8")
    calls = {READ, READ_BATCH, READ_PAGE, FEEDBACK, RELOAD, *re.findall(r'Route\("(/[^"]*)"', source)}
    hidden = {
        call for call in calls if call not in exact and not any(f"{call}/".startswith(f"{one}/") for one in under)
    }
    assert hidden == {"/metrics"}


def test_a_pod_that_ends_finishes_the_longest_document() -> None:
    pod = manifest("deployment")["spec"]["template"]["spec"]
    settings = ServiceSettings()
    assert settings.drain_seconds + seconds_of_document(settings) < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", ["deployment", "drift"])
def test_nothing_runs_with_more_rights_than_it_needs(name: str) -> None:
    spec = manifest(name)["spec"]
    pod = (spec["jobTemplate"]["spec"] if name == "drift" else spec)["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ["deployment", "drift"])
def test_pods_run_as_the_user_of_the_image(name: str) -> None:
    user, group = re.findall(r"^USER (\d+):(\d+)$", (PROJECT / "deploy/Dockerfile").read_text(), re.MULTILINE)[-1]
    spec = manifest(name)["spec"]
    security = (spec["jobTemplate"]["spec"] if name == "drift" else spec)["template"]["spec"]["securityContext"]
    assert (security["runAsUser"], security["fsGroup"]) == (int(user), int(group))


def smoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "deploy/smoke.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_the_smoke_test_passes_a_sound_service(tmp_path: Path, bundle_folder: Path) -> None:
    with served(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder)) as address:
        outcome = smoke(address)
    assert outcome.returncode == 0, outcome.stderr
    assert "of 10 words right" in outcome.stdout


@pytest.mark.slow
def test_the_smoke_test_says_what_is_wrong_with_another(tmp_path: Path, bundle_folder: Path) -> None:
    with served(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_MAX_PIXELS="100") as address:
        outcome = smoke(address)
    assert outcome.returncode == 1
    assert "too_large" in outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("drain_seconds", "code"), [("3", 0), ("0", 1)], ids=["drains", "ends at once"])
def test_the_smoke_test_tells_a_drain_from_an_end_at_once(
    tmp_path: Path, bundle_folder: Path, drain_seconds: str, code: int
) -> None:
    with started(tmp_path, bundle_folder, LEGIBLE_DRAIN_SECONDS=drain_seconds) as (process, address):
        outcome = smoke(address, "--end", f"kill {process.pid}")
    assert outcome.returncode == code, outcome.stderr
    assert ("after readiness ended, less than" in outcome.stderr) == (code == 1)
