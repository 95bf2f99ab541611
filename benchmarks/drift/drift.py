"""How often the drift check is wrong, how soon it notices, whether it is right about what and how much; and its peers.

Needs data/dataset, and evaluation/ of the bundle's pipeline. Reads `validation` images, corrupted, with the bundle; the
signatures are of `tune` images. Windows are drawn from rows by writers that the calibration has not seen. Prints a
table and writes drift.json. Evidently's preset, a KS test at 0.05 a column and PSI at 0.2 see other windows, drawn
alike.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from drift_windows import Half, Pool, evidently_drifts, halves, ks_drifts, psi_drifts, upper_bound
from tqdm import tqdm

from legible.batched import batched
from legible.config import ServiceSettings, load_params
from legible.data.dataset import Dataset, Sample
from legible.drift.quality import MAX_CORRECTED, Quality, estimated
from legible.drift.reference import Reference
from legible.drift.signatures import NONE, Corrupted, Signatures
from legible.drift.summary import Summary
from legible.evaluation.corrupted import corrupted, spread_over_writers
from legible.image.decode import Limits
from legible.observations.layout import new_reading_id
from legible.observations.row import Observation, observe
from legible.observations.window import read_back
from legible.packing.reference import few_of_each, measured
from legible.reading import Reading
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import STEP_IMAGES, Recognizer
from legible.service.read_job import Origin, ReadJob
from legible.service.service_logs import ServiceLogs
from legible.service.telemetry import Telemetry

HERE = Path(__file__).parent
SIZES = (50, 100, 200, 500, 1000, 2000, 3000, 5000)
DETECTED = 0.95
TELLING = """
import atexit, sys
from pathlib import Path
from legible.cli import (main)
def tell():
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(tell)
main()
"""
"""`legible`, and at its end the most memory it held; getrusage would count that of the process that started it."""
GROSS = ("inversion", "other-script")


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    what: str
    found: str


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    options.add_argument("--windows", type=int, default=20_000, help="without drift")
    options.add_argument("--splits", type=int, default=40, help="of the writers into calibration and windows")
    options.add_argument("--peer-windows", type=int, default=20, help="of each size; Evidently takes seconds a window")
    options.add_argument("--images", type=int, default=400, help="corrupted in each way")
    options.add_argument("--tries", type=int, default=200, help="windows of each corruption and size")
    options.add_argument("--rows", type=int, default=1_000_000, help="observations at volume")
    options.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    chosen = options.parse_args()
    unknown = sorted(set(chosen.parts) - set(PARTS))
    if unknown:
        options.error(f"no part {', '.join(unknown)}; there: {', '.join(PARTS)}")
    lines = [line for part in chosen.parts or PARTS for line in PARTS[part](chosen)]
    (HERE / "drift.json").write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")
    for line in lines:
        print(f"{line.what:72} {line.found}")


def without_drift(chosen: argparse.Namespace) -> list[Line]:
    params = load_params(Path("params.yaml"))
    rng = np.random.default_rng(2)
    images = measured(Dataset.open(Path("data/dataset")), params.reference, rng)
    observations = few_observations(params.reference.per_writer)
    each = -(-chosen.windows // chosen.splits // len(SIZES))
    alarms, windows, peers = dict.fromkeys(SIZES, 0), 0, dict.fromkeys(PEERS, 0)
    peer_windows = 0
    for _ in tqdm(range(chosen.splits), desc="no drift", unit="split"):
        half = halves(images, observations, params.reference, rng)
        for n in SIZES:
            alarms[n] += half.alarms(n, each, rng)
            windows += each
        if peer_windows < chosen.peer_windows * len(SIZES):
            for n in SIZES:
                _count_peers(half, n, chosen.peer_windows, peers, rng)
                peer_windows += chosen.peer_windows
    total = sum(alarms.values())
    by_size = ", ".join(f"{n}: {count}" for n, count in alarms.items())
    found = f"{total} of {windows}; 95 % bound {1000 * upper_bound(total, windows):.2f} in 1,000 ({by_size})"
    others = [Line(f"  {name}", f"{count} of {peer_windows}") for name, count in peers.items()]
    return [Line("false alarms without drift, windows of 50 to 5,000", found), *others]


def few_observations(per_writer: int) -> list[Observation]:
    """Of images as they are, of tune and validation writers."""
    rows = read_back(Path("evaluation/observations.jsonl")).observations
    few = few_of_each(((row.writer, row) for row in rows), lambda row: row, per_writer, np.random.default_rng(6))
    return [row for own in few.values() for row in own]


def _count_peers(half: Half, n: int, windows: int, peers: dict[str, int], rng: np.random.Generator) -> None:
    for _ in range(windows):
        known, current = half.tables(n, rng)
        for name, drifts in PEERS.items():
            peers[name] += drifts(known, current)


PEERS: dict[str, Callable[..., bool]] = {
    "KS 0.05 a column": ks_drifts,
    "PSI 0.2": psi_drifts,
    "Evidently's preset": evidently_drifts,
}


def with_drift(chosen: argparse.Namespace) -> list[Line]:
    reference = Reference.load(chosen.bundle)
    signatures = Signatures.load(chosen.bundle, signals=tuple(reference.quantiles))
    quality = Quality.load(chosen.bundle)
    if signatures is None or quality is None:
        sys.exit(f"{chosen.bundle} has no signatures; run legible evaluate, reference and pack")
    recognizer = Recognizer.from_bundle(load_bundle(chosen.bundle), workers=2)
    samples = spread_over_writers(list(Dataset.open(Path("data/dataset")).samples(split="validation")), chosen.images)
    rows: dict[tuple[str, int], list[Corrupted]] = {}
    for row in corrupted(recognizer, samples, seed=12):
        rows.setdefault((row.corruption, row.severity), []).append(row)
    del rows[NONE, 0]  # too few to stand for traffic without drift
    usual = Pool.of(reference, few_observations(load_params(Path("params.yaml")).reference.per_writer))
    pools = {way: Pool.of(reference, [row.observation for row in own]) for way, own in rows.items()}
    return [
        *detection(pools, usual, chosen.tries),
        *naming(pools, usual, signatures, chosen.tries),
        *estimates(reference, rows, signatures, quality),
        unmarked(usual, signatures, quality, 10 * chosen.tries),
    ]


def detection(pools: dict[tuple[str, int], Pool], usual: Pool, tries: int) -> list[Line]:
    rng = np.random.default_rng(3)
    groups = {
        "severity 3 to 5": ([way for way in pools if way[1] >= 3], 1.0),  # noqa: PLR2004
        "severity 1": ([way for way in pools if way[1] == 1], 1.0),
        "inversion, other script": ([way for way in pools if way[0] in GROSS], 1.0),
        "a tenth of the traffic at severity 3": ([way for way in pools if way[1] == 3], 0.1),  # noqa: PLR2004
    }
    lines = []
    for name, (ways, share) in groups.items():
        needed = {way: _images_needed(pools[way], usual, share, tries, rng) for way in ways}
        late = sorted(needed, key=lambda way: -needed[way])[:3]
        worst = ", ".join(f"{way[0]} {way[1]}: {needed[way]:g}" for way in late)
        found = f"median {np.median(list(needed.values())):g}; most: {worst}"
        lines.append(Line(f"images to {DETECTED:.0%} detection, {name}", found))
    return lines


def _images_needed(pool: Pool, usual: Pool, share: float, tries: int, rng: np.random.Generator) -> float:
    """Of SIZES; infinity where the largest are too few."""
    for n in SIZES:
        if pool.detected(usual, n, share, tries, rng) >= DETECTED:
            return n
    return np.inf


def naming(pools: dict[tuple[str, int], Pool], usual: Pool, signatures: Signatures, tries: int) -> list[Line]:
    rng = np.random.default_rng(4)
    lines = []
    for name, share, n in (("all traffic, windows of 200", 1.0, 200), ("a tenth of it, windows of 3,000", 0.1, 3000)):
        right = [
            (cause := signatures.cause(deviations)) is not None and cause.corruption == way[0]
            for way, pool in pools.items()
            if way[1] >= 3  # noqa: PLR2004
            for deviations in pool.deviations(usual, n, share, max(tries // 10, 2), rng)
        ]
        lines.append(Line(f"right corruption named, severity 3 to 5, {name}", f"{np.mean(right):.1%}"))
    return lines


def estimates(
    reference: Reference, rows: dict[tuple[str, int], list[Corrupted]], signatures: Signatures, quality: Quality
) -> list[Line]:
    """One window of all images for each corruption and severity."""
    off, plain, marked = {}, {}, {}
    for way, own in rows.items():
        summary = Summary.of(reference, [row.observation for row in own])
        cause = signatures.cause(summary.counts.deviations)
        estimate = quality.estimate(summary, drifted=True, cause=cause)
        true = np.mean([row.right for row in own])
        off[way], marked[way] = abs(estimate.exact_match - true), bool(estimate.unreliable)
        plain[way] = abs(estimated(summary).exact_match - true)
    slight = [off[way] for way in rows if way[1] <= 3 and not marked[way]]  # noqa: PLR2004
    far = [way for way in rows if off[way] > MAX_CORRECTED]
    doubtful = [way for way in rows if plain[way] > MAX_CORRECTED]
    return [
        Line(
            "estimated against true exact match, severity 1 to 3, not marked",
            f"median {100 * np.median(slight):.1f}, most {100 * max(slight):.1f} points",
        ),
        Line(
            "marked unreliable: of windows whose estimate is further off than 5 points",
            f"{sum(marked[way] for way in far)} of {len(far)}",
        ),
        Line(
            "  of windows whose mean confidence is, before it is corrected by the cause",
            f"{sum(marked[way] for way in doubtful)} of {len(doubtful)}",
        ),
    ]


def unmarked(usual: Pool, signatures: Signatures, quality: Quality, windows: int) -> Line:
    """Of windows of all sizes without drift, those whose estimate would be called unreliable."""
    rng = np.random.default_rng(7)
    each = -(-windows // len(SIZES))
    marked = 0
    for n in SIZES:
        thresholds = usual.thresholds(n)
        for deviations in usual.deviations(usual, n, 1.0, each, rng):
            drifted = bool((np.abs(deviations).max(axis=1) > thresholds).any())
            summary = Summary.empty(usual.reference)
            marked += bool(quality.estimate(summary, drifted=drifted, cause=signatures.cause(deviations)).unreliable)
    found = f"{marked} of {each * len(SIZES)}; 95 % bound {upper_bound(marked, each * len(SIZES)):.2%}"
    return Line("marked unreliable: of windows without drift", found)


def cost(chosen: argparse.Namespace) -> list[Line]:
    recognizer = Recognizer.from_bundle(load_bundle(chosen.bundle))
    samples = spread_over_writers(list(Dataset.open(Path("data/dataset")).samples(split="validation")), 300)
    readings = recognizer.read([sample.image for sample in samples])
    rows = [
        observe(sample.image, reading, channel="benchmark", at=0.0, reading_id=f"r{i}")
        for i, (sample, reading) in enumerate(zip(samples, readings, strict=True))
    ]
    seconds, megabytes = volume(rows, chosen)
    before, in_all = watching(chosen.bundle, samples, readings)
    return [
        Line("added before the answer", f"{before:.3f} ms an image"),
        Line("CPU in all: row, ranks, metrics, log", f"{in_all:.3f} ms an image"),
        Line(f"legible drift over {chosen.rows} observations", f"{seconds:.1f} s, {megabytes:.0f} MB"),
    ]


def watching(
    bundle: Path, samples: Sequence[Sample], readings: Sequence[Reading], *, rounds: int = 5
) -> tuple[float, float]:
    """CPU milliseconds an image, of all threads: an id and a job that holds the image; all that follows the answer.

    One thread at work at a time; the least of some rounds.
    """
    before, after = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            settings = ServiceSettings(observations_folder=folder)
            logs = ServiceLogs(settings, worker="1")
            telemetry = Telemetry(load_bundle(bundle), settings, logs)
            start = time.process_time()
            jobs = [job_of(sample, reading) for sample, reading in zip(samples, readings, strict=True)]
            answered = time.process_time()
            for some in batched(jobs, STEP_IMAGES):
                telemetry.observe(some)
            telemetry.count()
            logs.close()  # when the log is written
            after.append(time.process_time() - answered)
            before.append(answered - start)
    milliseconds = 1000 / len(samples)
    return min(before) * milliseconds, (min(before) + min(after)) * milliseconds


def job_of(sample: Sample, reading: Reading) -> ReadJob:
    """Return the job of an image that was read."""
    job = ReadJob(b"", Limits(), origin=Origin("other"))
    job.image, job.reading, job.at = sample.image, reading, time.time()
    job.reading_id = new_reading_id(job.at, "1")
    return job


def volume(rows: Sequence[Observation], chosen: argparse.Namespace) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "window.jsonl"
        with path.open("w") as file:
            for i in range(chosen.rows):
                file.write(replace(rows[i % len(rows)], at=float(i)).to_json() + "\n")
        asked = ["drift", "--observations", str(path), "--since", "1970-01-01T00:00Z", "--bundle", str(chosen.bundle)]
        start = time.perf_counter()
        outcome = subprocess.run([sys.executable, "-c", TELLING, *asked], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if outcome.returncode not in (0, 1):
        sys.exit(outcome.stderr)
    return seconds, int(outcome.stderr.split()[-2]) / 1000


PARTS: dict[str, Callable[[argparse.Namespace], list[Line]]] = {
    "without": without_drift,
    "with": with_drift,
    "cost": cost,
}

if __name__ == "__main__":
    main()
