import dataclasses
import json
import mmap
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk import full_disk
from drawn_words import START, observed, words_drawn

from legible.errors import DataError
from legible.observations import log as log_module
from legible.observations.corrections import Correction
from legible.observations.layout import READING_ID, new_reading_id, new_worker_name, time_of
from legible.observations.layout import hour as hour_at
from legible.observations.log import RowLog
from legible.observations.lookup import is_logged
from legible.observations.row import PREDICTION_SIGNALS, SIGNALS, Observation, check_of, observe, write_observations
from legible.observations.window import Selection, WindowTally, newest, read_back, stream
from legible.reading import Reading

HOUR = 3600


def rows(count: int, at: float = START) -> list[Observation]:
    return observed(words_drawn(count, seed=1), at=at)


def log_in(folder: Path, **settings: Any) -> RowLog:
    return RowLog(folder, **{"worker": "1", "queue_size": 1000, "retention_days": 30, **settings})


def logged(folder: Path, observations: list[Observation], **settings: object) -> RowLog:
    log = log_in(folder, **settings)  # type: ignore[arg-type]
    for observation in observations:
        log.put(observation)
    log.close(timeout_seconds=10)
    return log


def test_a_row_tells_size_length_and_every_statistic() -> None:
    (image,) = words_drawn(1, seed=1)
    row = observe(image, Reading("abc", 0.5, ()), channel="scans", at=START, reading_id="r", writer="w")
    assert (row.height, row.width) == image.shape
    assert (row.length, row.confidence, row.channel, row.reading_id, row.writer) == (3, 0.5, "scans", "r", "w")
    assert [row.signal(name) for name in PREDICTION_SIGNALS] == [0.5, 3.0, 0.0, 0.0, 0.0]
    assert all(isinstance(row.signal(name), float) for name in SIGNALS)


def test_a_row_tells_which_characters_were_read() -> None:
    (image,) = words_drawn(1, seed=1)
    row = observe(image, Reading("Nr. 7-Ab", 0.5, ()), channel="scans", at=START)
    assert (row.capitals, row.digits, row.signs) == (0.25, 0.125, 0.25)


def test_a_row_tells_whether_a_correction_is_what_was_read() -> None:
    (image,) = words_drawn(1, seed=1)
    row = observe(image, Reading("garden", 0.5, ()), channel="scans", at=START, reading_id="r1")
    assert row.check == check_of("r1", "garden") != check_of("r1", "gardens")
    assert 0 <= row.check < 256


def test_a_row_holds_no_text() -> None:
    (image,) = words_drawn(1, seed=1)
    row = observe(image, Reading("Geheimnis", 0.5, ()), channel="scans", at=START)
    assert "Geheimnis" not in row.to_json()


def test_a_row_comes_back_from_its_line_bit_for_bit() -> None:
    for row in rows(20):
        assert Observation.from_json(row.to_json()) == row


def test_a_row_of_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    line = json.dumps({**json.loads(rows(1)[0].to_json()), "version": 5})
    path = tmp_path / "newer.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=r"newer\.jsonl: observation format 5 is not 4"):
        read_back(path)


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    write_observations(tmp_path / "o.jsonl", rows(5))
    assert read_back(tmp_path / "o.jsonl").observations == tuple(rows(5))


def test_what_is_logged_is_read_back(tmp_path: Path) -> None:
    log = logged(tmp_path, rows(30))
    assert (log.written, log.dropped, log.failed) == (30, 0, 0)
    assert read_back(tmp_path).observations == tuple(rows(30))


def test_each_hour_has_a_file_of_its_own_for_each_worker(tmp_path: Path) -> None:
    logged(tmp_path, rows(2) + rows(2, at=START + HOUR), worker="7")
    logged(tmp_path, rows(1), worker="8")
    names = sorted(path.name for path in (tmp_path / "v1").iterdir())
    assert names == ["20251121T04-7.jsonl", "20251121T04-8.jsonl", "20251121T05-7.jsonl"]


def test_files_older_than_their_retention_are_deleted(tmp_path: Path) -> None:
    logged(tmp_path, rows(1))
    logged(tmp_path, rows(1, at=START + 24 * HOUR), retention_days=2, worker="2")
    assert len(read_back(tmp_path).observations) == 2
    logged(tmp_path, rows(1, at=START + 60 * HOUR), retention_days=2, worker="3")
    assert [row.at for row in read_back(tmp_path).observations] == [START + 24 * HOUR, START + 60 * HOUR]


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "v1").iterdir())


def test_the_oldest_files_go_when_all_hold_too_many_bytes(tmp_path: Path) -> None:
    size = len(rows(1)[0].to_json()) + 1
    for hour in range(6):
        logged(tmp_path, rows(1, at=START + hour * HOUR), worker=str(hour % 2), retention_bytes=round(3.5 * size))
    assert bytes_in(tmp_path) <= 4 * size
    assert [row.at for row in read_back(tmp_path).observations][-3:] == [START + hour * HOUR for hour in (3, 4, 5)]


def test_one_busy_hour_stays_within_the_bytes_too_and_its_newest_rows_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is written alone, as where requests are rare."""
    monkeypatch.setattr(log_module, "GATHER_SECONDS", 0.0)
    reading_ids = [new_reading_id(START, "1") for _ in range(300)]
    log = log_in(tmp_path, retention_bytes=20_000)
    (row,) = rows(1)
    for reading_id in reading_ids:
        log.put(dataclasses.replace(row, reading_id=reading_id))
        while log.written + log.failed <= reading_ids.index(reading_id):
            time.sleep(0.001)
    log.close(timeout_seconds=10)
    assert (log.written, log.failed) == (300, 0)
    assert 10_000 < bytes_in(tmp_path) < 24_000
    assert is_logged(tmp_path, reading_ids[-1])
    assert not is_logged(tmp_path, reading_ids[0])
    kept = {row.reading_id for row in read_back(tmp_path).observations}
    assert kept == set(reading_ids[-len(kept) :])


def test_put_drops_and_counts_when_the_queue_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named pipe that nobody reads holds the writing thread as a hanging disk would."""
    monkeypatch.setattr(log_module, "GATHER_SECONDS", 0.0)
    (tmp_path / "v1").mkdir()
    pipe = tmp_path / "v1" / "20251121T04-1.jsonl"
    os.mkfifo(pipe)
    log = log_in(tmp_path, queue_size=3)
    first, *others = rows(11)
    log.put(first)
    time.sleep(0.2)
    for row in others:
        log.put(row)
    assert log.dropped == 7
    log.close(timeout_seconds=0.05)
    with pipe.open("rb"):
        pass


def test_a_failing_disk_is_counted_and_never_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of the folder")
    log = logged(tmp_path / "file", rows(3))
    assert (log.written, log.failed) == (0, 3)


def test_a_full_disk_costs_rows_that_are_counted_and_none_that_come_when_there_is_room(tmp_path: Path) -> None:
    lost: list[int] = []
    with full_disk(tmp_path / "small") as place:
        log = logged(place, rows(100), on_lost=lost.append)
        assert log.failed > 0
        assert (log.written + log.failed, sum(lost)) == (100, log.failed)
        (place / "ballast").unlink()
        assert logged(place, rows(3)).failed == 0
        window = read_back(place)
    assert window.torn <= 1
    assert all(row in window.observations for row in rows(3))


def test_the_log_goes_on_when_the_disk_is_back(tmp_path: Path) -> None:
    obstacle = tmp_path / "o"
    obstacle.write_text("")
    assert logged(obstacle, rows(1)).failed == 1
    obstacle.unlink()
    assert logged(obstacle, rows(1)).written == 1


def test_a_torn_last_line_is_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    write_observations(path, rows(3))
    path.write_bytes(path.read_bytes()[:-20])
    window = read_back(path)
    assert (len(window.observations), window.torn) == (2, 1)


def test_rows_after_a_torn_line_are_not_lost(tmp_path: Path) -> None:
    logged(tmp_path, rows(2))
    (path,) = (tmp_path / "v1").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    logged(tmp_path, rows(2))
    window = read_back(tmp_path)
    assert (len(window.observations), window.torn) == (3, 1)


def test_the_last_rows_of_several_workers_are_those_latest_in_time(tmp_path: Path) -> None:
    everything = rows(40) + rows(40, at=START + HOUR)
    logged(tmp_path, everything[::2], worker="1")
    logged(tmp_path, everything[1::2], worker="2")
    assert read_back(tmp_path, last=50).observations == tuple(everything[-50:])
    assert read_back(tmp_path, last=0).observations == ()


def test_rows_since_a_time_leave_older_ones_out(tmp_path: Path) -> None:
    logged(tmp_path, rows(10) + rows(10, at=START + HOUR))
    since = START + 5
    assert read_back(tmp_path, since=since, last=100).observations[0].at == since
    assert len(read_back(tmp_path, since=since).observations) == 15


@pytest.mark.parametrize("place", ["observations", "observations/v1"])
def test_a_log_is_found_by_its_folder_or_by_that_of_its_version(tmp_path: Path, place: str) -> None:
    logged(tmp_path / "observations", rows(3))
    assert len(read_back(tmp_path / place).observations) == 3


@pytest.mark.parametrize("wrong", ["nowhere", ".", "nowhere/v1"])
def test_a_folder_that_holds_no_observations_is_an_error_and_an_empty_log_is_not(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "observations" / "v1").mkdir(parents=True)
    assert read_back(tmp_path / "observations").observations == ()
    with pytest.raises(DataError, match="no file or folder of observations"):
        read_back(tmp_path / wrong)


def test_observations_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rows(1)[0].at = 0.0  # type: ignore[misc]


def test_a_reading_is_found_by_its_id_alone(tmp_path: Path) -> None:
    reading_id = new_reading_id(START, "1")
    row = dataclasses.replace(observe(np.zeros((20, 30), np.uint8), Reading("a", 0.5, ()), channel="c", at=START),
                              reading_id=reading_id)  # fmt: skip
    log = log_in(tmp_path)
    log.put(row)
    log.close(timeout_seconds=5)
    assert is_logged(tmp_path, reading_id)
    assert not is_logged(tmp_path, new_reading_id(START, "1"))
    assert not is_logged(tmp_path, new_reading_id(START, "2"))
    assert not is_logged(tmp_path / "none", reading_id)
    assert not is_logged(tmp_path, "../" + reading_id)


def test_a_log_without_retention_keeps_all(tmp_path: Path) -> None:
    log = RowLog(tmp_path, worker="1", queue_size=10, retention_days=None)
    for at in (START, START + 400 * 86400):
        log.put(Correction(at, "r", "text"))
    log.close(timeout_seconds=5)
    assert len(list((tmp_path / "v1").glob("*.jsonl"))) == 2


def test_rows_of_another_time_channel_or_bundle_are_not_selected(tmp_path: Path) -> None:
    first, *others = rows(5)
    odd = [
        dataclasses.replace(others[0], channel="mobile"),
        dataclasses.replace(others[1], bundle="b2"),
        dataclasses.replace(others[2], at=START + 2 * HOUR),
        dataclasses.replace(others[3], at=START - HOUR),
    ]
    logged(tmp_path, [dataclasses.replace(first, bundle="b1"), *odd])
    tally = WindowTally()
    chosen = Selection(since=START, until=START + HOUR, channel="default", bundle="b1")
    assert [row.at for row in stream(tmp_path, chosen, tally=tally)] == [first.at]
    assert (tally.ahead, tally.foreign) == (1, 1)
    assert [line.partition(" ")[2].split(";")[0] for line in tally.screen()] == [
        "observations are dated after now and were left out",
        "observations are of another bundle's readings and were left out",
    ]


def test_the_newest_are_those_of_the_selection(tmp_path: Path) -> None:
    mixed = [dataclasses.replace(row, channel="ab"[i % 2]) for i, row in enumerate(rows(40))]
    logged(tmp_path, mixed + [dataclasses.replace(row, at=row.at + HOUR) for row in mixed])
    found = newest(tmp_path, Selection(channel="a"), last=25, tally=WindowTally())
    assert sorted(row.at for row in found) == [row.at for row in mixed[::2]][-5:] + [
        row.at + HOUR for row in mixed[::2]
    ]


def test_rows_of_equal_time_are_as_many_as_were_asked_for(tmp_path: Path) -> None:
    write_observations(tmp_path / "o.jsonl", [dataclasses.replace(row, at=START) for row in rows(9)])
    assert len(list(newest(tmp_path / "o.jsonl", last=4, tally=WindowTally()))) == 4


def test_rows_of_an_older_format_are_counted_and_skipped(tmp_path: Path) -> None:
    older = json.dumps({**json.loads(rows(1)[0].to_json()), "version": 1})
    (tmp_path / "o.jsonl").write_text(f"{older}\n{rows(1)[0].to_json()}\n")
    tally = WindowTally()
    assert len(list(stream(tmp_path / "o.jsonl", tally=tally))) == 1
    assert tally.older == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"at": None},
        {"channel": None},
        {"statistics": None},
        {"statistics": {"entropy": "high"}},
        {"confidence": float("nan")},
        {"statistics": {"entropy": float("inf")}},
        {"glitter": 1},
        {"length": 10**400},
        {"length": True},
        {"length": 2.5},
        {"confidence": -5.5},
        {"confidence": 1e300},
        {"capitals": 2},
        {"at": -1e300},
        {"at": 1e18},
        {"width": []},
        {"check": "x"},
        {"bundle": None},
        {"bundle": []},
        {"writer": 7},
        {"reading_id": "\ud800"},
    ],
    ids=lambda damage: str(damage)[:40],
)
def test_a_row_of_nonsense_is_torn_and_the_others_count(tmp_path: Path, damage: dict[str, object]) -> None:
    line = rows(1)[0].to_json()
    (tmp_path / "o.jsonl").write_text(f"{json.dumps({**json.loads(line), **damage})}\n{line}\n")
    tally = WindowTally()
    assert len(list(stream(tmp_path / "o.jsonl", tally=tally))) == 1
    assert tally.torn == 1


def test_a_line_of_brackets_without_end_is_torn(tmp_path: Path) -> None:
    (tmp_path / "o.jsonl").write_text("[" * 50_000 + "\n" + rows(1)[0].to_json() + "\n")
    tally = WindowTally()
    assert len(list(stream(tmp_path / "o.jsonl", tally=tally))) == 1
    assert tally.torn == 1


def test_a_file_that_goes_while_the_log_is_read_is_past_its_retention(tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    folder.mkdir()
    for hour in ("20261121T08", "20261121T09"):
        (folder / f"{hour}-1.jsonl").write_text("".join(f"{row.to_json()}\n" for row in rows(2)))
    streamed = stream(tmp_path, tally=WindowTally())
    next(streamed)
    (folder / "20261121T09-1.jsonl").unlink()
    assert len(list(streamed)) == 1


def test_a_line_without_end_is_torn_and_not_held(tmp_path: Path) -> None:
    (tmp_path / "o.jsonl").write_text("x" * 350_000 + f"\n{rows(1)[0].to_json()}\n")
    tally = WindowTally()
    assert len(list(stream(tmp_path / "o.jsonl", tally=tally))) == 1
    assert tally.torn == 4


def test_a_clock_that_jumps_ahead_for_a_moment_deletes_nothing(tmp_path: Path) -> None:
    logged(tmp_path, rows(3))
    logged(tmp_path, rows(1, at=START + 90 * 24 * HOUR), worker="2", retention_days=30)
    logged(tmp_path, rows(1, at=START + HOUR), worker="3", retention_days=30)
    assert len(read_back(tmp_path).observations) == 5


def test_a_clock_that_stays_ahead_deletes_what_is_past_its_retention(tmp_path: Path) -> None:
    logged(tmp_path, rows(3))
    for hours in (0, 1):
        logged(tmp_path, rows(1, at=START + (90 * 24 + hours) * HOUR), worker=f"{hours + 2}", retention_days=30)
    assert len(read_back(tmp_path).observations) == 2


def test_two_workers_never_write_one_file_though_their_process_ids_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in two containers that share a folder, where both are process 7."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    names = {new_worker_name() for _ in range(1000)}
    assert len(names) == 1000
    first, second = (logged(tmp_path, rows(1), worker=name) for name in sorted(names)[:2])
    assert first.written == second.written == 1
    assert len(list((tmp_path / "v1").iterdir())) == 2
    ids = [new_reading_id(START, name) for name in names]
    assert all(READING_ID.fullmatch(reading_id) for reading_id in ids)


def test_the_time_of_a_reading_is_in_its_id() -> None:
    for at in (START, START + 1799.5, START - START % 3600 + 3599.99):
        assert abs(time_of(new_reading_id(at, "1")) - at) < 0.06


def test_a_reading_is_found_by_its_time_without_reading_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand rows, written up to a minute out of order."""
    begun, chance = START - START % 3600, random.Random(1)
    times = sorted(begun + chance.random() * 3599 for _ in range(20_000))
    ids = [new_reading_id(at, "1") for at in times]
    order = sorted(range(len(ids)), key=lambda number: times[number] + chance.random() * 50)
    rows = (f'{{"version": 3, "at": {times[n]:.3f}, "fill": "{"x" * 300}", "reading_id": "{ids[n]}"}}\n' for n in order)
    path = tmp_path / "v1" / f"{hour_at(begun)}-1.jsonl"
    path.parent.mkdir()
    path.write_text("".join(rows))
    searched: list[int] = []

    class Content(mmap.mmap):
        def find(self, wanted: bytes, start: int = 0, end: int = 2**62) -> int:  # type: ignore[override]
            if b"reading_id" in wanted:
                searched.append(min(end, len(self)) - start)
            return super().find(wanted, start, min(end, len(self)))

    monkeypatch.setattr("legible.observations.lookup.mmap.mmap", Content)
    assert all(is_logged(tmp_path, reading_id) for reading_id in chance.sample(ids, 200))
    assert not any(is_logged(tmp_path, new_reading_id(at, "1")) for at in chance.sample(times, 100))
    assert max(searched) < path.stat().st_size / 15


@pytest.mark.parametrize("reading_id", [f"20200101T00-{'9' * 300}-0123456789ab", "20201399T00-1-0123456789ab"])
def test_an_id_that_no_file_can_have_is_not_logged(tmp_path: Path, reading_id: str) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "20201399T00-1.jsonl").write_text("{}\n")
    assert not is_logged(tmp_path, reading_id)


def test_a_row_without_a_lexicon_is_of_the_format_before_and_one_with_it_is_not() -> None:
    (row,) = rows(1)
    assert json.loads(row.to_json())["version"] == 3
    assert "lexicon" not in json.loads(row.to_json())
    told = dataclasses.replace(row, lexicon="english")
    assert json.loads(told.to_json())["version"] == 4
    assert Observation.from_json(told.to_json()) == told
