"""Stage `evaluate-pages`: detector and recognizer read whole pages; figures by group, and a row for each page."""

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from legible.config import Params
from legible.config.detector import load_detector_params
from legible.detection.detector import LineDetector
from legible.detection.geometry import PagePoints
from legible.detection.orientation import turned
from legible.errors import ImageError
from legible.evaluation.page_cases import EMPTY, PageCase, drawn_cases, held_back_cases
from legible.evaluation.page_scores import PageScores, PlacedText, matched_lines, overlap_of, score_page
from legible.files import parse_row, write_text
from legible.pages.open import OpenedPage
from legible.pages.read import PageOptions, PageReader
from legible.pages.result import PageResult
from legible.pages.trust import LineTrust
from legible.recognition.bundle import DETECTOR, PAGE_CONFIDENCE
from legible.recognition.calibration import Calibration
from legible.recognition.recognizer import artefact_recognizer

FOLDER = "models/pages"
FIGURES, ROWS = "pages.json", "pages.jsonl"
FORMAT_VERSION = 1
MAX_COUNT = 10**9
"""The greatest count that a row of a bundle may state."""
MIN_LINES = 5
"""A page with fewer lines is not turned to see whether it is set right."""
GOOD_CORNERS = 0.9
"""The intersection over union of true and found sheet from which the corners are right."""


@dataclass(frozen=True)
class PageRow:
    """How one page was read."""

    group: str
    name: str
    unit: str
    complete: bool
    scores: PageScores
    ordered: bool
    """Whether the lines that were found stand in the true order."""
    seconds: float
    """CPU seconds of this process."""
    upright: bool | None = None
    """Whether it was set right after a turn of a quarter to three; None where it was not turned."""
    corners: float | None = None
    """The intersection over union with the true sheet, 0 where none was found; None where the sheet is not known."""
    error: str = ""
    """Why the page was not read, if it was not."""


DEFAULTS: Mapping[str, Any] = {
    "unit": "line",
    "complete": True,
    "ordered": True,
    "upright": None,
    "corners": None,
    "error": "",
}
"""What a row that does not say it means."""


def evaluate_pages(params: Params, *, root: Path) -> None:
    """Write root/models/pages/pages.json, figures by group, and pages.jsonl, a row for each page."""
    del params  # the pages are those of params/detector.yaml
    calibration = Calibration.load(root / "training/confidence.json")
    recognizer = artefact_recognizer(root / "training/artefact", calibration=calibration)
    detector = load_detector_params(root / "params/detector.yaml")
    trust = LineTrust.load(root / FOLDER / PAGE_CONFIDENCE)
    model = LineDetector(root / "models/detector" / DETECTOR)
    reader = PageReader(recognizer, model, options=PageOptions(seconds=0), trust=trust)
    cases = (*drawn_cases(detector, root=root), *held_back_cases(detector, root=root))
    rows = [row_of(case, reader) for case in tqdm(cases, desc="pages", unit="page")]
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS, rows)
    groups = {
        group: {name: round(value, 4) for name, value in figures.items()} for group, figures in figures_by_group(rows)
    }
    content = {"version": FORMAT_VERSION, "groups": groups}
    write_text(folder / FIGURES, json.dumps(content, indent=1) + "\n")


def write_rows(path: Path, rows: Iterable[PageRow]) -> None:
    """Write a row for each page, short, as they go into the bundle: what a row need not say is left out."""
    stated = ({name: value for name, value in vars(row).items() if value != DEFAULTS.get(name)} for row in rows)
    lines = ({**row, "scores": dataclasses.astuple(row["scores"])} for row in stated)
    write_text(path, "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines))


def read_rows(path: Path) -> list[PageRow]:
    """Return the rows of a pages.jsonl. Raise ValueError, KeyError or TypeError for damaged ones."""
    contents = map(parse_row, path.read_text(encoding="utf-8").splitlines())
    return [PageRow(**{**DEFAULTS, **content, "scores": _scores(content["scores"])}) for content in contents]


def _scores(counts: Sequence[object]) -> PageScores:
    if not all(type(count) is int and 0 <= count <= MAX_COUNT for count in counts):
        raise ValueError(f"scores that are no counts: {counts}")
    return PageScores(*cast("Sequence[int]", counts))


def row_of(case: PageCase, reader: PageReader) -> PageRow:
    """Read a page as it is and, where it has lines enough, turned."""
    started = time.process_time()
    try:
        result = reader.read_opened(OpenedPage(1, case.image))
    except ImageError as error:
        scores = score_page(truth=case.lines, found=(), untold=case.untold)
        seconds = time.process_time() - started
        return PageRow(case.group, case.name, case.unit, case.complete, scores, False, seconds, error=error.code)
    seconds = time.process_time() - started
    found = placed(result, unit=case.unit)
    return PageRow(
        case.group,
        case.name,
        case.unit,
        case.complete,
        score_page(truth=case.lines, found=found, untold=case.untold),
        _is_ordered(case.lines, found),
        round(seconds, 3),
        _is_set_right(case, reader) if len(case.lines) >= MIN_LINES else None,
        None if case.corners is None else _overlap(case.corners, result),
    )


def placed(result: PageResult, *, unit: str) -> list[PlacedText]:
    """Return the lines of a page in their order, or its words."""
    parts = result.lines if unit == "line" else tuple(word for line in result.lines for word in line.words)
    return [PlacedText(part.text, np.array(part.polygon, float)) for part in parts]


def figures_by_group(rows: Sequence[PageRow]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the figures of each group; those that need all lines of a page are of pages whose lines are all known."""
    for group in sorted({row.group for row in rows}):
        yield group, group_figures([row for row in rows if row.group == group])


def group_figures(rows: Sequence[PageRow]) -> dict[str, float]:
    """Return the figures of some pages: sums over all of them, and fractions of pages."""
    every, whole = _sum(rows), _sum(row for row in rows if row.complete)
    figures = {"pages": len(rows), "seconds": float(np.mean([row.seconds for row in rows]))}
    figures["failed"] = sum(bool(row.error) for row in rows) / len(rows)
    if every.lines:
        figures |= {"line_recall": every.line_recall}
    if whole.lines:
        figures |= {"cer": whole.cer, "word_f1": whole.word_f1, "line_f1": whole.line_f1}
        figures |= {"line_precision": whole.line_precision, "ordered": _fraction(row.ordered for row in rows)}
    if rows[0].group == EMPTY:
        figures["invented"] = _fraction(row.scores.found_lines > 0 for row in rows)
    turned_back = [row.upright for row in rows if row.upright is not None]
    sheets = [row.corners for row in rows if row.corners is not None]
    figures |= {"upright": _fraction(turned_back)} if turned_back else {}
    return figures | ({"corners": _fraction(one > GOOD_CORNERS for one in sheets)} if sheets else {})


def _fraction(found: Iterable[bool]) -> float:
    return float(np.mean(list(found)))


def _sum(rows: Iterable[PageRow]) -> PageScores:
    return sum((row.scores for row in rows), PageScores())


def _is_ordered(truth: Sequence[PlacedText], found: Sequence[PlacedText]) -> bool:
    pairs = matched_lines(truth, found)
    places = [pairs[number] for number in sorted(pairs)]
    return places == sorted(places)


def _is_set_right(case: PageCase, reader: PageReader) -> bool:
    """Turn a page by one of the three ways, by its number, and say whether reading turns it back."""
    turn = 1 + sum(case.name.encode()) % 3
    try:
        return reader.read_opened(OpenedPage(1, turned(case.image, turn))).turns == (4 - turn) % 4
    except ImageError:
        return False


def _overlap(corners: PagePoints, result: PageResult) -> float:
    """Return the intersection over union of a known sheet and the one found; with none, all of the picture is sheet."""
    width, height = result.width, result.height
    found = result.outline or ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return round(overlap_of(corners, np.array(found, float)), 3)
