"""A sweep on Ray Tune: trials side by side, of which ASHA ends those early that are worse than others at their epoch.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning". Trials train on data/dataset as it is, in
folders below training/sweeps; nodes share the project's folder.
"""

import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

import legible
from legible.config import dump_params, load_params
from legible.errors import SettingsError
from legible.locks import lock_file_at_once
from legible.scale.cluster import connect
from legible.scale.sweep import BUSY, Sweep, SweepTrial
from legible.scale.sweep_trial import METRICS, TrialRecord, identity_of, trainable
from legible.tables import markdown_table

FOLDER = "training/sweeps"


@dataclass(frozen=True)
class TunedTrial:
    """What became of a trial: its epochs of `planned`, and why it failed, where it did."""

    trial: SweepTrial
    folder: Path
    planned: int
    record: TrialRecord
    failure: str = ""

    @property
    def state(self) -> str:
        if self.failure:
            return "failed"
        return "finished" if self.record.finished else "stopped early"

    def value(self, metric: str) -> float:
        """Return the metric of the last epoch; NaN where there is none."""
        return self.record.epochs[-1][metric] if self.record.epochs else math.nan


def run_tuned(sweep: Sweep, *, root: Path, jobs: int = 1, address: str = "", tensorboard: str = "") -> list[TunedTrial]:
    """Run the trials of a sweep, at most `jobs` at a time, and return them, the best first.

    A trial that was finished or cut off before is not trained again as far as it came. Raise SettingsError for settings
    that are none of a training.
    """
    _check(sweep)
    with lock_file_at_once(root / FOLDER / sweep.name / ".lock", busy=BUSY.format(sweep.name)):
        return _run_tuned(sweep, root=root, jobs=jobs, address=address, tensorboard=tensorboard)


def _run_tuned(sweep: Sweep, *, root: Path, jobs: int, address: str, tensorboard: str) -> list[TunedTrial]:
    trials = {trial.name: trial for trial in sweep.trials()}
    folders = {name: prepare(sweep, trial, root=root.resolve()) for name, trial in trials.items()}
    planned = {name: planned_epochs(folder) for name, folder in folders.items()}
    usual = {"legible": legible.__version__, "cpus": sweep.cpus}
    events = {name: str(Path(tensorboard).resolve() / name) if tensorboard else "" for name in folders}
    configs = [{**usual, "folder": str(folders[name]), "tensorboard": events[name]} for name in folders]
    failures = _tune(sweep, configs, max_epochs=max(planned.values()), jobs=jobs, address=address, root=root.resolve())
    done = [
        TunedTrial(
            trial,
            folders[name],
            planned[name],
            _record_of(folders[name]),
            failures.get(str(folders[name]), ""),
        )
        for name, trial in trials.items()
    ]
    sign = -1 if sweep.highest else 1
    return sorted(done, key=lambda one: (math.isnan(one.value(sweep.metric)), sign * one.value(sweep.metric)))


def _record_of(folder: Path) -> TrialRecord:
    """Return a trial's record; an empty one where it was not begun with the parameters and data that are here now."""
    record = TrialRecord.load(folder)
    return record if record and record.of == identity_of(folder) else TrialRecord("")


def _check(sweep: Sweep) -> None:
    names = {*sweep.over, *sweep.settings}
    if others := sorted(name for name in names if name != "seed" and not name.startswith("train.")):
        raise SettingsError(
            f"--engine ray trains on data/dataset as it is: {', '.join(others)} is no setting of seed or train; "
            "leave the engine out to run the stages before it"
        )
    if sweep.target != "train":
        raise SettingsError(f"target is {sweep.target!r}; --engine ray runs train alone")
    if sweep.metric not in METRICS:
        raise SettingsError(f"metric is {sweep.metric!r}; on Ray it is one of {', '.join(METRICS)}")


def prepare(sweep: Sweep, trial: SweepTrial, *, root: Path) -> Path:
    """Make a trial's folder, with its parameters and a link to the data; what is there of a former run stays."""
    folder = root / FOLDER / sweep.name / trial.name
    folder.mkdir(parents=True, exist_ok=True)
    overlay = folder / "settings.yaml"
    overlay.write_text(yaml.safe_dump(_nested(trial.settings)), encoding="utf-8")
    merged = yaml.safe_load(dump_params(root / "params.yaml", overlay))
    train = merged["train"]
    if train.get("start_from"):
        train["start_from"] = str(root / train["start_from"])
    if train.get("start_with"):
        train["start_with"] = [str(root / other) for other in train["start_with"]]
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, allow_unicode=True, sort_keys=False), encoding="utf-8")
    if not (folder / "data").exists():
        (folder / "data").symlink_to(root / "data", target_is_directory=True)
    return folder


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by section: `{"train.rate": 1}` -> `{"train": {"rate": 1}}`."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        *sections, last = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return nested


def planned_epochs(folder: Path) -> int:
    """Return the epochs of all phases of a trial."""
    train = load_params(folder / "params.yaml").train
    return sum(phase.epochs or train.epochs for phase in train.phases) or train.epochs


def _tune(
    sweep: Sweep, configs: Sequence[Mapping[str, Any]], *, max_epochs: int, jobs: int, address: str, root: Path
) -> dict[str, str]:
    """Run the trials, and return why some failed, by their folders."""
    connect(address)
    from ray import tune  # an extra  # noqa: PLC0415

    storage = root / FOLDER / sweep.name / ".ray"
    shutil.rmtree(storage, ignore_errors=True)
    progress = _progress(len(configs), sweep.name)
    results = tune.Tuner(
        tune.with_resources(trainable, {"cpu": sweep.cpus, "gpu": sweep.gpus}),
        param_space={"trial": tune.grid_search(list(configs))},
        tune_config=tune.TuneConfig(scheduler=_asha(sweep, max_epochs), max_concurrent_trials=jobs),
        run_config=tune.RunConfig(storage_path=str(storage), name="tune", verbose=0, callbacks=[progress]),
    ).fit()
    failures = {one.config["trial"]["folder"]: str(one.error) for one in results if one.error}
    shutil.rmtree(storage, ignore_errors=True)
    return failures


def _asha(sweep: Sweep, max_epochs: int) -> Any:
    from ray.tune.schedulers import ASHAScheduler  # as above  # noqa: PLC0415

    return ASHAScheduler(
        time_attr="epochs",
        metric=sweep.metric,
        mode="max" if sweep.highest else "min",
        max_t=max_epochs + 1,  # a trial ends by itself
        grace_period=sweep.grace_epochs,
        reduction_factor=sweep.keep_one_in,
    )


def _progress(total: int, name: str) -> Any:
    """Return a callback of Tune's that shows how many trials have ended."""
    from ray import tune  # as above  # noqa: PLC0415

    class Progress(tune.Callback):
        """A progress bar that is made when the trials begin: Tune pickles its callbacks before."""

        def setup(self, **_: object) -> None:
            self._bar = tqdm(total=total, unit="trial", desc=name, file=sys.stderr)

        def on_trial_complete(self, *_: object, **__: object) -> None:
            self._bar.update()

        def on_trial_error(self, *_: object, **__: object) -> None:
            self._bar.update()

        def on_experiment_end(self, *_: object, **__: object) -> None:
            self._bar.close()

        def __getstate__(self) -> dict[str, object]:
            return {}

    return Progress()


def table_of_tuned(sweep: Sweep, done: Sequence[TunedTrial]) -> str:
    """Return the trials with what varies, how far they came, and their metric."""
    rows = [
        [
            one.trial.name,
            *(one.trial.settings[name] for name in sweep.over),
            f"{len(one.record.epochs)} of {one.planned}, {one.state}",
            f"{one.value(sweep.metric):.4g}",
        ]
        for one in done
    ]
    return markdown_table(["trial", *sweep.over, "epochs", sweep.metric], rows)


def draw_tuned(done: Sequence[TunedTrial], folder: Path) -> Path | None:
    """Draw the curves of all trials into one page; None where none has an epoch."""
    from dvc_render import render_html  # comes with DVC  # noqa: PLC0415
    from dvc_render.vega import VegaRenderer  # noqa: PLC0415

    drawn = []
    for metric in METRICS:
        points = [
            {"step": number, metric: epoch[metric], "rev": one.trial.name}
            for one in done
            for number, epoch in enumerate(one.record.epochs, start=1)
        ]
        drawn += [VegaRenderer(points, metric, x="step", y=metric)] if points else []
    if not drawn:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return Path(render_html(drawn, str(folder / "index.html")))
