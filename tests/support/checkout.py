"""What git tracks, as it lies here, in a repository of its own."""

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def check_out(folder: Path) -> Path:
    """The files, changed or not, all of them added to a new repository and none committed."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, folder / name)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder
