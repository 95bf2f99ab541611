"""Sweeps with real git and DVC; the stage that is swept is a script that takes a moment and may fail."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT
from dvc.utils.hydra import apply_overrides

from legible.config import dump_params
from legible.errors import DataError, LegibleError, SettingsError
from legible.locks import lock_file_at_once
from legible.scale.sweep import Base, Sweep, SweepTrial, draw_curves, experiments, run_sweep, table_of

STAGES = """
stages:
  train:
    cmd: sh train.sh
    params: [seed, train]
    outs: [weights]
    metrics: [{metrics.json: {cache: false}}]
    plots: [{curve.csv: {cache: false, x: step, y: loss}}]
"""
TRAIN = """
rate=$(sed -n 's/ *rate: *//p' params.yaml); seed=$(sed -n 's/^seed: *//p' params.yaml)
test "$rate" != 9 || { echo "the loss is not finite" >&2; exit 1; }
echo "$rate" > weights; echo "{\\"loss\\": $rate.$seed}" > metrics.json
printf 'step,loss\\n1,9\\n2,%s\\n' "$rate" > curve.csv
"""


def written(folder: Path, **content: object) -> Sweep:
    path = folder / "rates.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return Sweep.load(path)


def test_every_combination_is_a_trial_named_by_its_settings(tmp_path: Path) -> None:
    sweep = written(tmp_path, settings={"train.size": "small"}, over={"seed": [1, 2], "train.rate": [0.1, 0.2, 0.3]})
    trials = sweep.trials()
    assert [(trial.settings["seed"], trial.settings["train.rate"]) for trial in trials] == [
        (1, 0.1), (1, 0.2), (1, 0.3), (2, 0.1), (2, 0.2), (2, 0.3),
    ]  # fmt: skip
    assert len({trial.name for trial in trials}) == 6
    wider = written(tmp_path, settings={"train.size": "small"}, over={"seed": [2, 5], "train.rate": [0.3]})
    assert wider.trials()[0] == trials[-1]


def test_settings_reach_dvc_as_it_reads_them() -> None:
    trial = SweepTrial.of("s", {"train.phases": [], "train.start_from": "", "seed": 2, "train.renormalized": True})
    assert trial.command("train")[7:-1:2] == [
        "++train.phases=[]", "++train.start_from=''", "++seed=2", "++train.renormalized=true",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "x,y",
        "a b",
        "it's",
        "1",
        "true",
        "{q",
        "a\\b",
        "end\\",
        "q\\'x",
        "",
        "small",
        "models/weights",
        "#c",
        " x ",
        0.001,
    ],
)
def test_a_value_is_the_same_once_dvc_has_read_it(tmp_path: Path, value: object) -> None:
    """`-S a=x,y` was a sweep of Hydra's own, which failed, and the text '1' a number."""
    (tmp_path / "params.yaml").write_text("a: 0\n")
    (_, change, _) = SweepTrial.of("s", {"a": value}).command("train")[-3:]
    apply_overrides(tmp_path / "params.yaml", [change])
    assert yaml.safe_load((tmp_path / "params.yaml").read_text()) == {"a": value}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"over": {"seed": "abc"}}, "over has seed: 'abc'; it needs a list of values"),
        ({"over": {"seed": [1, 1]}}, "a value of seed twice"),
        ({"over": {"seed": [1]}, "name": "../../x"}, "name is '../../x'"),
        ({"over": {"seed": [1]}, "name": "-x"}, "name is '-x'"),
        ({"over": {"seed": [1]}, "settings": [1]}, "settings is "),
        ({"over": {"seed": [date(2026, 1, 1)]}}, "a value is no number"),
        ({"over": {"seed": [float("nan")]}}, "a value is no number"),
        ({"over": {"seed": [1]}, "cpus": "x"}, "cpus is 'x'"),
        ({"over": {"seed": [1]}, "keep_one_in": 1}, "keep_one_in is 1; it needs a number from 2 on"),
        ({"over": {"seed": [1]}, "highest": "no"}, "highest is 'no'"),
        ({"over": {}}, "needs 1 to"),
        ({"over": {"seed": []}}, "0 trials"),
        ({"over": {"seed": list(range(2000))}}, "2000 trials"),
        ({"over": {"seed": 5}}, "over has seed: 5; it needs a list"),
        ({"over": {"seed": [1]}, "ovr": 1}, "unknown ovr"),
        ({}, "no sweep"),
    ],
)
def test_a_file_that_is_no_sweep_is_one_line(tmp_path: Path, content: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        written(tmp_path, **content)


def test_the_shipped_sweep_changes_settings_that_there_are(tmp_path: Path) -> None:
    sweep = Sweep.load(PROJECT / "params/sweep.yaml")
    overlay: dict[str, object] = {}
    for name, value in sweep.trials()[0].settings.items():
        section, _, setting = name.rpartition(".")
        place = overlay.setdefault(section, {}) if section else overlay
        assert isinstance(place, dict)
        place[setting] = value
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    merged = yaml.safe_load(dump_params(PROJECT / "params.yaml", tmp_path / "trial.yaml"))
    assert (merged["seed"], merged["train"]["learning_rate"], merged["train"]["size"]) == (1, 0.0005, "small")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git and DVC repository with one stage."""

    def run(*command: str) -> None:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    run("git", "init", "-q")
    run("git", "config", "user.email", "a@example.org")
    run("git", "config", "user.name", "a")
    for name, content in (("dvc.yaml", STAGES), ("train.sh", TRAIN), ("params.yaml", "seed: 1\ntrain:\n  rate: 5\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    run(str(Path(sys.executable).with_name("dvc")), "init", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "begin")
    return tmp_path


@pytest.mark.slow
def test_a_sweep_keeps_experiments_goes_on_and_draws_their_curves(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("sweep")
    sweep = written(place, over={"train.rate": [3, 9]})
    good, bad = sweep.trials(Base.of(repository))
    assert run_sweep(sweep, root=repository) == [bad.name]
    assert experiments(repository) == [good.name]
    wider = written(place, over={"train.rate": [3, 2]})
    before = sorted((repository / ".git/refs/exps").rglob("*"))
    assert run_sweep(wider, root=repository) == []
    assert set(before) <= set((repository / ".git/refs/exps").rglob("*"))
    head, _, *lines = table_of(wider, root=repository).splitlines()
    assert head == "| experiment | train.rate | loss |"
    assert [line.split("|")[2].strip() for line in lines] == ["2", "3"]
    page = draw_curves(wider, place / "curves", root=repository)
    assert page is not None
    assert all(trial.name in page.read_text(encoding="utf-8") for trial in wider.trials(Base.of(repository)))
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


@pytest.mark.slow
def test_a_sweep_of_other_parameters_is_trained_anew(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sweep = written(tmp_path_factory.mktemp("sweep"), over={"train.rate": [3]})
    for seed in (1, 2):
        (repository / "params.yaml").write_text(f"seed: {seed}\ntrain:\n  rate: {seed}\n")
        assert run_sweep(sweep, root=repository) == []
        assert [row.split("|")[3].strip() for row in table_of(sweep, root=repository).splitlines()[2:]] == [f"3.{seed}"]


@pytest.mark.slow
def test_a_sweep_that_is_running_is_not_run_beside_itself(repository: Path, tmp_path: Path) -> None:
    sweep = written(tmp_path, over={"train.rate": [3]})
    with (
        lock_file_at_once(repository / ".git/legible-sweep-rates", busy=""),
        pytest.raises(LegibleError, match="sweep rates is running here; let it end"),
    ):
        run_sweep(sweep, root=repository)


@pytest.mark.slow
def test_a_folder_without_a_repository_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a git and DVC repository"):
        experiments(tmp_path)
