"""From logits to a reading: its text, its confidence, its alternatives."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from legible.charset import REJECT, Charset
from legible.ctc.lexicon import Lexicon, LexiconPrior, LexiconWeights
from legible.recognition.calibration import Calibration, CharacterWeights, ModeWeights, ReadingWeights, logit
from legible.recognition.decoding import Decoding, interpret


def log_probabilities(*rows: tuple[float, ...]) -> np.ndarray:
    return np.log(np.array(rows) + 1e-12).astype(np.float32)


AB = Charset("ab", "ab")
DOUBTFUL = log_probabilities((0.1, 0.9, 0.0), (0.8, 0.1, 0.1), (0.0, 0.25, 0.75))


def test_a_text_with_the_reject_sign_has_no_confidence() -> None:
    charset = Charset("ab", f"a{REJECT}")
    reading = interpret(log_probabilities((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), charset, Calibration(), Decoding())
    assert (reading.text, reading.confidence) == (f"a{REJECT}", 0.0)
    assert [one.confidence > 0.9 for one in reading.characters] == [True, False]


def test_uncalibrated_confidence_is_the_probability_of_the_text_over_all_its_paths() -> None:
    reading = interpret(DOUBTFUL, AB, Calibration(), Decoding())
    paths = {"a-b": 0.9 * 0.8 * 0.75, "aab": 0.9 * 0.1 * 0.75, "abb": 0.9 * 0.1 * 0.75, "-ab": 0.1 * 0.1 * 0.75}
    assert reading.text == "ab"
    assert reading.confidence == pytest.approx(sum(paths.values()), rel=1e-4)
    assert [c.confidence for c in reading.characters] == pytest.approx([0.9, 0.75], rel=1e-4)


def test_ink_is_never_read_as_nothing() -> None:
    faint = log_probabilities((0.9, 0.06, 0.04), (0.8, 0.15, 0.05))
    reading = interpret(faint, AB, Calibration(), Decoding(alternatives=3))
    assert reading.text == "a"
    assert reading.confidence < 0.3
    assert all(other.text for other in reading.alternatives)
    assert interpret(log_probabilities((1.0, 0.0, 0.0)), AB, Calibration(), Decoding()).text == ""


def test_a_model_that_learned_images_without_text_may_read_nothing() -> None:
    learned = Calibration(empty_texts=True)
    nothing = interpret(log_probabilities((0.9, 0.06, 0.04), (0.8, 0.15, 0.05)), AB, learned, Decoding(alternatives=2))
    assert (nothing.text, nothing.confidence) == ("", pytest.approx(0.72, rel=1e-4))
    assert nothing.alternatives[0].text == "a"
    assert interpret(DOUBTFUL, AB, learned, Decoding()) == interpret(DOUBTFUL, AB, Calibration(), Decoding())


def test_alternatives_come_when_asked_for_and_divide_what_is_left() -> None:
    assert interpret(DOUBTFUL, AB, Calibration(), Decoding()).alternatives == ()
    reading = interpret(DOUBTFUL, AB, Calibration(), Decoding(alternatives=3))
    texts = [other.text for other in reading.alternatives]
    assert texts[0] == "aa"
    assert len(set(texts) | {reading.text}) == 4
    given = [other.confidence for other in reading.alternatives]
    assert given == sorted(given, reverse=True)
    assert reading.confidence + sum(given) <= 1 + 1e-9


def test_what_is_asked_for_beside_the_reading_changes_neither_it_nor_its_confidence() -> None:
    charset = Charset("few", "abcdef")
    calibration = Calibration(plain=ModeWeights(ReadingWeights(bias=-0.3, odds=0.7, margin=0.2)))
    for seed in range(20):
        logits = np.random.default_rng(seed).normal(size=(14, charset.size)).astype(np.float32) * 2
        alone = interpret(logits, charset, calibration, Decoding())
        for count in (1, 5, 20):
            beside = interpret(logits, charset, calibration, Decoding(alternatives=count))
            assert (beside.text, beside.confidence) == (alone.text, alone.confidence)
            assert len(beside.alternatives) == count
            assert alone.text not in [other.text for other in beside.alternatives]


def test_the_truth_of_a_doubtful_long_reading_is_seldom_among_the_alternatives() -> None:
    weights = ReadingWeights(elsewhere=1.0, elsewhere_length=-1.0)
    found = interpret(DOUBTFUL, AB, Calibration(plain=ModeWeights(weights)), Decoding(alternatives=12))
    among = 1 / (1 + math.exp(-(1 - math.log(3))))
    assert sum(other.confidence for other in found.alternatives) == pytest.approx(
        (1 - found.confidence) * among, rel=1e-3
    )


def test_a_weak_character_and_standing_alone_count() -> None:
    plain = interpret(DOUBTFUL, AB, Calibration(), Decoding())
    weakest = interpret(DOUBTFUL, AB, Calibration(plain=ModeWeights(ReadingWeights(weakest=0.5))), Decoding())
    odds = math.log(0.75 / 0.25) / 2  # of the weaker of two characters
    assert logit(weakest.confidence) == pytest.approx(logit(plain.confidence) + odds, rel=1e-3)
    doubting = Calibration(plain=ModeWeights(ReadingWeights(single=-1.0)))
    assert interpret(DOUBTFUL, AB, doubting, Decoding()).confidence == plain.confidence
    alone = log_probabilities((0.1, 0.9, 0.0))
    one, doubted = (interpret(alone, AB, own, Decoding()).confidence for own in (Calibration(), doubting))
    assert logit(doubted) == pytest.approx(logit(one) - 1.0)


def test_how_small_a_small_probability_is_counts_by_the_odds_alone() -> None:
    upper = Calibration(plain=ModeWeights(ReadingWeights(upper_odds=0.5)))
    for seen in (DOUBTFUL, log_probabilities(*[(0.34, 0.33, 0.33)] * 9)):
        plain, more = (interpret(seen, AB, own, Decoding()).confidence for own in (Calibration(), upper))
        assert logit(more) == pytest.approx(logit(plain) + 0.5 * max(logit(plain), -3.0), rel=1e-3)


def test_a_line_has_a_bias_of_its_own() -> None:
    spaced, lined = Charset("spaced", "a "), Calibration(plain=ModeWeights(ReadingWeights(several=1.0)))
    word, line = (
        log_probabilities((0.1, 0.9, 0.0)),
        log_probabilities((0.1, 0.9, 0.0), (0.1, 0.0, 0.9), (0.1, 0.9, 0.0)),
    )
    for seen, more in ((word, 0.0), (line, 1.0)):
        plain, fitted = (interpret(seen, spaced, own, Decoding()).confidence for own in (Calibration(), lined))
        assert logit(fitted) == pytest.approx(logit(plain) + more)


def test_characters_have_a_formula_for_each_way_to_decode() -> None:
    doubting = ModeWeights(character=CharacterWeights(bias=-1.0))
    lexicon = Lexicon.of({"ab": 0.0}, LexiconWeights(1.0, -7.0, -2.5, -3.0, -0.5, -2.5, -4.0))
    plain, preferring = (
        interpret(DOUBTFUL, AB, Calibration(lexicon=doubting), Decoding(prior))
        for prior in (None, LexiconPrior(lexicon, AB))
    )
    assert all(b.confidence < a.confidence for a, b in zip(plain.characters, preferring.characters, strict=True))


def test_a_calibration_of_the_format_before_weighs_what_it_weighed(tmp_path: Path) -> None:
    way = {"reading": {"bias": 0.1, "odds": 0.9, "weakest": 0.2}, "character": {"bias": 0.1, "odds": 0.8}}
    (tmp_path / "confidence.json").write_text(json.dumps({"version": 3, "plain": way, "lexicon": way}))
    found = Calibration.load(tmp_path / "confidence.json").plain.reading
    assert (found.odds, found.weakest, found.upper_odds, found.several) == (0.9, 0.2, 0.0, 0.0)


def test_a_calibration_of_the_oldest_format_is_read(tmp_path: Path) -> None:
    weights = {"bias": 0.1, "odds": 0.9, "margin": 0.2, "length": 0.3, "prior": 0.0, "elsewhere": 0.25}
    content = {"version": 2, "plain": weights, "lexicon": weights, "character": {"bias": 0.1, "odds": 0.8}}
    (tmp_path / "confidence.json").write_text(json.dumps(content))
    found = Calibration.load(tmp_path / "confidence.json")
    assert found.plain == found.lexicon
    assert found.plain.reading.elsewhere == pytest.approx(math.log(1 / 3))
    assert found.lexicon.character == CharacterWeights(bias=0.1, odds=0.8)


def test_characters_stand_for_the_text_also_where_best_path_says_another() -> None:
    reading = interpret(log_probabilities((0.6, 0.4), (0.6, 0.4)), Charset("a", "a"), Calibration(), Decoding())
    assert reading.text == "a"
    assert [c.confidence for c in reading.characters] == pytest.approx([0.4], rel=1e-4)


def test_one_doubtful_character_lowers_the_confidence() -> None:
    clear = log_probabilities((0.1, 0.9, 0.0), (0.8, 0.1, 0.1), (0.0, 0.05, 0.95))
    weights = ModeWeights(ReadingWeights(bias=-0.5, odds=0.8, margin=0.3))
    sure, doubtful = (interpret(x, AB, Calibration(plain=weights), Decoding()) for x in (clear, DOUBTFUL))
    assert sure.text == doubtful.text
    assert sure.confidence > doubtful.confidence + 0.05


def test_a_reading_neither_begins_nor_ends_with_a_space() -> None:
    charset = Charset("spaced", " ab")
    spaced = log_probabilities((0, 0.9, 0.1, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1), (0, 0.8, 0.1, 0.1))
    reading = interpret(spaced, charset, Calibration(), Decoding(alternatives=5))
    assert reading.text == "a b"
    assert [character.text for character in reading.characters] == ["a", " ", "b"]
    texts = [other.text for other in reading.alternatives]
    assert texts
    assert all(text == text.strip() for text in texts)
    assert len({reading.text, *texts}) == len(texts) + 1


def test_a_reading_of_spaces_alone_is_empty() -> None:
    reading = interpret(log_probabilities((0, 1, 0, 0)), Charset("spaced", " ab"), Calibration(), Decoding())
    assert (reading.text, reading.characters) == ("", ())
