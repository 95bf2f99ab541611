"""Stage `generate`: drawn words and lines in the IAM layout, printed and handwritten apart.

Sample n of a kind is drawn from (seed, kind, n) alone, so any number of processes makes the same bytes, on whatever
processor of a kind (`synth.determinism`).
"""

import dataclasses
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

import legible
from legible.charset import Charset
from legible.config import FontsParams, Params, PrintRecipe
from legible.errors import DataError, NoInkError
from legible.synth.archive import Archive, Table
from legible.synth.checks import Letters, check_asked, check_characters, check_texts, hardly_any, letters_of, some_text
from legible.synth.determinism import draw_plainly, plain_numpy, plain_opencv
from legible.synth.effects import draw_effects
from legible.synth.fonts import Font, FontKind, find_fonts, is_unseen
from legible.synth.style import Drawing, Style, draw_hand_style, draw_style, draw_text, draw_with_boxes
from legible.synth.words import TRIES, Texts

Kind = FontKind | Literal["strokes"]
KINDS: tuple[Kind, ...] = ("print", "handwriting", "strokes")
"""Printed fonts, handwriting fonts, and pen paths."""
UNITS = ("words", "lines")
PRINT_MARGINS = (0.3, 0.6)
"""Of `evaluate.print`: as a line of a page is cut out, so that readers which need margins have them."""
CHUNK = 64
"""Samples handed to a process at a time."""
FINGERPRINT = "fingerprint"
"""File that stands in the folder until it is complete and in its place."""


@dataclass(frozen=True)
class Job:
    """All that decides a run of samples."""

    seed: int
    kind: Kind
    unit: str
    styles: int
    strength: float
    effects: float
    boxes: bool
    kerning: bool
    names: bool
    flattening: float
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
    boxes: tuple[tuple[float, ...] | None, ...]
    """Left, top, right, bottom of each character in pixels, None for spaces and what is cut; () if not asked for."""
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
    """Write root/data/generated/{print,handwriting,strokes}; a kind without a share is left out.

    A run that was killed goes on where it was, if nothing that decides the samples has changed. Raises SettingsError
    or DataError before anything is written where what is asked for cannot be drawn.
    """
    jobs = _checked_jobs(params, root=root)
    fingerprint = _fingerprint(params, jobs)
    target = root / "data/generated"
    with _writing(target.parent):
        if not _is_left(target, fingerprint):
            _generate_all(jobs, target, fingerprint=fingerprint, processes=processes)
        (target / FINGERPRINT).unlink()


def _checked_jobs(params: Params, *, root: Path) -> list[tuple[Job, int]]:
    charset, shares = params.charset.build(), _shares(params)
    check_asked(params.generate, charset)
    texts = texts_of(params)
    fonts = find_fonts(params.fonts, root=root, characters=charset.characters)
    jobs = list(_jobs(params, shares, fonts))
    if not jobs:
        raise DataError("generate.words and generate.lines give no sample of any kind; ask for more")
    kinds: dict[str, Letters] = {job.kind: letters_of(job.fonts) for job, _ in jobs}
    check_characters(kinds, charset)
    check_texts(kinds, texts, units=sorted({job.unit for job, _ in jobs}), seed=params.seed)
    return jobs


def _generate_all(jobs: Sequence[tuple[Job, int]], target: Path, *, fingerprint: str, processes: int) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DataError(f"{target} is no folder of its own; move it away")
    fresh = target.with_name(target.name + ".new")
    _prepare(fresh, fingerprint=fingerprint)
    fresh_processes = get_context("spawn")  # a fork after OpenCV has threads hangs
    with plain_numpy(), ProcessPoolExecutor(processes, fresh_processes, initializer=draw_plainly) as pool:
        for job, count in jobs:
            _generate_unit(job, count, folder=fresh / job.kind, pool=pool)
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a font that a process could not open
            raise
        raise DataError(
            f"{folder} cannot be written ({error.strerror}); make room, or choose another --root; "
            "run again, it goes on where it was"
        ) from error


def _jobs(params: Params, shares: Mapping[Kind, float], fonts: Sequence[Font]) -> Iterator[tuple[Job, int]]:
    """Each kind and unit that is to be drawn, and how many samples of it."""
    for kind, unit in product(KINDS, UNITS):
        allowed = tuple(font for font in fonts if font.kind == kind and not is_unseen(font, params.fonts))
        if shares[kind] > 0 and not allowed and kind != "strokes":
            raise DataError(f"fonts.unseen leaves no {kind} font that is here; add one, or set its share to 0")
        asked = params.generate
        count = round((asked.words if unit == "words" else asked.lines) * shares[kind])
        if count:
            styles = max(round(asked.styles * shares[kind]), 1)
            job = Job(
                params.seed,
                kind,
                unit,
                styles,
                asked.strength,
                asked.effects,
                asked.boxes,
                asked.kerning,
                asked.names,
                asked.flattening,
                params.charset.build(),
                allowed,
            )
            yield job, count


def _fingerprint(params: Params, jobs: Sequence[tuple[Job, int]]) -> str:
    """Of all that decides the samples, the content of the fonts included."""
    paths = sorted({font.path for job, _ in jobs for font in job.fonts})
    fonts = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    asked = json.dumps(
        [params.seed, asdict(params.generate), asdict(params.charset), legible.__version__], sort_keys=True
    )
    return hashlib.sha256((asked + fonts).encode()).hexdigest()


def _prepare(folder: Path, *, fingerprint: str) -> None:
    """The folder as a killed run of the same samples left it, else empty."""
    if not _is_left(folder, fingerprint):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / FINGERPRINT).write_text(fingerprint, encoding="ascii")


def _is_left(folder: Path, fingerprint: str) -> bool:
    """Whether a killed run of the same samples left it."""
    known = folder / FINGERPRINT
    return known.is_file() and known.read_text(encoding="ascii") == fingerprint


def _shares(params: Params) -> dict[Kind, float]:
    """The share of each kind, all together 1."""
    shares = params.generate.shares
    unknown = sorted(shares.keys() - set(KINDS))
    if unknown:
        raise DataError(f"generate.shares names {', '.join(unknown)}; the kinds are {', '.join(KINDS)}")
    if min(shares.values(), default=0) < 0 or not sum(shares.values()) > 0:
        raise DataError("generate.shares needs shares of 0 and more, one of them above 0")
    return {kind: shares.get(kind, 0) / sum(shares.values()) for kind in KINDS}


def _generate_unit(job: Job, count: int, *, folder: Path, pool: ProcessPoolExecutor) -> None:
    folder.mkdir(exist_ok=True)
    forms = "".join(f"{_form(style)} {style:05} 1 prt 1 1 1 1\n" for style in range(job.styles))
    (folder / "forms.txt").write_text("# form, writer (a writer style)\n" + forms, encoding="utf-8")
    heading = f"# {job.unit} as in the IAM database: id, segmentation, threshold, box, tag, text\n"
    tables = (Table(folder / f"{job.unit}.txt", heading), *((Table(folder / f"{job.unit}-boxes.jsonl"),) * job.boxes))
    archive = Archive(tables, folder / f"{job.unit}.tar")
    start = archive.recover()
    bar = tqdm(
        _draw_all(job, start, count, pool),
        initial=start,
        total=count,
        unit="image",
        desc=f"generate {job.kind} {job.unit}",
    )
    with archive.opened() as add:
        for sample in bar:
            name = _name(sample, unit=job.unit)
            place = f"{job.unit}/{name.split('-')[0]}/{_form(sample.style)}/{name}.png"
            rows = (_row(name, sample, unit=job.unit), *((_boxes_row(name, sample),) * job.boxes))
            add(rows, place, sample.image)


def _draw_all(job: Job, start: int, count: int, pool: ProcessPoolExecutor) -> Iterator[Drawn]:
    starts = range(start, count, CHUNK)
    chunks = pool.map(_draw_chunk, [job] * len(starts), starts, [min(s + CHUNK, count) for s in starts])
    for chunk in chunks:
        yield from chunk


def _draw_chunk(job: Job, start: int, stop: int) -> list[Drawn]:
    return [_draw_sample(job, number) for number in range(start, stop)]


def _draw_sample(job: Job, number: int) -> Drawn:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), UNITS.index(job.unit), number])
    style_number = int(rng.integers(job.styles))
    style = _style(job, style_number)
    text, drawing = draw_some(_texts(job.charset, job.names, job.flattening), rng, unit=job.unit, style=style)
    height, width = drawing.image.shape
    boxes = tuple(_rounded(box) for box in drawing.boxes) if job.boxes else ()
    return Drawn(number, style_number, text, height, width, boxes, _png(drawing.image))


def _rounded(box: npt.NDArray[np.float64]) -> tuple[float, ...] | None:
    return None if np.isnan(box).any() else tuple(round(float(side), 1) for side in box)


def draw_some(
    texts: Texts, rng: np.random.Generator, *, unit: str, style: Style, tries: int = TRIES
) -> tuple[str, Drawing]:
    """A text of the style's characters that leaves ink, and the drawing of it. Raises DataError where hardly any is."""
    for _ in range(tries):
        text = some_text(texts, rng, unit=unit)
        if style.draws(text):
            with suppress(NoInkError):
                return text, draw_with_boxes(text, style, rng)
    raise DataError(hardly_any(style.name))


@lru_cache(maxsize=4096)
def _style(job: Job, number: int) -> Style:
    rng = np.random.default_rng([job.seed, KINDS.index(job.kind), len(UNITS), number])
    if job.kind == "strokes":
        style = draw_hand_style(rng, strength=job.strength)
    else:
        style = draw_style(job.fonts, rng, strength=job.strength, kerned=job.kerning)
    return dataclasses.replace(style, effects=draw_effects(rng, strength=job.effects))


def texts_of(params: Params) -> Texts:
    """The texts that `generate` asks for."""
    return _texts(params.charset.build(), params.generate.names, params.generate.flattening)


@lru_cache(maxsize=4)
def _texts(charset: Charset, names: bool, flattening: float) -> Texts:  # noqa: FBT001
    return Texts(charset, names=names, flattening=flattening)


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _form(style: int) -> str:
    """A form's id as IAM has them, one for each writer style: `g00-00012`."""
    return f"g{style // 1000:02}-{style:05}"


def _name(sample: Drawn, *, unit: str) -> str:
    """A sample's id as IAM has them: form, line, and for words their place: `g00-00012-0034-56`."""
    line, place = divmod(sample.number, 100)
    return f"{_form(sample.style)}-{line:04}" + (f"-{place:02}" if unit == "words" else f"{place:02}")


def _row(name: str, sample: Drawn, *, unit: str) -> str:
    text = sample.text.replace(" ", "|") if unit == "lines" else sample.text
    components = "1 " if unit == "lines" else ""
    tag = "" if unit == "lines" else "- "
    return f"{name} ok 128 {components}0 0 {sample.width} {sample.height} {tag}{text}\n"


def _boxes_row(name: str, sample: Drawn) -> str:
    return json.dumps({"id": name, "text": sample.text, "boxes": sample.boxes}, ensure_ascii=False) + "\n"


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
        with plain_opencv():
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
