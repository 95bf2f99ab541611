"""Damaged PDFs, TIFFs and pictures of pages sent to the running service: each is answered, and no worker dies.

    python benchmarks/service/damaged_pages.py                     10,000 documents
    python benchmarks/service/damaged_pages.py --count 200 --detector detector.tflite

Without --detector the bundle's line detector reads. Exits 1 where an answer is a 5xx or none, or a worker died. A page
process may die of a document: that is what it is for, and how often it did is printed.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _support  # noqa: F401
import font_roboto
import hostile
import httpx
from page_documents import page_corpus
from rows import AT_MOST, Row
from serving import Service, started
from tqdm import tqdm

REFUSALS = frozenset({400, 413, 415, 422, 429})
KEPT = Path("work/damaged-pages")
ENDED = re.compile(r'legible_page_processes_ended_total{reason="(\w+)"} ([1-9][0-9.]*)')


def answered(service: Service, count: int, *, seed: int) -> Iterator[tuple[str, float]]:
    """Yield status and code, and the seconds, of each answer; what is answered wrongly is kept to be looked at."""
    documents = hostile.damaged(page_corpus(Path(font_roboto.Roboto)), count, seed=seed)
    with httpx.Client(base_url=service.address, timeout=120) as client:
        for number, document in enumerate(tqdm(documents, total=count, unit="document")):
            began = time.monotonic()
            answer = client.post("/read_page", files={"image": ("document", document)})
            is_read = answer.status_code == httpx.codes.OK
            if not is_read and answer.status_code not in REFUSALS:
                KEPT.mkdir(parents=True, exist_ok=True)
                (KEPT / f"{number}-{answer.status_code}").write_bytes(document)
            code = "" if is_read else f" {answer.json()['error']['code']}"
            yield f"{answer.status_code}{code}", time.monotonic() - began


def rows(service: Service, count: int, *, seed: int) -> Iterator[Row]:
    before = {worker.pid for worker in service.workers}
    found = list(answered(service, count, seed=seed))
    statuses = Counter(status for status, _ in found)
    print(f"answers: {dict(statuses.most_common())}", file=sys.stderr)
    ended = ENDED.findall(httpx.get(f"{service.address}/metrics").text)
    print(f"page processes that ended: {dict(ended)}", file=sys.stderr)
    wrong = sum(times for status, times in statuses.items() if int(status[:3]) not in REFUSALS | {200})
    yield Row("damaged documents sent", len(found), "")
    yield Row("  answered 5xx, or not", wrong, "", AT_MOST, 0)
    yield Row("  workers that died", len(before - {worker.pid for worker in service.workers}), "", AT_MOST, 0)
    yield Row("  longest answer", max(seconds for _, seconds in found), "s", AT_MOST, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detector", type=Path)
    asked = parser.parse_args()
    variables: dict[str, Any] = {"LEGIBLE_DETECTOR": str(asked.detector.resolve())} if asked.detector else {}
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), **variables) as service:
        found = list(rows(service, asked.count, seed=asked.seed))
    for row in found:
        bound = f"({row.sense} {row.bound:g})" if row.bound is not None else ""
        print(f"{'FAILS' if row.holds is False else 'ok':5}  {row.name}: {row.value:g} {row.unit} {bound}", flush=True)
    sys.exit(any(row.holds is False for row in found))


if __name__ == "__main__":
    os.environ.setdefault("LEGIBLE_REQUEST_LOG", "0")
    main()
