"""Rows of benchmarks/service/service.py: how much it reads, what becomes of too much, and how soon it does."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from load import LOST, open_loop, upload
from rows import AT_MOST, IMAGES, MEGABYTE, READS, SERVING, Row, Scale, full_speed, serving
from serving import PROJECT, free_port

BATCH = 64
MODEL = {"LEGIBLE_BUNDLE": str(PROJECT / "models/bundle")}


def read(scale: Scale) -> Iterator[Row]:
    """Rounds alternate, so that what else the machine does meets both."""
    one: dict[str, Any] = {"LEGIBLE_WORKERS": "1", "cores": str(SERVING[0])}
    bare = tuple(upload("/bare/read", [image]) for image in IMAGES)
    with serving(**one) as service, serving(target="benchmarks.service.noop:Noop", **one) as nothing:
        for warm in (service, nothing):
            full_speed(warm, 1.0)
        rates = [
            (
                full_speed(service, scale.seconds).rate(),
                full_speed(nothing, scale.seconds).rate(),
                full_speed(nothing, scale.seconds, bare).rate(),
            )
            for _ in range(scale.rounds)
        ]
        used = max(worker.memory_info().rss for worker in service.workers) / MEGABYTE
    yield Row("/read, one worker", statistics.median(own for own, _, _ in rates), "requests/s")
    yield Row(
        "over the framework's no-op", statistics.median(own / route for own, route, _ in rates), "", bound=0.5, aim=0.75
    )
    yield Row("over a bare ASGI no-op in it", statistics.median(own / app for own, _, app in rates), "")
    yield Row("memory of its worker", used, "MB", AT_MOST, 150)


IN_PROCESS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from legible.image.decode import (decode)
from legible.recognition.bundle import (find_bundle, load_bundle)
from legible.recognition.recognizer import (Recognizer)
folder, seconds, workers = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
images = [decode(path.read_bytes()) for path in sorted(folder.iterdir())]
recognizer = Recognizer.from_bundle(load_bundle(find_bundle()), workers=workers)
recognizer.read(images)
count, started = 0, time.perf_counter()
while time.perf_counter() - started < seconds:
    count += len(recognizer.read(images))
print(count / (time.perf_counter() - started))
"""


def in_process(seconds: float) -> float:
    """Images a second of the recogniser alone, of images that are decoded, on the cores of the service."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(IMAGES):
            (Path(folder) / f"{number}.png").write_bytes(image)
        pinned = ["taskset", "--cpu-list", ",".join(map(str, SERVING)), sys.executable, "-c", IN_PROCESS]
        arguments = [folder, str(seconds), str(len(SERVING))]
        environment = {**os.environ, **MODEL}
        done = subprocess.run([*pinned, *arguments], capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def read_batch(scale: Scale) -> Iterator[Row]:
    requests = [upload("/read_batch", [IMAGES[i % len(IMAGES)] for i in range(BATCH)], name="images")]
    pairs = []
    with serving() as service:
        full_speed(service, 1.0, requests, connections=2)
        for _ in range(scale.rounds):
            own = full_speed(service, scale.seconds, requests, connections=2 * len(SERVING)).rate() * BATCH
            pairs.append((own, in_process(scale.seconds)))
    yield Row(f"/read_batch ({BATCH} images)", statistics.median(own for own, _ in pairs), "images/s")
    yield Row(
        "over the recogniser in process",
        statistics.median(own / alone for own, alone in pairs),
        "",
        bound=0.8,
        aim=0.95,
    )


def overload(scale: Scale) -> Iterator[Row]:
    with serving() as service:
        full_speed(service, 1.0)
        peak = full_speed(service, scale.seconds).rate()
        yield Row("peak", peak, "requests/s")
        for times, bound in ((2, 0.8), (5, 0.5), (10, 0.25)):
            flood = asyncio.run(open_loop(service.address, READS, rate=times * peak, seconds=scale.seconds))
            yield Row(f"goodput over peak at {times} times the peak", flood.rate() / peak, "", bound=bound, aim=0.9)
            yield Row("  refused within (95 of 100)", 1000 * flood.quantile(0.95, 429), "ms", AT_MOST, 50)
            yield Row("  accepted answered within (95 of 100)", 1000 * flood.quantile(0.95), "ms")
            lost = Counter(answer.body.decode() for answer in flood.answers if answer.status == LOST)
            print(f"lost at {times} times: {dict(lost)}", file=sys.stderr)
            yield Row("  lost", flood.statuses[LOST], "", AT_MOST, 0)


LOADING_TIME = """
import time
started = time.perf_counter()
from legible.recognition.bundle import (find_bundle, load_bundle)
from legible.recognition.recognizer import (Recognizer)
Recognizer.from_bundle(load_bundle(find_bundle()))
print(time.perf_counter() - started)
"""


def seconds_to_ready(environment: dict[str, str]) -> float:
    port = str(free_port())
    command = [sys.executable, "-m", "legible", "serve", "--port", port, "--workers", "1"]
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process,
    ):
        said = next(line for line in process.stdout or () if "legible reads at" in line)
        seconds = time.perf_counter() - began
        process.terminate()
        process.communicate(timeout=60)
    print(said.strip(), file=sys.stderr)
    return seconds


def start(scale: Scale) -> Iterator[Row]:
    """`legible serve` until it says where it reads; import, bundle and first interpreter in a process of its own."""
    environment = {**os.environ, **MODEL}
    ready, loaded_after = [], []
    for _ in range(scale.rounds):
        ready.append(seconds_to_ready(environment))
        loading = subprocess.run(
            [sys.executable, "-c", LOADING_TIME], env=environment, capture_output=True, text=True, check=True
        )
        loaded_after.append(float(loading.stdout))
    yield Row("start to ready", statistics.median(ready), "s", AT_MOST, 5, 3)
    yield Row("recogniser loaded", statistics.median(loaded_after), "s", AT_MOST, 0.3, 0.1)
