"""`legible serve` as a person or a process manager starts and ends it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from bundle_variants import variant
from conftest import drawn_word
from PIL import Image
from serving import PATIENCE_SECONDS, Service, free_port, wait_until_ready

from legible.service.keys import entry

PROJECT = Path(__file__).parents[1]


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/livez").status_code == 200
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def started(
    folder: Path, bundle: Path, *, workers: int = 2, **variables: str
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """`legible serve`, once it says where: then one worker is ready, and others may be not; and that address."""
    port = free_port()
    own = {"LEGIBLE_BUNDLE": str(bundle), "BENTOML_HOME": str(folder / "bentoml"), **variables}
    command = [sys.executable, "-m", "legible", "serve", "--port", str(port), "--workers", str(workers)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while "legible reads at http://localhost" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_ends_with_all_it_started(bundle_folder: Path, tmp_path: Path, number: int) -> None:
    with started(tmp_path, bundle_folder) as (process, address):
        assert answers(address)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    until = time.monotonic() + 10
    while answers(address) and time.monotonic() < until:
        time.sleep(0.2)
    assert not answers(address)


@pytest.mark.slow
def test_a_draining_service_is_not_ready_and_reads_until_it_ends(
    bundle_folder: Path, tmp_path: Path, print_face: Path
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(drawn_word("Hamburg", print_face)).save(buffer, "PNG")
    seen: list[tuple[int, str, str]] = []
    with started(tmp_path, bundle_folder, LEGIBLE_DRAIN_SECONDS="6") as (process, address):
        assert httpx.get(f"{address}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for _ in range(11):
            ready = httpx.get(f"{address}/readyz").status_code
            answer = httpx.post(f"{address}/read", files={"image": buffer.getvalue()})
            seen.append((ready, answer.json()["text"], answer.headers["connection"]))
        assert process.wait(timeout=30) == 0
    assert set(seen) == {(503, "Hamburg", "close")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LEGIBLE_BASELINE": "nowhere"}, "nowhere/baseline.json: no such file"),
        ({"LEGIBLE_KEEP_IMAGES": "2"}, "LEGIBLE_KEEP_IMAGES is '2'; it needs to be at most 1"),
        (
            {"PROMETHEUS_MULTIPROC_DIR": "metrics"},
            "PROMETHEUS_MULTIPROC_DIR is 'metrics'; legible serve makes a folder",
        ),
        ({"LEGIBLE_KEYS_FILE": "empty"}, "empty holds no key, and without one everybody may read"),
        ({"LEGIBLE_METRICS_KEYS": "typo"}, "key 1 is not of the form name:sha256"),
        ({"LEGIBLE_LABEL_KEYS": "typo"}, "key 1 is not of the form name:sha256"),
        ({"LEGIBLE_LABEL_KEYS": entry("a" * 65, "key")}, "a labeller's name has at most 64 characters"),
    ],
    ids=[
        "baseline",
        "share",
        "folder of metrics",
        "no key in the file of keys",
        "key of metrics",
        "key of a labeller",
        "name of a labeller",
    ],
)
def test_settings_that_no_worker_can_be_made_of_end_it_before_it_starts(
    bundle_folder: Path, tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    (tmp_path / "empty").write_text("# keys will follow\n")
    environment = {**os.environ, "LEGIBLE_BUNDLE": str(bundle_folder), **variables}
    command = [sys.executable, "-m", "legible", "serve", "--port", str(free_port())]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 3
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def readings_counted(address: str) -> int:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith("legible_readings_total{")))


def folders_of_workers(serve: "subprocess.Popen[bytes]") -> set[str]:
    """Return the folders in which the workers of a service count."""
    children = psutil.Process(serve.pid).children(recursive=True)
    workers = [child for child in children if "_bentoml_impl.worker.service" in " ".join(child.cmdline())]
    return {worker.environ()["PROMETHEUS_MULTIPROC_DIR"] for worker in workers}


@pytest.mark.slow
def test_two_services_of_one_user_share_nothing(bundle_folder: Path, tmp_path: Path) -> None:
    image = (PROJECT / "examples/word.png").read_bytes()
    shared = {"BENTOML_HOME": str(tmp_path / "home"), "LEGIBLE_RELOAD_KEYS": entry("ops", "key")}
    places = {name: tmp_path / name for name in ("one", "other")}
    bundles = {name: variant(bundle_folder, place / "bundle", {}) for name, place in places.items()}

    def read(address: str) -> str:
        return str(httpx.post(f"{address}/read", files={"image": image}).json()["bundle"])

    # a worker that is not ready yet would open the bundle that is put in the folder below
    with started(places["one"], bundles["one"], workers=1, **shared) as (first, address):
        former = {read(address) for _ in range(5)}
        until = time.monotonic() + 10
        while readings_counted(address) < 5:
            assert time.monotonic() < until
            time.sleep(0.1)
        with started(places["other"], bundles["other"], workers=1, **shared) as (second, other):
            folders = [folders_of_workers(service) for service in (first, second)]
            assert [len(found) for found in folders] == [1, 1]
            assert folders[0] != folders[1]
            assert not Path(next(iter(folders[0]))).is_relative_to(tmp_path / "home")
            assert (readings_counted(address), readings_counted(other)) == (5, 0)
            for bundle in bundles.values():
                variant(bundle_folder, bundle, {"card.md": lambda _: "new"})
            asked = httpx.post(f"{address}/models/default/reload", headers={"X-API-Key": "key"})
            assert {read(address) for _ in range(5)} == {asked.raise_for_status().json()["bundle"]} != former
            assert {read(other) for _ in range(5)} == former
    for found in folders:
        assert not Path(found.pop()).exists()


@pytest.mark.slow
def test_a_service_whose_serve_is_killed_ends_and_frees_the_port(bundle_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "LEGIBLE_BUNDLE": str(bundle_folder)}
    command = [sys.executable, "-m", "legible", "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    wait_until_ready(Service(f"http://127.0.0.1:{port}", process, tmp_path / "none"))
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 3
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(started, timeout=60)
    for orphan in alive:
        orphan.kill()
    assert alive == []
