import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_words import observed, reference_of, section, words_drawn

from legible.drift.calibrate import Rows, calibrate
from legible.drift.decide import Outcome, decide
from legible.drift.rank_counts import RankCounts
from legible.drift.reference import CELLS, KINDS, KnownSignals, Reference, Rule, quantiles_of, rank, ranks, table
from legible.errors import BundleError, DataError
from legible.observations.row import SIGNALS

RULE = Rule(c=2.3, m=8000)
PARAMS = section(budget=0.01)


def reference(**signals: np.ndarray) -> Reference:
    """Of statistics with these quantiles."""
    known = {kind: KnownSignals(signals if kind == "image" else {}, 1000, 9, RULE) for kind in KINDS}
    return Reference(known, 0.001, 50)


def rows(values: np.ndarray, writers: np.ndarray) -> Rows:
    return Rows(values, tuple(str(writer) for writer in writers))


def ks_of(ranked: np.ndarray) -> float:
    counts = RankCounts.of_none(("entropy",))
    counts.add(ranked[:, None], [""] * len(ranked))
    return float(counts.ks[0])


def test_the_threshold_is_the_one_worked_by_hand() -> None:
    assert RULE.threshold(200) == pytest.approx(2.3 * (0.005 + 0.000125) ** 0.5)


def test_the_ranks_of_the_references_own_kind_are_uniform() -> None:
    rng = np.random.default_rng(1)
    known = rng.lognormal(size=20_000)
    current = ranks(quantiles_of(known), rng.lognormal(size=20_000), uniforms=rng.random(20_000))
    assert ks_of(current) < 0.02


def test_the_ranks_of_a_discrete_signal_are_uniform_too() -> None:
    rng = np.random.default_rng(1)
    known, now = rng.poisson(3, 20_000).astype(float), rng.poisson(3, 20_000).astype(float)
    current = ranks(quantiles_of(known), now, uniforms=rng.random(20_000))
    assert ks_of(current) < 0.02


def test_a_value_that_half_of_the_reference_has_ranks_anywhere_in_that_half() -> None:
    known = reference(height=quantiles_of(np.repeat([2.0, 3.0], 500)))
    lowest, highest = (rank(known, "height", 2.0, uniform=u) for u in (0.0, 0.999))
    assert lowest == pytest.approx(0, abs=1 / CELLS)
    assert highest == pytest.approx(0.5, abs=1 / CELLS)


def test_one_value_ranks_as_it_does_among_many() -> None:
    rng = np.random.default_rng(2)
    known = reference(height=quantiles_of(rng.poisson(3, 1000).astype(float)))
    values, uniforms = rng.poisson(3, 50).astype(float), rng.random(50)
    alone = [rank(known, "height", v, uniform=u) for v, u in zip(values.tolist(), uniforms.tolist(), strict=True)]
    assert alone == pytest.approx(ranks(known.quantiles["height"], values, uniforms=uniforms))


def test_a_value_beyond_all_of_the_reference_ranks_0_or_1() -> None:
    known = reference(entropy=quantiles_of(np.linspace(2, 5, 1000)))
    assert [rank(known, "entropy", value, uniform=0.5) for value in (1.0, 9.0)] == [0.0, 1.0]


def test_a_reference_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = reference(entropy=quantiles_of(np.random.default_rng(1).random(999)))
    saved.save(tmp_path)
    loaded = Reference.load(tmp_path)
    assert (loaded.false_alarms_per_window, loaded.smallest_window) == (0.001, 50)
    assert loaded.rules == {"image": RULE, "prediction": RULE}
    assert (loaded.known["image"].images, loaded.known["image"].writers) == (1000, 9)
    assert np.array_equal(loaded.quantiles["entropy"], saved.quantiles["entropy"])


def test_the_format_before_with_its_one_rule_is_still_read(tmp_path: Path) -> None:
    quantiles = {"entropy": [0.0, 1.0], "length": [0.0, 1.0]}
    before = {"version": 1, "images": 90, "writers": 5, "quantiles": quantiles}
    rule = {"version": 1, "c": 2.3, "m": 8000, "false_alarms_per_window": 0.001, "smallest_window": 50}
    (tmp_path / "reference.json").write_text(json.dumps(before))
    (tmp_path / "drift.json").write_text(json.dumps(rule))
    loaded = Reference.load(tmp_path)
    assert loaded.rules == {"image": RULE, "prediction": RULE}
    assert {kind: list(known.quantiles) for kind, known in loaded.known.items()} == {
        "image": ["entropy"],
        "prediction": ["length"],
    }


@pytest.mark.parametrize("name", ["reference.json", "drift.json"])
def test_a_newer_format_is_refused_by_name(tmp_path: Path, name: str) -> None:
    reference(entropy=np.zeros(CELLS + 1)).save(tmp_path)
    content = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps({**content, "version": 3}))
    with pytest.raises(BundleError, match=f"{name}: reference format 3 is not 2"):
        Reference.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', '{"version": 2, "known": 3}', '{"version": 1}'])
def test_a_damaged_reference_is_an_error_of_one_line(tmp_path: Path, content: str) -> None:
    reference(entropy=np.zeros(CELLS + 1)).save(tmp_path)
    (tmp_path / "reference.json").write_text(content)
    with pytest.raises(BundleError, match=r"damaged.*run legible reference again"):
        Reference.load(tmp_path)


def test_independent_images_give_the_constant_of_theory() -> None:
    """One signal, each image by a writer of its own: c of two-sample KS, sqrt(-ln(0.01 / 2) / 2) = 1.63."""
    rng = np.random.default_rng(1)
    values = rng.random((4000, 1))
    rule = calibrate(rows(values, np.arange(4000)), PARAMS, budget=0.01, rng=rng)
    assert 1.4 < rule.c < 1.8


def test_a_reference_by_few_writers_is_worth_fewer_images() -> None:
    rng = np.random.default_rng(1)
    hands = rng.normal(size=20)
    writers = rng.integers(20, size=2000)
    values = (hands[writers] + rng.normal(size=2000))[:, None]
    assert calibrate(rows(values, writers), PARAMS, budget=0.01, rng=rng).m < 500


@pytest.mark.parametrize("n", [50, 150, 700])
def test_false_alarms_stay_within_their_budget_for_new_writers(n: int) -> None:
    """A second implementation: new writers, the saved grid and `decide`'s own statistic."""
    rng = np.random.default_rng(n)

    def signals(writers: np.ndarray) -> np.ndarray:
        hands = np.random.default_rng(5).normal(size=(400, 3)) * 0.3
        return hands[writers] + rng.normal(size=(len(writers), 3))

    known = rng.integers(200, size=3000)
    rule = calibrate(rows(signals(known), known), PARAMS, budget=0.01, rng=rng)
    grids = [quantiles_of(column) for column in signals(known).T]
    windows = [signals(200 + rng.integers(200, size=n)) for _ in range(400)]
    worst = [max(ks_of(ranks(g, c, uniforms=rng.random(n))) for g, c in zip(grids, w.T, strict=True)) for w in windows]
    assert np.mean(np.asarray(worst) > rule.threshold(n)) <= 0.02


@pytest.mark.slow
def test_the_same_observations_and_seed_give_the_same_reference() -> None:
    observations = observed(words_drawn(200, seed=1))
    first, second = (reference_of(observations) for _ in range(2))
    assert first.rules == second.rules
    assert all(np.array_equal(first.quantiles[name], second.quantiles[name]) for name in SIGNALS)


def test_a_reference_knows_its_own_images() -> None:
    observations = observed(words_drawn(200, seed=1))
    assert decide(reference_of(observations), observations).outcome is Outcome.NO_DRIFT


@pytest.mark.parametrize(("count", "writer"), [(49, None), (200, "w1")])
def test_too_few_images_or_writers_make_no_reference(count: int, writer: str | None) -> None:
    kept = [row for row in observed(words_drawn(count, seed=1)) if writer in (None, row.writer)]
    with pytest.raises(DataError, match="make no reference; it takes 50 by 4"):
        reference_of(kept)


def test_signals_that_observations_lack_are_named() -> None:
    with pytest.raises(DataError, match="observations lack glitter"):
        table(observed(words_drawn(2, seed=1)), (*SIGNALS, "glitter"))


def test_the_service_needs_numpy_alone_to_rank() -> None:
    code = (
        "import sys, legible.drift.reference, legible.drift.decide, legible.observations.window; "
        "print({'pandas', 'pyarrow', 'evidently'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
