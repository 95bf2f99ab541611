"""Observations that are sent away: every row once, whatever fails on the way, and what is lost is counted."""

import errno
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from pyarrow import parquet
from reference_rows import HOUR, MONDAY, rows_like

from legible.config import ServiceSettings
from legible.errors import DataError, SettingsError
from legible.observations import sending
from legible.observations.columns import read_parquet, to_parquet
from legible.observations.lines import to_request
from legible.observations.row import Observation
from legible.observations.sending import BatchSender, CollectorDestination, ParquetDestination
from legible.observations.window import WindowTally, read_back, stream
from legible.service.service_logs import ServiceLogs, destinations


class Unsteady:
    """A destination that fails a number of times, then keeps what it gets by the number of the batch."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or OSError("503 slow down")
        self.tries = 0
        self.batches: dict[int, list[Observation]] = {}

    def send(self, observations: Sequence[Observation], *, number: int) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        self.batches[number] = list(observations)

    @property
    def rows(self) -> list[Observation]:
        return [row for batch in self.batches.values() for row in batch]


def sender_to(destination: sending.Destination, **settings: Any) -> BatchSender:
    usual = {"every_seconds": 0.01, "max_waiting": 1000, "first_pause_seconds": 0.01}
    return BatchSender(destination, **{**usual, **settings})


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_every_row_gets_there_once_though_a_store_fails_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BATCH_ROWS", 40)
    place, rows = Unsteady(3), rows_like(100, seed=1)
    sender = sender_to(place)
    assert all(map(sender.put, rows))
    sender.close(timeout_seconds=20)
    assert place.rows == rows
    assert (sender.sent, sender.lost) == (100, 0)


def test_rows_get_there_after_a_store_that_failed_for_days() -> None:
    destination = Unsteady(failures=1100)
    sender = sender_to(destination, first_pause_seconds=1e-310)
    sender.put(rows_like(1, seed=9)[0])
    wait_for(lambda: sender.sent == 1)
    sender.close(timeout_seconds=5)
    assert len(destination.rows) == 1


def test_what_waits_is_bounded_and_what_is_lost_is_counted() -> None:
    told: list[int] = []
    place, rows = Unsteady(10**9), rows_like(15, seed=2)
    sender = sender_to(place, max_waiting=10, on_lost=told.append)
    assert [sender.put(row) for row in rows] == [True] * 10 + [False] * 5
    sender.close(timeout_seconds=0.05)
    assert (sender.sent, sender.lost, sum(told)) == (0, 15, 15)


def test_a_store_that_hangs_holds_nobody_up() -> None:
    opened = threading.Event()

    class Hanging:
        def send(self, observations: Sequence[Observation], *, number: int) -> None:
            del observations, number
            opened.wait(20)

    sender = sender_to(Hanging(), max_waiting=5)
    started = time.monotonic()
    taken = [sender.put(row) for row in rows_like(10, seed=3)]
    sender.close(timeout_seconds=0.05)
    assert time.monotonic() - started < 5
    assert taken.count(False) == 5
    assert sender.lost == 10
    opened.set()


def test_a_batch_that_can_never_be_sent_is_lost_and_the_next_one_is_sent() -> None:
    place = Unsteady(1, RuntimeError("a fault of ours"))
    sender = sender_to(place)
    first, second = rows_like(2, seed=4)
    sender.put(first)
    wait_for(lambda: sender.lost == 1)
    sender.put(second)
    sender.close(timeout_seconds=20)
    assert place.rows == [second]


def test_a_row_waits_for_others_for_a_while() -> None:
    place = Unsteady(0)
    sender = sender_to(place, every_seconds=30)
    for row in rows_like(5, seed=5):
        sender.put(row)
    time.sleep(0.05)
    assert place.tries == 0
    sender.close(timeout_seconds=20)
    assert len(place.batches) == 1


def test_a_store_gets_a_file_for_each_hour_and_gives_the_rows_back(tmp_path: Path) -> None:
    rows = rows_like(30, seed=6, seconds=300, documents=3)
    place = ParquetDestination(str(tmp_path), worker="47")
    place.send(rows, number=1)
    place.send(rows, number=1)  # again, as after an answer that was lost on the way
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet"))
    assert names == [f"v1/hour=20261123T0{hour}/47-000001.parquet" for hour in range(3)]
    assert read_back(tmp_path).observations == tuple(rows)
    assert read_back(tmp_path, since=MONDAY + HOUR).observations == tuple(rows[12:])


def test_rows_on_disk_and_in_parquet_may_lie_side_by_side(tmp_path: Path) -> None:
    rows = rows_like(20, seed=7)
    ParquetDestination(str(tmp_path), worker="47").send(rows[:10], number=1)
    (tmp_path / "v1/20261123T00-48.jsonl").write_text("".join(f"{row.to_json()}\n" for row in rows[10:]))
    assert read_back(tmp_path).observations == tuple(rows)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps what is posted to it, and refuses the first request."""
    posted: list[bytes] = []
    refused: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not refused:
                refused.append(1)
                self.send_response(503)
            else:
                posted.append(body)
                self.send_response(200 if self.path == "/v1/logs" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_collector_gets_records_that_opentelemetry_understands_and_drift_reads(
    collector: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    address, posted = collector
    rows = rows_like(12, seed=8)
    sender = sender_to(CollectorDestination(address))
    for row in rows:
        sender.put(row)
    sender.close(timeout_seconds=20)
    records = []
    for body in posted:
        request = json_format.Parse(body, ExportLogsServiceRequest())
        records += [record for one in request.resource_logs for scope in one.scope_logs for record in scope.log_records]
    assert [record.time_unix_nano for record in records] == [round(row.at * 1e9) for row in rows]
    (tmp_path / "logs.json").write_bytes(b"".join(body + b"\n" for body in posted))
    assert read_back(tmp_path).observations == tuple(rows)
    assert read_back(tmp_path / "logs.json").observations == tuple(rows)


@pytest.mark.parametrize(
    ("status", "answer", "lost"),
    [
        (400, b"", 3),
        (413, b"", 3),
        (200, b'{"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}', 2),
        (200, b'{"partialSuccess": {"rejectedLogRecords": "many"}}', 0),
        (200, b"\x00protobuf", 0),
    ],
)
def test_what_a_collector_refuses_for_good_is_lost_and_counted_and_the_next_batch_is_sent(
    status: int, answer: bytes, lost: int
) -> None:
    posted: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status if len(posted) == 1 else 200)
            self.end_headers()
            self.wfile.write(answer if len(posted) == 1 else b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told: list[int] = []
    sender = sender_to(
        CollectorDestination(f"http://127.0.0.1:{server.server_port}"), on_lost=told.append, every_seconds=0.3
    )
    for row in rows_like(3, seed=1):
        sender.put(row)
    wait_for(lambda: sender.sent + sender.lost == 3)
    (after,) = rows_like(1, seed=2)
    sender.put(after)
    wait_for(lambda: sender.sent + sender.lost == 4)
    sender.close(timeout_seconds=5)
    server.shutdown()
    server.server_close()
    thread.join()
    assert (len(posted), sender.lost, sum(told)) == (2, lost, lost)


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_collector_that_leads_elsewhere_has_not_taken_the_rows_and_they_are_sent_again(status: int) -> None:
    """As a proxy does that leads to its page to log in, which answers 200."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append("rows" if b"resourceLogs" in self.rfile.read(int(self.headers["Content-Length"])) else "none")
            self.send_response(status if len(asked) == 1 else 200)
            self.send_header("Location", "/login")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    sender = sender_to(CollectorDestination(f"http://127.0.0.1:{server.server_port}"))
    for row in rows_like(3, seed=1):
        sender.put(row)
    wait_for(lambda: sender.sent == 3)
    sender.close(timeout_seconds=5)
    server.shutdown()
    server.server_close()
    thread.join()
    assert asked == ["rows", "rows"]
    assert sender.lost == 0


def test_other_records_of_a_collector_are_passed_by_and_damaged_lines_are_counted(tmp_path: Path) -> None:
    rows = rows_like(3, seed=9)
    mixed = json.loads(to_request(rows))
    records = mixed["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    del records[0]["eventName"]  # a collector that does not know it yet
    records.insert(1, {"body": {"stringValue": "GET /livez 200"}, "timeUnixNano": "1"})
    content = json.dumps(mixed) + '\n{"resourceLogs": [\n[]\n'
    (tmp_path / "logs.json").write_text(content, encoding="utf-8")
    tally = WindowTally()
    assert list(stream(tmp_path, tally=tally)) == rows
    assert tally.torn == 2


def test_parquet_that_is_damaged_anywhere_is_read_or_refused_in_one_line() -> None:
    """pyarrow names damage in many ways, an OSError and a UnicodeDecodeError among them."""
    whole, random = to_parquet(rows_like(50, seed=1)), np.random.default_rng(0)
    kinds = Counter[str]()
    for _ in range(150):
        content = np.frombuffer(whole, np.uint8).copy()
        content[random.integers(len(content), size=3)] = random.integers(256, size=3)
        try:
            kinds["read"] += bool(list(read_parquet(io.BytesIO(content.tobytes()))))
        except DataError:
            kinds["refused"] += 1
    assert kinds["refused"] > 20


@pytest.mark.parametrize("name", ["at", "confidence", "length", "bundle", "reading_id", "check"])
def test_a_row_of_parquet_that_lacks_a_value_is_counted_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    table = parquet.read_table(io.BytesIO(to_parquet(rows_like(3, seed=1))))
    place = table.schema.get_field_index(name)
    column = pa.array([None, *table[name].to_pylist()[1:]], table.schema.field(name).type)
    parquet.write_table(table.set_column(place, name, column), tmp_path / "rows.parquet")
    tally = WindowTally()
    assert len(list(stream(tmp_path / "rows.parquet", tally=tally))) == 2
    assert tally.torn == 1


def test_a_fault_of_the_disk_is_no_damage() -> None:
    class Disk(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        list(read_parquet(Disk(to_parquet(rows_like(1, seed=1)))))


def test_parquet_of_another_kind_or_cut_off_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(to_parquet(rows_like(5, seed=10))[:-40])
    with pytest.raises(DataError, match=r"rows\.parquet: damaged observations"):
        read_back(file)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LEGIBLE_OBSERVATIONS_COLLECTOR": "collector:4318"}, "http://collector:4318"),
        ({"LEGIBLE_OBSERVATIONS_COLLECTOR": "http://"}, "names no host"),
        ({"LEGIBLE_OBSERVATIONS_COLLECTOR": "http://["}, "names no host"),
        ({"LEGIBLE_OBSERVATIONS_COLLECTOR": "http://collector:99999"}, "or no port that can be"),
        ({"LEGIBLE_OBSERVATIONS_COLLECTOR": "http://collector/a b"}, "names no host"),
        ({"LEGIBLE_OBSERVATIONS_STORE": "nowhere://bucket"}, "nowhere"),
    ],
)
def test_what_is_no_store_or_collector_is_refused_at_the_start(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        destinations(ServiceSettings.from_environment(settings), worker="1")


def test_a_worker_sends_its_rows_to_the_store_beside_its_disk(tmp_path: Path) -> None:
    variables = {
        "LEGIBLE_OBSERVATIONS_FOLDER": str(tmp_path / "disk"),
        "LEGIBLE_OBSERVATIONS_STORE": str(tmp_path / "store"),
        "LEGIBLE_CORRECTIONS_FOLDER": str(tmp_path / "corrections"),
    }
    logs, rows = ServiceLogs(ServiceSettings.from_environment(variables), worker="47"), rows_like(9, seed=11)
    for row in rows:
        logs.put_row(row)
    logs.close()
    assert read_back(tmp_path / "disk").observations == tuple(rows)
    assert read_back(tmp_path / "store").observations == tuple(rows)
