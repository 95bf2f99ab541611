"""Rows of benchmarks/service/service.py: what must not change, be it after many readings or on another worker."""

import asyncio
import json
import statistics
from collections.abc import Iterator, Sequence

import httpx
from load import Connection, upload
from rows import AT_LEAST, AT_MOST, IMAGES, MEGABYTE, Row, Scale, drawn, serving
from tqdm import tqdm


def slope(values: Sequence[float]) -> float:
    """Least squares, by step."""
    return statistics.linear_regression(range(len(values)), values).slope


def memory(scale: Scale) -> Iterator[Row]:
    """One worker, words of all widths; looked at 40 times, the first quarter is warming up."""
    steps = 40
    requests = [upload("/read", [drawn("reading " * (1 + i % 5), size=20 + i % 30)]) for i in range(50)]
    sizes, files = [], []
    with serving(LEGIBLE_WORKERS="1") as service:
        (worker,) = service.workers
        for _ in tqdm(range(steps), desc="memory", unit="step"):
            asyncio.run(counted_load(service.address, requests, count=scale.readings // steps))
            sizes.append(worker.memory_info().rss / MEGABYTE)
            files.append(worker.num_fds())
    later, open_files = sizes[steps // 4 :], files[steps // 4 :]
    grown = slope(later) * steps / scale.readings * 10_000
    yield Row(f"memory after {scale.readings} readings", sizes[-1], "MB", AT_MOST, 150)
    # fewer readings than this are all warming up, and their slope says nothing
    yield Row("  grown by 10,000 readings", grown, "MB", AT_MOST, 0.5 if scale.readings >= 10_000 else None)  # noqa: PLR2004
    yield Row("  last over first quarter's end", sizes[-1] / later[0], "", AT_MOST, 1.05)
    yield Row("  open files, last less first quarter's end", open_files[-1] - open_files[0], "", AT_MOST, 0)


async def counted_load(address: str, requests: Sequence[bytes], *, count: int) -> None:
    """So many requests over eight connections."""
    left = iter(range(count))

    async def ask() -> None:
        connection = Connection(address)
        for number in left:
            await connection.ask(requests[number % len(requests)])
        connection.close()

    await asyncio.gather(*(ask() for _ in range(8)))


def same(scale: Scale) -> Iterator[Row]:
    """Each image alone, twenty times on either of two workers, and in batches of different sizes and slots."""
    with serving(LEGIBLE_WORKERS="2") as service:
        found: dict[int, set[str]] = {number: set() for number in range(len(IMAGES))}
        workers = set()
        for _ in range(max(scale.images // 10, 5)):
            with httpx.Client(base_url=service.address) as client:  # a new connection may meet the other worker
                for number, image in enumerate(IMAGES):
                    alone = client.post("/read", files={"image": image}).json()
                    workers.add(alone.pop("reading_id").split("-")[1])
                    found[number].add(json.dumps(alone))
                order = list(range(len(IMAGES)))[:: -1 if len(workers) % 2 else 1]
                together = client.post("/read_batch", files=[("images", IMAGES[number]) for number in order]).json()
                for number, reading in zip(order, together["readings"], strict=True):
                    reading.pop("reading_id")
                    found[number].add(json.dumps(reading))
    yield Row("workers that answered", len(workers), "", AT_LEAST, 2)
    yield Row("answers to one image, alone, in batches, on any worker", max(map(len, found.values())), "", AT_MOST, 1)
