"""legible beside Tesseract and RapidOCR: the same images in one run, each on one thread in a process of its own.

    make bench                                        (or: python benchmarks/reading/recognizer.py --images 200)

Reads `evaluate.print` and, where a data set is there, the words of each of its sources' validation writers. Prints a
table and writes benchmarks/recognizer.json. The peers run in the environment .venv-bench, which `make bench` sets up.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from legible.config import load_params
from legible.data.dataset import Dataset
from legible.errors import DataError
from legible.evaluation.evaluate import Case, print_cases, validation_cases
from legible.files import sha256_of
from legible.packing.measured import MODEL_DIGITS, Speed, record
from legible.recognition.bundle import find_bundle, load_bundle
from legible.sampling import spread
from legible.scores import cer, exact_match

PROJECT = Path(__file__).parents[2]
PEERS = PROJECT / ".venv-bench/bin/python"
OURS, THEIRS = ("legible", "legible, lexicon", "legible, best path"), ("tesseract", "rapidocr")


@dataclass(frozen=True)
class Row:
    """Of one recogniser on one group of images; `times_tesseract` is the ratio of images a second."""

    group: str
    engine: str
    images: int
    exact_match: float
    cer: float
    images_per_second: float
    times_tesseract: float | None
    peak_mib: float


def groups(most: int) -> Iterator[tuple[str, list[Case]]]:
    """Images by source, words alone, at most so many of each."""
    cases = list(print_cases(load_params(PROJECT / "params.yaml"), root=PROJECT))
    try:
        cases += validation_cases(Dataset.open(PROJECT / "data/dataset"))
    except DataError as error:
        print(f"print alone: {error}", file=sys.stderr)
    words: dict[str, list[Case]] = {}
    for case in cases:
        if not case.slices[0].endswith("/line"):
            words.setdefault(case.slices[0], []).append(case)
    for name, own in sorted(words.items()):
        yield name, spread(own, most)


def run(engine: str, folder: Path) -> dict[str, object] | None:
    """What benchmarks/reading/engines.py prints; None, said on stderr, where the recogniser is not to be had."""
    python = sys.executable if engine in OURS else str(PEERS)
    if not Path(python).is_file():
        print(f"{engine}: left out, {PEERS.relative_to(PROJECT)} is not there; make bench sets it up", file=sys.stderr)
        return None
    one_thread = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, str(PROJECT / "benchmarks/reading/engines.py"), engine, str(folder)]
    environment = {**os.environ, **one_thread}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{engine}: left out, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(group: str, cases: list[Case]) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            Image.fromarray(case.image).save(Path(folder) / f"{number:06d}.png")
        truths = [case.text for case in cases]
        found = {engine: run(engine, Path(folder)) for engine in (*THEIRS, *OURS)}
        rates = {engine: len(cases) / float(one["seconds"]) for engine, one in found.items() if one}  # type: ignore[arg-type]
        for engine, one in found.items():
            if one:
                texts: list[str] = one["texts"]  # type: ignore[assignment]
                rows.append(
                    Row(
                        group,
                        engine,
                        len(cases),
                        exact_match(truths=truths, predictions=texts),
                        cer(truths=truths, predictions=texts),
                        rates[engine],
                        rates[engine] / rates["tesseract"] if "tesseract" in rates else None,
                        float(one["peak_mib"]),  # type: ignore[arg-type]
                    )
                )
    return rows


def speed(rows: list[Row]) -> Speed:
    """Of the model that was measured, for the card."""
    model = sha256_of(load_bundle(find_bundle(working_folder=PROJECT)).model)[:MODEL_DIGITS]
    ours = [row for row in rows if row.engine == OURS[0]]
    milliseconds = {row.group: round(1000 / row.images_per_second, 1) for row in ours}
    return Speed(model, milliseconds, round(max(row.peak_mib for row in ours)), processor())


def processor() -> str:
    """As the system names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=500, help="of each group at most")
    most = parser.parse_args().images
    rows = [row for name, cases in groups(most) for row in measure(name, cases)]
    print("| images | recogniser | exact match | CER | images/s | times Tesseract | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        times = "" if row.times_tesseract is None else f"{row.times_tesseract:.1f}"
        print(
            f"| {row.group} ({row.images}) | {row.engine} | {row.exact_match:.1%} | {row.cer:.2%} | "
            f"{row.images_per_second:.0f} | {times} | {row.peak_mib:.0f} |"
        )
    print(f"\nfor the card, after dvc repro: {record(PROJECT, speed(rows))}")
    content = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    (PROJECT / "benchmarks/recognizer.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
