"""Rows of benchmarks/service/service.py: restarts, a killed worker, slow callers, a full disk."""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from load import LOST, Answer, Connection, open_loop
from rows import AT_LEAST, AT_MOST, CONNECTIONS, IMAGES, READS, Row, Scale, full_speed, serving
from serving import Service, free_port
from tqdm import tqdm


@contextlib.asynccontextmanager
async def loaded(address: str, keep: list[Answer], *, is_open: Callable[[], bool]) -> AsyncIterator[None]:
    """A load over 16 connections that holds back while `is_open` says no, as a balancer does."""
    ended = asyncio.Event()

    async def ask(number: int) -> None:
        connection = Connection(address)
        while not ended.is_set():
            if is_open():
                keep.append(await connection.ask(READS[number % len(READS)]))
            else:
                connection.close()
                await asyncio.sleep(0.02)
        connection.close()

    tasks = [asyncio.create_task(ask(number)) for number in range(CONNECTIONS)]
    try:
        yield
    finally:
        ended.set()
        await asyncio.gather(*tasks)


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def restarted(scale: Scale, folder: Path) -> list[Answer]:
    """Restarts on one port under load; the load looks at /readyz each tenth of a second, as a balancer does."""
    port, ready = free_port(), False
    answers: list[Answer] = []
    address = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=address, timeout=5) as client,
        loaded(address, answers, is_open=lambda: ready),
    ):
        for _ in tqdm(range(scale.restarts), desc="restarts", unit="restart"):
            with serving(folder=folder, port=port, LEGIBLE_DRAIN_SECONDS="5") as service:
                ready = True
                await asyncio.sleep(1.0)
                service.process.send_signal(signal.SIGTERM)
                while ready:
                    ready = await is_ready(client)
                    await asyncio.sleep(0.1)
                await asyncio.to_thread(service.process.wait)
    return answers


def restarts(scale: Scale) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        answers = asyncio.run(restarted(scale, Path(folder)))
    lost = sum(answer.status not in (200, 429) for answer in answers)
    yield Row(f"{scale.restarts} restarts under load, of {len(answers)} requests lost", lost, "", AT_MOST, 0, 0)


def worker_of(answer: Answer) -> int:
    """The process that read it: the middle of its reading id, without the nine digits that no other host gives."""
    return int(json.loads(answer.body)["reading_id"].split("-")[1][:-9])


async def killed(service: Service, seconds: float) -> tuple[int, int, float]:
    """Lost requests of the killed worker and of others, and after how long as many workers answer as before."""
    victim = service.workers[0].pid
    lost: list[int | None] = []
    seen: dict[int, float] = {}
    died = float("inf")

    async def ask(number: int) -> None:
        connection, owner = Connection(service.address), None
        while time.perf_counter() < until:
            answer = await connection.ask(READS[number % len(READS)])
            if answer.status == httpx.codes.OK:
                owner = worker_of(answer)
                seen.setdefault(owner, time.perf_counter())
            elif answer.status == LOST:
                lost.append(owner)
                owner = None
            if number % 20 == 0:  # connections stay with their worker: some start anew
                connection.close()
                owner = None
            number += 1

    async def kill() -> None:
        nonlocal died
        await asyncio.sleep(2.0)
        died = time.perf_counter()
        os.kill(victim, signal.SIGKILL)

    until = time.perf_counter() + seconds
    await asyncio.gather(kill(), *(ask(number) for number in range(CONNECTIONS)))
    after = [at - died for pid, at in seen.items() if at > died and pid != victim]
    others = [owner for owner in lost if owner is not None and owner != victim]
    return len(lost) - len(others), len(others), min(after, default=float("inf"))


def kill(scale: Scale) -> Iterator[Row]:
    with serving(LEGIBLE_WORKERS="2") as service:
        before = counted(service)
        own, others, seconds = asyncio.run(killed(service, max(scale.seconds, 20.0)))
        after = counted(service)
    yield Row("worker killed under load: its own requests lost", own, "", AT_MOST, CONNECTIONS)
    yield Row("  others' requests lost", others, "", AT_MOST, 0, 0)
    yield Row("  another one answers after", seconds, "s", AT_MOST, 10, 5)
    yield Row("  readings counted, after over before", after / max(before, 1), "", AT_LEAST, 1)


def counted(service: Service) -> float:
    lines = httpx.get(f"{service.address}/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("legible_readings_total{"))


@contextlib.asynccontextmanager
async def slow_callers(address: str, count: int) -> AsyncIterator[None]:
    """Connections that each send a byte of their body a second, and start anew where they are ended."""
    head = READS[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    async def drip() -> None:
        host, _, port = address.removeprefix("http://").partition(":")
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(head)
                while not writer.is_closing():
                    await asyncio.sleep(1.0)
                    writer.write(b"-")

    tasks = [asyncio.create_task(drip()) for _ in range(count)]
    await asyncio.sleep(2.0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def slow(scale: Scale) -> Iterator[Row]:
    async def quantiles(address: str, rate: float) -> tuple[float, float, int]:
        quiet = await open_loop(address, READS, rate=rate, seconds=scale.seconds)
        async with slow_callers(address, scale.slow):
            beside = await open_loop(address, READS, rate=rate, seconds=scale.seconds)
        return quiet.quantile(0.99), beside.quantile(0.99), len(beside.answers) - beside.statuses[200]

    with serving() as service:
        full_speed(service, 1.0)
        rate = full_speed(service, scale.seconds).rate() / 4
        found = [asyncio.run(quantiles(service.address, rate)) for _ in range(scale.rounds)]
    yield Row("p99 of others, no slow callers", 1000 * statistics.median(quiet for quiet, _, _ in found), "ms")
    ratio = statistics.median(beside / quiet for quiet, beside, _ in found)
    yield Row(f"  beside {scale.slow} slow connections, times", ratio, "", AT_MOST, 2, 1.2)
    yield Row("  of others refused or lost", sum(refused for *_, refused in found), "", AT_MOST, 0)


def texts(service: Service, scale: Scale) -> list[dict[str, Any]]:
    with httpx.Client(base_url=service.address) as client:
        answers = [client.post("/read", files={"image": IMAGES[i % len(IMAGES)]}) for i in range(scale.images)]
    return [{**answer.json(), "reading_id": "", "status": answer.status_code} for answer in answers]


def disk(scale: Scale) -> Iterator[Row]:
    """A disk of one page, where we may mount one; and a file where the folder of the log should be."""
    with serving() as service:
        sound = texts(service, scale)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made) / "gone"
        place.touch()
        with serving(LEGIBLE_OBSERVATIONS_FOLDER=str(place)) as service:
            other = sum(one != two for one, two in zip(sound, texts(service, scale), strict=True))
        yield Row("log folder gone: answers that differ", other, "", AT_MOST, 0)
        small = Path(made) / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(small)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            print("disk full: left out, mounting a small one needs more rights", file=sys.stderr)
            return
        try:
            with serving(LEGIBLE_OBSERVATIONS_FOLDER=str(small)) as service:
                other = sum(one != two for one, two in zip(sound, texts(service, scale), strict=True))
        finally:
            subprocess.run(["umount", "--lazy", str(small)], check=True)
        yield Row("disk full: answers that differ", other, "", AT_MOST, 0)
