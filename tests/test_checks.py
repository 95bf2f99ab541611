"""What cannot be trained is refused in one line, whichever training asks for it, before any data are read."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from legible.config import Params, load_params
from legible.config.checked import from_plain
from legible.data.dataset import Manifest
from legible.errors import DataError, SettingsError
from legible.training.checks import check_mixtures, check_phases
from legible.training.phases import phases_of
from legible.training.stage import train

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml")


def changed(**changes: Any) -> Params:
    return dataclasses.replace(PARAMS, train=dataclasses.replace(PARAMS.train, **changes))


def later(**changes: Any) -> Params:
    """The same in the third phase."""
    phases = list(PARAMS.train.phases)
    phases[2] = dataclasses.replace(phases[2], **changes)
    return changed(phases=tuple(phases))


def check(params: Params) -> None:
    """As params.yaml is checked, and then as a training begins."""
    from_plain(Params, dataclasses.asdict(params), where="params")
    check_phases(params, phases_of(params))


def test_the_shipped_recipe_can_be_trained() -> None:
    check(PARAMS)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("epochs", -1, "at least 1"),
        ("epochs", 0, "at least 1"),
        ("epoch_samples", 0, "at least 1"),
        ("learning_rate", -0.1, "at least 0"),
        ("warmup_epochs", -1.0, "at least 0"),
        ("dropout", 1.5, "at most 0.99"),
        ("strength", 1.5, "at most 1"),
        ("consistency", -0.5, "at least 0"),
        ("batch_columns", -1, "at least 1"),
    ],
)
def test_values_that_nothing_can_be_trained_with(name: str, value: float, reason: str) -> None:
    with pytest.raises(SettingsError, match=rf"^params\.train\.{name} is {value!r}; it needs to be {reason}$"):
        check(changed(**{name: value}))
    with pytest.raises(
        SettingsError, match=rf"^params\.train\.phases\[2\]\.{name} is {value!r}; it needs to be {reason}$"
    ):
        check(later(**{name: value}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"height": 4}, "train.height is 4; it needs to be at least 8"),
        ({"batch_columns": 0}, "params.train.batch_columns is 0; it needs to be at least 1"),
        ({"weight_decay": -1.0}, "params.train.weight_decay is -1.0; it needs to be at least 0"),
        ({"averaging": 2.0}, "params.train.averaging is 2.0; it needs to be at most 0.999999"),
        ({"averaged": -3}, "params.train.averaged is -3; it needs to be at least 1"),
        ({"normalization": 9}, "train.normalization is 9; it needs to be 1 to 3"),
        ({"size": "huge"}, "train.size is 'huge'; sizes: micro, mini, small, base"),
        ({"start_with": ("there",)}, "train.start_with is for further weights beside those of train.start_from"),
        ({"mixture": {"iam/word": -1.0}}, "params.train.mixture.iam/word is -1.0; it needs to be at least 0"),
        ({"mixture": {"iam/word": 0.0}}, "train.mixture gives no group any weight"),
        ({"mixture": {"iam/words": 1.0}}, "train.mixture names 'iam/words'; groups are SOURCE/word or SOURCE/line"),
        ({"mixture": {"iam": 1.0}}, "train.mixture names 'iam'; groups are"),
    ],
)
def test_of_the_section(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(changed(**changes))
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"precision": "bfloat16"}, "train.precision is 'bfloat16'; known: float32, mixed_bfloat16"),
        ({"consistency": 0.2, "strength": 0.0}, "train.phases[2].consistency compares two augmented views"),
        ({"mixture": {"iam/wrod": 1.0}}, "train.phases[2].mixture names 'iam/wrod'"),
    ],
)
def test_of_a_later_phase_before_the_first_begins(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        train(later(**changes), root=tmp_path)  # where there are no data either
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("name", ["writing", "3"], ids=["that of another phase", "a number"])
def test_a_name_that_could_mean_two_phases(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"train\.phases names {name}; a name is for one phase alone"):
        check(later(name=name))


def test_a_phase_starts_from_one_phase_at_least() -> None:
    with pytest.raises(SettingsError, match=r"train\.phases\[2\]\.from_mean_of is -2; it needs to be at least 1"):
        check(later(from_mean_of=-2))


def test_a_rate_that_is_no_number(tmp_path: Path) -> None:
    for text in (".nan", ".inf"):
        (tmp_path / "over.yaml").write_text(f"train: {{learning_rate: {text}}}")
        with pytest.raises(SettingsError, match=r"train\.learning_rate is .*; it needs a finite number"):
            load_params(PROJECT / "params.yaml", tmp_path / "over.yaml")


def test_a_negative_seed() -> None:
    with pytest.raises(SettingsError, match="seed is -1; it needs to be at least 0"):
        check(dataclasses.replace(PARAMS, seed=-1))


def manifest(counts: dict[str, dict[str, int]]) -> Manifest:
    return Manifest(1, counts, present=("own", "drawn"), absent=(), damaged=(), dropped={}, shards={})


def test_a_source_whose_images_are_all_kept_from_training_is_named_with_its_groups() -> None:
    mixture = {"own/word": 2.0, "own/line": 3.0, "drawn/word": 1.0}
    with pytest.raises(DataError, match=r"names own/word, own/line, and no sample of that is in `train`"):
        check_mixtures([mixture], manifest({"train": {"drawn/word": 9}, "validation": {"own/word": 30}}))


def test_a_mixture_without_samples_is_refused_with_what_is_there_in_a_later_training_too() -> None:
    data_set = manifest({"train": {"drawn/word": 9, "own/word": 1}})
    with pytest.raises(DataError, match=r"holds \['drawn/word', 'own/word'\], train.mixture names \['iam/word'\]"):
        check_mixtures([{"drawn/word": 1.0}, {"iam/word": 1.0}], data_set)


def test_groups_that_are_not_there_are_left_out_and_named_with_their_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mixture = {"iam/word": 5.0, "own/word": 2.0, "own/line": 3.0, "drawm/word": 1.0, "drawn/line": 0.0}
    check_mixtures([mixture, mixture], manifest({"train": {"drawn/word": 9, "own/word": 1}}))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "iam/word" in said[0]
    assert "drawm/word (did you mean drawn/word?)" in said[0]
    assert "drawn/line" not in said[0]


def test_a_kind_that_is_drawn_in_so_few_styles_that_none_is_trained_on_is_left_out_and_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {"train": {"own/word": 9}, "validation": {"generated-dots/word": 60}}
    drawn = dataclasses.replace(manifest(counts), present=("own", "generated-dots"))
    check_mixtures([{"own/word": 2.0, "generated-dots/word": 0.05}], drawn)
    assert "no training samples of generated-dots/word: left out" in capsys.readouterr().err


def test_nothing_is_said_where_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    check_mixtures([{"drawn/word": 1.0}], manifest({"train": {"drawn/word": 9, "own/word": 1}}))
    assert capsys.readouterr().err == ""
