"""Reading in bulk: two bare processes, legible's own engine and a Ray cluster of two nodes on the same images.

    python benchmarks/reading/bulk.py                         (--images 20000, --rounds 2, --skip ray)

Draws words once, packs them into tar shards, and reads them in turns with each engine; in the last round a node of the
cluster is killed midway and every image has to be there once. Prints a table and writes benchmarks/bulk.json.
"""

import argparse
import io
import json
import statistics
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from legible.image.decode import decode
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer
from legible.scale.blocks import BLOCK_IMAGES, block_images, list_blocks
from legible.scale.bulk import read_bulk
from legible.scale.plan import BulkJob
from legible.synth.words import Texts

PROJECT = Path(__file__).parents[2]
BUNDLE = PROJECT / "models/bundle"
SHARD_IMAGES = 4096
WORKERS = 2


@dataclass(frozen=True)
class Row:
    """One engine's images a second, the median of its rounds, beside two bare processes in the same run."""

    engine: str
    images_per_second: float
    over_bare: float
    peak_mib: float
    cpu_seconds: float
    """Of all processes, so that what else the machine does hardly matters."""


@dataclass(frozen=True)
class Usage:
    """What a call took: seconds of the clock, of the processors, and the most MiB of one process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def draw_shards(folder: Path, count: int) -> None:
    """Words in one font and size, so that the reading costs and not the drawing."""
    rng = np.random.default_rng(1)
    texts = Texts(load_bundle(BUNDLE).charset)
    font = ImageFont.load_default(28)
    for first in tqdm(range(0, count, SHARD_IMAGES), desc="draw", unit="shard"):
        with tarfile.open(folder / f"words-{first:06}.tar", "w") as tar:
            for number in range(first, min(first + SHARD_IMAGES, count)):
                content = drawn(texts.running_word(rng), font)
                member = tarfile.TarInfo(f"{number:06}.png")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def drawn(text: str, font: Any) -> bytes:
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 16, int(bottom - top) + 16), 255)
    ImageDraw.Draw(image).text((8 - left, 8 - top), text, font=font)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


_recognizer: list[Recognizer] = []


def _open() -> None:
    _recognizer[:] = [Recognizer.from_bundle(load_bundle(BUNDLE))]


def _read(block: Any) -> int:
    """What any engine has to do: fetch, decode, read."""
    return len(_recognizer[0].read([decode(content) for _, content in block_images(block)]))


def read_bare(folder: Path, output: Path) -> None:
    del output
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), initializer=_open) as pool:
        sum(pool.map(_read, list_blocks([str(folder)])))


def read_local(folder: Path, output: Path) -> None:
    job = BulkJob((str(folder),), load_bundle(BUNDLE).id)
    read_bulk(job, str(output), bundle=str(BUNDLE), workers=WORKERS)


@contextmanager
def cluster() -> Iterator[Any]:
    """A head without processors and two nodes of one each."""
    import ray  # starts processes of its own  # noqa: PLC0415
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    found.workers = [found.add_node(num_cpus=1) for _ in range(WORKERS)]
    found.wait_for_nodes()
    yield found
    ray.shutdown()
    found.shutdown()


def ray_reader(address: str) -> Callable[[Path, Path], None]:
    def read(folder: Path, output: Path) -> None:
        job = BulkJob((str(folder),), load_bundle(BUNDLE).id)
        read_bulk(job, str(output), bundle=str(BUNDLE), engine="ray", workers=WORKERS, address=address)

    return read


def cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def usage_of(call: Callable[[], None]) -> Usage:
    """What this process and those below it use meanwhile; they are looked at five times a second."""
    peak, ended = [0.0], threading.Event()
    own = psutil.Process()
    before = {one.pid: cpu_of(one) for one in (own, *own.children(recursive=True))}
    used = dict(before)

    def look() -> None:
        is_last = False
        while not is_last:
            is_last = ended.wait(0.2)
            for one in (own, *own.children(recursive=True)):
                try:
                    used[one.pid] = cpu_of(one)
                    peak[0] = max(peak[0], one.memory_info().rss / 2**20 if one is not own else 0.0)
                except psutil.NoSuchProcess:
                    continue

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    started = time.monotonic()
    call()
    seconds = time.monotonic() - started
    ended.set()
    looking.join()
    return Usage(seconds, sum(used.values()) - sum(before.values()), peak[0])


def killed_midway(folder: Path, output: Path, found: Any, images: int) -> int:
    """Read with a node killed when half of the parts are there; how many images came out more or less than once."""

    def kill() -> None:
        while len(list(output.glob("part-*"))) < images // BLOCK_IMAGES // 2:
            time.sleep(0.05)
        found.remove_node(found.workers[0], allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    ray_reader(found.address)(folder, output)
    killer.join(timeout=60)
    lines = [line for part in output.glob("part-*") for line in part.read_text(encoding="utf-8").splitlines()]
    ids = {json.loads(line)["id"] for line in lines}
    return abs(len(lines) - images) + abs(len(ids) - images)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--skip", default="", help="an engine that is left out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, cluster() as found:
        folder = Path(place) / "images"
        folder.mkdir()
        draw_shards(folder, asked.images)
        engines = {"bare": read_bare, "local": read_local, "ray": ray_reader(found.address)}
        engines.pop(asked.skip, None)
        measured: dict[str, list[Usage]] = {name: [] for name in engines}
        for number in range(asked.rounds):
            for name, read in engines.items():
                output = Path(place) / f"{name}-{number}"
                measured[name].append(usage_of(lambda read=read, output=output: read(folder, output)))
        rates = {name: asked.images / statistics.median(one.seconds for one in own) for name, own in measured.items()}
        rows = [
            Row(
                name,
                round(rate, 1),
                round(rate / rates["bare"], 3),
                round(max(one.peak_mib for one in measured[name])),
                round(statistics.median(one.cpu_seconds for one in measured[name]), 1),
            )
            for name, rate in rates.items()
        ]
        for row in rows:
            print(
                f"{row.engine:8}{row.images_per_second:9.1f} images/s{row.over_bare:7.2f} of bare{row.peak_mib:7} MiB"
                f"{row.cpu_seconds:8.1f} s of CPU"
            )
        content: dict[str, Any] = {"images": asked.images, "rows": [asdict(row) for row in rows]}
        if "ray" in engines:
            faults = killed_midway(folder, Path(place) / "killed", found, asked.images)
            print(f"one of two nodes killed midway: {faults} images not exactly once")
            content["not_exactly_once"] = faults
        (PROJECT / "benchmarks/bulk.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
