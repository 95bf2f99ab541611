import numpy as np
import pytest

from legible.scores import cer, characters_right, edit_distance, exact_match, wer, without


@pytest.mark.parametrize(
    ("truth", "prediction", "edits"),
    [
        ("abcd", "abed", 1),  # one substituted
        ("abcd", "acd", 1),  # one lost
        ("", "ab", 2),  # two too many
        ("Kitten", "sitting", 3),
        ("a", "A", 1),  # case counts
    ],
)
def test_edits_are_counted(truth: str, prediction: str, edits: int) -> None:
    assert edit_distance(truth=truth, prediction=prediction) == edits


def plain_distance(truth: str, prediction: str) -> int:
    """The recurrence of Wagner and Fischer (1974), written out."""
    row = list(range(len(prediction) + 1))
    for i, wanted in enumerate(truth, start=1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(prediction, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
    return row[-1]


def test_edits_agree_with_the_recurrence_written_out() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        truth, guess = ("".join(rng.choice(list("abA "), rng.integers(0, 9))) for _ in range(2))
        assert edit_distance(truth=truth, prediction=guess) == plain_distance(truth, guess)


def test_more_edits_than_characters_make_a_rate_above_one() -> None:
    assert cer(truths=["a"], predictions=["bcd"]) == 3


def test_a_prediction_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        exact_match(truths=["a", "b"], predictions=["a"])


def test_error_rates_are_summed_over_the_corpus() -> None:
    assert cer(truths=["abcd", "ab"], predictions=["abed", "ab"]) == pytest.approx(1 / 6)
    assert wer(truths=["to be", "or"], predictions=["to bee", "or"]) == pytest.approx(1 / 3)
    assert exact_match(truths=["to", "be"], predictions=["to", "Be"]) == 0.5


def test_no_truth_gives_no_score() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        cer(truths=[], predictions=[])


def test_a_text_is_compared_without_what_a_label_does_not_tell() -> None:
    assert without("No. 5 A", ()) == "No. 5 A"
    assert without("No. 5 A", ["case"]) == "no. 5 a"
    assert without("No. 5 A", ["spaces"]) == "No.5A"
    assert without("No. 5 Ä", ["punctuation"]) == "No 5 Ä"
    assert without("No. 5 A", ["case", "spaces", "punctuation"]) == "no5a"


def test_characters_that_the_truth_does_not_tell_are_right() -> None:
    assert characters_right("TEL12", "Tel: 13", ("case", "spaces", "punctuation")) == [True] * 6 + [False]
    assert characters_right("TEL12", "Tel12") == [True, False, False, True, True]
