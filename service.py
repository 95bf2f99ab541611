"""The Bento's entry: its own src comes first on the path, in a checkout and in a built Bento alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

from legible.service.bento import Legible

__all__ = ["Legible"]
