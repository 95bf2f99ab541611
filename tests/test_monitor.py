import dataclasses
import json
import socket
import threading
import urllib.request
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from drawn_words import START, inverted, observed, reference_of, words_drawn
from typer.testing import CliRunner

from legible.cli import app
from legible.drift.decide import Outcome
from legible.drift.reference import Reference
from legible.errors import BundleError, DataError
from legible.monitoring.check import ReportTarget, Standard, check
from legible.monitoring.exporter import Exporter, watch
from legible.monitoring.finding import Check
from legible.observations.log import RowLog
from legible.observations.row import Observation
from legible.observations.window import Selection


@cache
def bundle() -> Path:
    folder = Path(mkdtemp())
    reference_of(observed(words_drawn(400, seed=1))).save(folder)
    return folder


def logged(folder: Path, rows: list[Observation]) -> Path:
    log = RowLog(folder, worker="1", queue_size=1000, retention_days=30)
    for row in rows:
        log.put(row)
    log.close(timeout_seconds=10)
    return folder


def usual(count: int = 200, at: float = START) -> list[Observation]:
    return observed(words_drawn(count, seed=2), at=at, seed=2)


def odd(count: int = 200, at: float = START) -> list[Observation]:
    return observed(inverted(words_drawn(count, seed=2)), at=at, seed=2)


@pytest.mark.parametrize(
    ("rows", "exit_code"), [(usual(), 0), (odd(), 1), (odd(49), 2)], ids=["usual", "inverted", "few"]
)
def test_the_exit_code_tells_the_verdict(tmp_path: Path, rows: list[Observation], exit_code: int) -> None:
    assert check(logged(tmp_path, rows), Standard(bundle()), at=START).exit_code == exit_code


def test_only_the_last_images_count(tmp_path: Path) -> None:
    folder = logged(tmp_path, odd() + usual(at=START + 3600))
    assert check(folder, Standard(bundle()), at=START + 7200, last=200).verdict.outcome is Outcome.NO_DRIFT
    assert check(folder, Standard(bundle()), at=START + 7200, last=400).verdict.outcome is Outcome.DRIFT


def test_torn_lines_are_told(tmp_path: Path) -> None:
    (path,) = (logged(tmp_path, usual()) / "v1").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    made = check(tmp_path, Standard(bundle()), at=START)
    assert made.screen().endswith("1 torn lines were skipped")
    assert json.loads(made.to_json())["torn"] == 1


def test_a_clock_that_jumped_ahead_leaves_a_word_and_no_alarm(tmp_path: Path) -> None:
    logged(tmp_path, [*usual(), *odd(at=START + 90 * 24 * 3600)])
    made = check(tmp_path, Standard(bundle()), at=START)
    assert made.verdict.outcome is Outcome.NO_DRIFT
    assert "200 observations are dated after now and were left out; check the clocks" in made.screen()


def test_rows_of_before_a_statistic_was_are_left_out_with_a_word(tmp_path: Path) -> None:
    logged(tmp_path, [without_blockiness(row) for row in odd(60)] + usual(at=START + 3600))
    made = check(tmp_path, Standard(bundle()), at=START + 7200)
    assert (made.verdict.images, made.tally.unmeasured) == (200, 60)
    assert "60 observations of an older legible lack statistics of the reference" in made.screen()
    assert json.loads(made.to_json())["unmeasured"] == 60


def test_a_bundle_of_before_a_statistic_was_judges_old_rows_and_new(tmp_path: Path) -> None:
    known = Reference.load(bundle())
    older = {name: grid for name, grid in known.known["image"].quantiles.items() if name != "blockiness"}
    image = dataclasses.replace(known.known["image"], quantiles=older)
    dataclasses.replace(known, known={**known.known, "image": image}, unusual=None).save(tmp_path)
    logged(tmp_path, [without_blockiness(row) for row in usual()] + usual(at=START + 3600))
    made = check(tmp_path, Standard(tmp_path), at=START + 7200)
    assert (made.verdict.images, made.tally.unmeasured) == (400, 0)
    assert "blockiness" not in {signal.name for signal in made.verdict.signals}


def without_blockiness(row: Observation) -> Observation:
    statistics = {name: value for name, value in row.statistics.items() if name != "blockiness"}
    return dataclasses.replace(row, statistics=statistics)


def test_an_empty_window_is_not_enough_data(tmp_path: Path) -> None:
    made = check(logged(tmp_path, usual()), Standard(bundle()), at=START, selection=Selection(channel="mobile"))
    assert made.screen() == "not enough data: 0 images, and it takes 50; no report is drawn"
    assert made.exit_code == 2


def test_the_channel_that_drifted_is_named(tmp_path: Path) -> None:
    mobile = [Observation(**{**vars(row), "channel": "mobile"}) for row in odd()]
    made = check(logged(tmp_path, usual(60) + mobile), Standard(bundle()), at=START)
    assert "cause: this bundle has no signatures to name one by, channel mobile" in made.screen()
    assert json.loads(made.to_json())["drifted_channels"] == ["mobile"]
    by_channel = check(tmp_path, Standard(bundle()), at=START, selection=Selection(channel="default"))
    assert by_channel.verdict.outcome is Outcome.NO_DRIFT


@pytest.mark.parametrize("since", ["99999999999999999999d", "1900-01-01"])
def test_a_time_before_all_observations_selects_all_of_them(tmp_path: Path, since: str) -> None:
    (tmp_path / "v1").mkdir()
    outcome = CliRunner().invoke(app, ["drift", "--observations", str(tmp_path), "--since", since])
    assert "not enough data: 0 images" in outcome.stdout


def test_a_port_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["monitor", "--observations", str(tmp_path), "--port", "99999"])
    assert outcome.exit_code == 2
    assert "--port" in outcome.stderr


def test_without_last_all_since_a_time_count(tmp_path: Path) -> None:
    folder = logged(tmp_path, odd() + usual(at=START + 3600))
    made = check(folder, Standard(bundle()), at=START + 7200, selection=Selection(since=START + 3600), last=None)
    assert (made.verdict.images, made.verdict.outcome) == (200, Outcome.NO_DRIFT)


def test_json_holds_the_verdict_and_each_signal(tmp_path: Path) -> None:
    told = json.loads(check(logged(tmp_path, odd()), Standard(bundle()), at=START).to_json())
    assert (told["outcome"], told["images"], told["at"], told["report"]) == ("drift", 200, START, None)
    assert told["signals"][0]["ks"] > told["thresholds"]["image"]


def test_no_report_is_drawn_of_too_few_images(tmp_path: Path) -> None:
    path = tmp_path / "drift.html"
    made = check(logged(tmp_path, odd(49)), Standard(bundle()), at=START, target=ReportTarget(path=path))
    assert made.report is None
    assert not path.exists()


def test_a_report_that_fails_never_costs_the_verdict(tmp_path: Path) -> None:
    target = ReportTarget(path=tmp_path / "drift.html")
    made = check(logged(tmp_path, odd()), Standard(bundle()), at=START, target=target)  # it has no rows to draw
    assert (made.exit_code, made.report) == (1, None)
    assert "report: not drawn, BundleError:" in made.screen()
    assert "reference.parquet: no such file" in json.loads(made.to_json())["report_failed"]


def test_a_missing_log_or_reference_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder of observations"):
        check(tmp_path, Standard(bundle()), at=START)
    with pytest.raises(BundleError, match=r"reference\.json: no such file"):
        check(logged(tmp_path, usual(9)), Standard(tmp_path), at=START)


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read().decode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_exporter_answers_with_the_last_verdict(tmp_path: Path) -> None:
    exporter, port = Exporter(), free_port()
    close = exporter.serve(port=port)
    try:
        for rows in (odd(), usual(at=START + 3600)):
            exporter.publish(check(logged(tmp_path, rows), Standard(bundle()), at=START + 3600, last=200))
        metrics = scraped(port)
    finally:
        close()
    assert 'legible_drift_check_outcome{outcome="no drift"} 1.0' in metrics
    assert 'legible_drift_check_outcome{outcome="drift"} 0.0' in metrics
    assert 'legible_drift_check_ks{signal="confidence"}' in metrics
    assert "legible_drift_check_images 200.0" in metrics
    assert "legible_drift_check_time_seconds 1.7637036e+09" in metrics


def test_too_few_images_leave_no_ks_behind(tmp_path: Path) -> None:
    exporter = Exporter()
    for folder, rows in (("1", odd()), ("2", odd(9))):
        exporter.publish(check(logged(tmp_path / folder, rows), Standard(bundle()), at=START))
    assert exporter.registry.get_sample_value("legible_drift_check_ks", {"signal": "confidence"}) is None
    assert exporter.registry.get_sample_value("legible_drift_check_outcome", {"outcome": "not enough data"}) == 1


def test_the_schedule_goes_on_after_a_check_that_failed(tmp_path: Path) -> None:
    stop, exporter, times = threading.Event(), Exporter(), iter([START, START + 60])
    folder = tmp_path / "observations"

    def make_check(at: float) -> Check:
        if at == START + 60:
            logged(folder, usual())
            stop.set()
        return check(folder, Standard(bundle()), at=at)

    watch(make_check, exporter, every_seconds=0, clock=lambda: next(times), stop=stop)
    assert exporter.registry.get_sample_value("legible_drift_check_failures_total") == 1
    assert exporter.registry.get_sample_value("legible_drift_check_time_seconds") == START + 60
