"""The generator trdg on its own Pillow, run by generator.py: seconds to draw each word once, as a line of JSON.

.venv-trdg/bin/python benchmarks/drawing/trdg_words.py WORDS.json plain|worn FONT...
"""

import json
import sys
import time
from pathlib import Path

from trdg.generators import GeneratorFromStrings


def main() -> None:
    words, mode, fonts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2], sys.argv[3:]
    worn = {"blur": 1, "random_blur": True, "background_type": 0, "skewing_angle": 2, "random_skew": True}
    look = worn if mode == "worn" else {"background_type": 1}
    drawn = GeneratorFromStrings(words, count=len(words), size=32, fonts=fonts, **look)
    next(drawn)
    start = time.perf_counter()
    images = [image for image, _ in drawn]
    print(json.dumps({"images": len(images), "seconds": time.perf_counter() - start}))


main()
