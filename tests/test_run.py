"""`legible serve` as a person or a process manager starts and ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from serving import PATIENCE_SECONDS, free_port

PROJECT = Path(__file__).parents[1]


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/livez").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_ends_with_all_it_started(bundle_folder: Path, tmp_path: Path, number: int) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "LEGIBLE_BUNDLE": str(bundle_folder), "BENTOML_HOME": str(tmp_path / "bentoml")}
    command = [sys.executable, "-m", "legible", "serve", "--port", str(port), "--workers", "2"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while "legible reads at http://localhost" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        assert answers(address)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    until = time.monotonic() + 10
    while answers(address) and time.monotonic() < until:
        time.sleep(0.2)
    assert not answers(address)
