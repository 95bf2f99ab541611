from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from drawn_words import observed, reference_of, words_drawn

from legible.drift.decide import is_chance, judge
from legible.drift.quality import Quality, estimated, make_quality
from legible.drift.rank_counts import in_parts
from legible.drift.reference import Reference
from legible.drift.signatures import NONE, Cause, Corrupted, Signatures, make_signatures
from legible.drift.summary import Summary
from legible.errors import BundleError
from legible.observations.row import SIGNALS, Observation
from legible.synth.corrupt import corrupt

NAMES = ("blur", "gaussian-noise", "contrast", "thicker", "inversion")
WAYS = [(name, severity) for name in NAMES for severity in (2, 4)]
RIGHT = {2: 0.9, 4: 0.5}
"""Share of corrupted readings that are right, of those given a confidence of about 0.9."""


@cache
def rows_of(name: str, severity: int, count: int = 200, seed: int = 5) -> tuple[Observation, ...]:
    rng = np.random.default_rng(seed)
    words = words_drawn(count, seed=seed)
    images = words if name == NONE else tuple(corrupt(word, name, severity, rng) for word in words)
    return tuple(observed(images, seed=seed))


@cache
def known() -> Reference:
    return reference_of(observed(words_drawn(400, seed=1)), resamples=200)


@cache
def corrupted() -> tuple[Corrupted, ...]:
    return tuple(
        Corrupted(name, severity, right=i % 10 < 10 * RIGHT.get(severity, 0.9), observation=row)
        for name, severity in [(NONE, 0), *WAYS]
        for i, row in enumerate(rows_of(name, severity))
    )


@cache
def signatures() -> Signatures:
    return make_signatures(known(), corrupted(), observed(words_drawn(400, seed=1)))


def window(name: str, severity: int, share: float = 1.0) -> Summary:
    """200 other images, a share of which are corrupted."""
    odd, usual = rows_of(name, severity, seed=7), rows_of(NONE, 0, seed=8)
    changed = round(share * len(odd))
    return Summary.of(known(), [*odd[:changed], *usual[changed:]])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "severity"), WAYS)
def test_a_corruption_of_other_images_is_named_with_its_severity(name: str, severity: int) -> None:
    cause = signatures().cause(window(name, severity).counts.deviations)
    assert cause is not None
    assert (cause.corruption, cause.severity) == (name, severity)
    assert cause.fraction > 0.8


@pytest.mark.slow
def test_a_corruption_of_some_images_is_named_with_their_share() -> None:
    cause = signatures().cause(window("inversion", 4, share=0.4).counts.deviations)
    assert cause is not None
    assert cause.corruption == "inversion"
    assert cause.fraction == pytest.approx(0.4, abs=0.1)
    assert cause.said() == f"inversion, severity {cause.severity}, in about {cause.fraction:.0%} of the images"


def test_what_no_corruption_explains_has_no_name() -> None:
    rng = np.random.default_rng(1)
    odd = rng.normal(size=(len(known().quantiles), 9)) * 0.2
    assert signatures().cause(odd) is None


def test_signatures_and_quality_come_back_as_they_were_saved(tmp_path: Path) -> None:
    signatures().save(tmp_path)
    make_quality(corrupted()).save(tmp_path)
    loaded, quality = Signatures.load(tmp_path, signals=SIGNALS), Quality.load(tmp_path)
    assert loaded is not None
    assert loaded.names == tuple(WAYS)
    deviations = window("blur", 4).counts.deviations
    cause, saved = loaded.cause(deviations), signatures().cause(deviations)
    assert cause is not None
    assert saved is not None
    assert (cause.corruption, cause.severity) == (saved.corruption, saved.severity)
    assert cause.fraction == pytest.approx(saved.fraction, abs=0.01)
    assert quality is not None
    assert quality.gaps == pytest.approx(make_quality(corrupted()).gaps, abs=1e-4)


def test_a_bundle_of_before_names_no_causes(tmp_path: Path) -> None:
    assert Signatures.load(tmp_path, signals=SIGNALS) is None
    assert Quality.load(tmp_path) is None


def load_signatures(folder: Path) -> object:
    return Signatures.load(folder, signals=SIGNALS)


@pytest.mark.parametrize(("name", "load"), [("signatures.json", load_signatures), ("quality.json", Quality.load)])
def test_a_newer_or_damaged_file_is_refused_by_name(tmp_path: Path, name: str, load: Callable[[Path], object]) -> None:
    (tmp_path / name).write_text('{"version": 2}')
    with pytest.raises(BundleError, match=rf"{name}: \w+ format 2 is not 1"):
        load(tmp_path)
    (tmp_path / name).write_text('{"version": 1}')
    with pytest.raises(BundleError, match=rf"{name}: damaged.*run legible reference again"):
        load(tmp_path)


def test_signatures_of_other_signals_than_the_reference_are_refused(tmp_path: Path) -> None:
    signatures().save(tmp_path)
    with pytest.raises(BundleError, match="of other signals than the reference"):
        Signatures.load(tmp_path, signals=SIGNALS[:5])


def test_a_row_of_a_corrupted_image_comes_back_from_its_line() -> None:
    assert Corrupted.from_json(corrupted()[0].to_json()) == corrupted()[0]


def test_the_gap_of_a_corruption_is_what_it_costs_beyond_what_confidence_says() -> None:
    gaps = make_quality(corrupted()).gaps
    assert gaps["blur", 2] == pytest.approx(0.0, abs=0.01)
    assert gaps["blur", 4] == pytest.approx(-0.4, abs=0.01)


def test_the_estimate_of_a_usual_window_is_its_mean_confidence() -> None:
    summary = window(NONE, 0)
    estimate = make_quality(corrupted()).estimate(summary, drifted=False, cause=None)
    expected = np.mean([row.confidence for row in rows_of(NONE, 0, seed=7)])
    assert estimate.exact_match == pytest.approx(expected)
    assert estimate.low < estimate.exact_match < estimate.high
    assert not estimate.unreliable


def test_a_costly_cause_makes_the_estimate_unreliable_and_a_cheap_one_does_not() -> None:
    quality = make_quality(corrupted())
    for severity, unreliable in ((2, False), (4, True)):
        summary = window("contrast", severity)
        cause = signatures().cause(summary.counts.deviations)
        estimate = quality.estimate(summary, drifted=bool(judge(summary).drifted), cause=cause)
        assert bool(estimate.unreliable) is unreliable
    assert estimate.exact_match == pytest.approx(0.5, abs=0.05)
    assert estimate.said().startswith("estimated exact match: unreliable here (confidence is off by ")


def test_a_drift_without_a_known_cause_makes_the_estimate_unreliable() -> None:
    estimate = make_quality(corrupted()).estimate(window(NONE, 0), drifted=True, cause=None)
    assert estimate.unreliable == "unlike training, in no way that is known"


def test_the_interval_holds_the_share_that_is_right_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        confidences = rng.beta(4, 1, 100)
        summary = Summary.empty(known())
        summary.counts.images = 100
        summary.confidence_sum = int(in_parts(confidences).sum())
        summary.doubt_sum = int(in_parts(confidences * (1 - confidences)).sum())
        right = (rng.random(100) < confidences).mean()
        estimate = estimated(summary)
        inside += estimate.low <= right <= estimate.high
    assert 0.92 <= inside / 400 <= 0.98


def test_corrections_say_how_many_readings_were_right() -> None:
    rows = rows_of(NONE, 0, seed=7)[:60]
    texts = {rows[0].reading_id: "x" * rows[0].length, rows[1].reading_id: "something else", "unknown": "word"}
    summary = Summary.empty(known(), corrections=texts)
    summary.add(rows)
    estimate = estimated(summary)
    assert (estimate.corrected, estimate.confirmed) == (2, 1)
    assert estimate.said().endswith("; of 2 corrected readings 1 were right")


def test_the_oddest_readings_are_named() -> None:
    usual, (odd, *_) = rows_of(NONE, 0, seed=8), rows_of("inversion", 4, seed=7)
    named = Observation(**{**vars(odd), "reading_id": "the-odd-one"})
    assert "the-odd-one" in [reading_id for _, reading_id in Summary.of(known(), [*usual, named]).unusual]


def test_the_share_is_not_said_where_it_is_nearly_all() -> None:
    assert Cause("blur", 3, fraction=0.97, explained=0.9).said() == "blur, severity 3"


def test_where_the_cause_is_not_the_whole_story_the_estimate_is_unreliable() -> None:
    """Blurred images, half of them of another kind: blur alone does not account for the window."""
    found = signatures()
    blurred = window("blur", 3).counts.deviations
    cause = found.cause(blurred)
    assert cause is not None
    whole = window("blur", 3)
    shift = found.shifts[found.names.index((cause.corruption, cause.severity))].reshape(blurred.shape)
    assert is_chance(whole, found.rest(cause.fraction * shift, cause))
    odd = blurred.copy()
    odd[0] += 0.6
    assert not is_chance(whole, found.rest(odd, cause))
    quality = Quality({(cause.corruption, cause.severity): 0.01}, spread=0.01)
    partly = quality.estimate(whole, drifted=True, cause=cause, is_all=False)
    assert partly.unreliable == f"unlike training, partly {cause.said()}"
    assert not quality.estimate(whole, drifted=True, cause=cause).unreliable
    assert not quality.estimate(whole, drifted=False, cause=None, is_all=False).unreliable
