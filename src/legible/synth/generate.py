"""Stage `generate`: drawn words and lines in the IAM layout, printed and handwritten apart.

Sample n of a kind is drawn from (seed, kind, n) alone, so any number of processes makes the same bytes.
"""

import dataclasses
import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from legible.charset import Charset
from legible.config import FontsParams, Params, PrintRecipe
from legible.errors import DataError
from legible.synth.draw import Style, draw_hand_style, draw_style, draw_text
from legible.synth.effects import draw_effects
from legible.synth.fonts import Font, FontKind, find_fonts, is_unseen
from legible.synth.words import Texts

Kind = FontKind | Literal["strokes"]
KINDS: tuple[Kind, ...] = ("print", "handwriting", "strokes")
"""Printed fonts, handwriting fonts, and pen paths."""
UNITS = ("words", "lines")
PRINT_MARGINS = (0.3, 0.6)
"""Of `evaluate.print`: as a line of a page is cut out, so that readers which need margins have them."""
CHUNK = 64
"""Samples handed to a process at a time."""


@dataclass(frozen=True)
class Job:
    """All that decides a run of samples."""

    seed: int
    kind: Kind
    unit: str
    styles: int
    strength: float
    effects: float
    charset: Charset
    fonts: tuple[Font, ...]


@dataclass(frozen=True)
class Drawn:
    """A drawn sample of a writer style: `image` as PNG bytes."""

    number: int
    style: int
    text: str
    height: int
    width: int
    image: bytes


@dataclass(frozen=True)
class PrintedWord:
    """One word of `evaluate.print`."""

    id: str
    image: npt.NDArray[np.uint8]
    text: str
    family: str
    noisy: bool


def generate(params: Params, *, root: Path, processes: int = 1) -> None:
    """Write root/data/generated/{print,handwriting}; a kind without fonts or share is left out."""
    shares = _shares(params)
    fonts = find_fonts(params.fonts, root=root, characters=params.charset.characters)
    target = root / "data/generated"
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    _make_folder(fresh)
    fresh_processes = get_context("spawn")  # a fork after OpenCV has threads hangs
    with ProcessPoolExecutor(processes, fresh_processes, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for kind in KINDS:
            allowed = tuple(font for font in fonts if font.kind == kind and not is_unseen(font, params.fonts))
            if shares[kind] > 0 and (allowed or kind == "strokes"):
                _generate_kind(params, kind, allowed, shares[kind], folder=fresh / kind, pool=pool)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def _shares(params: Params) -> dict[Kind, float]:
    """The share of each kind, all together 1."""
    shares = params.generate.shares
    unknown = sorted(shares.keys() - set(KINDS))
    if unknown:
        raise DataError(f"generate.shares names {', '.join(unknown)}; the kinds are {', '.join(KINDS)}")
    if min(shares.values(), default=0) < 0 or not sum(shares.values()) > 0:
        raise DataError("generate.shares needs shares of 0 and more, one of them above 0")
    return {kind: shares.get(kind, 0) / sum(shares.values()) for kind in KINDS}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{folder.parent} cannot be written ({error.strerror}); choose another --root") from error


def _generate_kind(
    params: Params, kind: Kind, fonts: tuple[Font, ...], share: float, *, folder: Path, pool: ProcessPoolExecutor
) -> None:
    folder.mkdir()
    styles = max(round(params.generate.styles * share), 1)
    for unit in UNITS:
        count = round(getattr(params.generate, unit) * share)
        job = Job(
            params.seed,
            kind,
            unit,
            styles,
            params.generate.strength,
            params.generate.effects,
            params.charset.build(),
            fonts,
        )
        bar = tqdm(_draw_all(job, count, pool), total=count, desc=f"generate {kind} {unit}", unit="image")
        _write_unit(folder, unit, bar)
    forms = "".join(f"{_form(style)} {style:05} 1 prt 1 1 1 1\n" for style in range(styles))
    (folder / "forms.txt").write_text("# form, writer (a writer style)\n" + forms, encoding="utf-8")


def _draw_all(job: Job, count: int, pool: ProcessPoolExecutor) -> Iterator[Drawn]:
    starts = range(0, count, CHUNK)
    chunks = pool.map(_draw_chunk, [job] * len(starts), starts, [min(s + CHUNK, count) for s in starts])
    for chunk in chunks:
        yield from chunk


def _draw_chunk(job: Job, start: int, stop: int) -> list[Drawn]:
    return [_draw_sample(job, number) for number in range(start, stop)]


def _draw_sample(job: Job, number: int) -> Drawn:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), UNITS.index(job.unit), number])
    style_number = int(rng.integers(job.styles))
    style = _style(job, style_number)
    text = _draw_words(_texts(job.charset), rng, unit=job.unit, style=style)
    image = draw_text(text, style, rng)
    height, width = image.shape
    return Drawn(number, style_number, text, height, width, _png(image))


def _draw_words(texts: Texts, rng: np.random.Generator, *, unit: str, style: Style, tries: int = 50) -> str:
    for _ in range(tries):
        text = texts.word(rng) if unit == "words" else texts.line(rng, words=int(rng.integers(2, 13)))
        if style.draws(text):
            return text
    raise DataError(f"{style.name} draws hardly any text of this charset; take it out of fonts.folders")


@lru_cache(maxsize=4096)
def _style(job: Job, number: int) -> Style:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), len(UNITS), number])
    if job.kind == "strokes":
        style = draw_hand_style(rng, strength=job.strength)
    else:
        style = draw_style(job.fonts, rng, strength=job.strength)
    return dataclasses.replace(style, effects=draw_effects(rng, strength=job.effects))


@lru_cache(maxsize=4)
def _texts(charset: Charset) -> Texts:
    return Texts(charset)


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _form(style: int) -> str:
    """A form's id as IAM has them, one for each writer style: `g00-00012`."""
    return f"g{style // 1000:02}-{style:05}"


def _write_unit(folder: Path, unit: str, samples: Iterable[Drawn]) -> None:
    """`words.txt` and `words.tar`, or those of lines."""
    with (
        (folder / f"{unit}.txt").open("w", encoding="utf-8") as index,
        tarfile.open(folder / f"{unit}.tar", "w") as tar,
    ):
        index.write(f"# {unit} as in the IAM database: id, segmentation, threshold, box, tag, text\n")
        for sample in samples:
            form = _form(sample.style)
            place = f"{sample.number // 100:04}" + (
                f"-{sample.number % 100:02}" if unit == "words" else f"{sample.number % 100:02}"
            )
            name = f"{form}-{place}"
            index.write(_row(name, sample, unit=unit))
            member = tarfile.TarInfo(f"{unit}/{form.split('-')[0]}/{form}/{name}.png")
            member.size = len(sample.image)
            tar.addfile(member, io.BytesIO(sample.image))


def _row(name: str, sample: Drawn, *, unit: str) -> str:
    text = sample.text.replace(" ", "|") if unit == "lines" else sample.text
    components = "1 " if unit == "lines" else ""
    tag = "" if unit == "lines" else "- "
    return f"{name} ok 128 {components}0 0 {sample.width} {sample.height} {tag}{text}\n"


def print_recipe(recipe: PrintRecipe, params: Params, *, root: Path) -> Iterator[PrintedWord]:
    """The fixed set `evaluate.print`: words in unseen printed families, the even ones plain, the odd ones noisy."""
    fonts = _unseen_print(params.fonts, root=root, characters=params.charset.characters)
    texts = Texts(params.charset.build())
    for number in range(recipe.words):
        rng = np.random.default_rng([recipe.seed, number])
        noisy = number % 2 == 1
        drawn = draw_style(fonts, rng, strength=recipe.strength if noisy else 0.0)
        style = dataclasses.replace(drawn, margins=PRINT_MARGINS)
        text = texts.running_word(rng)
        image = draw_text(text, style, rng)
        yield PrintedWord(f"{recipe.name}/{number:05}", image, text, style.name, noisy)


def _unseen_print(params: FontsParams, *, root: Path, characters: str) -> list[Font]:
    fonts = find_fonts(params, root=root, characters=characters)
    unseen = [font for font in fonts if font.kind == "print" and is_unseen(font, params)]
    if not unseen:
        raise DataError(
            f"fonts.unseen names no printed family that is here: {', '.join(params.unseen) or 'it is empty'}"
        )
    return unseen
