import pytest

from legible.scores import cer, edit_distance, exact_match, wer


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


def test_error_rates_are_summed_over_the_corpus() -> None:
    assert cer(truths=["abcd", "ab"], predictions=["abed", "ab"]) == pytest.approx(1 / 6)
    assert wer(truths=["to be", "or"], predictions=["to bee", "or"]) == pytest.approx(1 / 3)
    assert exact_match(truths=["to", "be"], predictions=["to", "Be"]) == 0.5


def test_no_truth_gives_no_score() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        cer(truths=[], predictions=[])
