"""What params.yaml may say of phases: overlays, shared mixtures by name, and the older spelling `then`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from legible.config import PhaseParams, TrainParams, load_params
from legible.config.recipe import in_todays_spelling, with_mixtures, with_phases
from legible.errors import SettingsError

PROJECT = Path(__file__).parents[1]
WORDS = {"iam/word": 1.0}


def loaded(tmp_path: Path, **train: Any) -> TrainParams:
    (tmp_path / "over.yaml").write_text(yaml.safe_dump({"train": train}))
    return load_params(PROJECT / "params.yaml", tmp_path / "over.yaml").train


def test_a_phase_and_the_section_name_a_shared_mixture(tmp_path: Path) -> None:
    train = loaded(tmp_path, mixtures={"real": WORDS}, mixture="real", phases=[{}, {"mixture": "real"}])
    assert train.mixture == train.phases[1].mixture == WORDS
    assert train.phases[0].mixture is None


def test_a_mixture_that_is_not_there_is_refused_with_the_nearest_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train\.phases\[1\]\.mixture is 'reel', .* did you mean real\?"):
        loaded(tmp_path, mixtures={"real": WORDS}, phases=[{}, {"mixture": "reel"}])


def test_a_mixture_by_name_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train\.mixture is 'real', .* it holds none"):
        loaded(tmp_path, mixtures={}, mixture="real")


def test_a_fault_in_a_phase_names_the_phase(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train\.phases\[1\]\.epoch is unknown; did you mean epochs\?"):
        loaded(tmp_path, phases=[{}, {"epoch": 3}])


def test_a_phase_states_settings_of_the_section_alone() -> None:
    own = {"name", "from_mean_of"}
    assert PhaseParams.__dataclass_fields__.keys() - own <= TrainParams.__dataclass_fields__.keys()


def test_the_older_spelling_lists_the_phases_after_the_first() -> None:
    then = [{"epochs": 2, "precision": "mixed_bfloat16"}, {"epochs": 3, "batch_columns": 0}]
    assert with_phases({"train": {"epochs": 9, "then": then}}) == {
        "train": {
            "epochs": 9,
            "phases": [
                {},
                {"precision": "mixed_bfloat16", "consistency": 0.0, "renormalized": False, "epochs": 2},
                {"precision": "float32", "consistency": 0.0, "renormalized": False, "epochs": 3},
            ],
        }
    }


def test_one_entry_of_the_older_spelling_needed_no_list() -> None:
    assert len(with_phases({"train": {"then": {"epochs": 2}}})["train"]["phases"]) == 2


def test_without_further_phases_the_older_spelling_is_one_phase() -> None:
    assert with_phases({"train": {"then": []}}) == {"train": {"phases": []}}


def test_both_spellings_at_once_are_refused() -> None:
    with pytest.raises(SettingsError, match="both phases and then, its older spelling; leave then out"):
        with_phases({"train": {"then": [], "phases": []}})


@pytest.mark.parametrize("train", [3, {"then": 3}, {"then": [3]}, {"phases": [3]}, {"mixtures": 3, "phases": 3}])
def test_what_is_malformed_is_left_to_be_refused_where_kinds_are_checked(train: Any) -> None:
    with_mixtures(with_phases({"train": train}))


def test_parameters_of_before_there_were_several_mean_what_they_meant(tmp_path: Path) -> None:
    content = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    train = content["train"]
    del train["averaged"], train["phases"]
    train["then"] = {"epochs": 2, "mixture": WORDS}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    found = load_params(tmp_path / "params.yaml").train
    assert found.averaged == 1
    assert [(phase.epochs, phase.precision) for phase in found.phases] == [(None, None), (2, "float32")]


def test_prose_for_the_card_that_older_files_hold_is_left_out() -> None:
    older = {"pack": {"floors": {"print": 0.9}, "measured": {"c6f4": "1 ms"}, "generated_only": {"4": "41 %"}}}
    assert in_todays_spelling(older) == {"pack": {"floors": {"print": 0.9}}}


def test_params_hold_no_prose_and_no_measured_figures() -> None:
    content = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    assert content["pack"].keys() == {"revision", "floors"}
