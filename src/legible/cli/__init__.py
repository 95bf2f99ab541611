"""The command line: one verb a command, results to stdout, progress to stderr, one line for an error.

Each module holds the commands of one subject, and each command imports what it needs, so that quick ones stay quick.
"""

# In the order of `legible --help`.
# ruff: isort: off
from legible.cli.app import ALL_CORES, app, main
from legible.cli import read
from legible.cli import page
from legible.cli import bulk
from legible.cli import serve
from legible.cli import monitoring
from legible.cli import recalibrate
from legible.cli import labelling
from legible.cli import labels
from legible.cli import privacy
from legible.cli import respond
from legible.cli import drill
from legible.cli import gate
from legible.cli import candidate
from legible.cli import data
from legible.cli import stages
from legible.cli import sweep
from legible.cli import detector
# ruff: isort: on

__all__ = [
    "ALL_CORES",
    "app",
    "bulk",
    "candidate",
    "data",
    "detector",
    "drill",
    "gate",
    "labelling",
    "labels",
    "main",
    "monitoring",
    "page",
    "privacy",
    "read",
    "recalibrate",
    "respond",
    "serve",
    "stages",
    "sweep",
]
