"""Summaries of windows: the same in whatever order rows come, and the same from parts that are added."""

import dataclasses
import random
from typing import Any

import numpy as np
from reference_rows import rows_like, shipped_reference

from legible.drift import summary as summaries
from legible.drift.decide import judge
from legible.drift.summary import Summary
from legible.drift.ties import row_uniforms


def facts(of: Any) -> Any:
    """Everything that a summary holds but its reference and what is drawn for the report."""
    if isinstance(of, np.ndarray):
        return of.tolist()
    if isinstance(of, dict):
        return {name: facts(value) for name, value in of.items()}
    if dataclasses.is_dataclass(of):
        names = {field.name for field in dataclasses.fields(of)} - {"reference", "random", "sample", "corrections"}
        return {name: facts(getattr(of, name)) for name in names}
    return of


def test_the_order_of_rows_changes_nothing() -> None:
    rows = rows_like(600, seed=1, documents=40)
    mixed = random.Random(1).sample(rows, len(rows))
    one, other = (Summary.of(shipped_reference(), some) for some in (rows, mixed))
    assert facts(one) == facts(other)
    assert judge(one) == judge(other)


def test_parts_that_are_added_make_the_whole() -> None:
    rows = rows_like(600, seed=2, documents=40, shift=0.05)
    whole = Summary.of(shipped_reference(), rows)
    parts = Summary.empty(shipped_reference())
    for some in (rows[400:], rows[:10], rows[10:400]):
        parts.merge(Summary.of(shipped_reference(), some))
    assert facts(parts) == facts(whole)
    assert judge(parts) == judge(whole)
    assert whole.unusual


def test_corrections_are_added_too() -> None:
    rows = rows_like(60, seed=3)
    texts = {row.reading_id: "x" for row in rows[:7]}
    checked = [dataclasses.replace(row, check=0) for row in rows]
    halves = [Summary.empty(shipped_reference(), corrections=texts) for _ in range(2)]
    halves[0].add(checked[:30])
    halves[1].add(checked[30:])
    halves[1].merge(halves[0])
    assert halves[1].corrected == 7


def test_of_too_many_channels_the_same_are_told_apart_in_any_order(monkeypatch: Any) -> None:
    monkeypatch.setattr(summaries, "MAX_CHANNELS", 3)
    rows = [dataclasses.replace(row, channel=f"c{i % 7}") for i, row in enumerate(rows_like(70, seed=4))]
    for some in (rows, rows[::-1]):
        summary = Summary.empty(shipped_reference())
        for row in some:
            summary.add([row])
        assert {name: counts.images for name, counts in summary.channels.items()} == {"c0": 10, "c1": 10, "c2": 10}
        assert summary.images == 70


def test_equal_values_take_places_that_are_uniform_and_not_alike() -> None:
    rows = rows_like(2000, seed=5)
    uniforms = row_uniforms(rows, 4)
    assert np.abs(np.sort(uniforms, axis=0) - np.linspace(0, 1, 2000)[:, None]).max() < 0.05
    assert np.abs(np.corrcoef(uniforms.T) - np.eye(4)).max() < 0.08
    assert (row_uniforms(rows, 4, seed=1) != uniforms).all()


def test_rows_without_an_id_take_their_places_by_what_they_say() -> None:
    first, second = ([dataclasses.replace(row, reading_id="") for row in rows_like(2, seed=s)] for s in (6, 7))
    assert (row_uniforms(first, 3) == row_uniforms(list(first), 3)).all()
    assert (row_uniforms(first, 3) != row_uniforms(second, 3)).all()


def test_a_sum_of_fractions_holds_for_billions_of_images() -> None:
    assert np.iinfo(np.int64).max > 2 * 10**9 * summaries.ONE
