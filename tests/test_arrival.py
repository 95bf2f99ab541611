"""Where no document is told, the order of arrival shows how bunched images are, and the verdict says that it is so."""

from dataclasses import replace

import numpy as np
import pytest
from test_documents import receipts, trained

from legible.drift.arrival import arrival_block, arrival_effect
from legible.drift.decide import Outcome, Verdict, decide
from legible.drift.summary import ranked_by
from legible.observations.row import Observation

UNBUNCHED = np.random.default_rng(1).random((600, 20)) < 0.5


def untold(rows: list[Observation]) -> list[Observation]:
    return [replace(row, document="") for row in rows]


def block_of(rows: list[Observation]) -> int:
    return arrival_block(rows, ranked_by(trained(), rows, np.random.default_rng(1)), correlation=0.4)


def test_independent_images_have_no_design_effect() -> None:
    assert arrival_effect(UNBUNCHED.astype(float), 20) < 2
    assert arrival_effect(UNBUNCHED[:100].astype(float), 20) == 1


def test_a_change_midway_is_not_bunching() -> None:
    changed = UNBUNCHED.astype(float)
    changed[300:] = 1.0
    assert arrival_effect(changed, 20) < 2


def test_lines_of_receipts_in_order_are_seen_and_shuffled_ones_are_not() -> None:
    rows = untold(receipts(30, seed=3))
    assert 10 < block_of(rows) < 60
    shuffled = [
        replace(row, at=float(n)) for row, n in zip(rows, np.random.default_rng(2).permutation(900), strict=True)
    ]
    assert block_of(shuffled) == 1


def test_the_order_is_that_of_time_within_channel_and_sender_however_rows_come() -> None:
    rows = untold(receipts(30, seed=3))
    assert block_of(rows) == block_of([rows[n] for n in np.random.default_rng(2).permutation(900)])


def verdict_of(rows: list[Observation]) -> Verdict:
    return decide(trained(), rows)


def test_the_verdict_says_how_many_images_name_no_document() -> None:
    verdict = verdict_of(untold(receipts(30, seed=3)))
    assert verdict.untold == 900
    assert "900 images, 900 without a document, bunched as those of about " in verdict.screen()
    assert verdict.documents < 90
    told = verdict_of(receipts(30, seed=3))
    assert told.untold == 0
    assert "without a document" not in told.screen()


def test_a_change_midway_of_independent_images_is_found_all_the_same() -> None:
    rows = [*receipts(300, seed=4, lines=1), *receipts(300, seed=5, lines=1, shift=3.0)]
    verdict = verdict_of([replace(row, document="", at=float(n)) for n, row in enumerate(rows)])
    assert verdict.outcome is Outcome.DRIFT
    assert verdict.documents == pytest.approx(600)
