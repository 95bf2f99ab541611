"""The overlays of the Kubernetes manifests: built by kustomize, valid, and different from the base in what they say."""

import shutil
import subprocess
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from conftest import PROJECT

from legible.config import ServiceSettings
from legible.service.app import seconds_of_document

VERSION = "1.31"
OVERLAYS = ("small", "large", "spot")
FOREIGN = ("ServiceMonitor",)
"""Kinds whose schemas Kubernetes does not have."""


@cache
def built(name: str) -> dict[str, Any]:
    """The manifests of an overlay, by kind, as `kubectl apply -k` would apply them."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed: the overlays were not built (Debian: kubernetes-client)")
    folder = PROJECT / "deploy" / ("kubernetes" if name == "base" else f"overlays/{name}")
    outcome = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return {one["kind"]: one for one in yaml.safe_load_all(outcome.stdout)}


@pytest.mark.parametrize("name", ["base", *OVERLAYS])
def test_an_overlay_builds_to_manifests_that_fit_their_schemas(name: str) -> None:
    for kind, content in built(name).items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(content, VERSION, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_drops_none_of_the_base(name: str) -> None:
    assert built("base").keys() <= built(name).keys()


def test_one_replica_can_be_moved_to_another_node() -> None:
    assert built("small")["Deployment"]["spec"]["replicas"] == 1
    assert built("small")["PodDisruptionBudget"]["spec"] == {
        "maxUnavailable": 1,
        "selector": built("base")["PodDisruptionBudget"]["spec"]["selector"],
    }


def test_the_autoscaler_alone_decides_how_many_replicas_there_are() -> None:
    assert "replicas" not in built("large")["Deployment"]["spec"]
    target = built("large")["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", built("large")["Deployment"]["metadata"]["name"])


def test_the_metric_that_scales_is_one_that_the_service_has_and_the_adapter_serves() -> None:
    pods = built("large")["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]
    values = yaml.safe_load((PROJECT / "deploy/overlays/large/adapter-values.yaml").read_text(encoding="utf-8"))
    (rule,) = values["rules"]["custom"]
    assert pods["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"].startswith(rule["name"]["as"] + "{")
    assert f'"{rule["name"]["as"]}"' in (PROJECT / "src/legible/service/metrics.py").read_text(encoding="utf-8")


def test_pods_on_spot_nodes_end_within_the_notice_and_after_their_requests() -> None:
    pod = built("spot")["Deployment"]["spec"]["template"]["spec"]
    variables = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    settings = ServiceSettings.from_environment({name: text for name, text in variables.items() if "LEGIBLE" in name})
    longest = max(settings.request_seconds, seconds_of_document(settings))
    assert settings.drain_seconds + longest < pod["terminationGracePeriodSeconds"] < 30
    assert settings.page_seconds <= settings.document_seconds


def test_pods_call_nobody() -> None:
    policy = built("base")["NetworkPolicy"]["spec"]
    assert "Egress" in policy["policyTypes"]
    assert "egress" not in policy
