"""legible's generator beside trdg: the same single words, 32 pixels high, in memory, one process each, in one run.

    make bench                                        (or: python benchmarks/drawing/generator.py --words 2000)

Once plain (black on white), once worn (each one's background, blur and noise). trdg runs in .venv-trdg, which
`make bench` sets up, with the same font files. Prints a table, ratios and the gain of a second process; writes
benchmarks/generator.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from legible.config import load_params
from legible.synth.effects import draw_effects
from legible.synth.fonts import Font, find_fonts
from legible.synth.style import Style, draw_hand_style, draw_style, draw_text
from legible.synth.words import Texts

PROJECT = Path(__file__).parents[2]
PEER = PROJECT / ".venv-trdg/bin/python"
HEIGHT = 32
STYLES = 50
STRENGTHS = {"plain": 0.0, "worn": 0.6}
RUNS = 3
"""Runs of each; the best counts, as what disturbs only slows."""


@dataclass(frozen=True)
class Row:
    """Of one generator in one mode."""

    generator: str
    mode: str
    images_per_second: float
    times_trdg: float | None


def styles(kind: str, fonts: list[Font], strength: float) -> list[Style]:
    made = []
    for number in range(STYLES):
        rng = np.random.default_rng([1, number])
        style = (
            draw_hand_style(rng, strength=strength) if kind == "strokes" else draw_style(fonts, rng, strength=strength)
        )
        made.append(
            Style(style.letters, style.ink, style.paper, strength, (0.05, 0.1), draw_effects(rng, strength=strength))
        )
    return made


def draw_all(words: list[str], chosen: list[Style]) -> float:
    """Seconds to draw each word once and bring it to 32 rows."""
    start = time.perf_counter()
    for number, word in enumerate(words):
        image = draw_text(word, chosen[number % len(chosen)], np.random.default_rng(number))
        cv2.resize(image, (max(image.shape[1] * HEIGHT // image.shape[0], 1), HEIGHT), interpolation=cv2.INTER_AREA)
    return time.perf_counter() - start


def best(run: Callable[[], float]) -> float:
    return min(run() for _ in range(RUNS))


def trdg(words: list[str], mode: str, fonts: list[str]) -> float | None:
    """Images a second; None, said on stderr, where trdg is not to be had."""
    if not PEER.is_file():
        print(f"trdg: left out, {PEER.relative_to(PROJECT)} is not there; make bench sets it up", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "words.json"
        listed.write_text(json.dumps(words), encoding="utf-8")
        command = [str(PEER), str(PROJECT / "benchmarks/drawing/trdg_words.py"), str(listed), mode, *fonts]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"trdg: left out, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    outcome = json.loads(done.stdout.splitlines()[-1])
    return float(outcome["images"]) / float(outcome["seconds"])


def two_over_one(words: list[str], kind: str, fonts: list[Font]) -> float:
    """How many times faster two processes draw twice the words than one draws once."""
    chosen = styles(kind, fonts, STRENGTHS["worn"])
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        list(pool.map(draw_all, [words[:20]] * 2, [chosen] * 2))
        alone = best(lambda: pool.submit(draw_all, words, chosen).result())
        together = best(lambda: _both(pool, words, chosen))
    return 2 * alone / together


def _both(pool: ProcessPoolExecutor, words: list[str], chosen: list[Style]) -> float:
    start = time.perf_counter()
    list(pool.map(draw_all, [words] * 2, [chosen] * 2))
    return time.perf_counter() - start


def packaged_fonts() -> list[Font]:
    """Printed fonts that come as Python packages: TrueType files, which trdg's old Pillow reads too."""
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    fonts = find_fonts(params.fonts, root=PROJECT, characters=params.charset.characters)
    return [font for font in fonts if font.kind == "print"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1000)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    fonts = packaged_fonts()
    texts, rng = Texts(load_params(PROJECT / "params.yaml").charset.build()), np.random.default_rng(1)
    words = [texts.running_word(rng) for _ in range(asked.words)]
    readable = [str(font.path) for font in fonts]
    rows = []
    for mode, strength in STRENGTHS.items():
        peer = trdg(words[: max(asked.words // 5, 50)], mode, readable)
        rows += [Row("trdg", mode, peer, 1.0)] if peer else []
        for kind in ("fonts", "strokes"):
            speed = len(words) / best(partial(draw_all, words, styles(kind, fonts, strength)))
            rows.append(Row(f"legible, {kind}", mode, speed, speed / peer if peer else None))
    gains = {kind: two_over_one(words, kind, fonts) for kind in ("fonts", "strokes")}
    report(rows, gains)


def report(rows: list[Row], gains: dict[str, float]) -> None:
    print(f"{'generator':<20}{'mode':<8}{'images/s':>10}{'over trdg':>11}")
    for row in rows:
        ratio = f"{row.times_trdg:.1f}" if row.times_trdg else "-"
        print(f"{row.generator:<20}{row.mode:<8}{row.images_per_second:>10.0f}{ratio:>11}")
    for kind, gain in gains.items():
        print(f"two processes over one, {kind}: {gain:.2f}")
    content = {"rows": [asdict(row) for row in rows], "two_over_one": gains}
    (PROJECT / "benchmarks/generator.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
