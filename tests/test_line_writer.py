"""Lines that a full disk or a pipe that nobody reads must not hold up."""

import logging
import os
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from legible.service.line_writer import LineWriter, QueuedStream, queue_descriptor, queue_output


def test_lines_are_written_in_order(tmp_path: Path) -> None:
    lost: list[int] = []
    with (tmp_path / "log").open("w") as file:
        writer = LineWriter(file.fileno(), on_lost=lost.append)
        for number in range(500):
            writer.write(f"line {number}")
        writer.close(timeout_seconds=5)
    assert (tmp_path / "log").read_text().splitlines() == [f"line {number}" for number in range(500)]
    assert lost == []


def test_a_pipe_that_nobody_reads_loses_lines_and_no_time() -> None:
    lost: list[int] = []
    reading, writing = os.pipe()
    writer = LineWriter(writing, on_lost=lost.append, max_lines=100)
    for number in range(5000):  # a write that waited for the pipe would never return
        writer.write(f"{number:0100}")
    assert 3000 < sum(lost) <= 4900  # of 5,000, less the queue and what the pipe holds, if the thread had its turn
    os.close(reading)
    writer.close(timeout_seconds=1)
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full disk to offer")
def test_a_full_disk_loses_lines_that_are_counted() -> None:
    lost: list[int] = []
    with Path("/dev/full").open("w") as full:
        writer = LineWriter(full.fileno(), on_lost=lost.append)
        writer.write("a")
        writer.write("b")
        writer.close(timeout_seconds=5)
    assert sum(lost) == 2


def test_what_is_printed_and_logged_goes_through_the_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    logger = logging.getLogger("legible.tests.lines")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    with (tmp_path / "log").open("w") as file:
        writer = LineWriter(file.fileno(), on_lost=lambda _: None)
        queue_output(writer, writer)
        print("printed", "in parts")  # noqa: T201
        logger.warning("logged")
        writer.close(timeout_seconds=5)
    logger.handlers.clear()
    assert (tmp_path / "log").read_text().splitlines() == ["printed in parts", "logged"]


def test_what_a_library_writes_by_itself_goes_through_the_writer(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno(), on_lost=lambda _: None)
        queue_descriptor(file.fileno(), writer)
        os.write(file.fileno(), b"a library's own line\nand a line without end")
        writer.write("a line of ours")
        wait_until(
            lambda: {"a library's own line", "a line of ours"} <= set((tmp_path / "log").read_text().splitlines())
        )


def test_a_library_is_not_stopped_by_a_pipe_that_nobody_reads() -> None:
    lost: list[int] = []
    reading, writing = os.pipe()
    writer = LineWriter(writing, on_lost=lost.append, max_lines=100)
    queue_descriptor(writing, writer)
    for _ in range(5000):  # of 100 bytes: a pipe holds some hundreds, then such a write would never return
        os.write(writing, b"x" * 99 + b"\n")
    wait_until(lambda: sum(lost) > 3000)
    os.close(reading)
    os.close(writing)


def test_characters_that_no_file_can_hold_are_spelt_out(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        writer = LineWriter(file.fileno(), on_lost=lambda _: None)
        QueuedStream(writer).write("half \ud800\n")
        writer.close(timeout_seconds=5)
    assert (tmp_path / "log").read_text() == "half \\ud800\n"
