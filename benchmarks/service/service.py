"""What the service promises, measured: speed, overload, restarts, a killed worker, slow callers, disk, memory, start.

    make bench-service                          all rows, in about an hour
    python benchmarks/service/service.py read kill      these rows
    python benchmarks/service/service.py --quick        all of them, small: shows that they work, and no more

Prints a table with the command that repeats each row, and writes benchmarks/service.json. The service runs on half of
the cores, with a worker each, and the load on the others.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import _support  # noqa: F401
from cold import cold
from faults import disk, kill, restarts, slow
from path import path
from rows import LOADING, QUICK, Row, Scale
from serving import PROJECT
from speed import overload, read, read_batch, start
from steady import memory, same

ROWS: dict[str, Callable[[Scale], Iterator[Row]]] = {
    part.__name__: part
    for part in (read, path, read_batch, overload, restarts, kill, slow, disk, memory, same, start, cold)
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all where none is named")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.rows) - set(ROWS))
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there: {', '.join(ROWS)}")
    os.sched_setaffinity(0, LOADING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended too
    found: dict[str, list[Row]] = {}
    print("| what | measured | bound | aim | holds | again |\n|---|---|---|---|---|---|")
    for name in chosen.rows or ROWS:
        found[name] = []
        for row in ROWS[name](QUICK if chosen.quick else Scale()):
            found[name].append(row)
            print(line(row, name), flush=True)
    content = {name: [asdict(row) for row in rows] for name, rows in found.items()}
    (PROJECT / "benchmarks/service.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def line(row: Row, name: str) -> str:
    bound = "" if row.bound is None else f"{row.sense} {row.bound:g}"
    aim = "" if row.aim is None else f"{row.aim:g}"
    holds = {None: "", True: "yes", False: "NO"}[row.holds]
    again = f"`python benchmarks/service/service.py {name}`"
    return f"| {row.name} | {row.value:.4g} {row.unit} | {bound} | {aim} | {holds} | {again} |"


if __name__ == "__main__":
    main()
