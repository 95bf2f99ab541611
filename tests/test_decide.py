from functools import cache

import pytest
from drawn_words import inverted, observed, reference_of, words_drawn

from legible.drift.decide import Outcome, decide
from legible.drift.reference import Reference
from legible.observations.row import PREDICTION_SIGNALS, Observation


@cache
def known() -> Reference:
    return reference_of(observed(words_drawn(400, seed=1)), resamples=2000)


def others(count: int) -> list[Observation]:
    return observed(words_drawn(count, seed=2), seed=2)


@pytest.mark.slow
def test_two_hundred_other_images_by_these_writers_are_no_drift() -> None:
    verdict = decide(known(), others(200))
    assert verdict.outcome is Outcome.NO_DRIFT
    assert verdict.exit_code == 0
    assert not verdict.drifted


@pytest.mark.parametrize("count", [50, 200])
def test_inverted_images_are_drift(count: int) -> None:
    verdict = decide(known(), observed(inverted(words_drawn(count, seed=2)), seed=2))
    assert verdict.outcome is Outcome.DRIFT
    assert verdict.exit_code == 1
    assert all(signal.kind == "image" for signal in verdict.drifted)


def test_forty_nine_images_are_not_enough_however_odd() -> None:
    verdict = decide(known(), observed(inverted(words_drawn(49, seed=2))))
    assert verdict.outcome is Outcome.NOT_ENOUGH_DATA
    assert verdict.exit_code == 2
    assert verdict.signals == ()
    assert verdict.screen() == "not enough data: 49 images, and it takes 50; no report is drawn"


def test_no_images_at_all_are_not_enough() -> None:
    assert decide(known(), []).outcome is Outcome.NOT_ENOUGH_DATA


def test_doubtful_readings_of_usual_images_are_drift_of_the_prediction_alone() -> None:
    doubtful = [Observation(**{**vars(row), "confidence": 0.1}) for row in others(200)]
    (signal,) = decide(known(), doubtful).drifted
    assert (signal.name, signal.kind) == ("confidence", "prediction")
    assert signal.ks == pytest.approx(0.9, abs=0.05)
    assert signal.shift == pytest.approx(-0.5, abs=0.02)


def test_the_furthest_signal_comes_first() -> None:
    signals = decide(known(), others(200)).signals
    beyond = [signal.ks / signal.threshold for signal in signals]
    assert beyond == sorted(beyond, reverse=True)
    assert {s.name for s in signals} >= set(PREDICTION_SIGNALS)


def test_one_window_has_one_verdict() -> None:
    assert decide(known(), others(80)) == decide(known(), others(80))


def test_the_screen_has_a_line_for_each_signal() -> None:
    verdict = decide(known(), observed(inverted(words_drawn(60, seed=2))))
    head, titles, *lines = verdict.screen().splitlines()
    assert head.startswith("drift: unlike training (60 images; thresholds 0.")
    assert "KS" in titles
    *signals, unusual = lines
    assert len(signals) == len(verdict.signals)
    assert lines[0].endswith("drift")
    assert unusual.startswith("  unusual images: 100.0%, by chance at most ")


def test_the_channel_that_a_drift_comes_from_is_told() -> None:
    odd = observed(inverted(words_drawn(100, seed=2)), seed=2)
    mobile = [Observation(**{**vars(row), "channel": "mobile"}) for row in odd]
    verdict = decide(known(), [*others(200), *mobile])
    assert [(channel.name, channel.images, channel.drifted) for channel in verdict.channels] == [
        ("mobile", 100, True),
        ("default", 200, False),
    ]


def test_readings_with_a_lexicon_are_compared_as_images_alone() -> None:
    with_lexicon = [Observation(**{**vars(row), "confidence": 0.1, "lexicon": "english"}) for row in others(200)]
    mixed = decide(known(), [*others(200), *with_lexicon])
    assert mixed.drifted == ()
    assert (mixed.images, mixed.read_otherwise) == (400, 200)
    assert mixed.screen().endswith("200 readings with another lexicon than the reference's: their images alone count")


def test_readings_with_a_lexicon_alone_have_no_prediction_signals_and_their_images_count() -> None:
    odd = [
        Observation(**{**vars(row), "lexicon": "english"})
        for row in observed(inverted(words_drawn(200, seed=2)), seed=2)
    ]
    verdict = decide(known(), odd)
    assert {signal.kind for signal in verdict.signals} == {"image"}
    assert verdict.outcome is Outcome.DRIFT
