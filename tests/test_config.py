import re
import subprocess
import sys
from pathlib import Path

import pytest

from legible.config import ServiceSettings, TrainParams, dump_params, load_params, merge
from legible.errors import SettingsError
from legible.synth.checks import check_asked
from legible.training.phases import with_overlay

PROJECT = Path(__file__).parents[1]


def with_line(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "over.yaml"
    path.write_text(line)
    return path


def test_what_differs_is_merged_over_the_whole() -> None:
    tiny = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    assert tiny.train.size == "micro"
    assert tiny.train.height == load_params(PROJECT / "params.yaml").train.height


@pytest.mark.parametrize("over", ["tiny", "finetune", "digits", "chinese"])
def test_what_is_stated_of_the_shipped_data_set_is_not_stated_of_another(over: str) -> None:
    assert load_params(PROJECT / "params.yaml", PROJECT / f"params/{over}.yaml").pack.floors == {}


@pytest.mark.parametrize("over", ["tiny", "finetune", "digits", "chinese"])
def test_the_samples_that_a_recipe_asks_for_can_be_drawn_in_its_charset(over: str) -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / f"params/{over}.yaml")
    check_asked(params.generate, params.charset.build())


def finetuned() -> TrainParams:
    return load_params(PROJECT / "params.yaml", PROJECT / "params/finetune.yaml").train


def test_fine_tuning_trains_as_the_last_phase_of_the_shipped_weights_did() -> None:
    tuned, train = finetuned(), load_params(PROJECT / "params.yaml").train
    last = with_overlay(train, train.phases[-1])
    for name in ("renormalized", "dropout", "batch_columns"):
        assert getattr(tuned, name) == getattr(last, name)


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ("words and lines of one's own {:.0%}", ""),
        ("words alone {:.0%}", "own/line"),
        ("lines alone {:.0%}", "own/word"),
    ],
)
def test_how_much_of_a_fine_tuning_is_ones_own_is_what_is_said(said: str, lacking: str) -> None:
    mixture = finetuned().mixture.items()
    there = {group: weight for group, weight in mixture if group != lacking and group.startswith(("own", "generated"))}
    own = sum(weight for group, weight in there.items() if group.startswith("own/")) / sum(there.values())
    for place in ("params/finetune.yaml", "docs/pipeline.md"):
        text = " ".join((PROJECT / place).read_text(encoding="utf-8").replace(" of it is own", "").split())
        assert said.format(own).replace("%", " %") in text


def test_merging_joins_nested_sections() -> None:
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": 4}) == {"a": {"b": 1, "c": 3}, "d": 4}


def test_an_empty_mapping_empties_what_it_is_merged_over() -> None:
    assert merge({"pack": {"floors": {"print": 0.95}}}, {"pack": {"floors": {}}}) == {"pack": {"floors": {}}}


def test_proportions_replace_those_they_are_merged_over() -> None:
    base = {"generate": {"words": 5, "shares": {"print": 0.5, "scene": 0.5}}}
    over = {"generate": {"shares": {"print": 1.0}}}
    assert merge(base, over) == {"generate": {"words": 5, "shares": {"print": 1.0}}}


def test_an_unknown_key_is_refused_with_the_nearest_one_named(tmp_path: Path) -> None:
    over = with_line(tmp_path, "train: {learning_rat: 0.1}")
    with pytest.raises(SettingsError, match=r"params\.train\.learning_rat is unknown; did you mean learning_rate\?"):
        load_params(PROJECT / "params.yaml", over)


def test_a_wrong_kind_of_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"params\.train\.epochs is 'many'; it needs a int"):
        load_params(PROJECT / "params.yaml", with_line(tmp_path, "train: {epochs: many}"))


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"params\.charset is missing"):
        load_params(with_line(tmp_path, "seed: 1"))


def test_a_missing_file_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file; run in the project's folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a", "holds a list; it needs sections"),
        ("train: [", "is no YAML"),
        ("pack: {floors: 3}", r"params\.pack\.floors is 3; it needs names with a value each"),
        ("fonts: {unseen: {arvo: 1}}", r"params\.fonts\.unseen is \{'arvo': 1\}; it needs a list"),
        ("fonts: {unseen: arvo}", r"params\.fonts\.unseen is 'arvo'; it needs a list"),
        ("train: 3", r"params\.train is 3; it needs keys of its own"),
        ("seed: true", r"params\.seed is True; it needs a int"),  # YAML's true is 1 to Python
    ],
)
def test_a_malformed_file_is_an_error_and_no_traceback(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_params(PROJECT / "params.yaml", with_line(tmp_path, content))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("train: {epochs: 0}", "params.train.epochs is 0; it needs to be at least 1"),
        ("train: {dropout: 1.0}", "params.train.dropout is 1.0; it needs to be at most 0.99"),
        ("generate: {effects: .nan}", "params.generate.effects is nan; it needs a finite number"),
        ("ingest: {segmentation: [good]}", "params.ingest.segmentation[0] is 'good'; it needs to be 'ok' or 'err'"),
        ("pack: {floors: {print: 95}}", "params.pack.floors.print is 95; it needs to be at most 1"),
        ("train: {phases: [{epochs: 1, epoch: 2}]}", "params.train.phases[0].epoch is unknown; did you mean epochs?"),
        ("seed: 2026-11-29", "params.seed is '2026-11-29'; it needs a int"),
        ("reference: {zzz: 1}", "params.reference.zzz is unknown; known: revision, false_alarms_per_window"),
    ],
)
def test_a_parameter_out_of_bounds_is_named_with_its_limit(tmp_path: Path, line: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(fault)):
        load_params(PROJECT / "params.yaml", with_line(tmp_path, line))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    over = with_line(tmp_path, "seed: -1\ntrain: {epochs: 0, sise: base}\nexport: {quantization: int4}")
    with pytest.raises(SettingsError) as refused:
        load_params(PROJECT / "params.yaml", over)
    faults = str(refused.value).split("; ")
    named = ("params.seed is -1", "params.train.epochs is 0", "params.train.sise is unknown", "params.export.quant")
    assert [name for name in named if not any(fault.startswith(name) for fault in faults)] == []


def test_importing_the_settings_imports_no_pydantic() -> None:
    """Quick commands pay for checking only where they check."""
    seen = "import sys, legible.config; print('pydantic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", seen], text=True).strip() == "False"


def test_what_is_dumped_loads_as_the_same(tmp_path: Path) -> None:
    paths = (PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    assert load_params(with_line(tmp_path, dump_params(*paths))) == load_params(*paths)


def test_the_environment_overrides_settings_of_the_service() -> None:
    settings = ServiceSettings.from_environment({"LEGIBLE_ACCEPT": "0.5", "LEGIBLE_CHANNELS": "web, mobile"})
    assert settings.accept == 0.5
    assert settings.channels == ("web", "mobile")
    assert settings.max_pixels == ServiceSettings().max_pixels


def test_a_setting_that_is_no_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="LEGIBLE_ACCEPT is 'often'; it needs a float"):
        ServiceSettings.from_environment({"LEGIBLE_ACCEPT": "often"})


@pytest.mark.parametrize(
    ("variable", "text", "needs"),
    [
        ("LEGIBLE_ACCEPT", "5", "at most 1"),
        ("LEGIBLE_ACCEPT", "nan", "a finite number"),
        ("LEGIBLE_MAX_PIXELS", "-1", "at least 1"),
        ("LEGIBLE_BODY_SECONDS", "0", "more than 0"),
        ("LEGIBLE_BODY_SECONDS", "inf", "a finite number"),
        ("LEGIBLE_OBSERVATIONS_QUEUE", "1.5", "a int"),
        ("LEGIBLE_FEEDBACK", "maybe", "1 or 0"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(variable: str, text: str, needs: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} is '?{text}'?; it needs (to be )?{needs}"):
        ServiceSettings.from_environment({variable: text})


def test_all_impossible_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"LEGIBLE_MAX_PIXELS.*LEGIBLE_ACCEPT"):
        ServiceSettings.from_environment({"LEGIBLE_ACCEPT": "5", "LEGIBLE_MAX_PIXELS": "-1"})


def test_a_variable_that_is_nearly_a_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"MAX_INFLIGHT is no setting; did you mean LEGIBLE_MAX_IN_FLIGHT\?"):
        ServiceSettings.from_environment({"LEGIBLE_MAX_INFLIGHT": "4"})


def test_variables_that_kubernetes_sets_for_a_service_are_let_be() -> None:
    others = {"LEGIBLE_SERVICE_HOST": "10.0.0.1", "LEGIBLE_PORT_3000_TCP_PORT": "3000", "LEGIBLE_KEY": "k"}
    assert ServiceSettings.from_environment(others) == ServiceSettings()


@pytest.mark.parametrize("variable", ["LEGIBLE_KEYS", "LEGIBLE_KEYS_FILE", "LEGIBLE_METRICS_KEYS"])
@pytest.mark.parametrize("text", ["", " , "])
def test_keys_that_are_set_and_none_are_refused(variable: str, text: str) -> None:
    if variable == "LEGIBLE_KEYS_FILE" and text:
        return
    with pytest.raises(SettingsError, match=f"{variable}: set, and without a key; unset it where everybody may call"):
        ServiceSettings.from_environment({variable: text})


def test_limits_that_leave_no_room_for_each_other_are_refused() -> None:
    variables = {"LEGIBLE_BODY_SECONDS": "60", "LEGIBLE_MAX_HELD_BYTES": "60000000"}
    with pytest.raises(SettingsError, match=r"BODY_SECONDS is 60.*REQUEST_SECONDS, 50; .*MAX_BODY_BYTES is 50000000"):
        ServiceSettings.from_environment(variables)


def test_two_logs_in_one_folder_are_refused() -> None:
    """The retention of observations deleted corrections, which are never to be deleted."""
    variables = {"LEGIBLE_OBSERVATIONS_FOLDER": "data", "LEGIBLE_CORRECTIONS_FOLDER": "./data/"}
    with pytest.raises(
        SettingsError, match=r"OBSERVATIONS_FOLDER and LEGIBLE_CORRECTIONS_FOLDER are one folder, .*/data"
    ):
        ServiceSettings.from_environment(variables)
