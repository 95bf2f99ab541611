"""One retention for rows and images, by days and by bytes, whatever the clock does."""

import os
from pathlib import Path

import pytest

from legible.observations.layout import hour
from legible.observations.retention import Retention

START = 1_763_700_000.0
HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY


def wrote(folder: Path, at: float, *, place: str = "{hour}-1.jsonl", size: int = 10) -> Path:
    """A file as a log writes it at this time of its clock, which the file system shares."""
    path = folder / place.format(hour=hour(at))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))
    return path


def kept_for(folder: Path, days: int | None = 30, max_bytes: int | None = None) -> Retention:
    return Retention(folder, days=days, max_bytes=max_bytes)


PLACES = pytest.mark.parametrize(
    "place", ["{hour}-1.jsonl", "{hour}/{hour}-1-0123456789ab.png"], ids=["rows", "images"]
)


@PLACES
def test_what_is_past_its_days_goes_with_the_folder_it_was_alone_in(tmp_path: Path, place: str) -> None:
    for days in (0, 20):
        wrote(tmp_path, START + days * DAY, place=place)
    kept_for(tmp_path).before_write(START + 31 * DAY)
    assert [path.name[:11] for path in tmp_path.iterdir()] == [hour(START + 20 * DAY)]


@PLACES
def test_a_clock_that_jumped_ahead_for_a_moment_does_not_end_the_retention(tmp_path: Path, place: str) -> None:
    """The one retention of a running log sees the hours as they come: now, a year ahead, and now again."""
    old, retention = wrote(tmp_path, START, place=place), kept_for(tmp_path)
    retention.before_write(START)
    retention.before_write(START + YEAR)
    ahead = wrote(tmp_path, START + YEAR, place=place)
    retention.before_write(START + HOUR)
    assert old.exists()
    wrote(tmp_path, START + 20 * DAY, place=place)
    retention.before_write(START + 29 * DAY)
    assert old.exists()
    retention.before_write(START + 32 * DAY)
    assert not old.exists()
    assert not ahead.exists()


@PLACES
def test_what_is_dated_ahead_is_as_old_as_its_first_look_in_another_process_too(tmp_path: Path, place: str) -> None:
    ahead = wrote(tmp_path, START + YEAR, place=place)
    for days in (0, 29):
        wrote(tmp_path, START + days * DAY, place=place)
        kept_for(tmp_path).before_write(START + days * DAY)
    assert ahead.exists()
    kept_for(tmp_path).before_write(START + 31 * DAY)
    assert not ahead.exists()


def test_what_is_dated_ahead_does_not_push_out_what_is_new(tmp_path: Path) -> None:
    ahead = wrote(tmp_path, START + YEAR, size=60)
    kept_for(tmp_path, max_bytes=100).before_write(START)
    new = wrote(tmp_path, START + DAY, size=60)
    kept_for(tmp_path, max_bytes=100).before_write(START + DAY)
    assert new.exists()
    assert not ahead.exists()


def test_a_clock_that_is_ahead_deletes_nothing_in_its_first_hour_even_after_a_restart(tmp_path: Path) -> None:
    old = wrote(tmp_path, START)
    for _ in range(2):
        kept_for(tmp_path).before_write(START + YEAR)
        wrote(tmp_path, START + YEAR)
    assert old.exists()
    kept_for(tmp_path).before_write(START + YEAR + HOUR)
    assert not old.exists()


def test_a_clock_that_says_the_first_hour_of_all_deletes_nothing(tmp_path: Path) -> None:
    old = wrote(tmp_path, START)
    kept_for(tmp_path, max_bytes=1000).before_write(0.0)
    assert old.exists()


def test_files_that_are_no_logs_stay(tmp_path: Path) -> None:
    (tmp_path / "README").touch()
    os.mkfifo(tmp_path / f"{hour(START - DAY)}-1.jsonl")
    for days in (-60, 0):
        wrote(tmp_path, START + days * DAY)
    kept_for(tmp_path, max_bytes=5).before_write(START + HOUR)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["README", f"{hour(START - DAY)}-1.jsonl"])


def test_what_a_kill_left_half_written_goes_too(tmp_path: Path) -> None:
    left = wrote(tmp_path, START, place="{hour}/.{hour}-1-0123456789ab.png.new")
    wrote(tmp_path, START + 31 * DAY)
    kept_for(tmp_path).before_write(START + 32 * DAY)
    assert not left.parent.exists()


def test_bytes_are_looked_after_each_hundredth_of_them(tmp_path: Path) -> None:
    retention = kept_for(tmp_path, max_bytes=10_000)
    assert [retention.is_due(written=60) for _ in range(4)] == [False, True, False, True]
    assert not kept_for(tmp_path).is_due(written=10**12)
