"""Worker processes of pools, which end with the process that started them: a kill of it would leave them waiting."""

import os
import threading
from collections.abc import Callable
from multiprocessing import parent_process


def end_with_starter(clean_up: Callable[[], None] = lambda: None) -> None:
    """Have a thread of this worker wait for the end of the process that started it, clean up, and end the worker."""
    threading.Thread(target=_wait, args=(clean_up,), name="starter", daemon=True).start()


def _wait(clean_up: Callable[[], None]) -> None:
    if (starter := parent_process()) is not None:
        starter.join()
    clean_up()
    os._exit(1)
