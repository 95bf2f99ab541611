"""Corrections: how many of one reading are kept, and what an unknown reading costs."""

import dataclasses
import time
from pathlib import Path

import pytest
from drawn_words import observed, words_drawn

from legible.config import ServiceSettings
from legible.observations import corrections
from legible.observations.corrections import Correction, CorrectionRoom, read_corrections
from legible.observations.layout import hour, new_reading_id
from legible.observations.log import RowLog
from legible.service import service_logs as logs_module
from legible.service.correction_answers import correction_response
from legible.service.service_logs import MAX_CORRECTIONS, Corrected, ServiceLogs

WORKER = "7"


@pytest.fixture
def logs(tmp_path: Path) -> ServiceLogs:
    settings = ServiceSettings(observations_folder=str(tmp_path), corrections_folder=str(tmp_path / "corrections"))
    return ServiceLogs(settings, worker=WORKER)


@pytest.fixture
def reading_ids(tmp_path: Path) -> list[str]:
    """The ids of readings that are logged."""
    now = time.time()
    ids = [new_reading_id(now, WORKER) for _ in range(20)]
    (row,) = observed(words_drawn(1, seed=1), seed=1)
    log = RowLog(tmp_path, worker=WORKER, queue_size=100, retention_days=None)
    for reading_id in ids:
        log.put(dataclasses.replace(row, reading_id=reading_id, at=now))
    log.close(timeout_seconds=10)
    return ids


def kept(folder: Path) -> int:
    files = (folder / "corrections/v1").glob("*.jsonl")
    return sum(len(path.read_text().splitlines()) for path in files)


def test_a_reading_is_corrected_a_few_times_and_then_no_more(
    logs: ServiceLogs, reading_ids: list[str], tmp_path: Path
) -> None:
    outcomes = [logs.correct(reading_ids[0], f"text {number}") for number in range(1000)]
    assert outcomes == [Corrected.KEPT] * MAX_CORRECTIONS + [Corrected.TOO_OFTEN] * (1000 - MAX_CORRECTIONS)
    assert logs.correct(reading_ids[1], "another") is Corrected.KEPT
    logs.close()
    assert kept(tmp_path) == MAX_CORRECTIONS + 1


def test_counts_of_corrections_are_kept_of_so_many_readings_and_no_more(
    logs: ServiceLogs, reading_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was counted first is forgotten first."""
    monkeypatch.setattr(logs_module, "MAX_REMEMBERED", 5)
    first, *others = reading_ids
    for _ in range(MAX_CORRECTIONS):
        logs.correct(first, "a")
    assert logs.correct(first, "a") is Corrected.TOO_OFTEN
    assert {logs.correct(other, "a") for other in others} == {Corrected.KEPT}
    assert logs.correct(first, "a") is Corrected.KEPT
    logs.close()


def test_corrections_end_at_so_many_bytes_of_all_workers_and_go_on_once_there_is_room(
    reading_ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "LOOK_SECONDS", 0.0)
    settings = ServiceSettings(
        observations_folder=str(tmp_path), corrections_folder=str(tmp_path / "corrections"), max_corrections_bytes=5000
    )
    other = tmp_path / "corrections/v1/20261130T14-8.jsonl"
    other.parent.mkdir(parents=True)
    other.write_text("a" * 4000)
    logs = ServiceLogs(settings, worker=WORKER)
    assert logs.correct(reading_ids[0], "a" * 800) is Corrected.KEPT
    assert logs.correct(reading_ids[1], "\x01" * 100) is Corrected.FULL
    other.unlink()
    assert logs.correct(reading_ids[1], "\x01" * 100) is Corrected.KEPT
    logs.close()


def test_a_correction_is_on_the_disk_when_it_is_taken(
    logs: ServiceLogs, reading_ids: list[str], tmp_path: Path
) -> None:
    """The process may be killed right then."""
    assert logs.correct(reading_ids[0], "kept") is Corrected.KEPT
    assert read_corrections(tmp_path / "corrections") == {reading_ids[0]: "kept"}
    logs.close()


def test_a_correction_that_the_disk_does_not_take_is_not_said_to_be_kept(
    logs: ServiceLogs, reading_ids: list[str], tmp_path: Path
) -> None:
    place, now = tmp_path / "corrections/v1", time.time()
    place.mkdir(parents=True)
    for at in (now, now + 3600):
        (place / f"{hour(at)}-{WORKER}.jsonl").symlink_to("/dev/full")
    assert logs.correct(reading_ids[0], "lost") is Corrected.UNWRITTEN
    answer = correction_response(Corrected.UNWRITTEN, reading_ids[0])
    assert (answer.status_code, b"send it again" in answer.body) == (507, True)
    for path in place.iterdir():
        path.unlink()
    assert logs.correct(reading_ids[0], "kept") is Corrected.KEPT
    logs.close()


def test_between_two_looks_a_worker_counts_its_own_corrections(tmp_path: Path) -> None:
    now = [0.0]
    room = CorrectionRoom(tmp_path, max_bytes=100, clock=lambda: now[0])
    assert [room.take(40) for _ in range(4)] == [True, True, False, False]
    now[0] = 10.0  # none was written
    assert room.take(100)


def test_readings_that_nobody_made_are_not_corrected(logs: ServiceLogs, tmp_path: Path) -> None:
    for _ in range(100):
        assert logs.correct(new_reading_id(time.time(), WORKER), "a") is Corrected.UNKNOWN
    logs.close()
    assert kept(tmp_path) == 0


def test_the_last_correction_by_time_holds_whichever_worker_wrote_it(tmp_path: Path) -> None:
    for worker, at in (("1", 200.0), ("9", 100.0)):
        path = tmp_path / f"v1/20261130T14-{worker}.jsonl"
        path.parent.mkdir(exist_ok=True)
        lines = [Correction(at + second, "a", f"{worker} {second}").to_json() for second in (1, 0)]
        path.write_text("\n".join([*lines, '{"reading_id": "b", "text": "without a time"}', ""]))
    assert read_corrections(tmp_path) == {"a": "1 1", "b": "without a time"}


@pytest.mark.parametrize(
    "row",
    [
        '{"at": NaN, "reading_id": "a", "text": "never newer"}',
        '{"at": Infinity, "reading_id": "a", "text": "the last for ever"}',
        '{"at": 1e300, "reading_id": "a", "text": "as late"}',
        '{"at": 300, "reading_id": "a", "text": 7}',
        '{"at": 300, "reading_id": "a", "text": "\\ud800"}',
        '{"at": 300, "reading_id": ["a"], "text": "b"}',
        '{"at": "300", "reading_id": "a", "text": "b"}',
        '["a"]',
        '{"at": 300, "reading_id": "a", "text": "' + "b" * 200_000 + '"}',
    ],
)
def test_a_row_of_impossible_values_is_no_correction(tmp_path: Path, row: str) -> None:
    (tmp_path / "v1").mkdir()
    sound = Correction(200.0, "a", "sound").to_json()
    for number, rows in enumerate(([row, sound], [sound, row])):
        (tmp_path / f"v1/20261130T14-{number}.jsonl").write_text("\n".join([*rows, ""]))
        assert read_corrections(tmp_path) == {"a": "sound"}
