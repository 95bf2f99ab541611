"""The lexicon: what it prefers, and what it leaves free."""

import dataclasses
import gzip
import json
import math
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_path import probability_of_each_text

from legible.charset import Charset
from legible.config import load_params
from legible.ctc.beam import prefix_beam_search
from legible.ctc.decode import softmax
from legible.ctc.lexicon import Lexicon, LexiconPrior, LexiconWeights, words_of
from legible.errors import DataError, SettingsError
from legible.packing.lexicon import frequent_words

CHARSET = Charset("letters", " '()-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
WEIGHTS = LexiconWeights(trust=1.0, unknown=-7.0, letter=-2.5, free=-2.0, space=-0.5, capital=-2.0, capitals=-4.0)
FREQUENCIES = {"the": 0.05, "on": 0.01, "then": 0.001, "i'll": 0.0005}
LEXICON = Lexicon.of({word: math.log(fraction) for word, fraction in FREQUENCIES.items()}, WEIGHTS)
PRIOR = LexiconPrior(LEXICON, CHARSET)


def weight(text: str, *, whole: bool = True) -> float:
    return weight_by(PRIOR, CHARSET.encode(text), whole=whole)


def weight_by(prior: LexiconPrior, labels: Iterable[int], *, whole: bool = True) -> float:
    state = prior.start()
    for label in labels:
        state = prior.step(state, label)
    return prior.weight(state, whole=whole)


def logits(*steps: str) -> np.ndarray:
    """A step for each text: its characters with probabilities that halve; `-` alone is a blank."""
    rows = np.full((len(steps), CHARSET.size), -20.0, np.float32)
    for row, characters in zip(rows, steps, strict=True):
        for place, character in enumerate(characters):
            row[0 if character == "_" else CHARSET.encode(character)[0]] = -place * math.log(2)
    return rows


def read(*steps: str) -> str:
    return CHARSET.decode(prefix_beam_search(softmax(logits(*steps)), width=16, prior=PRIOR)[0].labels)


def test_words_weigh_as_much_as_their_frequency() -> None:
    assert weight("the") == pytest.approx(math.log(0.05))
    assert weight("The") == pytest.approx(math.log(0.05) - 2)
    assert weight("THE") == pytest.approx(math.log(0.05) - 4)
    assert weight("on the") == pytest.approx(math.log(0.01) - 0.5 + math.log(0.05))
    assert weight("on-the") == pytest.approx(math.log(0.01) - 2 + math.log(0.05))
    assert weight("I'll") == pytest.approx(math.log(0.0005) - 2)


def test_spaces_at_the_ends_and_beside_others_are_dear() -> None:
    plain = weight("on the")
    assert weight(" on the") == pytest.approx(plain - 8)
    assert weight("on the ") == pytest.approx(plain - 0.5 - 8)
    assert weight("on  the") == pytest.approx(plain - 8)
    assert weight("on the ", whole=False) == pytest.approx(plain - 0.5)
    assert weight("1 (on") == pytest.approx(-2 - 0.5 - 2 + math.log(0.01))


def test_words_of_a_script_without_capitals_weigh_as_much_as_their_frequency() -> None:
    hebrew = Charset("hebrew", " אבגדהוזחטיכלמנסעפצקרשתםןץףך")
    prior = LexiconPrior(Lexicon.of({"שלום": math.log(0.1)}, WEIGHTS), hebrew)
    assert weight_by(prior, hebrew.encode("שלום")) == pytest.approx(math.log(0.1))
    assert weight_by(prior, hebrew.encode("םולש")) == pytest.approx(-7 - 4 * 2.5)


def test_others_weigh_the_price_of_the_unknown_and_numbers_of_the_free() -> None:
    assert weight("tha") == pytest.approx(-7 - 3 * 2.5)
    assert weight("thE") == pytest.approx(-7 - 3 * 2.5)
    assert weight("1984") == pytest.approx(-8)
    assert weight("") == 0


def test_a_prefix_weighs_as_much_as_the_best_word_that_it_may_become() -> None:
    assert weight("th", whole=False) == weight("the")
    assert weight("then", whole=False) == weight("then")
    assert weight("on t", whole=False) == pytest.approx(weight("on the"))
    assert weight("x", whole=False) == pytest.approx(-9.5)
    for text in ("the", "th", "'the'", "on-the", "I", "dogs'"):
        assert weight(text, whole=False) >= weight(text, whole=True) - 1e-9


@pytest.mark.parametrize("text", ["I'm", "I'M", "O'Brien", "DON'T", "D'", "The", "THE", "McDonald", "Don't I'll", "x"])
def test_no_text_weighs_more_than_what_it_began_with(text: str) -> None:
    words = {"i'm": 0.01, "o'brien": 0.001, "don't": 0.01, "the": 0.05, "i'll": 0.0005}
    prior = LexiconPrior(Lexicon.of({word: math.log(fraction) for word, fraction in words.items()}, WEIGHTS), CHARSET)
    states = [prior.start()]
    for label in CHARSET.encode(text):
        states.append(prior.step(states[-1], label))
    bounds = [prior.weight(state, whole=False) for state in states]
    assert bounds == sorted(bounds, reverse=True)
    assert all(prior.weight(state, whole=True) <= bound for state, bound in zip(states, bounds, strict=True))


def test_a_word_with_an_apostrophe_is_capitalised_as_people_write_it() -> None:
    prior = LexiconPrior(Lexicon.of({"o'brien": math.log(0.001)}, WEIGHTS), CHARSET)
    assert weight_by(prior, CHARSET.encode("O'Brien")) == pytest.approx(math.log(0.001) - 2)


@pytest.mark.parametrize("seed", range(8))
def test_a_wide_beam_finds_the_text_of_the_greatest_probability_times_weight(seed: int) -> None:
    letters = Charset("few", " 'aT")
    prior = LexiconPrior(Lexicon.of({"at": math.log(0.2), "a": math.log(0.1)}, WEIGHTS), letters)
    steps = np.random.default_rng(seed).normal(size=(6, letters.size)).astype(np.float32) * 2
    truth = {
        text: math.log(probability) + weight_by(prior, text)
        for text, probability in probability_of_each_text(steps).items()
    }
    found = prefix_beam_search(softmax(steps), width=10_000, prior=prior, min_probability=0.0)
    assert {one.labels: pytest.approx(one.score, abs=1e-4) for one in found} == truth
    assert found[0].labels == max(truth, key=truth.__getitem__)


def test_a_doubtful_letter_is_settled_by_the_words() -> None:
    assert read("t", "lh", "e") == "the"
    assert read("o", "mn") == "on"


def test_a_clear_unknown_word_or_number_stands() -> None:
    assert read("t", "l", "e") == "tle"
    assert read("1", "9", "8", "4") == "1984"
    assert read("K", "r", "1", "k") == "Kr1k"


def test_a_space_is_put_where_it_makes_words() -> None:
    assert read("o", "n", "_ ", "t", "h", "e") == "on the"
    assert read("o", "_", "n") == "on"


def test_a_space_between_numbers_stands() -> None:
    assert read("1", "2", " _", "3", "4") == "12 34"
    assert read("(", "a", ")", " _", "t", "h", "e") == "(a) the"


def test_in_a_lexicon_of_the_first_format_a_space_weighs_as_other_signs(tmp_path: Path) -> None:
    weights = {"trust": 0.5, "unknown": -7.0, "letter": -2.5, "free": -3.0, "capital": -2.5, "capitals": -4.0}
    content = {"version": 1, "weights": weights, "words": ["on"], "log_shares": [-2.0]}
    (tmp_path / "old.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    assert Lexicon.load(tmp_path / "old.gz").weights == LexiconWeights(**weights, space=-3.0)


def test_a_lexicon_is_saved_and_loaded_with_the_same_bytes(tmp_path: Path) -> None:
    LEXICON.save(tmp_path / "first.gz")
    again = Lexicon.load(tmp_path / "first.gz")
    again.save(tmp_path / "second.gz")
    assert (tmp_path / "first.gz").read_bytes() == (tmp_path / "second.gz").read_bytes()
    assert len(again) == 4
    assert again.weights == WEIGHTS
    assert again.log_frequency("on") == pytest.approx(math.log(0.01), abs=1e-3)
    assert "the" in again
    assert "th" not in again


@pytest.mark.parametrize(
    "content",
    [b"", b"the\t-3\n", b"\x1f\x8b", gzip.compress(b"{}", mtime=0), gzip.compress(b'{"version": 9}', mtime=0)],
)
def test_what_is_no_lexicon_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lexicon.gz").write_bytes(content)
    with pytest.raises(DataError, match="lexicon"):
        Lexicon.load(tmp_path / "lexicon.gz")


def test_a_small_lexicon_of_many_bytes_is_not_unpacked_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legible.ctc.lexicon.MAX_BYTES", 1000)
    (tmp_path / "lexicon.gz").write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(DataError, match=r"lexicon\.gz has more than 1000 bytes"):
        Lexicon.load(tmp_path / "lexicon.gz")


def test_an_empty_lexicon_is_refused() -> None:
    with pytest.raises(DataError, match="without words"):
        Lexicon.of({}, WEIGHTS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I'll go 12 km", ["I'll", "go", "km"]),
        ("'on' dogs'", ["on", "dogs"]),
        ("1984", []),
        ("week-end", ["week", "end"]),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"language": "xx"}, "lexicon.language is 'xx'; known: ar, bn, "),
        ({"words": -5}, "lexicon.words is -5; it needs to be at least 1"),
    ],
)
def test_a_lexicon_that_cannot_be_made_is_refused_in_one_line(changes: dict[str, Any], reason: str) -> None:
    params = load_params(Path(__file__).parents[1] / "params.yaml")
    with pytest.raises(SettingsError) as caught:
        frequent_words(dataclasses.replace(params.lexicon, **changes), CHARSET)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("words", "frequencies"), [(["the", "on"], [0.0, 0.0]), (["on", "on"], [0.0, 0.0]), (["on"], [])]
)
def test_words_that_are_not_sorted_or_lack_a_frequency_are_no_lexicon(
    words: list[str], frequencies: list[float]
) -> None:
    with pytest.raises(DataError, match="must be sorted and distinct, each with a frequency"):
        Lexicon(words, frequencies, WEIGHTS)


def test_a_prior_goes_to_another_process_and_weighs_the_same() -> None:
    """A cluster gets it with the images; what it has cached stays behind."""
    before = weight("then")
    other = pickle.loads(pickle.dumps(PRIOR))  # noqa: S301
    assert weight_by(other, CHARSET.encode("then")) == before
