"""The drift alerts live: the real service, monitor and Prometheus in compressed time, on images in documents.

    python benchmarks/drift/live.py RECEIPTS.tar                (--hours 6 --fraction 0.3 --altered blur --factor 36)

Half of the documents, drawn at random, are read first and made the deployment's normal. Then images of the others are
sent at `--rate` a minute, documents interleaved: `--hours` of them as they are, and counts the alerts that fire; then a
fraction of the documents is altered until an alert fires; then as they are, until none does. A minute takes 60 /
`--factor` seconds, for windows, intervals and pending times of the rules alike. Prints lines and writes live.json.
"""

import argparse
import contextlib
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml
from bunched_rows import LineImage, lines_of_pages

from legible.drill.detectors import ALERTS
from legible.drill.images import png
from legible.monitoring.check import Standard, rebase
from legible.observations.window import EVERYTHING
from legible.synth.corrupt import CORRUPTIONS, corrupt

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT / "tests/support"))
import serving  # noqa: E402
import stand  # noqa: E402

RULES = PROJECT / "monitoring/rules"
SEVERITY = 3
AT_A_TIME = 4
"""Documents whose images are interleaved."""
SENDERS = 4
SECONDS = {"m": 60, "h": 3600, "d": 86_400}
SCRAPE_SECONDS, CHECK_SECONDS = 15, 300
LONGEST_HOURS = 3
"""The longest wait for an alert, and for its end."""


@dataclass
class Firing:
    """The alerts that fire now, and when each first did, in seconds of the clock."""

    now: set[str] = field(default_factory=set)
    first: dict[str, float] = field(default_factory=dict)

    def look(self, prometheus: str) -> None:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": 'ALERTS{alertstate="firing"}'}).json()
        labels = [sample["metric"] for sample in answer["data"]["result"]]
        self.now = {
            f"{one['alertname']} {one.get('window', '')}".strip() for one in labels if one["alertname"] in ALERTS
        }
        for name in self.now:
            self.first.setdefault(name, time.monotonic())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pages", type=Path)
    options.add_argument("--bundle", type=Path, default=Path("models/bundle"))
    options.add_argument("--lines", type=int, default=30, help="of a page, at most")
    options.add_argument("--pages-read", type=int, default=0, help="documents to take; 0 for all")
    options.add_argument("--hours", type=float, default=6.0, help="without a change")
    options.add_argument("--rate", type=float, default=40.0, help="images a minute")
    options.add_argument("--fraction", type=float, default=0.3, help="of the documents that are altered")
    options.add_argument("--altered", default="blur", choices=sorted(CORRUPTIONS))
    options.add_argument("--factor", type=float, default=36.0, help="how many times as fast as the clock")
    options.add_argument("--resamples", type=int, default=4000, help="of the baseline's calibration")
    chosen = options.parse_args()
    normal, others = halves(list(lines_of_pages(chosen.pages, chosen.lines)), chosen.pages_read)
    with tempfile.TemporaryDirectory() as folder:
        result = run(chosen, normal, others, Path(folder))
    (HERE / "live.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def halves(images: Sequence[LineImage], pages: int) -> tuple[list[LineImage], list[LineImage]]:
    """Return the images of half of the documents, and those of the others."""
    documents = np.random.default_rng(1).permutation(sorted({image.document for image in images}))
    documents = documents[: pages or len(documents)]
    known, unseen = (set(part.tolist()) for part in np.array_split(documents, 2))
    return [one for one in images if one.document in known], [one for one in images if one.document in unseen]


def run(chosen: argparse.Namespace, normal: list[LineImage], others: list[LineImage], folder: Path) -> dict[str, Any]:
    bundle = chosen.bundle.resolve()
    (folder / "first").mkdir()
    with serving.started(folder / "first", LEGIBLE_BUNDLE=str(bundle)) as service:
        send_all(service.address, normal)
        time.sleep(2)  # observations are written after the answers
    made = rebase(
        folder / "first/observations",
        Standard(bundle),
        at=time.time(),
        selection=EVERYTHING,
        resamples=chosen.resamples,
    )
    made.save(folder / "baseline")
    print(f"baseline of {made.images} images, bunched by {made.reference.bunching:.1f}", file=sys.stderr)
    settings: dict[str, Any] = {"LEGIBLE_BUNDLE": str(bundle), "LEGIBLE_BASELINE": str(folder / "baseline")}
    (folder / "second").mkdir()
    with contextlib.ExitStack() as running:
        service = running.enter_context(serving.started(folder / "second", **settings))
        monitor = running.enter_context(monitored(folder, bundle, chosen))
        targets = {"legible": service.address.removeprefix("http://"), "legible-drift": monitor}
        prometheus = running.enter_context(watched(folder, targets, chosen))
        return Live(chosen, others, service.address, prometheus).run()


class Live:
    """Sends images at a rate, and watches what fires."""

    def __init__(self, chosen: argparse.Namespace, images: list[LineImage], service: str, prometheus: str) -> None:
        self._chosen = chosen
        self._images = images
        self._service = service
        self._prometheus = prometheus
        self._rng = np.random.default_rng(2)
        self._sent = 0
        self._failed = 0
        self._altered = 0.0
        self._stopped = threading.Event()

    def run(self) -> dict[str, Any]:
        sender = threading.Thread(target=self._send)
        sender.start()
        try:
            quiet = self._watch(self._chosen.hours * 60, until=lambda _: False)
            change = time.monotonic()
            self._altered = self._chosen.fraction
            changed = self._watch(LONGEST_HOURS * 60, until=lambda firing: bool(firing.now))
            self._altered = 0.0
            over = time.monotonic()
            resolved = self._watch(LONGEST_HOURS * 60, until=lambda firing: not firing.now)
        finally:
            self._stopped.set()
            sender.join()
        return {
            "hours_without_change": self._chosen.hours,
            "false_alerts": sorted(quiet.first),
            "fraction": self._chosen.fraction,
            "altered": self._chosen.altered,
            "minutes_to_alert": self._minutes(change, min(changed.first.values(), default=None)),
            "alerts": sorted(changed.first),
            "minutes_until_resolved": None if resolved.now else self._minutes(over, time.monotonic()),
            "images_sent": self._sent,
            "refused": self._failed,
            "factor": self._chosen.factor,
        }

    def _minutes(self, begin: float, end: float | None) -> float | None:
        return None if end is None else round((end - begin) * self._chosen.factor / 60, 1)

    def _watch(self, minutes: float, *, until: Any) -> Firing:
        """Look until so many minutes have passed, or something is so."""
        firing, end = Firing(), time.monotonic() + minutes * 60 / self._chosen.factor
        while time.monotonic() < end:
            firing.look(self._prometheus)
            if until(firing):
                break
            time.sleep(0.5)
        return firing

    def _send(self) -> None:
        """Send images until stopped, at the rate or as fast as the service reads."""
        gap, due = 60 / self._chosen.rate / self._chosen.factor, time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool, httpx.Client(base_url=self._service, timeout=60) as client:
            for document, image in self._stream():
                if self._stopped.is_set():
                    return
                pool.submit(self._post, client, document, png(image))
                due += gap
                time.sleep(max(due - time.monotonic(), 0))

    def _post(self, client: httpx.Client, document: str, data: bytes) -> None:
        answer = client.post("/read", files={"image": data}, data={"document": document})
        self._sent += 1
        self._failed += answer.status_code != httpx.codes.OK

    def _stream(self) -> Iterator[tuple[str, Any]]:
        """Yield images of documents, AT_A_TIME of them interleaved; each time a document comes it is another one."""
        waiting = self._documents()
        opened = [next(waiting) for _ in range(AT_A_TIME)]
        while True:
            place = int(self._rng.integers(AT_A_TIME))
            name, images = opened[place]
            yield name, images.pop()
            if not images:
                opened[place] = next(waiting)

    def _documents(self) -> Iterator[tuple[str, list[Any]]]:
        by_name: dict[str, list[Any]] = {}
        for one in self._images:
            by_name.setdefault(one.document, []).append(one.image)
        for number in range(sys.maxsize):
            for name in self._rng.permutation(sorted(by_name)).tolist():
                is_altered = self._rng.random() < self._altered
                images = [self._changed(image) if is_altered else image for image in by_name[name]]
                yield f"{name} {number}", images[::-1]

    def _changed(self, image: Any) -> Any:
        return corrupt(image, self._chosen.altered, SEVERITY, self._rng)


def send_all(address: str, images: Sequence[LineImage]) -> None:
    """Have images read, in order of documents."""
    with httpx.Client(base_url=address, timeout=60) as client:
        for one in images:
            files, data = {"image": png(one.image)}, {"document": one.document}
            client.post("/read", files=files, data=data).raise_for_status()


@contextlib.contextmanager
def monitored(folder: Path, bundle: Path, chosen: argparse.Namespace) -> Iterator[str]:
    """`legible monitor` on what the service logs, every five minutes; yields its address."""
    port = serving.free_port()
    command = [sys.executable, "-m", "legible", "monitor", f"--bundle={bundle}", f"--baseline={folder / 'baseline'}",
               f"--observations={folder / 'second/observations'}", f"--port={port}",
               f"--every={max(CHECK_SECONDS / chosen.factor, 1)}"]  # fmt: skip
    with stand.started(command, log=folder / "monitor.log"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def watched(folder: Path, targets: dict[str, str], chosen: argparse.Namespace) -> Iterator[str]:
    """Prometheus over these targets with compressed rules; yields its address."""
    place, port = folder / "prometheus", serving.free_port()
    (place / "rules").mkdir(parents=True)
    for path in RULES.glob("*.yml"):
        (place / "rules" / path.name).write_text(compressed(path.read_text(), chosen.factor))
    config = {
        "global": {"scrape_interval": shorter(SCRAPE_SECONDS, chosen.factor)},
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in targets.items()
        ],
    }
    (place / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/series",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with stand.started(command, log=place / "log"):
        address = f"http://127.0.0.1:{port}"
        stand.wait_until_ready(address)
        yield address


def compressed(rules: str, factor: float) -> str:
    """Return rules whose windows, intervals and pending times are as much shorter."""

    def replace(found: re.Match[str]) -> str:
        return f"{found[1]}{shorter(int(found[2]) * SECONDS[found[3]], factor)}{found[4]}"

    for pattern in (r"(\[)(\d+)([mhd])(\])", r"(for: )(\d+)([mhd])()", r"(interval: )(\d+)([mhd])()"):
        rules = re.sub(pattern, replace, rules)
    return rules


def shorter(seconds: float, factor: float) -> str:
    return f"{round(1000 * seconds / factor)}ms"


if __name__ == "__main__":
    main()
