"""Few foreign documents among many: their means lie far out, where no signal and no count of images shows them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from test_documents import receipts, trained

from legible.drift.baseline import make_baseline
from legible.drift.decide import Outcome, decide
from legible.drift.document_sums import ScoreSums
from legible.drift.odd_documents import (
    MAX_COUNTED,
    MAX_SCORE,
    MIN_DOCUMENTS,
    DocumentRule,
    Lying,
    Spread,
    make_document_rule,
    scores_of,
)
from legible.drift.reference import Reference
from legible.errors import BundleError
from legible.image.statistics import STATISTICS
from legible.observations.row import Observation

SIGNALS = 6


def ranked_documents(documents: int, *, images: int = 20, seed: int = 1) -> tuple[np.ndarray, list[str]]:
    """Ranks of images of documents that differ a little from each other."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.7, (documents, 1, SIGNALS)) + rng.normal(0, 0.7, (documents, images, SIGNALS))
    ranks = values.argsort(axis=None).argsort().reshape(-1, SIGNALS) / values.size
    return ranks, [f"{n // images}" for n in range(documents * images)]


@cache
def rule() -> DocumentRule:
    made = make_document_rule(*ranked_documents(60), budget=0.01, resamples=500, rng=np.random.default_rng(2))
    assert made is not None
    return made


def test_fewer_documents_make_no_rule() -> None:
    ranked, documents = ranked_documents(MIN_DOCUMENTS - 1)
    assert make_document_rule(ranked, documents, budget=0.01, resamples=500, rng=np.random.default_rng(2)) is None


def test_a_score_begins_at_the_start_and_ends_at_the_maximum() -> None:
    counts = np.asarray([1.0, 2.0, 3.0, 9.0, 500.0])
    distances = np.asarray([10.0, 15.0, 15.0, 24.0, 1000.0])
    scores = scores_of(distances, counts, (10, 14, 20), (10, 10, 10))
    assert scores.tolist() == [0, 0.5, 0.1, 1.0, MAX_SCORE]


def test_documents_in_one_direction_add_up_and_those_in_others_hardly() -> None:
    one, all_ways = np.eye(4)[[0, 0, 0, 0]], np.eye(4)
    assert Lying(np.full(4, 2.0), one).length == pytest.approx(2 * 3 / 4)
    assert Lying(np.full(4, 2.0), all_ways).length == pytest.approx(2 * 3**0.5 / 4)


@pytest.mark.parametrize("documents", [5, 10, 60])
def test_a_single_document_unlike_all_others_is_no_drift_and_some_alike_are(documents: int) -> None:
    usual = np.random.default_rng(3).normal(0, 0.3, (documents, SIGNALS))
    images = np.full(documents, 20.0)
    usual[0] = 9.0
    assert rule().lying(usual, images).length == 0
    usual[: documents // 2] = 9.0
    assert rule().lying(usual, images).length > rule().threshold(images)


def test_of_a_window_the_document_that_adds_most_is_left_out() -> None:
    lying = Lying(np.asarray([2.0, 1.0, 0.5, 0.0]), np.eye(3)[[0, 1, 1, 2]])
    assert lying.length == pytest.approx(1.5 / 4)
    assert Lying(np.zeros(0), np.zeros((0, 3))).length == 0


def test_a_document_that_lies_apart_scores_high_and_one_in_the_middle_not() -> None:
    own = rule().lying(np.zeros((1, SIGNALS)), np.asarray([20.0])).scores
    far = rule().lying(np.full((1, SIGNALS), 2.5), np.asarray([20.0])).scores
    assert (own[0], far[0]) == (0, MAX_SCORE)


def test_the_covariance_of_few_images_is_wider_than_that_of_many() -> None:
    spread = Spread(np.zeros(2), np.eye(2), np.eye(2))
    near, far = spread.distances(np.ones((2, 2)), np.asarray([1.0, 1000.0]))
    assert near == pytest.approx(2 / 2)
    assert far == pytest.approx(2 / (1 + 1 / MAX_COUNTED))


def test_the_threshold_falls_with_the_documents_and_rises_with_the_tests() -> None:
    few, many = (rule().threshold(np.full(n, 20.0)) for n in (10, 200))
    assert few > many > 0
    assert rule().threshold(np.full(10, 20.0), tests=5) > few


def test_sums_of_parts_are_the_sums_of_all_and_images_without_a_document_are_left_out() -> None:
    ranked, documents = ranked_documents(8)
    documents = ["" if name == "3" else name for name in documents]
    whole, parts = ScoreSums(), ScoreSums()
    whole.add(ranked, documents)
    for start in range(0, len(ranked), 7):
        parts.add(ranked[start : start + 7], documents[start : start + 7])
    assert len(whole) == 7
    for one, other in zip(whole.means(), parts.means(), strict=True):
        assert np.allclose(np.sort(one, axis=0), np.sort(other, axis=0))


def test_of_too_many_documents_the_same_are_kept_in_whatever_order_they_come() -> None:
    ranked, documents = ranked_documents(90)
    kept = []
    for order in (np.arange(len(ranked)), np.random.default_rng(1).permutation(len(ranked))):
        sums = ScoreSums(max_documents=20)
        for part in np.array_split(order, 10):
            sums.add(ranked[part], [documents[i] for i in part])
        kept.append(np.sort(sums.means()[0], axis=0))
        assert len(sums) == 20
        assert sums.means()[1].tolist() == [20] * 20
    assert np.allclose(*kept)


@pytest.fixture(scope="module")
def baseline() -> Reference:
    return make_baseline(trained(), receipts(90, seed=2), bundle="", at=0.0, resamples=500).reference


def foreign(documents: int, *, seed: int) -> list[Observation]:
    """Documents that lie apart in one direction together, too few for any signal to move by much."""
    apart = np.random.default_rng(seed).choice([-2.2, 2.2], len(STATISTICS)).tolist()
    moved = []
    for row in receipts(documents, seed=seed):
        pairs = zip(row.statistics.items(), apart, strict=True)
        moved.append(replace(row, statistics={name: value + by for (name, value), by in pairs}))
    return moved


@pytest.mark.slow
def test_six_foreign_documents_among_sixty_are_found_and_none_is_no_drift(baseline: Reference) -> None:
    usual = receipts(54, seed=3)
    mixed = decide(baseline, [*usual, *foreign(6, seed=4)])
    assert mixed.drifted == ()
    assert mixed.unusual_documents is not None
    assert mixed.unusual_documents.drifted
    assert mixed.unusual_documents.documents == 60
    assert mixed.screen().splitlines()[-1].startswith("  unusual documents: ")
    assert mixed.outcome is Outcome.DRIFT
    calm = decide(baseline, usual)
    assert calm.unusual_documents is not None
    assert calm.unusual_documents.beyond < 1
    assert calm.outcome is Outcome.NO_DRIFT


@pytest.mark.slow
def test_a_baseline_keeps_its_rule_on_documents(baseline: Reference, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("baseline")
    baseline.save(folder)
    loaded = Reference.load(folder).documents
    assert baseline.documents is not None
    assert loaded is not None
    assert loaded.starts == pytest.approx(baseline.documents.starts)
    assert np.allclose(loaded.spread.between, baseline.documents.spread.between, rtol=1e-4)
    path = folder / "drift.json"
    path.write_text(path.read_text().replace('"starts": [', '"starts": [1.0, ', 1))
    with pytest.raises(BundleError, match=r"drift\.json: damaged reference"):
        Reference.load(folder)


@pytest.mark.slow
def test_images_without_documents_make_no_rule_on_documents() -> None:
    rows = [replace(row, document="") for row in receipts(60, seed=2)]
    assert make_baseline(trained(), rows, bundle="", at=0.0, resamples=500).reference.documents is None
