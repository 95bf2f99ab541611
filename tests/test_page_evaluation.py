"""Whole pages measured: drawn and held-back cases, figures of rows worked by hand, and their part in the gate."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from test_pages import PAGE_HEIGHT, PAGE_WIDTH, line, pages

from legible.config.detector import PACKAGED, DetectorParams
from legible.data.options import SourceOptions
from legible.errors import BundleError
from legible.evaluation.page_cases import EMPTY, PageCase, drawn_cases, source_cases
from legible.evaluation.page_scores import PageScores, PlacedText
from legible.evaluation.pages import ROWS, PageRow, group_figures, read_rows, row_of, write_rows
from legible.gate.pages import page_comparisons, page_faults
from legible.pages.open import OpenedPage
from legible.pages.read import CrowdedPageError
from legible.pages.result import BlockResult, LineResult, PageResult
from legible.recognition.bundle import DETECTOR

FOUND = PageScores(1, 100, 5, 20, 20, 18, 10, 10, 9)
"""Of 10 lines 9 were found among 10, of 100 characters 5 are wrong."""


def row(number: int = 0, *, group: str = "sroie", scores: PageScores = FOUND, **changes: object) -> PageRow:
    return dataclasses.replace(PageRow(group, str(number), "line", True, scores, True, 0.5), **changes)  # type: ignore[arg-type]


def box(left: float, top: float) -> tuple[tuple[float, float], ...]:
    return (left, top), (left + 60, top), (left + 60, top + 20), (left, top + 20)


def result(*texts: str, turns: int = 0, outline: tuple[tuple[float, float], ...] = ()) -> PageResult:
    lines = tuple(LineResult(text, 0.9, box(20, 20 + 40 * number), ()) for number, text in enumerate(texts))
    return PageResult(1, 200, 400, (BlockResult(tuple((one,) for one in lines)),), turns=turns, outline=outline)


class Answers:
    """A reader that gives the same answer to every page."""

    def __init__(self, answer: PageResult) -> None:
        self.answer = answer

    def read_opened(self, page: OpenedPage) -> PageResult:
        del page
        return self.answer


class Fails:
    def read_opened(self, page: OpenedPage) -> PageResult:
        del page
        raise CrowdedPageError("too many")


def case(*texts: str, **changes: object) -> PageCase:
    lines = tuple(PlacedText(text, np.array(box(20, 20 + 40 * number))) for number, text in enumerate(texts))
    return dataclasses.replace(PageCase("sroie", "a", np.full((400, 200), 255, np.uint8), lines), **changes)  # type: ignore[arg-type]


def read(page: PageCase, answer: PageResult) -> PageRow:
    return row_of(page, Answers(answer))  # type: ignore[arg-type]


def test_a_page_in_capitals_is_right_in_small_letters_where_case_is_untold() -> None:
    shown = result("Total", "9.90")
    assert read(case("TOTAL", "9.90"), shown).scores.character_edits == 4
    folded = read(case("TOTAL", "9.90", untold=("case",)), shown)
    assert (folded.scores.character_edits, folded.scores.right_words) == (0, 2)


def test_lines_in_another_order_are_not_ordered() -> None:
    answer = result("one", "two")
    rows = answer.blocks[0].rows
    other = dataclasses.replace(answer, blocks=(BlockResult(rows[::-1]),))
    assert read(case("one", "two"), answer).ordered
    assert not read(case("one", "two"), other).ordered


def test_a_page_of_many_lines_is_turned_and_has_to_come_back_upright() -> None:
    texts = [f"line {number}" for number in range(5)]
    turn = 1 + ord("a") % 3
    assert read(case(*texts), result(*texts, turns=4 - turn)).upright is True
    assert read(case(*texts), result(*texts)).upright is False
    assert read(case("one"), result("one")).upright is None


def test_corners_are_compared_where_the_sheet_is_known() -> None:
    whole = np.array([(0, 0), (200, 0), (200, 400), (0, 400)], float)
    half, quarter = (((0.0, 0.0), (200.0, 0.0), (200.0, bottom), (0.0, bottom)) for bottom in (200.0, 100.0))
    assert read(case("one"), result("one")).corners is None
    assert read(case("one", corners=whole), result("one", outline=half)).corners == pytest.approx(0.5)
    assert read(case("one", corners=np.array(quarter)), result("one", outline=half)).corners == pytest.approx(0.5)


def test_a_page_without_an_outline_is_all_sheet() -> None:
    whole, half = (np.array([(0, 0), (200, 0), (200, low), (0, low)], float) for low in (400, 200))
    assert read(case("one", corners=whole), result("one")).corners == 1.0
    assert read(case("one", corners=half), result("one")).corners == pytest.approx(0.5)


def test_a_page_that_is_refused_is_a_row_with_its_error() -> None:
    refused = row_of(case("one"), Fails())  # type: ignore[arg-type]
    assert (refused.error, refused.scores.right_lines, refused.scores.lines) == ("crowded_page", 0, 1)
    assert group_figures([refused, row()])["failed"] == 0.5


def test_figures_that_need_every_line_leave_out_pages_with_unknown_ones() -> None:
    partly = row(1, complete=False, scores=dataclasses.replace(FOUND, found_lines=100, character_edits=90))
    figures = group_figures([row(), partly])
    assert figures["line_precision"] == pytest.approx(0.9)
    assert figures["cer"] == pytest.approx(0.05)
    assert figures["line_recall"] == pytest.approx(0.9)
    assert "cer" not in group_figures([partly])


def test_pages_without_text_count_the_pages_on_which_a_line_was_invented() -> None:
    none, some = PageScores(pages=1), PageScores(pages=1, found_lines=3)
    rows = [row(n, group=EMPTY, scores=none if n else some) for n in range(4)]
    assert group_figures(rows)["invented"] == 0.25


@pytest.mark.slow
def test_drawn_pages_are_the_same_each_time_and_empty_ones_hold_no_line() -> None:
    fonts = dataclasses.replace(PACKAGED, unseen=("Caladea",))
    pages = DetectorParams(fonts=fonts, validation_pages=1, empty_pages=2)
    once, again = ([*drawn_cases(pages, root=PROJECT)] for _ in range(2))
    assert [page.group for page in once if page.lines == ()] == [EMPTY, EMPTY]
    for one, other in zip(once, again, strict=True):
        assert (one.group, one.name) == (other.group, other.name)
        assert np.array_equal(one.image, other.image)


def test_held_back_pages_are_those_of_the_validation_split_with_what_their_rows_say(tmp_path: Path) -> None:
    folder = pages(tmp_path / "own", *({"lines": [line("TOTAL"), line("9.90", top=60)]} for _ in range(6)))
    found = list(source_cases("own", folder, SourceOptions(untold=("case",)), lists="some"))
    assert len(found) == 3
    assert {(page.group, page.untold, page.complete) for page in found} == {("own", ("case",), False)}
    assert found[0].image.shape == (PAGE_HEIGHT, PAGE_WIDTH)
    assert [text.text for text in found[0].lines] == ["TOTAL", "9.90"]
    index = folder / "pages.jsonl"
    rows = [{**json.loads(text), "complete": True} for text in index.read_text().splitlines()]
    index.write_text("\n".join(map(json.dumps, rows)))
    assert all(page.complete for page in source_cases("own", folder, SourceOptions(), lists="some"))


@pytest.fixture
def bundles(tmp_path: Path, bundle_folder: Path) -> tuple[Path, Path]:
    """Two bundles with a detector that were measured on the same forty pages."""
    folders = tmp_path / "candidate", tmp_path / "champion"
    for folder in folders:
        shutil.copytree(bundle_folder, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][DETECTOR] = "0"
        (folder / "manifest.json").write_text(json.dumps(manifest))
        write(folder, [row(n) for n in range(40)])
    return folders


def write(folder: Path, rows: list[PageRow]) -> None:
    write_rows(folder / ROWS, rows)


def faults(candidate: Path, champion: Path) -> list[str]:
    return page_faults(candidate, champion, page_comparisons(candidate, champion))


def test_rows_are_read_back(bundles: tuple[Path, Path]) -> None:
    assert read_rows(bundles[0] / ROWS) == [row(n) for n in range(40)]
    odd = [row(unit="word", complete=False, upright=False, corners=0.0, error="crowded_page"), row(upright=True)]
    write(bundles[0], odd)
    assert read_rows(bundles[0] / ROWS) == odd


def test_equal_pages_pass_the_gate_and_fewer_lines_do_not(bundles: tuple[Path, Path]) -> None:
    assert faults(*bundles) == []
    write(bundles[0], [row(n, scores=dataclasses.replace(FOUND, right_lines=8 - n % 2)) for n in range(40)])
    assert faults(*bundles) == ["pages: F1 of lines: fell by 15.00%, and surely fell"]
    lines, text = page_comparisons(*bundles)
    assert (lines.candidate, lines.champion, lines.to_wrong) == (pytest.approx(0.75), pytest.approx(0.9), 40)
    assert text.difference == 0


def test_text_is_compared_where_the_champion_found_lines(bundles: tuple[Path, Path]) -> None:
    """A page of which it found none is read by chance; one of which it found some counts, though none is found now."""
    blind = dataclasses.replace(FOUND, right_lines=0)
    worse = dataclasses.replace(blind, character_edits=FOUND.character_edits + 20)
    for folder, scores in zip(bundles, (worse, blind), strict=True):
        write(folder, [row(n, scores=scores) for n in range(40)])
    assert faults(*bundles) == []
    assert [one.name for one in page_comparisons(*bundles)] == ["pages: F1 of lines"]
    write(bundles[1], [row(n, scores=dataclasses.replace(blind, right_lines=1)) for n in range(40)])
    assert any("text in order (1 - CER): fell by" in fault for fault in faults(*bundles))


def test_a_fall_that_chance_explains_is_none(bundles: tuple[Path, Path]) -> None:
    write(bundles[0], [row(n, scores=dataclasses.replace(FOUND, right_lines=8 + 2 * (n % 2))) for n in range(40)])
    assert faults(*bundles) == []


def test_a_detector_that_is_gone_and_pages_that_nobody_measured_are_reasons(bundles: tuple[Path, Path]) -> None:
    (bundles[0] / ROWS).unlink()
    assert faults(*bundles) == ["no page is recorded in both bundles; evaluate both on the same pages"]
    manifest = json.loads((bundles[0] / "manifest.json").read_text())
    del manifest["files"][DETECTOR]
    (bundles[0] / "manifest.json").write_text(json.dumps(manifest))
    assert faults(*bundles) == ["the bundle lost its line detector (detector.tflite)"]


def test_damaged_rows_are_an_error_of_one_line(bundles: tuple[Path, Path]) -> None:
    (bundles[1] / ROWS).write_text('{"group": 1}\n')
    with pytest.raises(BundleError, match=r"pages\.jsonl: damaged"):
        page_comparisons(*bundles)
