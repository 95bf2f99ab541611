"""A sweep on Ray Tune, of tiny real trainings: bad ones end early, a second run goes on, and curves are drawn."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT

from legible.config import dump_params
from legible.data.dataset import write_dataset
from legible.errors import SettingsError
from legible.scale.sweep import Sweep
from legible.scale.sweep_trial import METRICS, TrialRecord, identity_of
from legible.scale.tuned_sweep import draw_tuned, planned_epochs, prepare, run_tuned, table_of_tuned

SETTINGS = {
    "train.size": "micro",
    "train.epochs": 3,
    "train.epoch_samples": 64,
    "train.batch_columns": 2048,
    "train.mixture": {"drawn/word": 1.0},
    "train.warmup_epochs": 0.2,
}


def sweep_of(rates: list[float], **keys: object) -> Sweep:
    return Sweep("rates", {"train.learning_rate": rates}, SETTINGS, **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"settings": {"generate.words": 5}}, "generate.words is no setting of seed or train"),
        ({"target": "export"}, "target is 'export'; --engine ray runs train alone"),
        ({"metric": "accuracy"}, "metric is 'accuracy'; on Ray it is one of loss, tune.cer"),
    ],
)
def test_what_ray_cannot_sweep_is_refused_before_anything_is_run(
    tmp_path: Path, keys: dict[str, object], said: str
) -> None:
    sweep = Sweep("rates", {"seed": [1]}, **keys)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=said):
        run_tuned(sweep, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_trial_has_its_parameters_and_weights_to_start_from_by_their_whole_path(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(dump_params(PROJECT / "params.yaml"), encoding="utf-8")
    sweep = Sweep("s", {"seed": [7]}, {"train.start_from": "models/weights", "train.epochs": 2, "train.phases": []})
    folder = prepare(sweep, sweep.trials()[0], root=tmp_path)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    assert (params["seed"], params["train"]["start_from"]) == (7, str(tmp_path / "models/weights"))
    assert planned_epochs(folder) == 2
    assert (folder / "data").readlink() == tmp_path / "data"


STOPPED_AFTER_AN_EPOCH = """
import contextlib, sys
from pathlib import Path
from legible.scale.sweep_trial import run_trial
def stop(metrics):
    print(repr(metrics["loss"]))
    raise KeyboardInterrupt
with contextlib.suppress(KeyboardInterrupt):
    run_trial(Path(sys.argv[1]), stop, cpus=1, tensorboard="")
"""


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: the extra `scale`")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    from test_training import project as made  # it loads Keras  # noqa: PLC0415

    (tmp_path / "params.yaml").write_text(
        dump_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml"), encoding="utf-8"
    )
    return made(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
def test_a_sweep_ends_the_worse_early_and_goes_on_where_it_was_stopped(project: Path, tmp_path: Path) -> None:
    """The first trial was stopped after an epoch: its record holds the same first epoch afterwards."""
    sweep = sweep_of([0.003, 1e-9])
    good, bad = sweep.trials()
    folder = prepare(sweep, good, root=project)
    command = [sys.executable, "-c", STOPPED_AFTER_AN_EPOCH, str(folder)]  # its threads are those of a process
    stopped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert stopped.returncode == 0, stopped.stderr

    events = tmp_path / "events"
    first, second = run_tuned(sweep, root=project, tensorboard=str(events))
    assert (first.trial, first.state, len(first.record.epochs)) == (good, "finished", 3)
    assert first.record.epochs[0]["loss"] == float(stopped.stdout)
    assert (second.trial, second.state, len(second.record.epochs)) == (bad, "stopped early", 1)
    assert sorted(path.name for path in events.iterdir()) == sorted([good.name, bad.name])
    assert [name for name in (folder / "training/live/plots/metrics").iterdir() if name.stem == "loss"]

    lines = table_of_tuned(sweep, [first, second]).splitlines()[2:]
    assert [line.split("|")[3].strip() for line in lines] == ["3 of 3, finished", "1 of 3, stopped early"]
    page = draw_tuned([first, second], tmp_path / "curves")
    assert page is not None
    assert all(name in page.read_text(encoding="utf-8") for name in (good.name, bad.name, *METRICS))

    checkpoint = next(folder.glob("training/checkpoint-1*"))
    before = checkpoint.stat().st_mtime_ns
    again = run_tuned(sweep_of([0.003]), root=project)
    assert [one.record for one in again] == [first.record]
    assert checkpoint.stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
def test_a_trial_that_fails_is_told_and_the_others_are_trained(project: Path) -> None:
    sweep = Sweep(
        "mixed", {"train.mixture": [{"nowhere/word": 1.0}, {"drawn/word": 1.0}]}, {**SETTINGS, "train.epochs": 1}
    )
    done = run_tuned(sweep, root=project)
    assert [one.state for one in done] == ["finished", "failed"]
    assert "nowhere/word" in done[1].failure


@pytest.mark.slow
def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415

    from legible.training.checkpoint import EpochFigures  # noqa: PLC0415
    from legible.training.tensorboard import TensorBoardCurves  # noqa: PLC0415

    curves = TensorBoardCurves(tmp_path)
    for epoch, loss in enumerate((2.5, 1.25), start=1):
        curves.log(EpochFigures(epoch, loss, 0.001, 0.5, 0.25, 100.0))
    (path,) = tmp_path.iterdir()
    found = [
        (event.step, value.tag, float(tf.make_ndarray(value.tensor)))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert [(step, value) for step, tag, value in found if tag == "loss"] == [(1, 2.5), (2, 1.25)]
    assert {tag for _, tag, _ in found} == {"loss", "learning_rate", "tune/cer", "tune/exact_match"}


def test_a_trial_that_was_not_begun_anew_has_no_figures_of_other_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_bytes((PROJECT / "params.yaml").read_bytes())
    write_dataset(tmp_path / "data/dataset", [], present=[])
    sweep = sweep_of([0.003])
    folder = prepare(sweep, sweep.trials()[0], root=tmp_path)
    for of, epochs in ((identity_of(folder), 1), ("other parameters", 0)):
        TrialRecord(of, [dict.fromkeys(METRICS, 1.0)], finished=True).save(folder)
        monkeypatch.setattr("legible.scale.tuned_sweep._tune", lambda *_, **__: {str(folder): "out of memory"})
        (done,) = run_tuned(sweep, root=tmp_path)
        assert (len(done.record.epochs), done.state) == (epochs, "failed")


def test_a_record_of_other_parameters_is_no_record_of_a_trial(tmp_path: Path) -> None:
    TrialRecord("abc", [{"loss": 1.0}], finished=True).save(tmp_path)
    assert TrialRecord.load(tmp_path) == TrialRecord("abc", [{"loss": 1.0}], finished=True)
    assert TrialRecord.load(tmp_path / "none") is None
