"""One recogniser reads a folder of images on one thread; a JSON object of texts, seconds and peak memory on stdout.

    python benchmarks/reading/engines.py NAME FOLDER

Runs in a process of its own, so that memory is its own, and in whichever environment holds the recogniser. Images are
decoded before the time is taken, and handed over together: each recogniser takes many as it takes them best.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Read = Callable[[list[np.ndarray]], list[str]]
"""Grey images, (H, W) uint8, to their texts."""


def legible(*, lexicon: str = "") -> Read:
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.decoding import Decoding
    from legible.recognition.recognizer import Recognizer

    bundle = load_bundle(find_bundle())
    recognizer = Recognizer.from_bundle(bundle)
    decoding = Decoding(recognizer.prior(bundle.lexicon(lexicon)) if lexicon else None)
    return lambda images: [reading.text for reading in recognizer.read(images, decoding=decoding)]


def legible_best_path() -> Read:
    """The likeliest label of each step alone, as the figures of other CTC recognisers are given."""
    from legible.batched import batched
    from legible.ctc.decode import best_path_text
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.recognizer import STEP_IMAGES, Recognizer

    recognizer = Recognizer.from_bundle(load_bundle(find_bundle()))

    def read_some(images: list[np.ndarray]) -> list[str]:
        columns = [recognizer.preprocess(image) for image in images]
        logits = [recognizer.logits(own) for own in columns]
        return [best_path_text(own, recognizer.charset) for own in logits]

    return lambda images: [text for some in batched(images, STEP_IMAGES) for text in read_some(some)]


def tesseract() -> Read:
    import tesserocr

    api = tesserocr.PyTessBaseAPI(path=_tessdata(), lang="eng", psm=tesserocr.PSM.SINGLE_LINE)

    def read(image: np.ndarray) -> str:
        api.SetImage(Image.fromarray(image))
        return str(api.GetUTF8Text()).strip()

    return lambda images: [read(image) for image in images]


def _tessdata() -> str:
    found = sorted(Path("/usr/share").glob("tesseract-ocr/*/tessdata"))
    if not found:
        raise SystemExit("no language data of Tesseract under /usr/share; install Debian's tesseract-ocr-eng")
    return str(found[-1]) + "/"


def rapidocr() -> Read:
    from rapidocr import RapidOCR

    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    engine = RapidOCR(params={**threads, "Global.log_level": "error"})

    def read(image: np.ndarray) -> str:
        result = engine(np.repeat(image[:, :, None], 3, axis=2), use_det=False, use_cls=False, use_rec=True)
        return " ".join(result.txts or ())

    return lambda images: [read(image) for image in images]


ENGINES: dict[str, Callable[[], Read]] = {
    "legible": legible,
    "legible, lexicon": lambda: legible(lexicon="english"),
    "legible, best path": legible_best_path,
    "tesseract": tesseract,
    "rapidocr": rapidocr,
}


def main(name: str, folder: Path) -> None:
    read = ENGINES[name]()
    paths = sorted(folder.glob("*.png"))
    images = [np.asarray(Image.open(path).convert("L")) for path in paths]
    read(images[:1])  # what is made at the first call is not counted
    started = time.perf_counter()
    texts = read(images)
    seconds = time.perf_counter() - started
    print(json.dumps({"texts": texts, "seconds": seconds, "peak_mib": peak_mib()}))


def peak_mib() -> float:
    """The most memory this process held; getrusage would count that of the process that started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1], Path(sys.argv[2]))
