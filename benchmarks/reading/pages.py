"""Whole pages beside RapidOCR and Tesseract, in one run: lines found, words, text in order, seconds and memory.

    python benchmarks/reading/pages.py SET... [--engines legible tesseract] [--fold-case] [--detector detector.tflite]

A set is a folder of PAGE.json beside its image: {"image", "lines": [{"text", "polygon"}]}, the lines in reading order.
Each engine reads a set in a process of its own, on one thread, so that memory is its own; an engine whose library is
missing is left out, and said. Writes benchmarks/pages.json.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Line = dict[str, Any]
"""A line's text and polygon."""
ENGINES = ("legible", "tesseract", "rapidocr")


def legible(detector: str) -> Callable[[Path], list[Line]]:
    from legible.pages.formats import page_as_dict
    from legible.pages.read import PageOptions
    from legible.pages.shipped import open_reader
    from legible.recognition.bundle import find_bundle, load_bundle

    bundle = load_bundle(find_bundle())
    reader = open_reader(bundle, detector=Path(detector) if detector else None, options=PageOptions(seconds=0))

    def read(image: Path) -> list[Line]:
        pages = [page_as_dict(page) for page in reader.read(image.read_bytes()).pages]
        return [line for page in pages for block in page["blocks"] for line in block["lines"]]

    return read


def tesseract(_: str) -> Callable[[Path], list[Line]]:
    import tesserocr
    from engines import _tessdata
    from PIL import Image

    api = tesserocr.PyTessBaseAPI(path=_tessdata(), lang="eng", psm=tesserocr.PSM.AUTO)

    def read(image: Path) -> list[Line]:
        api.SetImage(Image.open(image).convert("L"))
        api.Recognize()
        lines = []
        for part in tesserocr.iterate_level(api.GetIterator(), tesserocr.RIL.TEXTLINE):
            box = part.BoundingBox(tesserocr.RIL.TEXTLINE)
            text = part.GetUTF8Text(tesserocr.RIL.TEXTLINE) if box else ""
            if text.strip():
                left, top, right, bottom = box
                polygon = [[left, top], [right, top], [right, bottom], [left, bottom]]
                lines.append({"text": text.strip(), "polygon": polygon})
        return lines

    return read


def rapidocr(_: str) -> Callable[[Path], list[Line]]:
    from rapidocr import RapidOCR

    engine = RapidOCR()

    def read(image: Path) -> list[Line]:
        answer = engine(str(image))
        if answer.boxes is None:
            return []
        pairs = zip(answer.boxes, answer.txts, strict=True)
        return [{"text": text, "polygon": np.asarray(box, float).tolist()} for box, text in pairs]

    return read


def read_set(engine: str, folder: Path, detector: str) -> dict[str, Any]:
    """Read every page of a set; the lines of each, CPU seconds a page, and peak memory."""
    started = time.process_time()
    read = {"legible": legible, "tesseract": tesseract, "rapidocr": rapidocr}[engine](detector)
    loaded = time.process_time() - started
    pages = {}
    for path in sorted(folder.glob("*.json")):
        image = json.loads(path.read_text(encoding="utf-8"))["image"]
        started = time.process_time()
        lines = read(folder / image)
        pages[path.stem] = {"lines": lines, "seconds": time.process_time() - started}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"pages": pages, "load_seconds": loaded, "peak_mib": peak}


def score_set(folder: Path, answer: dict[str, Any], *, fold_case: bool) -> dict[str, float]:
    from legible.evaluation.page_scores import PageScores, PlacedText, score_page

    def placed(lines: list[Line]) -> list[PlacedText]:
        return [PlacedText(line["text"], np.array(line["polygon"], float)) for line in lines]

    total = PageScores()
    for name, page in answer["pages"].items():
        truth = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["lines"]
        total += score_page(truth=placed(truth), found=placed(page["lines"]), untold=["case"] if fold_case else [])
    seconds = [page["seconds"] for page in answer["pages"].values()]
    return {
        "pages": total.pages,
        "cer": total.cer,
        "word_f1": total.word_f1,
        "line_recall": total.line_recall,
        "line_precision": total.line_precision,
        "line_f1": total.line_f1,
        "cpu_seconds": float(np.mean(seconds)),
        "peak_mib": answer["peak_mib"],
    }


def run_engine(engine: str, folder: Path, detector: str) -> dict[str, Any] | None:
    """Run `read_set` in a fresh process on one thread; None where the engine's library is not installed."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, __file__, str(folder), "--read", engine, "--detector", detector]
    outcome = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **threads}, check=False)
    if "ModuleNotFoundError" in outcome.stderr:
        return None
    if outcome.returncode:
        raise SystemExit(f"{engine} failed on {folder}: {outcome.stderr.strip()[-2000:]}")
    answer: dict[str, Any] = json.loads(outcome.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--detector", default="", help="another line detector than the bundle's, a LiteRT model")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--fold-case", action="store_true", help="for sets whose labels are in capitals throughout")
    parser.add_argument("--read", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read_set(arguments.read, arguments.sets[0], arguments.detector)))
        return
    figures: dict[str, dict[str, Any]] = {}
    for folder in arguments.sets:
        for engine in arguments.engines:
            answer = run_engine(engine, folder, arguments.detector)
            if answer is None:
                print(f"{folder.name:16}{engine:12} not installed here", file=sys.stderr)
                continue
            scores = score_set(folder, answer, fold_case=arguments.fold_case)
            figures.setdefault(folder.name, {})[engine] = scores
            row = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
            print(f"{folder.name:16}{engine:12}{row}", flush=True)
    target = Path(__file__).with_name("pages.json")
    target.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
