"""Attacks and hostile cases against the running service, then many readings: it must answer, and stay as it was.

    make soak                                               attacks, 10,000 cases, 100,000 readings
    python benchmarks/service/soak.py --cases 200 --readings 1000   fewer
    python benchmarks/service/soak.py --only-attacks                the attacks alone (attacks.py)

A third of the cases are requests that schemathesis makes of the OpenAPI description, each checked against it; the
others are images of a corpus, damaged at random. Exits 1 where an answer is a 5xx or none, a worker died, or memory
grew.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _support  # noqa: F401
import hostile
import httpx
from attacks import attack_rows
from load import Answer, Connection, upload
from rows import AT_LEAST, AT_MOST, IMAGES, MEGABYTE, Row, Scale
from serving import Service, started
from steady import memory
from tqdm import tqdm

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CONNECTIONS = 8
REFUSALS = frozenset({400, 413, 415, 429})
OPERATIONS = 3
"""Calls in the description that take something."""


def corpus() -> list[bytes]:
    return [*IMAGES, *(case.make() for case in hostile.uploads())]


async def sent(address: str, images: Iterator[bytes], *, count: int) -> list[tuple[bytes, Answer]]:
    """Each alone, and each tenth in a batch with itself."""
    found = []
    bar = tqdm(total=count, desc="images", unit="case")

    async def send() -> None:
        connection = Connection(address)
        for number, image in enumerate(images):
            batch = number % 10 == 0
            request = upload("/read_batch", [image, image], name="images") if batch else upload("/read", [image])
            found.append((image, await connection.ask(request)))
            bar.update()
        connection.close()

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    bar.close()
    return found


def images_rows(service: Service, count: int) -> Iterator[Row]:
    """Keeps what was answered wrongly in work/soak, to be looked at."""
    warm = max(count // 5, 1)
    asyncio.run(sent(service.address, hostile.damaged(corpus(), warm, seed=1), count=warm))
    before, pids = resident(service), worker_ids(service)
    answers = asyncio.run(sent(service.address, hostile.damaged(corpus(), count - warm, seed=2), count=count - warm))
    wrong = [(image, answer) for image, answer in answers if answer.status not in REFUSALS | {200}]
    keep(wrong)
    print(f"answers: {dict(sorted(Counter(answer.status for _, answer in answers).items()))}", file=sys.stderr)
    yield Row("damaged images sent", len(answers) + warm, "")
    yield Row("  answered 5xx, or not", len(wrong), "", AT_MOST, 0)
    yield Row("  workers that died", len(pids - worker_ids(service)), "", AT_MOST, 0)
    yield Row("  memory, over that after a fifth", resident(service) / before, "", AT_MOST, 1.05)


def keep(wrong: list[tuple[bytes, Answer]]) -> None:
    folder = Path("work/soak")
    for number, (image, answer) in enumerate(wrong):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}-{answer.status}").write_bytes(image)


def worker_ids(service: Service) -> set[int]:
    return {worker.pid for worker in service.workers}


def resident(service: Service) -> float:
    return float(sum(worker.memory_info().rss for worker in service.workers)) / MEGABYTE


def description_row(service: Service, count: int) -> Row:
    """schemathesis says on stderr what it found; with the same seed it finds it again."""
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{service.address}/openapi.json"]
    options = [
        "--checks",
        CHECKS,
        "--max-examples",
        str(max(count // OPERATIONS, 1)),
        "--phases",
        "examples,coverage,fuzzing",
    ]
    quiet = ["--generation-database", "none", "--warnings", "off", "--seed", "1", "--continue-on-failure", "--no-color"]
    done = subprocess.run([*command, *options, *quiet], stdout=sys.stderr, check=False)
    return Row("schemathesis ended with", done.returncode, "", AT_MOST, 0)


def rows(cases: int, readings: int) -> Iterator[Row]:
    yield from attack_rows()
    settings: dict[str, Any] = {"LEGIBLE_FEEDBACK": "1", "LEGIBLE_WORKERS": str(min(os.cpu_count() or 1, 2))}
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), **settings) as service:
        yield description_row(service, cases // 3)
        yield from images_rows(service, cases - cases // 3)
        errors = httpx.get(f"{service.address}/metrics").text
        faults = [line for line in errors.splitlines() if line.startswith('legible_errors_total{reason="internal"}')]
        yield Row("faults of the service counted", float(faults[0].rsplit(" ", 1)[1]), "", AT_MOST, 0)
        yield Row("tracebacks in its log", service.log.read_text().count("Traceback"), "", AT_MOST, 0)
        ready = httpx.get(f"{service.address}/readyz").status_code == httpx.codes.OK
        yield Row("ready at the end", float(ready), "", AT_LEAST, 1)
    yield from memory(Scale(readings=readings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--only-attacks", action="store_true")
    chosen = parser.parse_args()
    failed = False
    for row in attack_rows() if chosen.only_attacks else rows(chosen.cases, chosen.readings):
        failed |= row.holds is False
        bound = "" if row.bound is None else f"(needs {row.sense} {row.bound:g})"
        print(f"{'FAILS' if row.holds is False else 'ok':5}  {row.name}: {row.value:g} {row.unit} {bound}", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
