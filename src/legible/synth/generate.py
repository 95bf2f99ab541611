"""Stage `generate`: words and lines drawn in the IAM layout, each kind in a folder of its own.

Sample n of a kind is drawn from (seed, kind, n) alone, so any number of processes makes the same bytes, on any
processor of a kind (`synth.determinism`).
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from itertools import chain, product
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

import legible
from legible.config import Params
from legible.errors import DataError
from legible.locks import lock_file
from legible.pool_processes import end_with_starter
from legible.synth.archive import Archive, Table
from legible.synth.checks import Letters, check_asked, check_characters, check_texts, letters_of
from legible.synth.determinism import draw_plainly, plain_numpy
from legible.synth.font_roles import fonts_of, is_common
from legible.synth.fonts import Font, find_fonts, is_unseen
from legible.synth.glyphs import LIGATURES
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.samples import KINDS, UNITS, Drawn, Job, draw_chunk, texts_within
from legible.synth.texts.rare import FOREIGN
from legible.synth.words import Texts

CHUNK = 64
"""The number of samples that a process gets at a time."""
FINGERPRINT = "fingerprint"
"""The file that is in the folder until it is complete."""

Draw = Callable[[Job, Sequence[tuple[int, int]]], Iterable[list[Drawn]]]
"""Draws the samples of ranges of numbers, in their order."""


def generate(params: Params, *, root: Path, processes: int = 1, draw: Draw | None = None) -> None:
    """Write root/data/generated/<kind>; a kind without a weight is left out.

    draw: who draws in place of processes of this machine; the samples are the same.

    A run that was killed goes on where it was, if nothing that decides the samples has changed. Of two at once the
    second waits for the first. Raise SettingsError or DataError before anything is written where what is asked for
    cannot be drawn.
    """
    jobs = _checked_jobs(params, root=root)
    fingerprint = _fingerprint(params, jobs)
    target = root / "data/generated"
    with _writing(target.parent), _locked(target):
        if not _is_left(target, fingerprint):
            with nullcontext(draw) if draw else _processes(processes) as drawing:
                _generate_all(jobs, target, fingerprint=fingerprint, draw=drawing)
        (target / FINGERPRINT).unlink()


def _checked_jobs(params: Params, *, root: Path) -> list[tuple[Job, int]]:
    charset, fractions = params.charset.build(), _fractions(params)
    check_asked(params.generate, charset)
    texts = texts_of(params)
    named = any(fraction > 0 and kind in SAMPLE_KINDS for kind, fraction in fractions.items())
    more = "".join(LIGATURES.values()) + FOREIGN if named else ""
    fonts = find_fonts(params.fonts, root=root, characters=charset.characters, more=more)
    jobs = list(_jobs(params, fractions, fonts))
    if not jobs:
        raise DataError("generate.words and generate.lines give no sample of any kind; ask for more")
    kinds: dict[str, Letters] = {job.kind: letters_of(job.fonts) for job, _ in jobs}
    check_characters(kinds, charset)
    lettered = {kind: letters for kind, letters in kinds.items() if kind not in SAMPLE_KINDS}
    check_texts(lettered, texts, units=sorted({job.unit for job, _ in jobs}), seed=params.seed)
    return jobs


@contextmanager
def _processes(count: int) -> Iterator[Draw]:
    """Draw with fresh processes of this machine: a fork after OpenCV has threads hangs."""
    with plain_numpy(), ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin) as pool:

        def draw(job: Job, ranges: Sequence[tuple[int, int]]) -> Iterator[list[Drawn]]:
            return pool.map(draw_chunk, [job] * len(ranges), *zip(*ranges, strict=True))

        yield draw


def _begin() -> None:
    draw_plainly()
    end_with_starter()


def _generate_all(jobs: Sequence[tuple[Job, int]], target: Path, *, fingerprint: str, draw: Draw) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DataError(f"{target} is no folder of its own; move it away")
    fresh = target.with_name(target.name + ".new")
    _prepare(fresh, fingerprint=fingerprint)
    for job, count in jobs:
        _generate_unit(job, count, folder=fresh / job.kind, draw=draw)
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Wait for another run that draws for the same folder: two would append to the same archives."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(target.with_name(f".{target.name}.lock")):
        yield


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


def _jobs(params: Params, fractions: Mapping[str, float], fonts: Sequence[Font]) -> Iterator[tuple[Job, int]]:
    """Yield each kind and unit that is to be drawn, and the number of its samples."""
    for kind, unit in product(KINDS, UNITS):
        allowed = tuple(font for font in _fonts_for(kind, fonts) if not is_unseen(font, params.fonts))
        if fractions[kind] > 0 and not allowed and kind != "strokes":
            raise DataError(f"fonts.unseen leaves no {kind} font that is here; add one, or set its weight to 0")
        asked = params.generate
        count = round((asked.words if unit == "words" else asked.lines) * fractions[kind])
        if count:
            styles = max(round(asked.styles * fractions[kind]), 1)
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
                asked.foreign,
                asked.language,
            )
            yield job, count


def _fonts_for(kind: str, fonts: Sequence[Font]) -> Iterator[Font]:
    """Yield the fonts that a kind draws with, unseen ones included."""
    if kind in SAMPLE_KINDS:
        own = {font for role in SAMPLE_KINDS[kind].roles for font in fonts_of(role, fonts)}
        return (font for font in fonts if font in own)
    return (font for font in fonts if font.kind == kind and is_common(font))


def _fingerprint(params: Params, jobs: Sequence[tuple[Job, int]]) -> str:
    """Return a hash of all that decides the samples, the content of the fonts included."""
    paths = sorted({font.path for job, _ in jobs for font in job.fonts})
    fonts = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    asked = json.dumps(
        [params.seed, asdict(params.generate), asdict(params.charset), legible.__version__], sort_keys=True
    )
    return hashlib.sha256((asked + fonts).encode()).hexdigest()


def _prepare(folder: Path, *, fingerprint: str) -> None:
    """Keep the folder where a killed run of the same samples left it, else empty it."""
    if not _is_left(folder, fingerprint):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / FINGERPRINT).write_text(fingerprint, encoding="ascii")


def _is_left(folder: Path, fingerprint: str) -> bool:
    """Return whether a killed run of the same samples left the folder."""
    known = folder / FINGERPRINT
    return known.is_file() and known.read_text(encoding="ascii") == fingerprint


def _fractions(params: Params) -> dict[str, float]:
    """Return the fraction of each kind; all together they are 1."""
    weights = params.generate.shares
    unknown = sorted(weights.keys() - set(KINDS))
    if unknown:
        raise DataError(f"generate.shares names {', '.join(unknown)}; the kinds are {', '.join(KINDS)}")
    if min(weights.values(), default=0) < 0 or not sum(weights.values()) > 0:
        raise DataError("generate.shares needs weights of 0 and more, one of them above 0")
    return {kind: weights.get(kind, 0) / sum(weights.values()) for kind in KINDS}


def _generate_unit(job: Job, count: int, *, folder: Path, draw: Draw) -> None:
    folder.mkdir(exist_ok=True)
    forms = "".join(f"{_form(style)} {style:05} 1 prt 1 1 1 1\n" for style in range(job.styles))
    (folder / "forms.txt").write_text("# form, writer (a writer style)\n" + forms, encoding="utf-8")
    heading = f"# {job.unit} as in the IAM database: id, segmentation, threshold, box, tag, text\n"
    tables = (Table(folder / f"{job.unit}.txt", heading), *((Table(folder / f"{job.unit}-boxes.jsonl"),) * job.boxes))
    archive = Archive(tables, folder / f"{job.unit}.tar")
    start = archive.recover()
    bar = tqdm(
        _draw_all(job, start, count, draw),
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


def _draw_all(job: Job, start: int, count: int, draw: Draw) -> Iterator[Drawn]:
    ranges = [(first, min(first + CHUNK, count)) for first in range(start, count, CHUNK)]
    return chain.from_iterable(draw(job, ranges) if ranges else ())


def texts_of(params: Params) -> Texts:
    """Return the texts that `generate` asks for."""
    asked = params.generate
    return texts_within(params.charset.build(), asked.names, asked.flattening, asked.language)


def _form(style: int) -> str:
    """Return the id of a form as IAM has it, one for each writer style: `g00-00012`."""
    return f"g{style // 1000:02}-{style:05}"


def _name(sample: Drawn, *, unit: str) -> str:
    """Return the id of a sample as IAM has it: form, line, and for words their place: `g00-00012-0034-56`."""
    line, place = divmod(sample.number, 100)
    return f"{_form(sample.style)}-{line:04}" + (f"-{place:02}" if unit == "words" else f"{place:02}")


def _row(name: str, sample: Drawn, *, unit: str) -> str:
    text = sample.text.replace(" ", "|") if unit == "lines" else sample.text
    components = "1 " if unit == "lines" else ""
    tag = "" if unit == "lines" else "- "
    return f"{name} ok 128 {components}0 0 {sample.width} {sample.height} {tag}{text}\n"


def _boxes_row(name: str, sample: Drawn) -> str:
    return json.dumps({"id": name, "text": sample.text, "boxes": sample.boxes}, ensure_ascii=False) + "\n"
