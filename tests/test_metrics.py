"""The service's own kind of histogram beside the library's."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk import full_disk
from prometheus_client import CollectorRegistry, Histogram, generate_latest, multiprocess

from legible.charset import REJECT
from legible.config import ServiceSettings
from legible.image.decode import Limits
from legible.reading import Reading
from legible.recognition.bundle import load_bundle
from legible.service import metrics
from legible.service.internals import of_prometheus
from legible.service.internals.of_prometheus import AllocatedDict, ManyHistogram, fold_dead_workers, locked
from legible.service.metrics import TENTHS
from legible.service.read_job import ReadJob
from legible.service.service_logs import ServiceLogs
from legible.service.telemetry import Telemetry


def exposed(values: list[float], *, together: bool) -> bytes:
    registry = CollectorRegistry()
    kind = ManyHistogram if together else Histogram
    histogram = kind("ranks", "Ranks.", ["statistic"], buckets=TENTHS, registry=registry)
    child = histogram.labels("height")
    if isinstance(child, ManyHistogram):
        child.observe_all(values)
    else:
        for value in values:
            child.observe(value)
    return b"".join(line for line in generate_latest(registry).splitlines(keepends=True) if b"_created" not in line)


def test_values_counted_together_are_those_counted_one_by_one() -> None:
    chance = random.Random(1)
    values = [0.0, 0.1, 0.3, 1.0, 1.5, *(chance.randrange(64) / 64 for _ in range(500))]
    assert exposed(values, together=True) == exposed(values, together=False)


def test_characters_that_the_charset_lacks_are_counted(tmp_path: Path, bundle_folder: Path) -> None:
    settings = ServiceSettings(
        observations_folder=str(tmp_path / "observations"), corrections_folder=str(tmp_path / "corrections")
    )
    logs = ServiceLogs(settings, worker="1")
    telemetry = Telemetry(load_bundle(bundle_folder), settings, logs, model="counted")
    counter = metrics.unknown_characters.labels("counted")
    before = counter._value.get()  # noqa: SLF001
    for text in (f"{REJECT}4.9{REJECT}", "plain"):
        job = ReadJob(b"", Limits())
        job.image, job.reading = np.full((8, 8), 255, np.uint8), Reading(text, 0.0, ())
        telemetry.observe([job])
    logs.close()
    assert counter._value.get() - before == 2  # noqa: SLF001


WORKER = """
import sys
from prometheus_client import Counter, Gauge, Histogram
Counter("read_total", "Read.", ["channel"]).labels("web").inc(3)
Histogram("seconds", "Seconds.", buckets=(1.0, 2.0)).observe(1.5)
Gauge("flying", "In flight.", multiprocess_mode="livesum").set(6)
Gauge("bundle", "Bundle.", multiprocess_mode="max").set(1)
"""


def worker_that_dies(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", WORKER], env={"PROMETHEUS_MULTIPROC_DIR": str(folder)}, check=True)


def exposed_of(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_what_dead_workers_counted_stays_and_their_gauges_go(tmp_path: Path) -> None:
    for _ in range(3):
        worker_that_dies(tmp_path)
        with locked(tmp_path):
            fold_dead_workers(tmp_path)
    seen = exposed_of(tmp_path)
    assert seen['read_total{channel="web"}'] == 9
    assert seen['seconds_bucket{le="2.0"}'] == 3
    assert seen["seconds_count"] == 3
    assert "flying" not in seen
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_0.db", "histogram_0.db"]


CROWDED = """
from legible.service import metrics
from legible.service.document_table import DocumentTable
metrics.prepare(routes=["/read"])
for number in range(300):
    metrics.readings.labels(str(number), "english").inc()
table = DocumentTable.of_environment("english")
for hour in range(3):
    print(table.add([f"{number:08x}" for number in range(0, 60_000, 500)], at=3600.0 * hour).begun)
print(type(metrics.exposition()))
"""


def test_a_worker_lives_on_a_full_disk(tmp_path: Path) -> None:
    """A write into a hole of a mapped file ends the process with SIGBUS where the disk is full."""
    with full_disk(tmp_path / "full") as folder:
        (folder / ".lock").touch()
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        made = subprocess.run(
            [sys.executable, "-c", CROWDED], env=environment, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        assert made.stdout.split() == ["120", "0", "0", "<class", "'bytes'>"]
        assert not list(folder.glob("counter*.db"))


def test_what_dead_workers_counted_waits_while_the_disk_is_full(tmp_path: Path) -> None:
    worker_that_dies(tmp_path)
    whole = tmp_path / "counter_0.new"
    whole.mkdir()  # in the way, as a full disk is
    with locked(tmp_path):
        fold_dead_workers(tmp_path)
    assert exposed_of(tmp_path)['read_total{channel="web"}'] == 3


def test_counts_go_on_in_memory_where_a_file_cannot_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Any = AllocatedDict(str(tmp_path / "counter_1.db"))
    counts.write_value("first", 1.0, 0.0)

    def full(path: Path, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path), None, str(size))

    monkeypatch.setattr(of_prometheus, "fill_with_zeros", full)
    for number in range(2000):
        counts.write_value(f"{number:060}", float(number), 0.0)
    assert not counts.is_on_disk
    assert counts.read_value("first")[0] == 1.0
    assert counts.read_value(f"{1999:060}")[0] == 1999.0
    counts.close()


def test_files_of_counts_hold_their_bytes_and_grow(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    counts: Any = AllocatedDict(str(path))
    for number in range(2000):
        counts.write_value(f"{number:060}", float(number), 0.0)
    assert counts.is_on_disk
    assert path.stat().st_blocks * 512 >= path.stat().st_size > 65_536
    assert len(list(AllocatedDict.read_all_values_from_file(str(path)))) == 2000  # type: ignore[no-untyped-call]
    counts.close()


def test_a_worker_that_lives_is_left_alone(tmp_path: Path) -> None:
    worker_that_dies(tmp_path)
    (path,) = tmp_path.glob("counter_*.db")
    path.rename(tmp_path / f"counter_{os.getpid()}.db")
    fold_dead_workers(tmp_path)
    assert (tmp_path / f"counter_{os.getpid()}.db").exists()


def test_metrics_are_made_anew_for_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [0.0], list[float]()

    def slow() -> bytes:
        made.append(now[0])
        now[0] += 0.05
        return str(now[0]).encode()

    monkeypatch.setattr(metrics, "_exposed", slow)
    exposition = metrics.Exposition(clock=lambda: now[0])
    for _ in range(1000):
        exposition()
        now[0] += 0.01
    assert 0.05 * len(made) < 0.1 * now[0] * 1.01
