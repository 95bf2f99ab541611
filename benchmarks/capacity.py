"""Capacity on paper: what a reading, its observation and its check cost in CPU time, and what that means at a rate.

    python benchmarks/capacity.py                         (--request-ms 2.2 --core-price 0.04 --rates 10 100 1000 10000)

Measures the parts in this process in CPU time, so that other load hardly matters, and simulates workers that take
requests at random times (Poisson), one after another, with the service's limit on requests in flight. `--request-ms` is
a whole `/read` in a worker, as `python benchmarks/service/service.py path` measures it. Prints tables, and writes
benchmarks/capacity.json.
"""

import argparse
import io
import json
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from legible.config import ServiceSettings
from legible.drift.hour_format import of_bytes, to_bytes
from legible.drift.hourly import HourSummary
from legible.drift.reference import Reference
from legible.drift.summary import Summary
from legible.image.decode import decode
from legible.observations.columns import to_parquet
from legible.observations.layout import new_reading_id
from legible.observations.log import BATCH, GATHER_SECONDS
from legible.observations.row import Observation, observe
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer
from legible.service import metrics
from legible.service.signal_counts import ALL
from legible.tables import markdown_table

PROJECT = Path(__file__).parents[1]
BUNDLE = PROJECT / "models/bundle"
IMAGES = 200
ROWS = 4000
DAY = 86_400
PROMISED_SECONDS = 0.2
MAX_LOAD = 0.7
"""The fraction of a core that is planned with; the simulation says whether it keeps the promise."""
BURSTS = 0.5
"""The coefficient of variation of the time of a request: words and lines are of different widths."""


@dataclass(frozen=True)
class Costs:
    """CPU milliseconds and bytes of each part, for one image or row."""

    bulk_ms: float
    observe_ms: float
    line_ms: float
    line_bytes: float
    parquet_ms: float
    parquet_bytes: float
    check_row_ms: float
    """A row read back from a line and counted."""
    merge_hour_ms: float
    """A summary of an hour opened and added."""
    summary_bytes: float
    series: int
    """The time series of a replica with one channel."""


def cpu_ms(call: Callable[[], object], *, items: int, tries: int = 3) -> float:
    """CPU milliseconds for an item, the least of some tries."""
    found = []
    for _ in range(tries):
        before = time.process_time()
        call()
        found.append(time.process_time() - before)
    return min(found) / items * 1000


def measured() -> Costs:
    recognizer, reference = Recognizer.from_bundle(load_bundle(BUNDLE)), Reference.load(BUNDLE)
    contents = list(drawn(IMAGES))
    images = [decode(content) for content in contents]
    readings = recognizer.read(images)
    pairs = list(zip(images, readings, strict=True))
    rng = np.random.default_rng(2)
    rows = [_varied(_observed(number, *pairs[number % IMAGES]), rng) for number in range(ROWS)]
    lines, columns = [row.to_json() for row in rows], to_parquet(rows)
    hour = HourSummary(reference)
    hour.add(rows)
    stored = to_bytes(hour)
    return Costs(
        bulk_ms=cpu_ms(lambda: recognizer.read([decode(content) for content in contents]), items=IMAGES),
        observe_ms=cpu_ms(lambda: [_observed(0, *pair) for pair in pairs], items=IMAGES),
        line_ms=cpu_ms(lambda: [row.to_json() for row in rows], items=ROWS),
        line_bytes=sum(len(line) + 1 for line in lines) / ROWS,
        parquet_ms=cpu_ms(lambda: to_parquet(rows), items=ROWS),
        parquet_bytes=len(columns) / ROWS,
        check_row_ms=cpu_ms(lambda: Summary.of(reference, map(Observation.from_json, lines)), items=ROWS),
        merge_hour_ms=cpu_ms(lambda: _merged(stored, reference), items=1),
        summary_bytes=len(stored),
        series=count_series(reference),
    )


def count_series(reference: Reference) -> int:
    """Count the lines of `/metrics` that hold a value."""
    metrics.prepare(routes=("/read", "/read_batch"))
    metrics.prepare_model("default", channels=("default", "other"))
    metrics.prepare_ranks("default", reference, channels=(ALL,))
    return sum(not line.startswith(b"#") for line in metrics.exposition().splitlines())


def _observed(number: int, image: Any, reading: Any) -> Observation:
    at = 1.7e9 + number
    return observe(image, reading, channel="default", at=at, reading_id=new_reading_id(at, "1"), bundle="0123456789ab")


def _varied(row: Observation, rng: np.random.Generator) -> Observation:
    """Return a row whose numbers differ from all others', as those of different images do, in a document of its own."""
    factors = rng.normal(1, 0.1, len(row.statistics)).tolist()
    statistics = {
        name: float(f"{value * by:.6g}") for (name, value), by in zip(row.statistics.items(), factors, strict=True)
    }
    confidence = float(f"{rng.beta(8, 1):.6g}")
    return replace(row, statistics=statistics, confidence=confidence, document=secrets.token_hex(8))


def _merged(stored: bytes, reference: Reference) -> None:
    of_bytes(stored, reference, name="hour").merge_into(Summary.empty(reference))


def drawn(count: int) -> Iterator[bytes]:
    """PNG files of numbers of two to nine digits."""
    font = ImageFont.load_default(28)
    for number in range(count):
        text = str(7 ** (number % 9 + 2))
        image = Image.new("L", (int(font.getlength(text)) + 16, 48), 250)
        ImageDraw.Draw(image).text((8, 6), text, font=font, fill=20)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        yield buffer.getvalue()


@dataclass(frozen=True)
class Load:
    """A rate of requests on a number of workers, simulated."""

    rate: int
    workers: int
    busy: float
    p50_ms: float
    p99_ms: float
    refused: float
    """The fraction of requests that were refused."""


def simulate(rate: float, workers: int, *, request_ms: float, rng: np.random.Generator, requests: int = 60_000) -> Load:
    """Simulate requests that a balancer gives to workers at random; each worker takes one after another."""
    limit = ServiceSettings().max_in_flight
    arrivals = rng.exponential(1 / rate, requests).cumsum()
    spread = math.sqrt(math.log(1 + BURSTS**2))
    seconds = rng.lognormal(math.log(request_ms / 1000) - spread**2 / 2, spread, requests)
    chosen = rng.integers(0, workers, requests)
    ends: list[deque[float]] = [deque() for _ in range(workers)]
    waits: list[float] = []
    for arrival, needed, worker in zip(arrivals.tolist(), seconds.tolist(), chosen.tolist(), strict=True):
        queue = ends[worker]
        while queue and queue[0] <= arrival:
            queue.popleft()
        if len(queue) < limit:
            end = max(arrival, queue[-1] if queue else arrival) + needed
            queue.append(end)
            waits.append(end - arrival)
    busy = request_ms / 1000 * len(waits) / (workers * arrivals[-1])
    p50, p99 = np.quantile(waits, [0.5, 0.99]) * 1000
    return Load(int(rate), workers, round(busy, 3), round(p50, 1), round(p99, 1), round(1 - len(waits) / requests, 4))


def planned(rate: int, *, request_ms: float) -> int:
    """The workers that a rate needs, each busy for MAX_LOAD of its time at most."""
    return math.ceil(rate * request_ms / 1000 / MAX_LOAD)


def at_rate(rate: int, costs: Costs, *, request_ms: float) -> dict[str, float]:
    """What a rate means for each part, all day long."""
    rows = rate * DAY
    return {
        "rate": rate,
        "images_a_day": rows,
        "workers": planned(rate, request_ms=request_ms),
        "lines_gb_a_day": round(rows * costs.line_bytes / 1e9, 2),
        "parquet_gb_a_day": round(rows * costs.parquet_bytes / 1e9, 2),
        "rows_a_second_and_worker": round(rate / planned(rate, request_ms=request_ms)),
        "check_day_from_rows_minutes": round(rows * costs.check_row_ms / 60_000, 1),
        "check_year_from_summaries_seconds": round(365 * 24 * costs.merge_hour_ms / 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--request-ms", type=float, default=2.2)
    parser.add_argument("--core-price", type=float, default=0.0, help="of a core for an hour, in your currency")
    parser.add_argument("--rates", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    asked = parser.parse_args()
    costs, rng = measured(), np.random.default_rng(1)
    print(markdown_table(["part", "measured"], [(name, f"{value:.4g}") for name, value in asdict(costs).items()]))
    hours = {"service": asked.request_ms / 3.6, "bulk": costs.bulk_ms / 3.6}
    for name, needed in hours.items():
        price = f", {needed * asked.core_price:.2f} at {asked.core_price:g} an hour" if asked.core_price else ""
        print(f"a million readings by {name}: {needed:.2f} core hours{price}")
    print(f"a worker's log: {BATCH / GATHER_SECONDS:.0f} rows a second at most")
    loads = []
    for rate in tqdm(asked.rates, desc="simulate", unit="rate"):
        needed = planned(rate, request_ms=asked.request_ms)
        loads += [
            simulate(rate, n, request_ms=asked.request_ms, rng=rng) for n in sorted({needed, needed + 1, 2 * needed})
        ]
    loads += [simulate(rate, 1, request_ms=asked.request_ms, rng=rng) for rate in (300, 400, 450, 500, 1000)]
    print(markdown_table(list(asdict(loads[0])), [asdict(one).values() for one in loads]))
    days = [at_rate(rate, costs, request_ms=asked.request_ms) for rate in asked.rates]
    print(markdown_table(list(days[0]), [one.values() for one in days]))
    content = {
        "costs": asdict(costs),
        "core_hours_a_million": hours,
        "loads": [asdict(one) for one in loads],
        "days": days,
    }
    (PROJECT / "benchmarks/capacity.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
