"""Make targets that workflows call: what they take from the environment, and what they leave in a repository.

The programs of other people's machines (gh, kubectl, kustomize, ssh, rsync, JAX) are scripts here that say how they
were called.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
SAYS = '#!/bin/sh\necho "$(basename "$0")" "$@"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the Makefile and its scripts, and programs in bin."""
    folder = tmp_path / "project"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/.ready").touch()
    shutil.copyfile(PROJECT / "Makefile", folder / "Makefile")
    shutil.copytree(PROJECT / "scripts", folder / "scripts")
    (folder / ".gitignore").write_text("bin/\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "legible")
    git(folder, "config", "user.email", "legible@localhost")
    return folder


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def program(folder: Path, name: str, script: str = SAYS) -> None:
    path = folder / "bin" / name
    path.write_text(script)
    path.chmod(0o755)


def make(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    ready = (argument for name in ("FULL", "gpu") for argument in (f"{name}=bin", "-o", "bin/.ready"))
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **variables}
    environment["GIT_CONFIG_GLOBAL"] = os.devnull
    return subprocess.run(
        ["make", "-s", *ready, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def commit(folder: Path, files: dict[str, str]) -> None:
    """These files and no others beside the Makefile."""
    for old in git(folder, "ls-files", "models", "data").splitlines():
        (folder / old).unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Files")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_hands_a_value_to_make_that_make_would_expand(path: Path) -> None:
    assert re.findall(r"\bmake\b.*\w=\"?\$.*", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("target", "variable"),
    [("gate", "CHAMPION"), ("gate-deploy", "CHAMPION"), ("compare", "CHAMPION"), ("remote", "URL")],
)
def test_a_value_of_the_environment_is_taken_as_it_is(project: Path, target: str, variable: str) -> None:
    program(project, "legible")
    program(project, "dvc")
    hostile = f"$(shell touch {project}/pwned)`touch {project}/pwned`none"
    done = make(project, "store=bin", target, **{variable: hostile})
    assert hostile in done.stdout
    assert not (project / "pwned").exists()


def test_a_champion_is_main_or_for_a_deploy_the_tag_before_unless_one_is_named(project: Path) -> None:
    program(project, "legible")
    assert "--champion main " in make(project, "gate").stdout
    assert "--champion none" in make(project, "gate-deploy").stdout
    assert "--champion v1.0.0" in make(project, "gate-deploy", CHAMPION="v1.0.0").stdout


OLD = {
    "params.yaml": "seed: 1",
    "dvc.yaml": "stages: old",
    "dvc.lock": "old",
    "models/bundle/card.md": "old",
    "data/sources.json": "old",
    "data/raw/iam.dvc": "old",
}


def test_a_rollback_leaves_models_data_and_stages_as_they_were_and_no_file_since(project: Path) -> None:
    commit(project, OLD)
    git(project, "tag", "v1.0.0")
    commit(project, dict.fromkeys([*OLD, "models/bundle/quality.json", "data/raw/own.dvc"], "new"))
    (project / "data/raw/iam").mkdir()
    (project / "data/raw/iam/words.txt").write_text("raw, and not in git")
    done = make(project, "rollback", TO="v1.0.0")
    assert done.returncode == 0, done.stderr
    assert git(project, "diff", "--cached", "v1.0.0") == ""
    assert not (project / "models/bundle/quality.json").exists()
    assert (project / "data/raw/iam/words.txt").exists()


def test_a_rollback_to_a_tag_without_sources_takes_back_what_it_has(project: Path) -> None:
    commit(project, {name: content for name, content in OLD.items() if not name.startswith("data")})
    git(project, "tag", "v1.0.0")
    commit(project, dict.fromkeys(OLD, "new"))
    assert make(project, "rollback", TO="v1.0.0").returncode == 0
    assert git(project, "diff", "--cached", "v1.0.0") == ""


@pytest.mark.parametrize(("tag", "changed"), [("v9", False), ("v1.0.0", True)], ids=["no tag", "uncommitted work"])
def test_a_rollback_that_cannot_be_done_changes_nothing(project: Path, tag: str, *, changed: bool) -> None:
    commit(project, OLD)
    git(project, "tag", "v1.0.0")
    commit(project, dict.fromkeys(OLD, "new"))
    if changed:
        (project / "models/bundle/card.md").write_text("not committed")
    before = git(project, "status", "--short")
    assert make(project, "rollback", TO=tag).returncode != 0
    assert git(project, "status", "--short") == before


def test_a_retraining_that_changed_nothing_proposes_nothing_and_is_no_failure(project: Path) -> None:
    program(project, "gh")
    commit(project, OLD)
    done = make(project, "propose", BRANCH="retrain-1", BODY="comparison.md")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nothing changed: there is nothing to propose\n"
    assert git(project, "branch", "--show-current") == "main\n"


def test_a_retraining_that_changed_the_bundle_is_pushed_on_a_branch_and_proposed(project: Path) -> None:
    program(project, "gh")
    commit(project, OLD)
    git(project, "init", "-q", "--bare", "../origin")
    git(project, "remote", "add", "origin", "../origin")
    (project / "models/bundle/card.md").write_text("better")
    done = make(project, "propose", BRANCH="retrain-1", BODY="comparison.md")
    assert done.returncode == 0, done.stderr
    assert "gh pr create --title Retrained bundle --body-file comparison.md --head retrain-1" in done.stdout
    assert "models/bundle/card.md" in git(project / "../origin", "show", "--stat", "retrain-1")


STAGES = """
stages:
  ingest: {cmd: legible ingest, params: [seed], outs: [data]}
  train: {cmd: legible train, deps: [data], outs: [weights]}
  pack: {cmd: legible pack, deps: [weights], outs: [bundle]}
"""
STAGE = """#!/bin/sh
echo "$1 in $(basename "$(dirname "$0")"), ${KERAS_BACKEND:-its own} backend" >> ran.txt
case $1 in ingest) cat params.yaml > data;; train) cat data > weights;; pack) cat weights > bundle;; esac
"""


@pytest.fixture
def pipeline(project: Path) -> Path:
    """Three stages, and two environments to run them in."""
    (project / "bin/dvc").symlink_to(BIN / "dvc")
    (project / "gpu").mkdir()
    (project / "gpu/.ready").touch()
    for folder in ("bin", "gpu"):
        program(project, f"../{folder}/legible", STAGE)
    program(project, "../gpu/python", "#!/bin/sh\ntest $JAX_PLATFORMS = cuda\n")
    (project / ".gitignore").write_text("bin/\ngpu/\nran.txt\n")
    subprocess.run([BIN / "dvc", "init", "-q"], cwd=project, check=True)
    commit(project, {"params.yaml": "seed: 1\n", "dvc.yaml": STAGES})
    return project


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["", "seed=2"])
def test_on_a_gpu_the_training_alone_runs_in_its_environment(pipeline: Path, settings: str) -> None:
    done = make(pipeline, "gpu=gpu", "-o", "gpu/.ready", "retrain-gpu", SETTINGS=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (pipeline / "ran.txt").read_text().splitlines() == [
        "ingest in bin, its own backend",
        "train in gpu, jax backend",
        "pack in bin, its own backend",
    ]
    assert (pipeline / "bundle").read_text().strip() == f"seed: {settings[-1:] or 1}"


@pytest.mark.slow
def test_an_experiment_is_kept_by_its_name_and_leaves_the_checkout_alone(pipeline: Path) -> None:
    done = make(pipeline, "experiment", "SHORT=", NAME="another-seed", SETTINGS="seed=2 not.there.yet=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"another-seed\] +\| 2 +\|", done.stdout)
    assert git(pipeline, "status", "--porcelain") == ""
    assert not (pipeline / "weights").exists()


@pytest.mark.slow
def test_without_a_gpu_nothing_is_run(pipeline: Path) -> None:
    program(pipeline, "../gpu/python", "#!/bin/sh\nexit 1\n")
    done = make(pipeline, "gpu=gpu", "-o", "gpu/.ready", "retrain-gpu")
    assert done.returncode != 0
    assert "JAX sees no GPU here" in done.stderr
    assert not (pipeline / "ran.txt").exists()


ADDS = """#!/bin/sh
case $1 in
  params) echo "seed: 1, of $*";;
  data)
    echo "legible $*"
    if [ "$2" = rehearse ] && [ -f absent ]; then echo "not here, so that it is not rehearsed: iam"; fi
    test ! -f fails || exit 3
    mkdir -p work/finetune/data/raw/own;;
  before-after) echo "legible $*";;
  train) mkdir -p models/weights; echo "from $(cat start/model.weights.h5)" | tee models/weights/model.weights.h5;;
esac
"""
INITIALISES = """#!/bin/sh
echo "dvc $*"
case $1 in init) mkdir .dvc;; esac
"""


@pytest.fixture
def tuned(project: Path) -> Path:
    """A project with weights, and two folders that somebody transcribed."""
    for name in ("dvc.yaml", "params.yaml", "fonts/package.json", "fonts/package-lock.json", "fonts/.npmrc",
                 "fonts/more/package.json", "fonts/more/package-lock.json", "params/detector.yaml",
                 "models/detector/detector.tflite",
                 "models/weights/model.weights.h5", "models/measured/a.json", "models/bundle/manifest.json",
                 "a/index.tsv", "b/letters.tar"):  # fmt: skip
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("first")
    program(project, "legible", ADDS)
    program(project, "dvc", INITIALISES)
    return project


def added(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return re.findall(r"legible data add transcribed (\S+) --name own --terms .*--root work/finetune", done.stdout)


def test_a_fine_tuning_hands_on_the_terms_of_its_images(tuned: Path) -> None:
    assert "--name own --terms CC BY 4.0 --root" in make(tuned, "finetune", FOLDER="a", TERMS="CC BY 4.0").stdout


def test_a_fine_tuning_takes_the_folder_that_is_named_each_time(tuned: Path) -> None:
    for folder in ("a", "b", "b"):
        done = make(tuned, "finetune", FOLDER=folder)
        assert done.returncode == 0, done.stderr
        assert added(done) == [folder]
        assert "dvc repro\n\nlegible before-after work/finetune/before work/finetune\n" in done.stdout


def test_a_fine_tuning_stays_near_its_start_where_it_cannot_rehearse_what_that_was_trained_on(tuned: Path) -> None:
    asked = tuned / "work/finetune/params.yaml"
    make(tuned, "finetune", FOLDER="a")
    assert "finetune-unseen" not in asked.read_text()
    (tuned / "absent").touch()
    assert "at most three tenths of the way" in make(tuned, "finetune", FOLDER="a").stdout
    assert asked.read_text().endswith("params/finetune.yaml params/finetune-unseen.yaml\n")
    make(tuned, "finetune", FOLDER="a", ALL_THE_WAY="1")
    assert "finetune-unseen" not in asked.read_text()


def test_a_fine_tuning_ends_with_the_bundle_how_to_serve_it_and_how_to_judge_it(tuned: Path) -> None:
    done = make(tuned, "finetune", FOLDER="a")
    assert "legible data rehearse . --root work/finetune" in done.stdout
    for said in (
        "work/finetune/models/bundle",
        "LEGIBLE_BUNDLE=work/finetune/models/bundle legible serve",
        "legible gate --bundle work/finetune --champion models/bundle",
    ):
        assert said in done.stdout
    assert (tuned / "work/finetune/before-after.md").read_text().startswith("legible before-after")


def test_a_fine_tuning_whose_source_could_not_be_added_trains_on_nothing_and_adds_it_the_next_time(tuned: Path) -> None:
    (tuned / "work/finetune/data/raw/own").mkdir(parents=True)
    (tuned / "fails").touch()
    done = make(tuned, "finetune", FOLDER="a")
    assert done.returncode != 0
    assert "dvc repro" not in done.stdout
    (tuned / "fails").unlink()
    assert added(make(tuned, "finetune", FOLDER="a")) == ["a"]


@pytest.mark.parametrize("folder", ["", "nowhere", "models", "$(shell touch pwned)"])
def test_a_fine_tuning_without_a_folder_says_in_one_line_what_it_needs(tuned: Path, folder: str) -> None:
    done = make(tuned, "finetune", FOLDER=folder)
    assert done.returncode != 0
    (said,) = (line for line in done.stderr.splitlines() if not line.lower().startswith("make"))
    assert said.startswith("FOLDER is to name a folder with index.tsv and its images, or with a tar of them")
    assert not (tuned / "work").exists()
    assert not (tuned / "pwned").exists()


def test_a_fine_tuning_starts_from_the_weights_that_are_there_though_a_copy_was_cut_off(tuned: Path) -> None:
    root, weights = tuned / "work/finetune", tuned / "models/weights/model.weights.h5"
    (root / "start.new").mkdir(parents=True)
    (root / "start.new/left").touch()
    (root / "start").mkdir()
    for content in ("first", "pulled"):
        weights.write_text(content)
        assert make(tuned, "finetune", FOLDER="a").returncode == 0
        assert [path.name for path in (root / "start").iterdir()] == ["model.weights.h5"]
        assert (root / "start/model.weights.h5").read_text() == content
        assert not (root / "start.new").exists()


def test_a_fine_tuning_starts_from_the_shipped_weights_and_not_from_the_open_ones_in_their_folder(tuned: Path) -> None:
    trained = tuned / "work/finetune/training/checkpoint-1"
    (tuned / "models/weights/open").mkdir()
    for content in ("first", "second"):
        (tuned / "models/weights/open/model.weights.h5").write_text(content)
        assert make(tuned, "finetune", FOLDER="a").returncode == 0
        assert [path.name for path in (tuned / "work/finetune/start").iterdir()] == ["model.weights.h5"]
        assert content == "first" or trained.is_dir()  # other open weights do not start it afresh
        trained.mkdir(parents=True, exist_ok=True)


def test_a_fine_tuning_into_the_project_itself_touches_nothing(tuned: Path) -> None:
    assert make(tuned, "finetune", "INTO=.", FOLDER="a").returncode != 0
    assert (tuned / "params.yaml").read_text() == "first"
    assert (tuned / "models/weights/model.weights.h5").read_text() == "first"


def test_a_fine_tuning_replaces_nothing_in_a_project_that_none_made(tuned: Path) -> None:
    other = tuned / "other"
    for name in ("dvc.yaml", "params.yaml", "models/weights/model.weights.h5", "training/checkpoint-1/state.json"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text("of a person")
    done = make(tuned, "finetune", "INTO=other", FOLDER="a")
    assert done.returncode != 0
    assert "INTO is other, a project that no fine-tuning made" in done.stderr
    files = [path for path in other.rglob("*") if path.is_file()]
    assert [path.read_text() for path in files] == ["of a person"] * 4


TRAINS = """
stages:
  detector: {cmd: legible detector, outs: [models/detector]}
  ingest: {cmd: legible ingest, outs: [data/dataset]}
  train:
    cmd: legible train
    deps: [data/dataset]
    outs: [models/weights: {cache: false, persist: true}]
"""


@pytest.mark.slow
def test_a_fine_tuning_trains_again_from_other_weights_and_only_then(tuned: Path) -> None:
    (tuned / "bin/dvc").unlink()
    (tuned / "bin/dvc").symlink_to(BIN / "dvc")
    (tuned / "dvc.yaml").write_text(TRAINS)
    program(tuned, "legible", ADDS.replace("esac", "  ingest) echo images > data/dataset;;\nesac"))
    checkpoint = tuned / "work/finetune/training/checkpoint-1"
    for content, trained in (("first", ["from first"]), ("first", []), ("pulled", ["from pulled"])):
        (tuned / "models/weights/model.weights.h5").write_text(content)
        done = make(tuned, "finetune", FOLDER="a")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.findall("from .*", done.stdout) == trained
        assert not checkpoint.exists() or not trained
        checkpoint.mkdir(parents=True, exist_ok=True)


EIGHT = "#!/bin/sh\necho 8\n"
SSH = """#!/bin/sh
echo "on $1"
cd there && exec sh -c "$2"
"""
VENV = """#!/bin/sh
mkdir -p .venv/bin
printf '#!/bin/sh\necho pip "$@"\n' > .venv/bin/pip
cp ../python .venv/bin/python
chmod +x .venv/bin/*
"""
REMOTE = """#!/bin/sh
echo "python $* by ${KERAS_BACKEND:-none} on $JAX_PLATFORMS, ${PYTHONPATH:-no source}"
test ! -f ../blind
"""


@pytest.fixture
def beside(project: Path) -> Path:
    """A project with another machine beside it, whose home is the folder `there`."""
    (project / "there/legible-training").mkdir(parents=True)
    (project / "models/weights").mkdir(parents=True)
    for name, script in (
        ("ssh", SSH),
        ("python3", VENV),
        ("rsync", SAYS),
        ("dvc", SAYS),
        ("nproc", "#!/bin/sh\necho 8\n"),
    ):
        program(project, name, script)
    (project / "there/python").write_text(REMOTE)
    return project


def test_a_training_on_another_machine_installs_what_is_locked_sees_a_gpu_and_takes_the_weights_along(
    beside: Path,
) -> None:
    done = make(beside, "train-on", HOST="me@gpu", PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "rsync -aR requirements/gpu.txt me@gpu:legible-training/",
        "on me@gpu",
        "pip install -q --require-hashes -r requirements/gpu.txt",
        'python -c import jax; print("training on", *jax.devices()) by none on cuda, no source',
        "dvc repro ingest",
        "rsync -aR --exclude __pycache__ params.yaml src models/weights data/dataset me@gpu:legible-training/",
        "on me@gpu",
        "python -m legible train --workers 8 by jax on cuda,cpu, src",
        "rsync -a me@gpu:legible-training/models/weights models/",
        "rsync -a me@gpu:legible-training/training .",
        "dvc commit -f train",
    ]


def test_a_training_on_another_machine_that_has_no_gpu_is_none_and_sends_nothing(beside: Path) -> None:
    (beside / "there/blind").touch()
    done = make(beside, "train-on", HOST="me@gpu")
    assert done.returncode != 0
    assert "JAX sees no cuda there" in done.stderr
    assert "dvc" not in done.stdout
    assert "data/dataset" not in done.stdout


def test_a_training_on_the_processor_of_another_machine_is_asked_for(beside: Path) -> None:
    done = make(beside, "train-on", "LOCK=requirements/accelerate.txt", HOST="me@gpu", PYTHONPATH="")
    assert "pip install -q --require-hashes -r requirements/accelerate.txt" in done.stdout
    assert "python -m legible train --workers 8 by jax on cpu, src" in done.stdout


def test_a_training_on_another_machine_takes_settings(beside: Path) -> None:
    done = make(beside, "train-on", HOST="me@gpu", SETTINGS="train.epochs=40 train.start_from=models/weights")
    assert "dvc exp run -S ++train.epochs=40 -S ++train.start_from=models/weights ingest" in done.stdout


def test_a_training_on_another_machine_without_one_says_in_one_line_what_it_needs(beside: Path) -> None:
    done = make(beside, "train-on", HOST="")
    assert done.returncode != 0
    assert "HOST is to name a machine that ssh reaches" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("version", "code"), [("v1.2.0", 0), ("v1.3.0", 2), ("1.2.0", 2), ("", 2)])
def test_a_tag_is_the_version_of_the_package(project: Path, version: str, code: int) -> None:
    (project / "src/legible").mkdir(parents=True)
    (project / "src/legible/__init__.py").write_text('__version__ = "1.2.0"\n')
    done = make(project, "version", VERSION=version)
    assert done.returncode == code
    assert ("says v1.2.0; say there what" in done.stderr) == (code > 0)


def test_a_deploy_sees_the_version_before_anything_is_pushed() -> None:
    jobs = (PROJECT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    assert jobs.index("make version") < jobs.index("make remote pull") < jobs.index("make -s push")


KUBECTL = """#!/bin/sh
echo kubectl "$@" >&2
case "$*" in get*) echo registry/legible@sha256:old;; "rollout status"*) exit 1;; esac
"""


def test_a_roll_out_that_does_not_get_ready_takes_service_and_drift_check_back(project: Path) -> None:
    (project / "deploy/kubernetes").mkdir(parents=True)
    program(project, "kustomize")
    program(project, "kubectl", KUBECTL)
    done = make(project, "rollout", REGISTRY="registry", DIGEST="sha256:new")
    assert done.returncode != 0
    assert "kustomize edit set image legible=registry/legible@sha256:new" in done.stdout
    assert "kubectl rollout undo deployment/legible" in done.stderr
    assert "kubectl set image cronjob/legible-drift drift=registry/legible@sha256:old" in done.stderr


DUMPS = b"""train: 3 epochs
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795984460.995232   22318 port.cc:153] oneDNN custom operations are on.
epoch 1/3: 0%\repoch 1/3: 5%E0000 00:00:1795984566.334018   22318 util.cc:131] oneDNN supports DT_BOOL only here.
epoch 1/3: 9%\rW0000 is no line of TensorFlow's
"""


def test_a_rehearsal_prints_nothing_that_tensorflow_says_of_itself() -> None:
    done = subprocess.run([PROJECT / "scripts/without-dumps"], input=DUMPS, capture_output=True, check=True)
    expected = b"train: 3 epochs\nepoch 1/3: 0%\repoch 1/3: 5%epoch 1/3: 9%\rW0000 is no line of TensorFlow's\n"
    assert done.stdout == expected


@pytest.mark.parametrize(("code", "said"), [(0, "a bundle of its own is in"), (1, "")])
def test_a_rehearsal_fails_where_its_pipeline_does(rehearsed: Path, code: int, said: str) -> None:
    done = rehearse(rehearsed, code=code)
    assert done.returncode == code, done.stderr
    assert "I am dvc" in done.stderr
    assert said in done.stdout
    assert ("bundle" in done.stdout) == (code == 0)


@pytest.mark.parametrize("tiny", ["letters", ".", "models"])
def test_a_rehearsal_empties_no_folder_but_its_own(rehearsed: Path, tiny: str) -> None:
    (rehearsed / "letters").mkdir()
    for place in ("letters", "models"):
        (rehearsed / place / "of-a-person").write_text("kept")
    done = rehearse(rehearsed, tiny=tiny)
    assert done.returncode == 1
    assert f"TINY is {tiny}, which holds files" in done.stderr
    assert "I am dvc" not in done.stderr
    assert all((rehearsed / place / "of-a-person").read_text() == "kept" for place in ("letters", "models"))


def test_a_rehearsal_begins_anew_in_the_folder_of_the_last_one(rehearsed: Path) -> None:
    assert rehearse(rehearsed).returncode == 0
    (rehearsed / "work/tiny/models/of-the-last").touch()
    (rehearsed / "work/tiny/.dvc").mkdir()
    assert rehearse(rehearsed).returncode == 0
    assert not (rehearsed / "work/tiny/models/of-the-last").exists()
    assert not (rehearsed / "work/tiny/.dvc").exists()


@pytest.fixture
def rehearsed(project: Path) -> Path:
    """A project with what a rehearsal copies."""
    for name in ("models/measured", "fonts/more", "data", "params"):
        (project / name).mkdir(parents=True)
    packages = (f"fonts/{more}package{lock}.json" for more in ("", "more/") for lock in ("", "-lock"))
    for name in ("dvc.yaml", "fonts/.npmrc", "params/tiny-detector.yaml", *packages):
        (project / name).touch()
    return project


def rehearse(project: Path, *, tiny: str = "work/tiny", code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run the script with a DVC that ends with this code."""
    program(project, "legible", "#!/bin/sh\n")
    program(project, "dvc", f'#!/bin/sh\n[ "$1" != repro ] || {{ echo "I am dvc" >&2; exit {code}; }}\n')
    if not (project / "bin/python").exists():
        (project / "bin/python").symlink_to(sys.executable)
    environment = {**os.environ, "FULL": "bin", "TINY": tiny}
    command = ["sh", "scripts/tiny"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
