import numpy as np
import pytest
from keras import ops

from legible.charset import Charset
from legible.ctc.folding import UNTOLD, LabelFolding, untold_columns
from legible.network.untold import joined
from legible.network.zoo import build_network, size_named

CHARSET = Charset("small", "aAbB1. é")
FOLDING = LabelFolding.of(CHARSET)
PLAIN = np.random.default_rng(0).normal(0, 2, (1, 9, CHARSET.size)).astype(np.float32)


def probability(text: str, *untold: str, logits: np.ndarray = PLAIN) -> float:
    """Of a text by CTC, where its label does not tell all."""
    labels = FOLDING.labels(CHARSET.encode(text), untold)
    folded = joined(ops.convert_to_tensor(logits), np.array([untold_columns(untold)], np.float32), FOLDING)
    padded = np.array([[*labels, 0]], np.int32)
    loss = ops.ctc_loss(padded, folded, np.array([len(labels)]), np.array([logits.shape[1]]), mask_index=0)
    return float(np.exp(-ops.convert_to_numpy(loss)[0]))


def test_capitals_count_as_their_small_letters() -> None:
    assert FOLDING.labels(CHARSET.encode("AaB1."), ["case"]) == CHARSET.encode("aab1.")
    spelled = [probability(text) for text in ("ab", "aB", "Ab", "AB")]
    assert probability("AB", "case") > sum(spelled)  # and paths that spell `aAb`, which count as `ab` too
    assert probability("AB", "case") == pytest.approx(probability("ab", "case"))


def test_of_one_step_the_probabilities_of_both_cases_are_summed() -> None:
    one = PLAIN[:, :1]
    both = probability("a", logits=one) + probability("A", logits=one)
    assert probability("A", "case", logits=one) == pytest.approx(both, rel=1e-5)
    assert probability("1", "case", logits=one) == pytest.approx(probability("1", logits=one), rel=1e-5)


def test_spaces_count_as_blanks() -> None:
    assert FOLDING.labels(CHARSET.encode("a b."), ["spaces"]) == CHARSET.encode("ab.")
    two = PLAIN[:, :2]
    ways = [probability(text, logits=two) for text in ("a", " a", "a ")]
    assert probability("a", "spaces", logits=two) == pytest.approx(sum(ways), rel=1e-5)


def test_punctuation_counts_as_blank_and_letters_with_marks_do_not() -> None:
    assert FOLDING.labels(CHARSET.encode("a. é1"), ["punctuation"]) == CHARSET.encode("a é1")
    one = PLAIN[:, :1]
    ways = probability("", logits=one) + probability(".", logits=one)
    assert probability("", "punctuation", logits=one) == pytest.approx(ways, rel=1e-5)


def test_rows_whose_labels_tell_all_are_left_as_they_are() -> None:
    logits = np.concatenate([PLAIN, PLAIN])
    folded = joined(ops.convert_to_tensor(logits), np.array([[0, 0, 0], [1, 1, 1]], np.float32), FOLDING)
    assert np.array_equal(ops.convert_to_numpy(folded)[0], PLAIN[0])
    assert not np.array_equal(ops.convert_to_numpy(folded)[1], PLAIN[0])


def test_each_step_keeps_its_sum_of_probabilities() -> None:
    folded = joined(ops.convert_to_tensor(PLAIN), np.ones((1, 3), np.float32), FOLDING)
    sums = np.exp(ops.convert_to_numpy(folded)).sum(-1) / np.exp(PLAIN).sum(-1)
    assert sums == pytest.approx(np.ones_like(sums), rel=1e-5)


def test_the_loss_of_a_model_takes_what_labels_do_not_tell() -> None:
    model = build_network(size_named("micro"), labels=CHARSET.size, height=32, dropout=0.0)
    model.folding = FOLDING
    logits, mask = PLAIN[:, :1], np.ones((1, 1, 4), np.float32)
    small, capital = CHARSET.encode("aA")
    y = {"labels": np.array([[small]], np.int32), "untold": np.array([untold_columns(["case"])], np.float32)}
    loss = float(model.compute_loss(x={"mask": mask}, y=y, y_pred=ops.convert_to_tensor(logits)))
    shares = np.exp(logits[0, 0]) / np.exp(logits[0, 0]).sum()
    assert loss == pytest.approx(-np.log(shares[small] + shares[capital]), rel=1e-5)


def test_a_batch_of_empty_texts_has_a_loss() -> None:
    model = build_network(size_named("micro"), labels=CHARSET.size, height=32, dropout=0.0)
    logits, mask = PLAIN[:, :2], np.ones((1, 1, 8), np.float32)
    loss = float(
        model.compute_loss(x={"mask": mask}, y=np.zeros((1, 1), np.int32), y_pred=ops.convert_to_tensor(logits))
    )
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    assert loss == pytest.approx(-np.log(shares[:, 0]).sum(), rel=1e-5)


def test_columns_are_named() -> None:
    assert UNTOLD == ("case", "spaces", "punctuation")
    assert untold_columns(("spaces", "case")) == [1.0, 1.0, 0.0]
