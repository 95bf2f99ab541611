"""`legible serve`: start BentoML on the service, and say where it answers."""

import os
import sys
import time
import urllib.error
import urllib.request
from subprocess import Popen

from legible.errors import BundleError
from legible.reader.bundle import find_bundle, load_bundle

PATIENCE_SECONDS = 90.0


def run(*, host: str, port: int, workers: int) -> None:
    """Serve until interrupted. Raises BundleError before anything is started where there is no sound bundle."""
    load_bundle(find_bundle())
    environment = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "LEGIBLE_WORKERS": str(workers)}
    command = [sys.executable, "-m", "bentoml", "serve", "legible.service.bento:Legible", "--host", host]
    process = Popen([*command, "--port", str(port)], env=environment)  # noqa: S603
    try:
        _announce(process, host=host, port=port)
        code = process.wait()
    except KeyboardInterrupt:
        code = process.wait()
    if code > 0:
        raise BundleError(f"the service ended with {code}; what it printed says why")


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
