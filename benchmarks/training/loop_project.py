"""Make the project that loop.py starts from: its bundle has seen none of the pages that are to come as traffic.

    python benchmarks/training/loop_project.py DATA INTO --without sroie
    python benchmarks/training/loop.py DATA/pages/sroie.tar --root INTO

A clone of this repository with the sources of DATA (scripts/add_print_sources.py, and IAM from DATA/iam) but one. Its
weights are the open ones, which learnt from open sources alone; its bundle is made from them by the pipeline's own
stages, with few generated images. Needs the fonts (`legible fonts`). Takes about ten minutes.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
STAGES = ("generate", "ingest", "export", "lexicon", "confidence", "evaluate", "reference", "pack")
CHANGED = {
    "generate": {"words": 12_000, "lines": 3_000, "styles": 2_400},
    "train": {"phases": [], "averaged": 1},
    "reference": {"resamples": 2_000},
    "pack": {"floors": {}},
}
IAM_TERMS = "non-commercial research; registration at the University of Bern (FKI)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("into", type=Path, help="A folder that is not there yet.")
    parser.add_argument("--without", default="sroie", help="The source that is left out.")
    given = parser.parse_args()
    into, data = given.into.resolve(), given.data.resolve()
    run("git", "clone", "--quiet", str(PROJECT), str(into), at=PROJECT)
    for fonts in ("fonts/files", "fonts/more/files"):
        shutil.copytree(PROJECT / fonts, into / fonts)
    for path in (into / "models/weights/open").iterdir():
        shutil.copyfile(path, into / "models/weights" / path.name)
    (into / "changed.yaml").write_text(yaml.safe_dump(CHANGED), encoding="utf-8")
    merged = legible("params", "params.yaml", "changed.yaml", at=into)
    (into / "params.yaml").write_text(merged, encoding="utf-8")
    run(sys.executable, "scripts/add_print_sources.py", str(data), "--root", str(into), at=into)
    legible("data", "add", "iam", str(data / "iam"), "--terms", IAM_TERMS, at=into)
    legible("data", "drop", given.without, at=into)
    for stage in STAGES:
        print(stage, flush=True)
        legible(stage, at=into)
    print(f"{into}: ready; its bundle is {into / 'models/bundle'}")


def legible(*arguments: str, at: Path) -> str:
    return run(sys.executable, "-m", "legible", *arguments, at=at)


def run(*command: str, at: Path) -> str:
    """Run a command in a folder and return what it printed; what it says of its progress goes on to the terminal."""
    return subprocess.run(command, cwd=at, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
