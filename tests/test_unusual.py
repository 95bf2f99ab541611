"""A tenth of foreign images moves no signal by much, but many of them lie far out: the count of those finds them."""

from dataclasses import replace

import numpy as np
import pytest
from test_documents import receipts, section

from legible.drift.calibrate import Rows, make_reference
from legible.drift.decide import Outcome, decide
from legible.drift.reference import KINDS, Reference, table
from legible.drift.unusual import EXPECTED, Distance, UnusualRule, levels
from legible.errors import BundleError
from legible.observations.row import Observation

RULE = UnusualRule(Distance(np.eye(2)), point=9.2, level=8.0, m=900.0, correlation=0.3)


@pytest.fixture(scope="module")
def known() -> Reference:
    rows = receipts(1200, seed=21, lines=1)
    made = {kind: Rows(table(rows, KINDS[kind]), tuple(map(str, range(1200)))) for kind in KINDS}
    return make_reference(made, section(), seed=1)


def window(images: int, *, foreign: int, seed: int) -> list[Observation]:
    """Foreign images differ in the direction of each signal, half up and half down: the means hardly move."""
    rng = np.random.default_rng(seed)
    odd = []
    for one in receipts(foreign, seed=seed + 1, lines=1):
        values = {name: value + 2.0 * rng.choice([-1, 1]) for name, value in one.statistics.items()}
        odd.append(replace(one, statistics=values, document=""))
    usual = [replace(one, document="") for one in receipts(images - foreign, seed=seed, lines=1)]
    return [*usual, *odd]


def test_a_level_is_what_the_threshold_was_made_of() -> None:
    worth = np.asarray([50.0, 1000.0, 5000.0])
    excess = np.asarray([RULE.threshold(n) for n in worth])
    assert levels(excess, worth=worth, m=RULE.m) == pytest.approx([RULE.level] * 3)
    assert levels(np.asarray([-0.02]), worth=worth[:1], m=RULE.m) == 0


def test_the_threshold_falls_with_the_window_to_what_the_reference_is_worth() -> None:
    found = [replace(RULE, m=1e12).threshold(n) for n in (50, 1000, 100_000)]
    assert found == sorted(found, reverse=True)
    assert found[1] == pytest.approx(np.sqrt(2 * 0.02 * 0.98 * 8 / 1000) + 2 * 8 / 3000)
    assert RULE.threshold(1e9) > 0.01


def test_bunched_images_and_several_tests_need_more() -> None:
    assert RULE.threshold(1000, bunching=30) == pytest.approx(RULE.threshold(1000 / (1 + 29 * 0.3)))
    assert RULE.threshold(1000, tests=5) > RULE.threshold(1000)


def test_two_in_a_hundred_of_the_references_own_images_are_beyond_its_point() -> None:
    ranked = np.random.default_rng(1).random((5000, 20))
    distance = Distance.of(ranked)
    assert np.mean(distance(ranked) > distance.point(ranked)) == pytest.approx(EXPECTED, abs=0.001)
    middle, low, high = distance(np.asarray([[0.5] * 20, [0.001] * 20, [0.999] * 20]))
    assert middle < distance.point(ranked) < min(low, high)


def test_what_is_usual_in_each_signal_may_be_unusual_in_both_together() -> None:
    first = np.random.default_rng(2).random(5000)
    distance = Distance.of(np.stack([first, first], axis=1))
    alike, apart = distance(np.asarray([[0.8, 0.8], [0.8, 0.2]]))
    assert apart > 5 * alike


@pytest.mark.slow
def test_a_tenth_of_foreign_images_is_found_where_no_signal_has_drifted(known: Reference) -> None:
    verdict = decide(known, window(1000, foreign=100, seed=30))
    assert verdict.drifted == ()
    assert verdict.unusual is not None
    assert verdict.unusual.drifted
    assert verdict.outcome is Outcome.DRIFT
    assert verdict.screen().splitlines()[-1].startswith("  unusual images: ")
    assert verdict.screen().endswith("  drift")


@pytest.mark.slow
@pytest.mark.parametrize("images", [50, 200, 1000])
def test_images_like_the_references_are_no_drift(known: Reference, images: int) -> None:
    for seed in range(40, 50):
        verdict = decide(known, window(images, foreign=0, seed=seed))
        assert verdict.unusual is not None
        assert not verdict.unusual.drifted


@pytest.mark.slow
def test_a_reference_of_an_earlier_version_has_no_such_rule(known: Reference) -> None:
    verdict = decide(replace(known, unusual=None), window(1000, foreign=100, seed=30))
    assert verdict.unusual is None
    assert verdict.outcome is Outcome.NO_DRIFT


@pytest.mark.slow
def test_the_rule_comes_back_as_it_was_saved(known: Reference, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("reference")
    known.save(folder)
    loaded, saved = Reference.load(folder).unusual, known.unusual
    assert loaded is not None
    assert saved is not None
    assert (loaded.point, loaded.level, loaded.m) == (saved.point, saved.level, saved.m)
    assert np.allclose(loaded.distance.precision, saved.distance.precision, rtol=1e-5)
    path = folder / "drift.json"
    path.write_text(path.read_text().replace('"precision": [', '"precision": [[1],', 1))
    with pytest.raises(BundleError, match=r"drift\.json: damaged reference"):
        Reference.load(folder)
