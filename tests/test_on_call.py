"""The page of the person on call, its history and its server; terminal, JSON and page tell the same finding."""

import dataclasses
import json
import socket
import struct
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

import httpx
import pytest
from findings import DAY, HOUR, MINUTE, START, drifted, too_few, usual
from serving import free_port

from legible.monitoring import on_call
from legible.monitoring.advice import CURES, NOTHING, WAIT
from legible.monitoring.exporter import Exporter
from legible.monitoring.finding import utc
from legible.monitoring.history import KEPT_DAYS, History, PastCheck
from legible.monitoring.workspace import MAX_RECENT, outlived
from legible.synth.corrupt import CORRUPTIONS

READING = "20261129T10-7-00000000000a"


def get(address: str) -> tuple[str, httpx.Headers]:
    answer = httpx.get(address)
    assert answer.status_code == 200
    return answer.text, answer.headers


def is_missing(address: str) -> bool:
    return httpx.get(address).status_code == 404


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


@pytest.fixture
def address(exporter: Exporter) -> Iterator[str]:
    port = free_port()
    close = exporter.serve(port=port)
    yield f"http://127.0.0.1:{port}"
    close()


def test_the_page_tells_what_is_asked_first(exporter: Exporter, address: str) -> None:
    exporter.publish(usual(START))
    exporter.publish(drifted(START + HOUR))
    exporter.publish(drifted(START + 2 * HOUR))
    page, _ = get(address)
    for told in (
        "Drift: unlike this deployment&#x27;s normal",
        f"since {utc(START + HOUR)}",
        "mobile (300 images)",
        "blur, severity 3",
        "about 32%",
        "unreliable here (unlike training, partly blur, severity 3)",
        "61.3% (55.0% to 68.0%) by 100 drawn at random",
        "Ask channel mobile what changed; have the camera focus",
        "Trend by day",
    ):
        assert told in page


def test_terminal_and_json_tell_what_the_page_tells(exporter: Exporter, address: str) -> None:
    exporter.publish(drifted())
    told = json.loads(get(f"{address}/finding.json")[0])
    made = dataclasses.replace(drifted(), since=told["since"])
    assert told | {"days": 0} == json.loads(made.to_json()) | {"days": 0}
    assert f"since: {utc(START)}" in made.screen()
    page = get(address)[0]
    for step in made.advice:
        assert escape(step) in page
        assert step in made.screen()
        assert step in told["advice"]


def test_before_the_first_check_the_page_says_so(address: str) -> None:
    assert "No check yet" in get(address)[0]
    assert get(f"{address}/finding.json")[0] == "null"


def test_a_check_that_failed_is_told_above_the_last_finding(exporter: Exporter, address: str) -> None:
    exporter.publish(usual())
    exporter.count_failure(OSError("no <room>"))
    page = get(address)[0]
    assert "The last check failed: no &lt;room&gt;" in page
    assert "No drift" in page
    exporter.publish(usual())
    assert "failed:" not in get(address)[0]


def test_metrics_are_where_they_were(exporter: Exporter, address: str) -> None:
    exporter.publish(drifted())
    assert 'legible_drift_check_outcome{outcome="drift"} 1.0' in get(f"{address}/metrics")[0]


def test_names_from_outside_are_text(exporter: Exporter, address: str) -> None:
    exporter.publish(drifted(channel="<script>alert(1)</script>"))
    page = get(address)[0]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_unusual_images_of_the_finding_are_shown_and_no_others(
    exporter: Exporter, address: str, tmp_path: Path
) -> None:
    picture, other = (tmp_path / f"{name}.png" for name in (READING, "20261129T10-7-00000000000b"))
    picture.write_bytes(b"image")
    other.write_bytes(b"other")
    exporter.publish(drifted(pictures=(picture,)))
    assert f'src="/image/{READING}"' in get(address)[0]
    assert get(f"{address}/image/{READING}")[0] == "image"
    for path in (f"/image/{other.stem}", "/image/", f"/image/../{READING}", "/report", "/nothing"):
        assert is_missing(address + path)
    picture.unlink()
    assert is_missing(f"{address}/image/{READING}")


def test_the_page_runs_no_script_and_is_framed_by_nobody(address: str) -> None:
    _, headers = get(address)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_report_has_an_origin_of_its_own(exporter: Exporter, address: str, tmp_path: Path) -> None:
    (tmp_path / "drift.html").write_text("<script>1</script>")
    exporter.publish(dataclasses.replace(drifted(), report=tmp_path / "drift.html"))
    body, headers = get(f"{address}/report")
    assert body == "<script>1</script>"
    assert headers["Content-Security-Policy"] == "sandbox allow-scripts"


def test_too_few_images_have_a_page_without_signals(exporter: Exporter, address: str) -> None:
    exporter.publish(too_few())
    page = get(address)[0]
    assert WAIT in page
    assert "<table>" not in page.partition("Trend")[0]


def test_what_to_do_depends_on_the_finding() -> None:
    assert usual().advice == (NOTHING,)
    assert too_few().advice == (WAIT,)
    kept = drifted(pictures=(Path("a.png"),)).advice
    assert "Look at the most unusual images." in kept
    assert not any("LEGIBLE_KEEP_IMAGES" in step for step in kept)
    unsure = dataclasses.replace(drifted(), labels=None).advice
    assert any("Label 100 readings" in step for step in unsure)
    assert not any("Label 100 readings" in step for step in kept)


def test_each_corruption_that_may_be_named_has_something_to_ask_for() -> None:
    assert set(CURES) == set(CORRUPTIONS)


def test_a_verdict_stands_since_the_last_other_one() -> None:
    history = History()
    assert history.since() is None
    for minute, made in enumerate((usual, drifted, too_few, drifted, usual, usual)):
        history.add(made(START + minute * MINUTE))
        expected = {0: 0, 1: 1, 2: 1, 3: 1, 4: 4, 5: 4}[minute]
        assert history.since() == START + expected * MINUTE


def test_past_checks_outlive_a_restart_but_not_their_time(tmp_path: Path) -> None:
    path = tmp_path / "reports/checks.jsonl"
    for day in (0, 1):
        History(path, at=START).add(drifted(START + day * DAY))
    path.write_text(f'{path.read_text()}{{"version": 99}}\n{{"torn')
    again = History(path, at=START + 2 * DAY)
    assert [day.name for day in again.days()] == ["2025-11-21", "2025-11-22"]
    assert again.since() == START
    late = History(path, at=START + (KEPT_DAYS + 0.5) * DAY)
    assert [day.name for day in late.days()] == ["2025-11-22"]
    assert len(path.read_text().splitlines()) == 1


ROW = {"version": 1, **dataclasses.asdict(PastCheck.of(drifted(START)))}
CHANGES: list[dict[str, object]] = [
    {"at": "x"}, {"at": None}, {"at": 1e300}, {"at": float("nan")}, {"beyond": "z"}, {"outcome": 7}, {"images": []},
    {"exact_match": "1"}, {"version": 2},
]  # fmt: skip


@pytest.mark.parametrize(
    "damaged", [b"\xff\xfe", b"[" * 100_000, *(json.dumps(ROW | change).encode() for change in CHANGES)]
)
def test_a_damaged_row_costs_itself_alone(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "checks.jsonl"
    History(path, at=START).add(drifted(START))
    path.write_bytes(damaged + b"\n" + path.read_bytes() + damaged)
    again = History(path, at=START)
    assert again.since() == START
    assert sum(day.checks for day in again.days()) == 1
    assert path.read_bytes().count(b"\n") == 1


def test_checks_of_a_long_run_are_dropped_after_their_days() -> None:
    history = History()
    for day in (0, 1, KEPT_DAYS + 0.5):
        history.add(drifted(START + day * DAY))
    assert sum(day.checks for day in history.days()) == 2


def test_a_history_that_cannot_be_written_costs_no_check(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file/checks.jsonl", at=START)
    history.add(drifted())
    history.add(drifted(START + MINUTE))
    assert history.since() == START
    assert len([record for record in caplog.records if "in memory alone" in record.message]) == 1


def test_a_day_has_its_furthest_finding_and_its_last_exact_match() -> None:
    history = History()
    for made in (usual(START), drifted(START + MINUTE)):
        history.add(made)
    (day,) = history.days()
    assert (day.checks, day.drifted, day.exact_match, day.labelled) == (2, 1, 0.83, 0.613)
    assert day.beyond == pytest.approx(3.5)


def test_a_past_check_is_read_as_it_was_written() -> None:
    past = PastCheck.of(drifted())
    assert PastCheck.from_json(past.to_json()) == past


def test_the_newest_runs_are_kept_and_one_of_each_day_before() -> None:
    minute, day = 60_000, 86_400_000
    recent = {f"recent {i}": round(200.5 * day) - i * 5 * minute for i in range(MAX_RECENT)}
    older = {f"{n} days, {i}": round(200.5 * day) - n * day - i * 5 * minute for n in (5, 60, 120) for i in range(3)}
    gone = outlived(recent | older)
    assert sorted(gone) == sorted(
        [*(f"{n} days, {i}" for n in (5, 60) for i in (1, 2)), *(f"120 days, {i}" for i in range(3))]
    )


def connected(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5)


def test_who_is_slow_or_hangs_up_is_no_error(
    address: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_call._Handler, "timeout", 0.2)  # noqa: SLF001
    for sent in (b"", b"GET / HTTP/1.1\r\nX: "):
        with connected(address) as caller:
            caller.sendall(sent)
            assert caller.recv(10) == b""
    with connected(address) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.sendall(b"GET / HTTP/1.1\r\n")
    get(address)
    assert "Traceback" not in capfd.readouterr().err


def test_who_drips_is_hung_up_on(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_call, "MAX_SECONDS", 0.3)

    def drip(caller: socket.socket) -> None:
        for _ in range(40):
            caller.sendall(b"x")
            time.sleep(0.05)

    with connected(address) as caller, pytest.raises(ConnectionError):
        drip(caller)


def test_more_callers_than_threads_are_hung_up_on(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_call, "MAX_CALLERS", 3)
    port = free_port()
    close = exporter.serve(port=port)
    callers = [connected(f":{port}") for _ in range(4)]
    assert callers[3].recv(10) == b""
    for caller in callers:
        caller.close()
    time.sleep(0.2)
    get(f"http://127.0.0.1:{port}")
    close()


def test_a_site_whose_name_leads_to_this_machine_sees_nothing(exporter: Exporter, address: str) -> None:
    exporter.publish(drifted(START))
    port = address.rpartition(":")[2]
    for path in ("/", "/finding.json", "/metrics"):
        answer = httpx.get(address + path, headers={"Host": f"elsewhere.example:{port}"})
        assert (answer.status_code, "by localhost" in answer.text) == (421, True)
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]:80", "monitor.localhost"):
        assert httpx.get(address, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["[", "[::1", "a b", "localhost.elsewhere.example", "127.0.0.1.elsewhere.example", "\xe9"]
)
def test_a_name_that_is_odd_is_not_this_machine(host: str) -> None:
    assert not on_call.names_this_machine(host)


def test_a_page_for_other_machines_is_asked_for_by_any_name(exporter: Exporter) -> None:
    port = free_port()
    close = exporter.serve(port=port, host="0.0.0.0")  # noqa: S104
    answer = httpx.get(f"http://127.0.0.1:{port}", headers={"Host": "monitor.example"})
    close()
    assert answer.status_code == 200
