"""Scores of pages, worked by hand."""

import numpy as np
import pytest

from legible.evaluation.page_scores import (
    PageScores,
    PlacedText,
    covered_fraction,
    matched_lines,
    overlap_of,
    score_page,
)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


TRUTH = [PlacedText("first line", box(0, 0, 100, 20)), PlacedText("Second", box(0, 30, 60, 50))]


def test_a_perfect_reading_has_no_errors() -> None:
    scores = score_page(truth=TRUTH, found=TRUTH)
    assert (scores.cer, scores.word_f1, scores.line_f1) == (0.0, 1.0, 1.0)


def test_a_missed_line_costs_recall_and_an_invented_one_precision() -> None:
    found = [TRUTH[0], PlacedText("x", box(200, 200, 220, 210)), PlacedText("y", box(300, 200, 320, 210))]
    scores = score_page(truth=TRUTH, found=found)
    assert scores.line_recall == 1 / 2
    assert scores.line_precision == 1 / 3
    assert scores.line_f1 == pytest.approx(2 / 5)


def test_lines_in_the_wrong_order_cost_characters_and_no_words() -> None:
    scores = score_page(truth=TRUTH, found=TRUTH[::-1])
    assert scores.cer > 0.5
    assert (scores.word_f1, scores.line_f1) == (1.0, 1.0)


def test_case_counts_unless_it_is_folded() -> None:
    found = [TRUTH[0], PlacedText("second", TRUTH[1].polygon)]
    assert score_page(truth=TRUTH, found=found).character_edits == 1
    assert score_page(truth=TRUTH, found=found, untold=["case"]).character_edits == 0


def test_the_overlap_is_what_both_cover_over_what_either_does() -> None:
    assert overlap_of(box(0, 0, 10, 10), box(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap_of(box(0, 0, 10, 10), box(20, 0, 30, 10)) == 0


def test_each_line_is_matched_once_the_best_first() -> None:
    found = [PlacedText("", box(0, 0, 80, 20)), PlacedText("", box(0, 0, 98, 20))]
    assert matched_lines(TRUTH[:1], found) == {0: 1}


def test_scores_of_pages_add_up() -> None:
    both = score_page(truth=TRUTH, found=TRUTH) + score_page(truth=TRUTH, found=[])
    assert (both.pages, both.lines, both.right_lines) == (2, 4, 2)
    assert both.cer == pytest.approx(0.5)
    assert PageScores().cer == 0


def test_a_part_of_a_line_lies_on_it_and_a_speck_beside_it_does_not() -> None:
    assert covered_fraction(box(10, 2, 40, 18), TRUTH) == 1.0
    assert covered_fraction(box(50, 0, 150, 20), TRUTH) == pytest.approx(0.5)
    assert covered_fraction(box(200, 200, 220, 210), TRUTH) == 0.0
