"""The precision of a training: the one that was asked for, if the device can multiply in it."""

import sys
from pathlib import Path

from tqdm import tqdm

from legible.errors import SettingsError
from legible.training.weights import device

FLOAT32, MIXED = "float32", "mixed_bfloat16"
PRECISIONS = (FLOAT32, MIXED)
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""The names in Linux of the instructions of x86 and ARM processors that multiply bfloat16."""
PROCESSOR = Path("/proc/cpuinfo")


def usable_precision(asked: str, *, processor: Path = PROCESSOR) -> str:
    """Return the precision to train in. On a processor without bfloat16, mixed_bfloat16 becomes float32, said on
    stderr.

    Emulated bfloat16 is 20 times slower. The weights are float32 in both. Raise SettingsError for an unknown precision.
    """
    check_precision(asked)
    if asked == FLOAT32 or device() != "cpu" or _flags(processor) & BFLOAT16_FLAGS:
        return asked
    tqdm.write(f"train: this processor has no bfloat16, {FLOAT32} in place of {asked}", file=sys.stderr)
    return FLOAT32


def check_precision(asked: str) -> None:
    """Raise SettingsError for an unknown precision."""
    if asked not in PRECISIONS:
        raise SettingsError(f"train.precision is {asked!r}; known: {', '.join(PRECISIONS)}")


def _flags(processor: Path) -> set[str]:
    """Return the flags of the first core; an empty set where the system does not tell."""
    if not processor.is_file():
        return set()
    lines = processor.read_text(encoding="utf-8").splitlines()
    return next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())
