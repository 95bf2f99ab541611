"""Images of one document tell less than as many single ones: counted, calibrated, decided on."""

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from drawn_words import START

from legible.config import ReferenceParams
from legible.drift.baseline import ASSUMED_BLOCK, make_baseline
from legible.drift.calibrate import Rows, make_reference
from legible.drift.decide import Outcome, decide
from legible.drift.documents import BUCKETS, DocumentCounts, effective_images
from legible.drift.gather import RowSample, block_length, design_effect, in_blocks
from legible.drift.reference import KINDS, Reference, Rule, table
from legible.image.statistics import STATISTICS
from legible.observations.origin import digest, shared_key
from legible.observations.row import Observation, OlderRowError

LINES = 30
"""Of a document."""
CORRELATION = 0.5


def receipts(documents: int, *, seed: int, lines: int = LINES, shift: float = 0.0) -> list[Observation]:
    """Rows in order of time: half of the variance of each signal lies between documents."""
    rng = np.random.default_rng(seed)
    apart = rng.normal(0, np.sqrt(CORRELATION), (documents, 1, len(STATISTICS)))
    within = rng.normal(shift, np.sqrt(1 - CORRELATION), (documents, lines, len(STATISTICS)))
    values = (apart + within).reshape(-1, len(STATISTICS))
    return [row(vector, f"{seed}/{n // lines}", START + n, rng) for n, vector in enumerate(values)]


def row(vector: npt.NDArray[np.float64], document: str, at: float, rng: np.random.Generator) -> Observation:
    statistics = dict(zip(STATISTICS, vector.tolist(), strict=True))
    confidence, *others = rng.random(4).tolist()
    return Observation(
        at=at, channel="default", width=90, height=40, length=int(rng.integers(3, 20)), confidence=confidence,
        statistics=statistics, capitals=others[0], digits=others[1], signs=others[2], document=document,
    )  # fmt: skip


def section() -> ReferenceParams:
    return ReferenceParams(
        revision=1, false_alarms_per_window=0.01, smallest_window=50, resamples=500, images=800, per_writer=1, rows=9
    )


@cache
def trained() -> Reference:
    rng = np.random.default_rng(1)
    rows = {
        kind: Rows(rng.normal(0, 1, (400, len(names))), tuple(map(str, range(400)))) for kind, names in KINDS.items()
    }
    return make_reference(rows, section(), seed=1)


def test_images_of_documents_of_fifty_that_correlate_by_three_tenths() -> None:
    assert effective_images(200, bunching=50, correlation=0.3) == pytest.approx(12.7, abs=0.05)
    assert effective_images(200, bunching=1, correlation=0.3) == 200


def test_bunching_is_the_size_of_the_document_that_an_image_belongs_to() -> None:
    counts = DocumentCounts()
    counts.add(["a"] * 30 + ["b"] * 10)
    assert counts.bunching == pytest.approx((30 * 30 + 10 * 10) / 40, rel=0.01)
    assert counts.documents == pytest.approx(1.6, rel=0.01)


def test_single_images_are_not_bunched_and_those_without_a_document_are_blocks() -> None:
    assert DocumentCounts().bunching == 1
    for block, bunching in ((1, 1), (20, 20), (500, 200)):
        counts = DocumentCounts(block=block)
        counts.add([""] * 200)
        assert counts.bunching == bunching


def test_more_documents_than_counters_are_counted_to_a_few_hundredths() -> None:
    counts = DocumentCounts()
    counts.add([f"x{n // 4}" for n in range(20 * BUCKETS)])
    assert counts.bunching == pytest.approx(4, rel=0.05)


@pytest.fixture(scope="module")
def baseline() -> Reference:
    return make_baseline(trained(), receipts(60, seed=2), bundle="", at=START, resamples=500).reference


@pytest.mark.slow
def test_a_rule_knows_how_alike_images_of_one_document_are(baseline: Reference) -> None:
    rule = baseline.rules["image"]
    assert 0.1 < rule.correlation < 0.8
    assert rule.m < 400
    assert baseline.rules["prediction"].correlation < 0.2
    assert baseline.bunching == pytest.approx(LINES, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("arranged", ["in order", "interleaved"])
def test_other_documents_of_the_same_kind_are_no_drift(baseline: Reference, arranged: str) -> None:
    rows = receipts(40, seed=3)
    if arranged == "interleaved":
        rows = [rows[i] for i in np.random.default_rng(4).permutation(len(rows))]
    windows = [rows[start : start + size] for size in (60, 200, 600) for start in (0, 300, 600)]
    assert all(decide(baseline, window).outcome is not Outcome.DRIFT for window in windows)


@pytest.mark.slow
def test_counted_one_by_one_the_same_windows_would_be_drift(baseline: Reference) -> None:
    rows = [replace(one, document=f"{n}") for n, one in enumerate(receipts(1, seed=3, lines=60))]
    assert decide(baseline, rows).outcome is Outcome.DRIFT


@pytest.mark.slow
def test_a_change_of_all_documents_is_drift(baseline: Reference) -> None:
    verdict = decide(baseline, receipts(12, seed=5, shift=3.0))
    assert verdict.outcome is Outcome.DRIFT
    assert "(360 images, bunched as those of 12 documents;" in verdict.screen()


@pytest.mark.slow
def test_one_document_is_not_enough_data_however_many_images_it_has(baseline: Reference) -> None:
    verdict = decide(baseline, receipts(1, seed=6, lines=200, shift=9.0))
    assert verdict.outcome is Outcome.NOT_ENOUGH_DATA
    assert verdict.screen().startswith("not enough data: 200 images, bunched as those of 1 documents, too few")


@pytest.mark.slow
@pytest.mark.parametrize("arranged", ["in order", "interleaved"])
def test_where_no_document_was_told_other_documents_are_no_drift_either(arranged: str) -> None:
    rng = np.random.default_rng(7)

    def untold(documents: int, seed: int) -> list[Observation]:
        rows = receipts(documents, seed=seed)
        places = rng.permutation(len(rows)) if arranged == "interleaved" else np.arange(len(rows))
        return [replace(rows[i], document="", at=START + n) for n, i in enumerate(places)]

    made = make_baseline(trained(), untold(40, 8), bundle="", at=START, resamples=500).reference
    assert made.block >= ASSUMED_BLOCK
    others = untold(30, 9)
    assert all(decide(made, others[:size]).outcome is not Outcome.DRIFT for size in (60, 200, 900))
    assert decide(made, [replace(one, document="") for one in receipts(20, seed=5, shift=6.0)]).outcome is Outcome.DRIFT


def test_several_tests_share_a_budget() -> None:
    rule = Rule(c=2.0, m=1e9)
    assert np.exp(-2 * rule.threshold(100, tests=8) ** 2 * 100) == pytest.approx(
        np.exp(-2 * rule.threshold(100) ** 2 * 100) / 8
    )


def test_a_block_is_as_long_as_neighbours_are_alike() -> None:
    rng = np.random.default_rng(10)
    alone, bunched = rng.random((4000, 5)), np.repeat(rng.random((80, 5)), 50, axis=0)
    assert design_effect((alone < 0.5).astype(float), 20) < 2
    assert block_length(alone) == 20
    assert 50 <= block_length(bunched) <= 100


def test_blocks_hold_images_of_one_channel_and_sender() -> None:
    rows = [replace(one, document="", sender="ab"[n // 25]) for n, one in enumerate(receipts(2, seed=11)[:50])]
    sizes = np.unique([one.document for one in in_blocks(rows, 20)], return_counts=True)[1]
    assert sorted(sizes.tolist()) == [5, 5, 20, 20]


def test_a_sample_of_rows_keeps_whole_documents_and_the_same_in_any_order() -> None:
    rows = receipts(50, seed=12)
    kept = []
    for order in (np.arange(len(rows)), np.random.default_rng(13).permutation(len(rows))):
        sample = RowSample(max_rows=300)
        sample.add(rows[i] for i in order)
        sizes = np.unique([one.document for one in sample.named()], return_counts=True)
        assert set(sizes[1].tolist()) == {LINES}
        assert 270 <= sample.rows <= 300
        kept.append(set(sizes[0].tolist()))
    assert kept[0] == kept[1]


def test_a_row_holds_digests_that_tell_documents_apart_and_no_names() -> None:
    one, other = digest("invoice 7", b"key"), digest("invoice 8", b"key")
    assert one == digest("invoice 7", b"key")
    assert len({one, other, digest("invoice 7", b"another key"), digest("", b"key")}) == 4
    made = replace(receipts(1, seed=1)[0], document=one)
    assert Observation.from_json(made.to_json()) == made
    assert '"sender"' not in made.to_json()


def test_the_key_is_made_once_for_its_owner_alone_and_a_failing_disk_costs_no_reading(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("observations")
    assert shared_key(folder) == shared_key(folder)
    assert (folder / "document-key").stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["document-key"]
    (folder / "file").touch()
    assert shared_key(folder / "file") != shared_key(folder / "file")


def test_rows_of_the_version_before_are_read() -> None:
    line = receipts(1, seed=1)[0].to_json()
    assert Observation.from_json(line.replace('"version": 3', '"version": 2')).document
    with pytest.raises(OlderRowError):
        Observation.from_json(line.replace('"version": 3', '"version": 1'))


@pytest.mark.slow
def test_a_small_channel_that_drifted_is_not_hidden_by_the_others() -> None:
    usual = [replace(one, document="") for one in receipts(1900, seed=14, lines=1)]
    known = make_reference(
        {kind: Rows(table(usual[:900], KINDS[kind]), tuple(map(str, range(900)))) for kind in KINDS}, section(), seed=1
    )
    odd = [replace(one, document="", channel="mobile") for one in receipts(60, seed=15, lines=1, shift=3.0)]
    verdict = decide(known, [*usual[900:], *odd])
    assert verdict.drifted == ()
    assert verdict.outcome is Outcome.DRIFT
    assert [(channel.name, channel.drifted) for channel in verdict.channels] == [("mobile", True), ("default", False)]
    assert verdict.screen().startswith("drift: unlike training (1060 images;")
