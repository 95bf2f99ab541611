"""`legible serve`: start BentoML on the service, print its address, and stop it on a signal."""

import contextlib
import os
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from subprocess import Popen

from legible.config import ServiceSettings
from legible.errors import BundleError
from legible.recognition.bundle import load_bundle
from legible.service.candidate import TrafficSplit
from legible.service.keys import KeyRing, labelling_keys, reading_keys
from legible.service.models import folders_of
from legible.service.page_api import check_detector
from legible.service.parent import SERVE_PID
from legible.service.telemetry import check

PATIENCE_SECONDS = 90.0
BENTOML_HOME = "BENTOML_HOME"
"""The variable of BentoML's folder. Its workers' PROMETHEUS_MULTIPROC_DIR lies in it, whatever that variable said."""
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""Makes glibc give large images back: a worker kept 220 MB after 4,000 damaged images, not 320.

As in bentofile.yaml.
"""


def run(*, host: str, port: int, workers: int) -> None:
    """Serve until told to end.

    Raise BundleError or SettingsError before anything is started where bundle, baseline or settings are not sound: a
    worker that finds it out is started again and again.
    """
    settings = ServiceSettings.from_environment()
    folders = folders_of(settings)
    TrafficSplit.of(settings, tuple(folders))
    for name, folder in folders.items():
        check(settings, load_bundle(folder), model=name)
    check_detector(settings)
    for entries in (settings.reload_keys, settings.metrics_keys):
        KeyRing.of(entries)
    reading_keys(settings)
    labelling_keys(settings)
    with tempfile.TemporaryDirectory(prefix="legible-serve-") as home:
        code, signals = _serve(host=host, port=port, workers=workers, home=home)
    if code > 0 and not signals:
        raise BundleError(f"the service ended with {code}; what it printed says why")


def _serve(*, host: str, port: int, workers: int, home: str) -> tuple[int, list[int]]:
    """Run the service until it ends; return its exit code and the signals that came meanwhile.

    `home` is an empty folder of this service alone. BentoML keeps there what its workers count and tell each other, and
    empties that at each start; its usual folder is one for all services of a user. Nothing else of it is needed here.
    """
    environment = {
        "LEGIBLE_DRAIN_SECONDS": "0",  # whoever sits before it need not wait; behind a balancer it is set
        **MEMORY,
        **os.environ,
        "BENTOML_DO_NOT_TRACK": "True",
        "LEGIBLE_WORKERS": str(workers),
        BENTOML_HOME: home,
        SERVE_PID: str(os.getpid()),
    }
    command = [sys.executable, "-m", "bentoml", "serve", "legible.service.bento:Legible", "--host", host]
    # In a session of its own the service gets each signal once: from here, also where a terminal sends it to all.
    process = Popen([*command, "--port", str(port)], env=environment, start_new_session=True)  # noqa: S603
    with _told(process) as signals:
        _announce(process, host=host, port=port)
        return process.wait(), signals


@contextlib.contextmanager
def _told(process: "Popen[bytes]") -> Iterator[list[int]]:
    """Tell the service to end whenever this process is told to; the signals that came."""
    came: list[int] = []

    def tell(number: int, _: object) -> None:
        came.append(number)
        process.terminate()

    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, tell) for number in asked}
    try:
        yield came
    finally:
        process.terminate()
        process.wait()
        for number, handler in former.items():
            signal.signal(number, handler)


def _announce(process: "Popen[bytes]", *, host: str, port: int) -> None:
    address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}"  # noqa: S104
    until = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if _is_ready(address):
            sys.stdout.write(f"legible reads at {address}  try: curl -F image=@word.png {address}/read\n")
            sys.stdout.flush()
            return
        time.sleep(0.1)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False
