"""The precision a training runs in: the one asked for, where its device multiplies in it."""

import sys
from pathlib import Path

from tqdm import tqdm

from legible.errors import SettingsError
from legible.training.weights import device

FLOAT32, MIXED = "float32", "mixed_bfloat16"
PRECISIONS = (FLOAT32, MIXED)
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""As Linux names the instructions of x86 and ARM processors that multiply bfloat16."""
PROCESSOR = Path("/proc/cpuinfo")


def usable_precision(asked: str, *, processor: Path = PROCESSOR) -> str:
    """Mixed bfloat16 becomes float32, said on stderr, on a processor that would imitate it, 20 times slower.

    The weights are float32 in both. Raises SettingsError for a precision that there is none of.
    """
    check_precision(asked)
    if asked == FLOAT32 or device() != "cpu" or _flags(processor) & BFLOAT16_FLAGS:
        return asked
    tqdm.write(f"train: this processor has no bfloat16, {FLOAT32} in place of {asked}", file=sys.stderr)
    return FLOAT32


def check_precision(asked: str) -> None:
    """Raises SettingsError for a precision that there is none of."""
    if asked not in PRECISIONS:
        raise SettingsError(f"train.precision is {asked!r}; known: {', '.join(PRECISIONS)}")


def _flags(processor: Path) -> set[str]:
    """Of the first core; none where the system does not tell."""
    if not processor.is_file():
        return set()
    lines = processor.read_text(encoding="utf-8").splitlines()
    return next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())
