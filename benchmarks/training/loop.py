"""The loop from drift to a better model, on real pages, without a person: python benchmarks/training/loop.py PAGES

PAGES is an archive of pages, or a folder with one and `readings.tsv` (docs/data.md). Traffic of cut lines goes to a
service with the bundle of `--root`, a project that has not seen them (loop_project.py), `legible respond` notices, the
labelling page's own calls get the truth as labels, a candidate is fine-tuned, judged by the gate, read in the shadow
and promoted, and lines of other pages are read before and after. The same number of labels of images drawn at random
stands beside. Each run begins without labels, and ends with the first bundle in its place again. `--until labels` stops
before the training.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from tqdm import tqdm

from legible.arrays import GreyImage
from legible.data.crops import READING_MARGIN, cut_out
from legible.data.dataset import Tally
from legible.data.options import SourceOptions
from legible.data.pages import open_pages
from legible.data.sources import listed
from legible.evaluation.results import writer_interval
from legible.labelling.wanted import save_wanted
from legible.recognition.bundle import load_bundle, read_manifest
from legible.recognition.recognizer import Recognizer

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT / "tests/support"))
from serving import started  # noqa: E402

CHANNEL, KEY = "receipts", "a-key-of-the-benchmark"


@dataclass(frozen=True)
class Line:
    """A line cut out of a page, with its truth."""

    page: str
    text: str
    image: GreyImage


@dataclass(frozen=True)
class Score:
    """Exact match with case folded, and its interval over pages."""

    exact_match: float
    low: float
    high: float


def lines_of(pages: Path, split: str, most: int) -> list[Line]:
    opened = open_pages(pages, SourceOptions(untold=("case",)))
    splits = opened.splits(pages.stem)
    wanted = (
        Line(page.name, opened.decided(page, text)[0], cut_out(image, box, (READING_MARGIN,) * 4))
        for page, text, image, box in opened.crops(Tally())
        if (splits[page.name] == "validation") == (split == "validation")
    )
    return [line for line, _ in zip(wanted, range(most), strict=False)]


def score(bundle: Path, lines: Sequence[Line]) -> Score:
    recognizer = Recognizer.from_bundle(load_bundle(bundle))
    readings = recognizer.read_each([line.image for line in lines])
    texts = [reading.text for reading in tqdm(readings, total=len(lines), unit="image", desc="judge")]
    right = [text.casefold() == line.text.casefold() for text, line in zip(texts, lines, strict=True)]
    values = np.array(right, np.float64)
    low, high = writer_interval(values, [line.page for line in lines], seed=0)
    return Score(float(values.mean()), low, high)


def send(service: httpx.Client, lines: Sequence[Line]) -> dict[str, str]:
    """Send lines as an application would, and return the truths by reading id."""
    truths = {}
    for line in tqdm(lines, unit="image", desc="traffic"):
        file = io.BytesIO()
        Image.fromarray(line.image).save(file, "PNG")
        told = {"channel": CHANNEL, "document": line.page}
        answer = service.post("/read", files={"image": file.getvalue()}, data=told)
        truths[answer.raise_for_status().json()["reading_id"]] = line.text
    return truths


def label(service: httpx.Client, truths: dict[str, str], most: int) -> Iterator[str]:
    """Label what the page hands out with the truth, by the page's own calls, and yield the readings."""
    headers = {"Authorization": f"Bearer {KEY}"}
    state = service.get("/label/next", headers=headers).raise_for_status().json()
    for _ in tqdm(range(most), unit="label", desc="label"):
        item = state["item"]
        if item is None:
            return
        said = {"reading_id": item["reading_id"], "verdict": "text", "text": truths[item["reading_id"]]}
        answer = service.post("/label", headers=headers, json={**said, "revision": item["revision"]})
        state = answer.raise_for_status().json()
        yield item["reading_id"]


def shadowed(folder: Path, candidate: Path, lines: Sequence[Line], root: Path) -> str:
    """Have a service read with a candidate in the shadow of its bundle, and return what `legible shadow` says."""
    settings: dict[str, Any] = {
        "LEGIBLE_BUNDLES": f"champion={root / 'models/bundle'},candidate={candidate}",
        "LEGIBLE_CANDIDATE": "candidate", "LEGIBLE_SHADOW": "1", "LEGIBLE_CHANNELS": CHANNEL,
        "LEGIBLE_SHADOW_FOLDER": str(folder / "shadow"),
    }  # fmt: skip
    with started(folder, **settings) as service, httpx.Client(base_url=service.address, timeout=60) as client:
        send(client, lines)
        time.sleep(3)  # rows are written after their answer
    return legible("shadow", f"--log={folder / 'shadow'}", codes=(0, 1, 2))


def respond(folder: Path, step: str, root: Path, *more: str) -> str:
    places = [f"--{name}={folder / name}" for name in ("observations", "images", "labels")]
    bundle = f"--bundle={root / 'models/bundle'}"
    return legible("respond", step, *places, f"--root={root}", bundle, *more)


def legible(*arguments: str, codes: Sequence[int] = (0,)) -> str:
    """Run a command of the project and return what it printed. Raise RuntimeError where it ended with another code."""
    command = [sys.executable, "-m", "legible", *arguments]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in codes:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def run(pages: Path, *, labels: int, at_random: bool, given: argparse.Namespace) -> dict[str, object]:
    traffic = lines_of(pages, "train", given.traffic)
    held_out = lines_of(pages, "validation", given.held_out)
    if any(source.name == "labels" for source in listed(given.root)):
        legible("data", "drop", "labels", f"--root={given.root}")
    settings = {
        "LEGIBLE_KEEP_IMAGES": "1", "LEGIBLE_CHANNELS": CHANNEL, "LEGIBLE_LABEL_KEYS": given.entry,
        "LEGIBLE_IMAGES_FOLDER": "", "LEGIBLE_LABELS_FOLDER": "",
        "LEGIBLE_BUNDLE": str(given.root / "models/bundle"),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("images", "labels"):
            settings[f"LEGIBLE_{name.upper()}_FOLDER"] = str(folder / name)
        with started(folder, **settings) as service, httpx.Client(base_url=service.address, timeout=60) as client:
            truths = send(client, traffic)
            time.sleep(3)  # rows and images are written after their answer
            noticed = respond(folder, "watch", given.root, f"--issues={folder / 'issues'}", f"--last={len(traffic)}")
            asked = respond(folder, "queue", given.root, f"--most={labels}", f"--last={len(traffic)}")
            if at_random:
                drawn = np.random.default_rng(given.seed).permutation(sorted(truths))[:labels]
                save_wanted(folder / "labels", map(str, drawn))
            labelled = list(label(client, truths, labels))
        found: dict[str, object] = {
            "labels": len(labelled), "twice": len(labelled) - len(set(labelled)), "at_random": at_random,
            "noticed": noticed.splitlines()[0], "asked": asked.splitlines()[-1], "traffic": len(traffic),
            "before": asdict(score(given.root / "models/bundle", held_out)),
        }  # fmt: skip
        if given.until == "labels":
            return found
        began = time.monotonic()
        work = given.work / f"{labels}-{'drawn' if at_random else 'chosen'}"
        found["tuned"] = respond(folder, "tune", given.root, "--min-labels=1", f"--work={work}").splitlines()[-1]
        found["minutes"] = (time.monotonic() - began) / 60
        project = Path(str(found["tuned"]).partition(": ")[2])
        candidate, champion = project / "models/bundle", given.root / "models/bundle"
        found["shadow"] = shadowed(folder, candidate, held_out, given.root)
        champions = f"--champion={champion}"
        found["promoted"] = legible("promote", str(candidate), champions, f"--root={project}", codes=(0, 1))
        found["after"] = asdict(score(candidate, held_out))
        if read_manifest(champion).bundle_id == read_manifest(candidate).bundle_id:
            legible("rollback", champions)
        found["verdict"] = (project / "verdict.md").read_text(encoding="utf-8")
        found["table"] = (project / "before-after.md").read_text(encoding="utf-8")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, help="Pages with lines (docs/data.md), whose labels are in capitals.")
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--traffic", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=600)
    parser.add_argument("--until", choices=("labels", "end"), default="end")
    parser.add_argument("--root", type=Path, default=PROJECT, help="A project by loop_project.py; it gets the labels.")
    parser.add_argument("--work", type=Path, default=PROJECT / "work/loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args()
    given.root = given.root.resolve()
    from legible.service.keys import digest_of  # noqa: PLC0415

    given.entry = f"benchmark:{digest_of(KEY).hex()}"
    os.environ["DO_NOT_TRACK"] = "1"
    rows = []
    for labels in given.labels:
        for at_random in (False, True):
            rows.append(run(given.pages, labels=labels, at_random=at_random, given=given))
            print(json.dumps(rows[-1], indent=1), flush=True)
    given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
