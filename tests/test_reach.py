"""`legible rebase` says what will be found."""

from dataclasses import replace

import numpy as np
import pytest
from test_documents import trained
from test_odd_documents import rule

from legible.drift.odd_documents import MAX_SCORE, Lying
from legible.drift.reach import reach_of, reach_said


def test_larger_windows_reach_smaller_changes() -> None:
    reference = replace(trained(), documents=rule(), bunching=20.0)
    few, many = reach_of(reference, 400), reach_of(reference, 5000)
    assert few.moved > many.moved
    assert few.unusual is not None
    assert many.unusual is not None
    assert few.unusual > many.unusual > 0.02
    assert (few.of_documents, many.of_documents) == (20, 250)
    assert reach_of(reference, 400).moved == pytest.approx(reference.rules["image"].threshold(400, bunching=20))


def test_one_document_fewer_than_it_says_reaches_no_threshold() -> None:
    own = rule()
    reach = reach_of(replace(trained(), documents=own, bunching=20.0), 1000)
    assert reach.documents is not None
    threshold = own.threshold(np.full(50, 20.0))
    fewer, enough = (mean_length(number, of=50) for number in (reach.documents - 1, reach.documents))
    assert fewer < threshold <= enough


def mean_length(documents: int, *, of: int) -> float:
    """The length of the mean of a window in which so many documents lie as far out as can be, in one direction."""
    scores = np.where(np.arange(of) < documents, MAX_SCORE, 0.0)
    return Lying(scores, np.tile([1.0, 0.0], (of, 1))).length


def test_a_reference_without_documents_says_so_in_words() -> None:
    lines = reach_said(replace(trained(), bunching=1.0))
    assert lines[0] == "found from about:"
    assert "documents" not in "".join(lines)
    assert "not enough documents for a verdict" in reach_said(replace(trained(), bunching=5000.0))[1]
