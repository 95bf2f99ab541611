"""Makes what benchmarks share with the tests importable: the real service (`serving`), hostile cases (`hostile`)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests/support"))
