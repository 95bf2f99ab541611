"""The real service in a process of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

PROJECT = Path(__file__).parents[1]
PATIENCE_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path, *, target: str = "service:Legible", **variables: str) -> Iterator[str]:
    """The address of a service that is ready; its log and observations lie in the folder."""
    port = free_port()
    environment = {
        **os.environ,
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(folder / "bentoml"),
        "LEGIBLE_OBSERVATIONS_FOLDER": str(folder / "observations"),
        "LEGIBLE_CORRECTIONS_FOLDER": str(folder / "corrections"),
        "LEGIBLE_WORKERS": "1",
        "LEGIBLE_DRAIN_SECONDS": "0",
        **variables,
    }
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(process, address, log=folder / "service.log")
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(process: "subprocess.Popen[bytes]", address: str, *, log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the service is not ready: {log.read_text()[-2000:]}")
