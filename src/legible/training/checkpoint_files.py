"""The files of a checkpoint with their sums: what a disk has damaged is told, and trained on by nobody."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from legible.errors import DataError
from legible.files import DAMAGE, sha256_of

STATE = "state.json"
WAY_OUT = "delete this folder, and the training starts afresh where it began"


def write_state(folder: Path, state: Mapping[str, Any], *, beside: Iterable[str]) -> None:
    """Write what a training knows of itself, with the sums of the files that lie `beside` it."""
    sums = {name: sha256_of(folder / name) for name in beside}
    content = json.dumps({**state, "sums": sums}, indent=1)
    (folder / STATE).write_text(f"{content}\n", encoding="utf-8")


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return the state of a checkpoint; None where there is none. Raise DataError for a damaged one."""
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        state = json.loads(path.read_bytes())
        if not (isinstance(state["fingerprint"], str) and isinstance(state["history"], list)):
            raise TypeError("no state of a training")
    except DAMAGE as error:
        raise DataError(f"{path}: damaged ({error}); {WAY_OUT}") from error
    return dict(state)


def check_sums(folder: Path, state: Mapping[str, Any]) -> None:
    """Raise DataError where a file is not as it was written. Checkpoints of earlier versions state no sums."""
    for name, digest in state.get("sums", {}).items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != digest:
            raise DataError(f"{path}: missing, or not as it was written; {WAY_OUT}")
