"""`legible serve`: where it listens, by options and by the environment."""

import socket
from collections.abc import Mapping

import pytest
from typer.testing import CliRunner

from legible.cli import app
from legible.cli.serve import check_free, number_of
from legible.errors import SettingsError

RUNNER = CliRunner()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What `run` was called with, in its place."""
    calls: list[dict[str, object]] = []
    monkeypatch.setattr("legible.service.run.run", lambda **named: calls.append(named))
    monkeypatch.setattr("legible.cli.serve.check_free", lambda *_: None)
    return calls


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ([], {}, ("127.0.0.1", 3000)),
        ([], {"LEGIBLE_PORT": "8000", "LEGIBLE_HOST": "0.0.0.0"}, ("0.0.0.0", 8000)),  # noqa: S104
        (["--port", "8001", "--host", "::1"], {"LEGIBLE_PORT": "8000"}, ("::1", 8001)),
        ([], {"LEGIBLE_PORT": "tcp://10.0.0.1:3000"}, ("127.0.0.1", 3000)),
    ],
    ids=["nothing said", "the environment", "options before the environment", "what Kubernetes sets"],
)
def test_it_listens_where_it_is_told_to(
    options: list[str], environment: Mapping[str, str], expected: tuple[str, int], started: list[dict[str, object]]
) -> None:
    assert RUNNER.invoke(app, ["serve", *options], env=dict(environment)).exit_code == 0
    assert [(one["host"], one["port"]) for one in started] == [expected]


@pytest.mark.parametrize(("options", "workers"), [([], 3), (["--workers", "2"], 2)])
def test_workers_are_those_of_the_environment_unless_they_are_named(
    options: list[str], workers: int, started: list[dict[str, object]]
) -> None:
    RUNNER.invoke(app, ["serve", *options], env={"LEGIBLE_WORKERS": "3"})
    assert [one["workers"] for one in started] == [workers]


@pytest.mark.parametrize("port", ["0", "99999", "-1"])
def test_a_port_that_there_is_none_of_is_refused(port: str, started: list[dict[str, object]]) -> None:
    assert RUNNER.invoke(app, ["serve", "--port", port]).exit_code == 2
    assert started == []


@pytest.mark.parametrize(
    ("name", "text"), [("LEGIBLE_PORT", "99999"), ("LEGIBLE_PORT", "http"), ("LEGIBLE_WORKERS", "0")]
)
def test_a_variable_out_of_bounds_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name} is '{text}'; it needs a number from 1 to "):
        number_of(name, {name: text}, most=65535)


def test_a_folder_of_metrics_that_would_not_be_used_is_refused(started: list[dict[str, object]]) -> None:
    outcome = RUNNER.invoke(app, ["serve"], env={"PROMETHEUS_MULTIPROC_DIR": "metrics"})
    assert isinstance(outcome.exception, SettingsError)
    assert str(outcome.exception).startswith("PROMETHEUS_MULTIPROC_DIR is 'metrics'; ")
    assert started == []


def test_a_busy_port_is_said_in_one_line_before_anything_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}: Address already in use; name another port"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)
