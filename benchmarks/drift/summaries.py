"""Drift by summaries of hours: the verdicts of rows, and a year of a million images a day in seconds.

    python benchmarks/drift/summaries.py                    (--windows 200 --images-a-day 1000000 --days 365)

Rows are drawn from the quantiles of the shipped reference, some windows shifted, some in documents; each window is
judged from rows, from Parquet and from summaries. A year is made of summaries alone, with counts drawn as many images
would give them, and `legible drift --summaries` judges it in a process of its own. Prints a table and writes
benchmarks/summaries.json.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from legible.drift.documents import BUCKETS, DocumentCounts
from legible.drift.hour_format import reference_digest
from legible.drift.hourly import HourSummary
from legible.drift.rank_counts import ONE, RankCounts
from legible.drift.reference import EDGES, KINDS, Reference
from legible.drift.summary import Summary
from legible.image.statistics import STATISTICS
from legible.monitoring.check import Standard, check
from legible.monitoring.compact import check_summaries, compact
from legible.monitoring.hour_summaries import HourSummaries
from legible.observations.layout import FOLDER, HOUR_SECONDS, hour, new_reading_id
from legible.observations.row import Observation
from legible.observations.sending import ParquetDestination
from legible.observations.window import Selection
from legible.recognition.bundle import load_bundle

PROJECT = Path(__file__).parents[2]
BUNDLE = PROJECT / "models/bundle"
MONDAY = 1_735_689_600.0  # 2025-01-01
CHANNELS = ("mobile", "scanner", "web")
BUNCH = 5
"""The images of a document, where a window has some."""


def draw_rows(
    reference: Reference, count: int, rng: np.random.Generator, *, shift: float, bunch: int
) -> list[Observation]:
    """Rows of six hours, their ranks moved by `shift`, in documents of `bunch` images; 0 names none."""
    grids = reference.quantiles
    ranks = np.clip(rng.random((count, len(grids))) + shift, 0, 1)
    values = {
        name: grid[np.rint(ranks[:, i] * (len(grid) - 1)).astype(int)] for i, (name, grid) in enumerate(grids.items())
    }
    columns = {name: own.tolist() for name, own in values.items()}
    times = (MONDAY + np.arange(count) * 6 * HOUR_SECONDS / count).tolist()
    return [
        Observation(
            at=at,
            channel=CHANNELS[i % len(CHANNELS)],
            width=100,
            height=40,
            length=int(columns["length"][i]),
            confidence=columns["confidence"][i],
            statistics={name: columns[name][i] for name in STATISTICS if name in columns},
            reading_id=new_reading_id(at, "1"),
            capitals=columns["capitals"][i],
            digits=columns["digits"][i],
            signs=columns["signs"][i],
            document=f"d{i // bunch}" if bunch else "",
        )
        for i, at in enumerate(times)
    ]


def compare_windows(windows: int) -> tuple[int, Counter[str]]:
    """Judge windows in three ways; how many verdicts differ, and how many there were of each outcome."""
    standard, rng = Standard(BUNDLE), np.random.default_rng(1)
    reference = Reference.load(BUNDLE)
    differing, outcomes = 0, Counter[str]()
    for number in tqdm(range(windows), desc="windows", unit="window"):
        count = int(rng.choice([30, 100, 300, 1000]))
        rows = draw_rows(reference, count, rng, shift=rng.choice([0.0, 0.05, 0.2]), bunch=BUNCH * (number % 2))
        with tempfile.TemporaryDirectory() as place:
            said = judged(Path(place), rows, standard)
        differing += len(set(said)) > 1
        outcomes[json.loads(said[0])["outcome"]] += 1
    return differing, outcomes


def judged(place: Path, rows: list[Observation], standard: Standard) -> list[str]:
    """What a check says from rows, from Parquet and from summaries, but for the report."""
    at, selection = MONDAY + 24 * HOUR_SECONDS, Selection()
    (place / "rows" / FOLDER).mkdir(parents=True)
    for row in rows:
        with (place / "rows" / FOLDER / f"{hour(row.at)}-1.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{row.to_json()}\n")
    ParquetDestination(str(place / "columns"), worker="1").send(rows, number=1)
    compact(place / "columns", standard, str(place / "summaries"), at=at)
    made = [check(place / kind, standard, at=at, selection=selection, last=None) for kind in ("rows", "columns")]
    made.append(check_summaries(str(place / "summaries"), standard, at=at, selection=selection))
    return [replace(one, report=None, drawn=0).to_json() for one in made]


def make_year(folder: Path, *, days: int, images_a_day: int) -> int:
    """Write a summary for each hour, of images that are like the reference's; how many bytes they take."""
    reference, rng = Reference.load(BUNDLE), np.random.default_rng(2)
    place = HourSummaries(str(folder), reference_digest(BUNDLE), reference)
    images = images_a_day // 24 // len(CHANNELS)
    for number in tqdm(range(days * 24), desc="year", unit="hour"):
        summary = HourSummary(reference)
        for name in CHANNELS:
            cell = Summary.empty(reference)
            cell.counts = drawn_counts(reference, images, rng)
            cell.confidence_sum, cell.doubt_sum = int(0.9 * images * ONE), int(0.06 * images * ONE)
            summary.channels[name] = cell
        place.save(hour(MONDAY + number * HOUR_SECONDS), summary)
    return sum(file.stat().st_size for file in folder.rglob("*.npz"))


def drawn_counts(reference: Reference, images: int, rng: np.random.Generator) -> RankCounts:
    """The counts of images whose ranks are uniform, each of a document of its own."""
    signals = len(reference.quantiles)
    tenths = rng.multinomial(images, [0.1] * (len(EDGES) + 1), size=signals)
    buckets = rng.multinomial(images, [1 / BUCKETS] * BUCKETS)
    odd = rng.binomial(images, 0.02)
    few = rng.multinomial(odd, [1 / BUCKETS] * BUCKETS)
    sums = np.rint(rng.normal(0.5, 0.29 / np.sqrt(images), signals) * images * ONE).astype(np.int64)
    below = tenths.cumsum(axis=1)[:, :-1]
    documents, unusual = DocumentCounts(1, images, 0, buckets), DocumentCounts(1, odd, 0, few)
    is_prediction = np.asarray([name in KINDS["prediction"] for name in reference.quantiles], np.bool_)
    return RankCounts(below, sums, documents, documents, is_prediction, images, unusual)


def judge_year(folder: Path) -> dict[str, Any]:
    """Seconds, processor seconds and peak memory of the command."""
    command = [sys.executable, "-m", "legible", "drift", "--summaries", str(folder), "--bundle", str(BUNDLE), "--json"]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = json.loads(done.stdout)
    return {
        "images": said["images"],
        "outcome": said["outcome"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--images-a-day", type=int, default=1_000_000)
    asked = parser.parse_args()
    content: dict[str, Any] = {"bundle": load_bundle(BUNDLE).id}
    if asked.windows:
        differing, outcomes = compare_windows(asked.windows)
        print(f"{asked.windows} windows from rows, Parquet and summaries: {differing} differ; {dict(outcomes)}")
        content |= {"windows": asked.windows, "differing": differing, "outcomes": outcomes}
    with tempfile.TemporaryDirectory() as place:
        size = make_year(Path(place), days=asked.days, images_a_day=asked.images_a_day)
        year = judge_year(Path(place))
    print(f"{asked.days} days: {size / 2**20:.0f} MiB of summaries; {year}")
    content |= {"days": asked.days, "summaries_mib": round(size / 2**20, 1), "year": year}
    (PROJECT / "benchmarks/summaries.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
