"""Sweeps: a training for each combination of settings, aside from the checkout, each kept as a DVC experiment.

A trial is named by its settings, so a sweep that was stopped goes on with those that are missing, and one that is
widened trains what is new.
"""

import csv
import hashlib
import io
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from tqdm import tqdm

from legible.errors import DataError, SettingsError
from legible.tables import markdown_table

KEYS = frozenset(
    {"name", "target", "settings", "over", "metric", "highest", "cpus", "gpus", "grace_epochs", "keep_one_in"}
)
MAX_TRIALS = 1000
SAID_LINES = 5
"""The last lines of a trial that failed, which are shown."""


@dataclass(frozen=True)
class SweepTrial:
    """One combination of settings, `train.learning_rate: 0.001` and so on."""

    name: str
    settings: Mapping[str, Any]

    @staticmethod
    def of(sweep: str, settings: Mapping[str, Any]) -> "SweepTrial":
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        return SweepTrial(f"{sweep}-{digest}", settings)

    def command(self, target: str) -> list[str]:
        changes = [part for name, value in self.settings.items() for part in ("-S", f"++{name}={_hydra(value)}")]
        return ["dvc", "exp", "run", "--temp", "--name", self.name, *changes, target]


@dataclass(frozen=True)
class Sweep:
    """The file of a sweep: `over` lists the values of each setting, `settings` are those of all trials."""

    name: str
    over: Mapping[str, Sequence[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    target: str = "train"
    """The stage of dvc.yaml that is run, with those before it."""
    metric: str = "loss"
    """The metric that the table is sorted by, as `dvc exp show` names it."""
    highest: bool = False
    """Whether the best trial has the highest metric."""
    cpus: int = 1
    """The processors of a trial on Ray."""
    gpus: float = 0
    """The accelerators of a trial on Ray, or a part of one."""
    grace_epochs: int = 1
    """On Ray: no trial is ended before so many epochs."""
    keep_one_in: int = 3
    """On Ray: of the trials that come to 1, 3, 9 ... times these epochs, the best one in so many goes on."""

    @staticmethod
    def load(path: Path) -> "Sweep":
        """Read a file. Raise SettingsError, naming it, for keys that are unknown and for nothing to vary."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            unknown = sorted(content.keys() - KEYS)
            if unknown:
                raise SettingsError(f"{path}: unknown {', '.join(unknown)}; known: {', '.join(sorted(KEYS))}")
            sweep = Sweep(**{"name": path.stem, **content})
            count = math.prod(len(values) for values in sweep.over.values())
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise SettingsError(f"{path}: no sweep ({error}); docs/sweeps.md shows one") from error
        if not 1 <= count <= MAX_TRIALS or not sweep.over:
            raise SettingsError(f"{path}: over gives {count} trials; it needs 1 to {MAX_TRIALS}")
        return sweep

    def trials(self) -> list[SweepTrial]:
        combinations = itertools.product(*self.over.values())
        return [
            SweepTrial.of(self.name, {**self.settings, **dict(zip(self.over, values, strict=True))})
            for values in combinations
        ]


def run_sweep(sweep: Sweep, *, root: Path, jobs: int = 1, tensorboard: str = "") -> list[str]:
    """Run the trials that are not experiments yet, some at a time; return the names of those that failed.

    tensorboard: a folder for files of events, a folder in it for each trial.
    """
    trials, there = sweep.trials(), set(experiments(root))
    left = [trial for trial in trials if trial.name not in there]
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = pool.map(lambda trial: (trial, _run_trial(trial, sweep, root, tensorboard)), left)
        bar = tqdm(outcomes, initial=len(trials) - len(left), total=len(trials), unit="trial", desc=sweep.name)
        for trial, outcome in bar:
            if outcome.returncode:
                failed.append(trial.name)
                tqdm.write(f"{trial.name} {dict(trial.settings)} failed:\n{_last_lines(outcome)}", file=sys.stderr)
    return failed


def _run_trial(trial: SweepTrial, sweep: Sweep, root: Path, tensorboard: str) -> subprocess.CompletedProcess[str]:
    events = {"LEGIBLE_TENSORBOARD": str(Path(tensorboard).resolve() / trial.name)} if tensorboard else {}
    return _run(trial.command(sweep.target), root, environment=events)


def experiments(root: Path) -> list[str]:
    """Return the names of the experiments of a repository. Raise DataError where there is no DVC repository."""
    outcome = _run(["dvc", "exp", "list", "--all", "--name-only"], root)
    if outcome.returncode:
        raise DataError(f"{root}: dvc exp list failed: {_last_lines(outcome)}; a sweep needs a git and DVC repository")
    return outcome.stdout.split()


def table_of(sweep: Sweep, *, root: Path) -> str:
    """Return the trials that are done with what varies and their metrics, the best one first."""
    names = {trial.name: trial for trial in sweep.trials()}
    shown = _run(["dvc", "exp", "show", "--all-commits", "--csv"], root)
    if shown.returncode:
        raise DataError(f"{root}: dvc exp show failed: {_last_lines(shown)}")
    rows = [row for row in csv.DictReader(io.StringIO(shown.stdout)) if row["Experiment"] in names]
    if rows and sweep.metric not in rows[0]:
        known = ", ".join(name for name in rows[0] if name)
        raise SettingsError(f"metric is {sweep.metric!r}; dvc exp show has {known}")
    sign = -1 if sweep.highest else 1
    rows.sort(key=lambda row: _number(row[sweep.metric], sign=sign))
    lines = [
        [row["Experiment"], *(names[row["Experiment"]].settings[name] for name in sweep.over), row[sweep.metric]]
        for row in rows
    ]
    return markdown_table(["experiment", *sweep.over, sweep.metric], lines)


def draw_curves(sweep: Sweep, folder: Path, *, root: Path) -> Path | None:
    """Draw the curves of all trials that are done into one page; None where none is."""
    done = [trial.name for trial in sweep.trials() if trial.name in set(experiments(root))]
    if not done:
        return None
    outcome = _run(["dvc", "plots", "diff", "--out", str(folder.resolve()), *done], root)
    if outcome.returncode:
        raise DataError(f"dvc plots diff failed: {_last_lines(outcome)}")
    return folder / "index.html"


def _run(
    command: Sequence[str], root: Path, *, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    python = str(Path(sys.executable).with_name(command[0]))
    whole = [python if Path(python).is_file() else command[0], *command[1:]]
    variables = {**os.environ, **environment}
    return subprocess.run(whole, cwd=root, capture_output=True, text=True, check=False, env=variables)  # noqa: S603


def _last_lines(outcome: subprocess.CompletedProcess[str]) -> str:
    said = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()
    return "\n".join(said[-SAID_LINES:])


def _hydra(value: Any) -> str:
    """Return a value as `dvc exp run -S` reads it: `[]`, `true`, `0.001`, `''`."""
    return "''" if value == "" else json.dumps(value) if not isinstance(value, str) else value


def _number(text: str, *, sign: int) -> float:
    """Return a number to sort by, the lowest first; what is no number comes last."""
    try:
        return sign * float(text)
    except ValueError:
        return math.inf
