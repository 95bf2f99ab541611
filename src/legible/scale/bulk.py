"""Read sources of any size into an output folder of parts, each image exactly once."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tqdm import tqdm

from legible.errors import BundleError, SettingsError
from legible.scale.engines import read_here, read_on_ray
from legible.scale.plan import REPORT, BulkJob, BulkPlan, forget_unused_plan, make_plan, only_driver, plan_images
from legible.scale.worker import Part
from legible.stores import store_errors, store_of

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class BulkReport:
    """A run's images: read before it, read by it, and those among these that could not be read."""

    images: int
    images_before: int
    images_now: int
    errors_now: int
    seconds: float
    images_per_second: float
    parts: int


def read_bulk(
    job: BulkJob, output: str, *, bundle: str, engine: str = "local", workers: int = 1, address: str = ""
) -> BulkReport:
    """Read all images of a job's sources; the output holds plan, parts and a report. A killed run goes on.

    bundle: the folder of the bundle, where the workers have it there too; else they find their own. Raises
    SettingsError, DataError, BundleError or WorkersDiedError.
    """
    if engine not in ENGINES:
        raise SettingsError(f"engine is {engine!r}; known: {', '.join(ENGINES)}")
    if workers < 1:
        raise SettingsError(f"workers is {workers}; it needs 1 or more")
    with only_driver(output):
        plan = make_plan(job, output)
        blocks = plan.missing(output)
        if engine == "ray":
            parts = read_on_ray(job, blocks, output, bundle=bundle, workers=workers, address=address)
        else:
            parts = read_here(job, blocks, output, bundle=bundle, workers=workers)
        try:
            report = _followed(plan, parts, before=plan_images(plan.blocks) - plan_images(blocks))
        except BundleError:  # a worker would read differently
            forget_unused_plan(output)
            raise
        with store_errors(output):
            content = json.dumps(asdict(report), indent=1) + "\n"
            store_of(output).write(f"{output.rstrip('/')}/{REPORT}", content.encode())
    return report


def _followed(plan: BulkPlan, parts: Iterator[Part], *, before: int) -> BulkReport:
    """Follow the parts with a progress bar to their end."""
    total = plan_images(plan.blocks)
    started = time.monotonic()
    images = errors = 0
    with tqdm(total=total, initial=before, unit="image", desc="read", file=sys.stderr) as bar:
        for part in parts:
            images, errors = images + part.images, errors + part.errors
            bar.update(part.images)
    seconds = time.monotonic() - started
    rate = images / seconds if images else 0.0
    return BulkReport(total, before, images, errors, round(seconds, 1), round(rate, 1), len(plan.blocks))
