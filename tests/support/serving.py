"""The real service in a process of its own, for benchmarks and tests."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from legible.service.run import MEMORY

PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Service:
    """One that is ready; its log lies at `log`."""

    address: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def workers(self) -> list[psutil.Process]:
        """Processes that answer requests, by their own memory and files."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "_bentoml_impl.worker.service" in " ".join(child.cmdline())]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(
    folder: Path,
    *,
    target: str = "service:Legible",
    port: int | None = None,
    cores: str = "",
    open_files: int | None = None,
    output: int | None = None,
    errors: int | None = None,
    before: Sequence[str] = (),
    **variables: str,
) -> Iterator[Service]:
    """A service that is ready; its log and observations lie in the folder. `cores` as taskset lists them.

    `open_files` limits those of each process, `output` and `errors` are descriptors in place of the log,
    `before` a command that starts the one that follows it.
    """
    port = port or free_port()
    environment = {
        **MEMORY,
        **os.environ,
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(folder / "bentoml"),
        "LEGIBLE_OBSERVATIONS_FOLDER": str(folder / "observations"),
        "LEGIBLE_CORRECTIONS_FOLDER": str(folder / "corrections"),
        "LEGIBLE_IMAGES_FOLDER": str(folder / "images"),
        "LEGIBLE_WORKERS": "1",
        "LEGIBLE_DRAIN_SECONDS": "0",
        **variables,
    }
    pinned = ["taskset", "--cpu-list", cores] if cores else []
    limited = ["prlimit", f"--nofile={open_files}:{open_files}"] if open_files else []
    command = [
        *before,
        *limited,
        *pinned,
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        target,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    path = folder / "service.log"
    with path.open("a") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output or log, stderr=errors or log)
        service = Service(f"http://127.0.0.1:{port}", process, path)
        try:
            wait_until_ready(service)
            yield service
        finally:
            process.terminate()
            process.wait(timeout=60)


@contextlib.contextmanager
def served(folder: Path, *, target: str = "service:Legible", **variables: Any) -> Iterator[str]:
    """The address of such a service."""
    with started(folder, target=target, **variables) as service:
        yield service.address


def wait_until_ready(service: Service) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and service.process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{service.address}/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise AssertionError(f"the service is not ready: {service.log.read_text()[-2000:]}")
