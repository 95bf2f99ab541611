"""Sweeps: a training for each combination of settings, aside from the checkout, each kept as a DVC experiment.

A trial is named by its settings, with the parameters and sources that they change, so a sweep that was stopped goes on
with those that are missing, and one that is widened trains what is new.
"""

import copy
import csv
import hashlib
import io
import itertools
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from tqdm import tqdm

from legible.errors import DataError, SettingsError
from legible.files import sha256_of
from legible.locks import lock_file_at_once
from legible.tables import markdown_table

KEYS = frozenset(
    {"name", "target", "settings", "over", "metric", "highest", "cpus", "gpus", "grace_epochs", "keep_one_in"}
)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names of sweeps, which become those of experiments and folders."""
PLAIN_TEXT = re.compile(r"(?!(?:true|false|null|nan|inf|infinity)$)[A-Za-z_][A-Za-z0-9_./-]*", re.IGNORECASE)
"""Texts that `dvc exp run -S` takes for texts without quotes."""
MAX_TRIALS = 1000
BUSY = "sweep {} is running here; let it end, and run this one again"
SAID_LINES = 5
"""The last lines of a trial that failed, which are shown."""


@dataclass(frozen=True)
class Base:
    """What the settings of trials change: the parameters of a project, and a digest of its list of sources."""

    params: Mapping[str, Any]
    sources: str

    @staticmethod
    def of(root: Path) -> "Base":
        """Return a project's. Raise SettingsError for parameters that are none."""
        params, sources = root / "params.yaml", root / "data/sources.json"
        try:
            content = yaml.safe_load(params.read_text(encoding="utf-8")) if params.is_file() else {}
        except (yaml.YAMLError, ValueError) as error:
            raise SettingsError(f"{params}: no parameters ({error})") from error
        return Base(content if isinstance(content, dict) else {}, sha256_of(sources) if sources.is_file() else "")

    def changed(self, settings: Mapping[str, Any]) -> list[Any]:
        """Return all that decides a trial besides the code."""
        merged = copy.deepcopy(dict(self.params))
        for name, value in settings.items():
            *sections, last = name.split(".")
            place = merged
            for section in sections:
                place[section] = place[section] if isinstance(place.get(section), dict) else {}
                place = place[section]
            place[last] = value
        return [merged, self.sources]


@dataclass(frozen=True)
class SweepTrial:
    """One combination of settings, `train.learning_rate: 0.001` and so on."""

    name: str
    settings: Mapping[str, Any]

    @staticmethod
    def of(sweep: str, settings: Mapping[str, Any], base: "Base | None" = None) -> "SweepTrial":
        decisive = json.dumps([settings, base.changed(settings)] if base else settings, sort_keys=True, default=str)
        digest = hashlib.sha256(decisive.encode()).hexdigest()[:8]
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
            faults = list(sweep.faults())
            count = 0 if faults else math.prod(len(values) for values in sweep.over.values())
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise SettingsError(f"{path}: no sweep ({error}); docs/sweeps.md shows one") from error
        if faults:
            raise SettingsError(f"{path}: {'; '.join(faults)}; docs/sweeps.md shows a sweep")
        if not 1 <= count <= MAX_TRIALS or not sweep.over:
            raise SettingsError(f"{path}: over gives {count} trials; it needs 1 to {MAX_TRIALS}")
        return sweep

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with what the file states, a sentence each."""
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            yield f"name is {self.name!r}; it needs letters, digits, dots, dashes and underscores"
        for what, text in (("target", self.target), ("metric", self.metric)):
            if not isinstance(text, str) or not text or text.startswith("-"):
                yield f"{what} is {text!r}; it needs a name"
        if not isinstance(self.highest, bool):
            yield f"highest is {self.highest!r}; it is true or false"
        yield from self._faults_of_numbers()
        yield from self._faults_of_values()

    def _faults_of_numbers(self) -> Iterator[str]:
        for what, least in (("cpus", 1), ("gpus", 0), ("grace_epochs", 1), ("keep_one_in", 2)):
            number = getattr(self, what)
            if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number < math.inf:
                yield f"{what} is {number!r}; it needs a number from {least} on"

    def _faults_of_values(self) -> Iterator[str]:
        for what, settings in (("over", self.over), ("settings", self.settings)):
            if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
                yield f"{what} is {settings!r:.60}; it needs names of settings with their values"
                return
        for name, values in self.over.items():
            if not isinstance(values, list):
                yield f"over has {name}: {values!r:.60}; it needs a list of values"
            elif len({json.dumps(value, default=str) for value in values}) < len(values):
                yield f"over has a value of {name} twice"
        if not all(map(_is_told, (*self.settings.values(), *self.over.values()))):
            yield "a value is no number, text, list, true, false or null; write it in quotes"

    def trials(self, base: Base | None = None) -> list[SweepTrial]:
        """Return the trials; those of DVC are named by the base too, for an experiment may be of another."""
        combinations = itertools.product(*self.over.values())
        return [
            SweepTrial.of(self.name, {**self.settings, **dict(zip(self.over, values, strict=True))}, base)
            for values in combinations
        ]


def _is_told(value: Any) -> bool:
    """Tell whether a value can be handed to DVC: JSON has it, and no number without end."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def run_sweep(sweep: Sweep, *, root: Path, jobs: int = 1, tensorboard: str = "") -> list[str]:
    """Run the trials that are not experiments yet, some at a time; return the names of those that failed.

    tensorboard: a folder for files of events, a folder in it for each trial. Raise LegibleError where this sweep runs.
    """
    experiments(root)  # where there is no repository it says so
    place = Path(_run(["git", "rev-parse", "--absolute-git-dir"], root).stdout.strip())
    with lock_file_at_once(place / f"legible-sweep-{sweep.name}", busy=BUSY.format(sweep.name)) as lock:
        return _run_left(sweep, root, jobs, tensorboard, lock)


def _run_left(sweep: Sweep, root: Path, jobs: int, tensorboard: str, lock: int) -> list[str]:
    trials, there = sweep.trials(Base.of(root)), set(experiments(root))
    left = [trial for trial in trials if trial.name not in there]
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = pool.map(lambda trial: (trial, _run_trial(trial, sweep, root, tensorboard, lock)), left)
        bar = tqdm(outcomes, initial=len(trials) - len(left), total=len(trials), unit="trial", desc=sweep.name)
        for trial, outcome in bar:
            if outcome.returncode:
                failed.append(trial.name)
                tqdm.write(f"{trial.name} {dict(trial.settings)} failed:\n{_last_lines(outcome)}", file=sys.stderr)
    return failed


def _run_trial(
    trial: SweepTrial, sweep: Sweep, root: Path, tensorboard: str, lock: int
) -> subprocess.CompletedProcess[str]:
    """Run a trial, which holds the lock too: a kill of this process alone does not end it."""
    events = {"LEGIBLE_TENSORBOARD": str(Path(tensorboard).resolve() / trial.name)} if tensorboard else {}
    return _run(trial.command(sweep.target), root, environment=events, locks=[lock])


def experiments(root: Path) -> list[str]:
    """Return the names of the experiments of a repository. Raise DataError where there is no DVC repository."""
    outcome = _run(["dvc", "exp", "list", "--all", "--name-only"], root)
    if outcome.returncode:
        raise DataError(f"{root}: dvc exp list failed: {_last_lines(outcome)}; a sweep needs a git and DVC repository")
    return outcome.stdout.split()


def table_of(sweep: Sweep, *, root: Path) -> str:
    """Return the trials that are done with what varies and their metrics, the best one first."""
    names = {trial.name: trial for trial in sweep.trials(Base.of(root))}
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
    there = set(experiments(root))
    done = [trial.name for trial in sweep.trials(Base.of(root)) if trial.name in there]
    if not done:
        return None
    outcome = _run(["dvc", "plots", "diff", "--out", str(folder.resolve()), *done], root)
    if outcome.returncode:
        raise DataError(f"dvc plots diff failed: {_last_lines(outcome)}")
    return folder / "index.html"


def _run(
    command: Sequence[str],
    root: Path,
    *,
    environment: Mapping[str, str] = MappingProxyType({}),
    locks: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    python = str(Path(sys.executable).with_name(command[0]))
    whole = [python if Path(python).is_file() else command[0], *command[1:]]
    variables = {**os.environ, **environment}
    return subprocess.run(  # noqa: S603
        whole, cwd=root, capture_output=True, text=True, check=False, env=variables, pass_fds=locks
    )


def _last_lines(outcome: subprocess.CompletedProcess[str]) -> str:
    said = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()
    return "\n".join(said[-SAID_LINES:])


def _hydra(value: Any) -> str:
    """Return a value as `dvc exp run -S` reads it: `[]`, `true`, `0.001`, `small`, `''`, `'a, b'`."""
    if not isinstance(value, str):
        return json.dumps(value)
    if PLAIN_TEXT.fullmatch(value):
        return value
    escaped = re.sub(r"(\\+)(?='|$)", r"\1\1", value).replace("'", r"\'")  # a backslash is one but before a quote
    return f"'{escaped}'"


def _number(text: str, *, sign: int) -> float:
    """Return a number to sort by, the lowest first; what is no number comes last."""
    try:
        return sign * float(text)
    except ValueError:
        return math.inf
