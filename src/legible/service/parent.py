"""A worker ends with who started it: an orphan would keep the port, and answer for a service that is gone."""

import os
import signal
import threading
import time

SERVE_PID = "LEGIBLE_SERVE_PID"
"""The variable in which `legible serve` tells its process id."""
LOOK_SECONDS = 1.0


def end_with_parent() -> None:
    """Have a thread look each second whether BentoML's supervisor, and `legible serve` before it, still live."""
    parent, serve = os.getppid(), int(os.environ.get(SERVE_PID, "0"))
    threading.Thread(target=_watch, args=(parent, serve), name="parent", daemon=True).start()


def _watch(parent: int, serve: int) -> None:
    while os.getppid() == parent and (not serve or is_alive(serve)):
        time.sleep(LOOK_SECONDS)
    if os.getppid() == parent:  # `legible serve` is gone: its supervisor ends all workers
        os.kill(parent, signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
