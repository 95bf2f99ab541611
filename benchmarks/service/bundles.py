"""Measure what several bundles in one service cost: memory of a worker, and CPU time of a request to the default.

python benchmarks/service/bundles.py [BUNDLE]: 1, 3 and 6 bundles, each a copy of one with another calibration, so that
nothing is shared but the file system's cache; then six names of the one bundle. One service of each kind in turn, all
rounds in one run, so that the machine's load meets all of them.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import _support  # noqa: F401
import httpx
from load import upload
from rows import IMAGES
from serving import PROJECT, Service, started
from steady import counted_load

from legible.files import sha256_of

COUNTS = (1, 3, 6)
ROUNDS, REQUESTS = 7, 200
MIB = 2**20


def copied(source: Path, target: Path, number: int) -> Path:
    """Write a copy that is another bundle: its calibration differs in a digit that matters to nobody."""
    shutil.copytree(source, target)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    path = target / "confidence.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["plain"]["reading"]["bias"] += number * 1e-6
    path.write_text(json.dumps(content), encoding="utf-8")
    manifest["files"]["confidence.json"] = sha256_of(path)
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return target


def serving(folder: Path, bundles: Mapping[str, Path], stack: ExitStack) -> Service:
    folder.mkdir()
    named = ",".join(f"{name}={place}" for name, place in bundles.items())
    service = stack.enter_context(started(folder, LEGIBLE_BUNDLES=named, LEGIBLE_REQUEST_LOG="0"))
    for name in bundles:
        for image in IMAGES[:8]:
            answer = httpx.post(f"{service.address}/read?model={name}", files={"image": image}, timeout=60)
            answer.raise_for_status()
    return service


def milliseconds(service: Service) -> float:
    """Return the CPU time of a worker for a request to the default model."""
    (worker,) = service.workers
    before = worker.cpu_times()
    asyncio.run(counted_load(service.address, [upload("/read", [image]) for image in IMAGES], count=REQUESTS))
    time.sleep(0.5)  # for what is done after the answers
    after = worker.cpu_times()
    return 1000 * (after.user + after.system - before.user - before.system) / REQUESTS


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "models/bundle"
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        copies = [copied(source, folder / f"bundle-{number}", number) for number in range(max(COUNTS))]
        kinds = {f"{count} bundles": {f"b{n}": copies[n] for n in range(count)} for count in COUNTS}
        kinds["6 names of 1 bundle"] = {f"b{n}": copies[0] for n in range(max(COUNTS))}
        services = {name: serving(folder / name.replace(" ", "-"), bundles, stack) for name, bundles in kinds.items()}
        costs: dict[str, list[float]] = {name: [] for name in services}
        for _ in range(ROUNDS):
            for name, service in services.items():
                costs[name].append(milliseconds(service))
        first = costs[next(iter(costs))]
        print("| served | memory of a worker, MiB | its own, not shared, MiB | CPU ms of a /read | of one bundle's |")
        print("|---|---|---|---|---|")
        for name, service in services.items():
            (worker,) = service.workers
            memory = worker.memory_full_info()
            ratio = statistics.median(own / one for own, one in zip(costs[name], first, strict=True))
            cost = statistics.median(costs[name])
            print(f"| {name} | {memory.rss / MIB:.0f} | {memory.uss / MIB:.0f} | {cost:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
