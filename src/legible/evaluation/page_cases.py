"""The pages that whole-page reading is measured on: drawn ones, and those that the detector's sources hold back."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from legible.arrays import GreyImage
from legible.config.detector import Completeness, DetectorParams
from legible.data import sources
from legible.data.dataset import Split
from legible.data.options import SourceOptions
from legible.data.page_index import Page
from legible.data.pages import open_pages
from legible.detection.geometry import PagePoints
from legible.evaluation.page_scores import PlacedText
from legible.scores import Untold
from legible.synth.pages.draw import KINDS, draw_page
from legible.synth.pages.materials import materials_of

DRAWN = "drawn"
"""What the groups of drawn pages begin with: `drawn/receipt`."""
EMPTY = f"{DRAWN}/empty"
SEEDS: dict[Split, int] = {"validation": 20_000, "tune": 30_000}


@dataclass(frozen=True)
class PageCase:
    """A page and what is known of it. `lines` are in reading order, or hold words where `unit` says so."""

    group: str
    name: str
    image: GreyImage
    lines: tuple[PlacedText, ...]
    unit: Literal["line", "word"] = "line"
    untold: tuple[Untold, ...] = ()
    complete: bool = True
    """Whether all of the page's lines are known; else what is found beside them is no error."""
    corners: PagePoints | None = None


def drawn_cases(detector: DetectorParams, *, root: Path, split: Split = "validation") -> Iterator[PageCase]:
    """Yield drawn pages of each kind, and pages without text; of `validation` in families that no training saw."""
    materials = materials_of(detector, root=root, unseen=split == "validation")
    for place, kind in enumerate(KINDS):
        for number in range(detector.empty_pages if f"{DRAWN}/{kind}" == EMPTY else detector.validation_pages):
            page = draw_page(np.random.default_rng([SEEDS[split], place, number]), materials, kind=kind)
            lines = tuple(PlacedText(line.text, line.shape.polygon) for line in page.lines)
            yield PageCase(f"{DRAWN}/{kind}", str(number), page.image, lines, corners=page.corners)


def held_back_cases(detector: DetectorParams, *, root: Path, split: Split = "validation") -> Iterator[PageCase]:
    """Yield the pages of a split of the detector's sources, of those that are here."""
    for name, source in detector.sources.items():
        folder = sources.raw_folder(root, name)
        if folder.is_dir():
            yield from source_cases(name, folder, SourceOptions.of(source.options), lists=source.lists, split=split)


def source_cases(
    name: str, folder: Path, options: SourceOptions, *, lists: Completeness, split: Split = "validation"
) -> Iterator[PageCase]:
    """Yield the pages of a split of one source."""
    opened = open_pages(folder, options)
    held = [page for page, own in opened.splits(name).items() if own == split]
    for page, image in opened.images(held):
        lines = tuple(PlacedText(text.text, _polygon(text.polygon, text.box)) for text in page.texts)
        yield dataclasses.replace(
            PageCase(name, page.name, image, lines),
            unit="word" if page.texts and page.texts[0].kind == "word" else "line",
            untold=_untold(page),
            complete=lists == "all" or page.complete,
            corners=np.array(page.corners, float) if page.corners else None,
        )


def _untold(page: Page) -> tuple[Untold, ...]:
    return tuple(sorted({one for text in page.texts for one in text.untold}))


def _polygon(points: Sequence[tuple[float, float]], box: tuple[float, float, float, float]) -> PagePoints:
    left, top, right, bottom = box
    return np.array(points or [(left, top), (right, top), (right, bottom), (left, bottom)], float)
