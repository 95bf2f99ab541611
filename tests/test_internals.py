"""Private parts of libraries that the service relies on: this notices when a new version moves one of them."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn.config
from bentoml._internal.server.base_app import BaseAppFactory
from bentoml._internal.server.http import traffic
from prometheus_client import CollectorRegistry
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from legible.service.internals import of_uvicorn
from legible.service.internals.of_bentoml import UntimedMiddleware, drop_timers, exports_spans
from legible.service.internals.of_prometheus import ManyHistogram
from legible.service.internals.of_uvicorn import OpenHttpProtocol, use_http_protocol
from legible.service.run import BENTOML_HOME

SERVICE = Path(__file__).parents[1] / "src/legible/service"
PRIVATE = re.compile(r"\b_internal\b|\bHTTP_PROTOCOLS\b|_unset_keepalive|timeout_keep_alive_task|\._buckets\b|\._sum\b")


def test_a_plain_configuration_exports_no_spans() -> None:
    assert exports_spans() is False


def test_bentoml_takes_the_middleware_without_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    class App(BaseAppFactory):
        name = "app"

    monkeypatch.setattr(traffic, "TimeoutMiddleware", traffic.TimeoutMiddleware)
    drop_timers()
    assert [middleware.cls for middleware in App(timeout=60).middlewares] == [UntimedMiddleware]


def test_the_home_of_bentoml_is_where_its_variable_says(tmp_path: Path) -> None:
    code = (
        "from bentoml._internal.configuration.containers import BentoMLContainer as box;"
        "from bentoml.serving import ensure_prometheus_dir; print(box.bentoml_home.get(), ensure_prometheus_dir())"
    )
    environment = {**os.environ, BENTOML_HOME: str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "other")}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    home, counts = said.stdout.split()
    assert Path(home) == tmp_path
    assert Path(counts).parent == tmp_path
    assert Path(counts) != tmp_path / "other"


def test_a_histogram_takes_many_values_by_its_private_parts() -> None:
    histogram = ManyHistogram("one", "One.", buckets=(1.0, 2.0), registry=CollectorRegistry())
    histogram.observe_all([0.5, 1.5, 1.7])
    (family,) = histogram.collect()
    values = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert values["one_bucket", "1.0"] == 1
    assert values["one_bucket", "2.0"] == 3
    assert values["one_sum", None] == 3.7


def test_the_protocol_of_uvicorn_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", HttpToolsProtocol)
    use_http_protocol(OpenHttpProtocol)
    config = uvicorn.Config(lambda: None, http="auto")
    config.load()
    assert config.http_protocol_class is OpenHttpProtocol


def test_what_is_asked_of_uvicorns_protocol_is_there() -> None:
    """Each `self.name` of our class, and each attribute of the cycle, is set by uvicorn's own code."""
    source = inspect.getsource(of_uvicorn.OpenHttpProtocol)
    own = set(vars(OpenHttpProtocol))
    theirs = inspect.getsource(HttpToolsProtocol)
    names = {name for name in re.findall(r"self\.(\w+)", source) if name not in own}
    assert len(names) > 5
    assert [name for name in sorted(names) if not re.search(rf"self\.{name}\b|def {name}\b", theirs)] == []
    cycle = inspect.getsource(RequestResponseCycle)
    used = set(re.findall(r"self\.(?:cycle|_running)\.(\w+)", source))
    assert used
    assert [name for name in used if f"self.{name} = " not in cycle] == []


@pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=lambda path: str(path.relative_to(SERVICE)))
def test_private_parts_stand_in_one_leaf(path: Path) -> None:
    if path.parent.name != "internals":
        assert PRIVATE.findall(path.read_text(encoding="utf-8")) == []
