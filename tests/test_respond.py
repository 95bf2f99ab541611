"""From drift to a proposed candidate: one issue, images to label, a bundle that was judged, a branch; each once.

With a real git remote and a real DVC remote, both folders; only the training is a stand-in, which takes the shipped
bundle for the fine-tuned one.
"""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image

from legible.errors import DataError, LegibleError
from legible.labelling.desk import LabelDesk, Seen
from legible.labelling.forget import Held, forget
from legible.labelling.label_source import LabelFolders
from legible.labelling.labels import Label, LabelLog
from legible.labelling.wanted import load_wanted, save_wanted
from legible.observations.chance import is_at_random
from legible.observations.layout import hour
from legible.observations.lookup import find_row
from legible.observations.row import Observation, observe
from legible.reading import Reading
from legible.respond import proposal
from legible.respond.candidate import COUNT, VERDICT, TunedBundle, fingerprint, is_due, labels_of
from legible.respond.fill import fill_queue
from legible.respond.issues import FolderIssues, GitHubIssues
from legible.respond.proposal import propose
from legible.respond.requests import FolderRequests, GitHubRequests
from legible.respond.run import Response, respond
from legible.respond.steps import Step
from legible.respond.watch import Alarm, report_alarms

AT = 1_794_999_601.0
TILL = Alarm("till", "What people send has changed", "drift: unlike training", "0123456789ab")


def reading_id(number: int) -> str:
    return f"{hour(AT)}-1-{number:012x}"


def send(folder: Path, number: int, channel: str) -> None:
    """Keep an image of noise, which no bundle was trained on, and its observation."""
    image = np.random.default_rng(number).integers(0, 256, (24, 60)).astype(np.uint8)
    path = folder / "images/v1" / hour(AT) / f"{reading_id(number)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    row = observe(
        image, Reading("x", 0.1, ()), channel=channel, at=AT, reading_id=reading_id(number), document=f"{number // 2}"
    )
    rows = folder / "observations/v1" / f"{hour(AT)}-1.jsonl"
    rows.parent.mkdir(parents=True, exist_ok=True)
    with rows.open("a") as file:
        file.write(row.to_json() + "\n")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    for number in range(60):
        send(tmp_path / "service", number, "till" if number % 2 else "desk")
    return tmp_path / "service"


def fill(service: Path, *found: Alarm, most: int = 10) -> int:
    return fill_queue(
        list(found),
        images=service / "images",
        observations=service / "observations",
        labels=service / "labels",
        most=most,
    )


def test_what_is_forgotten_while_labels_are_asked_for_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        send(tmp_path, number, "till")
    save_wanted(tmp_path / "labels", [reading_id(0)])
    folders = ("observations", "images", "labels", "corrections", "queue", "shadow")
    held = Held(**{name: tmp_path / name for name in folders}, root=tmp_path / "project")

    def find(observations: Path, name: str) -> Observation | None:
        row = find_row(observations, name)
        if name == reading_id(1):  # the last one: all are found
            forget([reading_id(0)], held)
        return row

    monkeypatch.setattr("legible.respond.fill.find_row", find)
    fill(tmp_path, TILL)
    assert load_wanted(tmp_path / "labels") == {reading_id(1)}


def test_an_alarm_has_one_issue_however_often_it_is_found(tmp_path: Path) -> None:
    tracker = FolderIssues(tmp_path / "issues")
    again = dataclasses.replace(TILL, report="drift: unlike training, worse")
    assert report_alarms([TILL], tracker) == report_alarms([again], tracker)
    (issue,) = (tmp_path / "issues").iterdir()
    assert re.fullmatch("drift-channel-till-bundle-0123456789ab-[0-9a-f]{6}.md", issue.name)
    assert "unlike training, worse" in issue.read_text()
    assert len(report_alarms([TILL, dataclasses.replace(TILL, channel="desk")], tracker)) == 2


@pytest.mark.parametrize("channels", [("日本", "中国"), ("a.b", "a-b"), ("Till", "till"), ("x" * 300, "x" * 299)])
def test_each_channel_has_an_issue_of_its_own(tmp_path: Path, channels: tuple[str, str]) -> None:
    found = [dataclasses.replace(TILL, channel=channel) for channel in channels]
    assert len(set(report_alarms(found, FolderIssues(tmp_path / "issues")))) == 2


def test_an_issue_that_is_not_utf_8_is_brought_up_to_date(tmp_path: Path) -> None:
    tracker = FolderIssues(tmp_path / "issues")
    (place,) = report_alarms([TILL], tracker)
    Path(place).write_bytes(b"caf\xe9")
    report_alarms([TILL], tracker)
    assert "unlike training" in Path(place).read_text()


class Hub:
    """GitHub's command line: what it was asked, and the issues that are open."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open: list[dict[str, object]] = []
        self.requests: dict[str, str] = {}

    def __call__(self, arguments: Sequence[str], text: str) -> str:
        self.asked.append([*arguments[:2]])
        if arguments[:2] == ["issue", "list"]:
            return json.dumps(self.open)
        if arguments[:2] == ["issue", "create"]:
            self.open.append({"number": 7, "title": arguments[3], "url": "https://example.org/7", "body": text})
            return "https://example.org/7\n"
        if arguments[:2] == ["issue", "edit"]:
            self.open[0]["body"] = text
        if arguments[:2] == ["pr", "list"]:
            return json.dumps([{"number": 7}] if arguments[arguments.index("--head") + 1] in self.requests else [])
        if arguments[:2] == ["pr", "create"]:
            self.requests[arguments[arguments.index("--head") + 1]] = text
        return ""


def test_on_github_an_open_issue_is_brought_up_to_date_and_no_second_one_is_opened() -> None:
    hub = Hub()
    places = [GitHubIssues(hub).report("Drift: channel till", body) for body in ("first", "second")]
    assert places == ["https://example.org/7"] * 2
    assert [issue["body"] for issue in hub.open] == ["second"]
    assert hub.asked.count(["issue", "create"]) == 1


@pytest.mark.slow
def test_a_pull_request_has_the_comparison_as_its_text(repository: Path) -> None:
    hub = Hub()
    made = propose(finished(repository), root=repository, promote=False, requests=GitHubRequests(hub))
    assert hub.requests == {made.branch: "| slice | before | after |"}


def test_without_gh_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LegibleError, match="gh is not installed; issues may also be files: --issues FOLDER"):
        GitHubIssues().report("Drift", "body")


def test_labels_are_asked_for_of_the_channel_that_drifted_alone_and_twice_for_the_same(service: Path) -> None:
    assert fill(service, TILL) == 10
    asked = load_wanted(service / "labels")
    assert asked <= {reading_id(number) for number in range(1, 60, 2)}
    assert fill(service, TILL) == 10
    assert load_wanted(service / "labels") == asked


def test_what_is_asked_for_is_handed_out_first(service: Path) -> None:
    desk = LabelDesk(
        images=service / "images",
        labels=service / "labels",
        worker="1",
        see=lambda path: Seen("x", int(path.stem[-3:], 16) / 1000, 0.0, "b"),
    )
    wanted = [name for name in map(reading_id, range(60)) if not is_at_random(name, kept=1.0)][-3:]
    save_wanted(service / "labels", wanted)
    desk.refresh(limit=1000)
    handed = []
    for turn in range(4):
        item = desk.next("ann")
        assert item is not None
        handed.append(item.reading_id)
        desk.label(labeller="ann", reading_id=item.reading_id, verdict="skip", text="", revision=0, at=AT + turn)
    assert set(handed[:3]) == set(wanted)
    assert handed[3] not in wanted


def test_a_list_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    save_wanted(tmp_path, ["b", "a"])
    before = (tmp_path / "wanted.json").stat().st_ino
    save_wanted(tmp_path, ["a", "b"])
    assert (tmp_path / "wanted.json").stat().st_ino == before


@pytest.mark.parametrize("readings", ["abc", {"abc": 1}, 7, None])
def test_a_list_of_wanted_labels_that_is_none_is_said_in_one_line(tmp_path: Path, readings: object) -> None:
    (tmp_path / "wanted.json").write_text(json.dumps({"version": 1, "readings": readings}))
    with pytest.raises(DataError, match=r"damaged list of wanted labels .*; run legible respond queue again"):
        load_wanted(tmp_path)


def test_a_candidate_is_due_by_labels_that_the_last_one_had_not(tmp_path: Path) -> None:
    (tmp_path / "data/raw/labels").mkdir(parents=True)
    (tmp_path / "data/raw/labels/index.tsv").write_text("first")
    work = tmp_path / "work"
    assert not is_due(tmp_path, work, images=99, min_labels=100)
    assert is_due(tmp_path, work, images=100, min_labels=100)
    (work / "former").mkdir(parents=True)
    (work / "former" / COUNT).write_text("100")
    assert is_due(tmp_path, work, images=100, min_labels=100)  # it failed: without a verdict it was not made
    (work / "former" / VERDICT).write_text("**Gate: refused**")
    assert not is_due(tmp_path, work, images=199, min_labels=100)
    assert is_due(tmp_path, work, images=200, min_labels=100)
    (work / fingerprint(tmp_path)).mkdir()  # begun: a killed one goes on
    assert is_due(tmp_path, work, images=0, min_labels=100)


@pytest.mark.parametrize("content", [None, b"", b"many", b"\xff"])
def test_a_damaged_count_of_a_candidate_is_said_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "data/raw/labels").mkdir(parents=True)
    (tmp_path / "data/raw/labels/index.tsv").write_text("first")
    (tmp_path / "work/former").mkdir(parents=True)
    (tmp_path / "work/former" / VERDICT).write_text("**Gate: refused**")
    if content is not None:
        (tmp_path / "work/former" / COUNT).write_bytes(content)
    with pytest.raises(DataError, match=r"labelled-images: .* missing or damaged; delete "):
        is_due(tmp_path, tmp_path / "work", images=100, min_labels=100)


def labelled(service: Path, root: Path, number: int = 0) -> int:
    """Label an image, and bring it into the data set of a project."""
    LabelLog(service / "labels", worker="1").append(
        Label(AT, reading_id(number), "ann", "text", "noise", "chosen", "x", 0.1, "b")
    )
    return labels_of(root, service / "labels", LabelFolders(service / "images", service / "observations"))


def test_before_the_first_label_there_is_no_image_to_train_on(service: Path, tmp_path: Path) -> None:
    folders = LabelFolders(service / "images", service / "observations")
    assert labels_of(tmp_path / "project", service / "labels", folders) == 0


def test_labels_that_are_past_their_retention_leave_their_images_to_train_on(service: Path, tmp_path: Path) -> None:
    assert labelled(service, tmp_path / "project") == 1
    shutil.rmtree(service / "labels")
    folders = LabelFolders(service / "images", service / "observations")
    assert labels_of(tmp_path / "project", service / "labels", folders) == 1


def test_labels_that_cannot_be_listed_or_tracked_stop_a_candidate(service: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    labelled(service, root)
    whole = (root / "data/sources.json").read_bytes()
    (root / "data/sources.json").write_bytes(whole[:20])
    with pytest.raises(DataError, match=r"sources\.json: damaged list of sources"):
        labelled(service, root, number=2)
    (root / "data/sources.json").write_bytes(whole)
    (root / ".dvc").mkdir()  # no repository of DVC: what is added cannot be tracked
    with pytest.raises(DataError, match="dvc add data/raw/labels failed"):
        labelled(service, root, number=2)


def run(folder: Path, *command: str) -> str:
    git = {f"GIT_{who}_{what}": "legible@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **git, "DO_NOT_TRACK": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


MAKEFILE = """INTO := work/finetune
export INTO

finetune:
\t@test -f "$$FOLDER/index.tsv" && echo tuned >> tuned.txt
\t@mkdir -p "$$INTO/models" && cp -r models/bundle models/weights "$$INTO/models/" && cp params.yaml "$$INTO/"
\t@echo "| slice | before | after |" > "$$INTO/before-after.md"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project with a git remote, and with the folders of models/ that this repository has."""
    root = tmp_path / "project"
    (root / "models/weights/open").mkdir(parents=True)
    (root / "models/weights/model.weights.h5").write_text("weights")
    (root / "models/weights/open/model.weights.h5").write_text("open weights")
    shutil.copytree(PROJECT / "models/bundle", root / "models/bundle")
    shutil.copyfile(PROJECT / "params.yaml", root / "params.yaml")
    (root / "Makefile").write_text(MAKEFILE)
    (root / ".gitignore").write_text("/work/\n/tuned.txt\n/reports/\n/data/raw/*\n!/data/raw/*.dvc\n")
    run(tmp_path, "git", "init", "-q", "--bare", "hub.git")
    run(root, "git", "init", "-q")
    run(root, "git", "remote", "add", "origin", str(tmp_path / "hub.git"))
    commit(root)
    return root


def commit(root: Path) -> None:
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "a state")
    run(root, "git", "push", "-q", "origin", "HEAD:main")


@pytest.fixture
def root(repository: Path, tmp_path: Path) -> Path:
    """The same with a DVC remote."""
    run(repository, sys.executable, "-m", "dvc", "init", "-q")
    run(repository, sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    commit(repository)
    return repository


def finished(root: Path) -> TunedBundle:
    """A candidate that the gate passed: the shipped bundle, and weights without open ones."""
    project = root / "work/respond/0123456789ab"
    shutil.copytree(root / "models/bundle", project / "models/bundle")
    (project / "models/weights").mkdir()
    (project / "models/weights/model.weights.h5").write_text("tuned weights")
    return TunedBundle(project, passed=True, comparison="| slice | before | after |")


def pushed(root: Path, branch: str) -> dict[str, str]:
    """The files of a branch of the remote, and what stands in those that are text."""
    hub = root.parent / "hub.git"
    names = run(hub, "git", "ls-tree", "-r", "--name-only", branch).splitlines()
    text = (".h5", ".md", ".json", ".yaml")
    return {name: run(hub, "git", "show", f"{branch}:{name}") if name.endswith(text) else "" for name in names}


@pytest.mark.slow
def test_a_candidate_is_named_by_the_labels_and_the_weights_it_starts_from_alone(repository: Path) -> None:
    (repository / "data/raw/labels").mkdir(parents=True)
    (repository / "data/raw/labels/index.tsv").write_text("labels")
    name = fingerprint(repository)
    (repository / "models/weights/open/model.weights.h5").write_text("other open weights")
    assert fingerprint(repository) == name
    (repository / "models/weights/model.weights.h5").write_text("other weights")
    assert fingerprint(repository) != name


@pytest.mark.slow
def test_a_promoted_candidate_takes_the_place_of_the_weights_and_leaves_the_open_ones(repository: Path) -> None:
    (repository / "models/bundle/of-the-former.txt").touch()
    (repository / "models/weights/of-the-former.txt").touch()
    candidate = finished(repository)
    (candidate.bundle / "of-the-former.txt").unlink()
    commit(repository)
    made = propose(candidate, root=repository, promote=True, requests=FolderRequests(repository / "reports"))
    files = pushed(repository, made.branch)
    assert files["models/weights/model.weights.h5"] == "tuned weights"
    assert files["models/weights/open/model.weights.h5"] == "open weights"
    assert "models/bundle/model.tflite" in files
    assert not [name for name in files if name.endswith("of-the-former.txt")]


def asked_of(service: Path, root: Path) -> Response:
    return Response(
        root, root / "models/bundle", service / "observations", service / "images", service / "labels",
        str(root.parent / "issues"), root / "work/respond", last=1000, min_exact_match=0.0, most=40, min_labels=5,
    )  # fmt: skip


WAITS = """
finetune:
\t@echo begun >> begun.txt; for turn in $$(seq 100); do test ! -f end.txt || break; sleep 0.1; done; false
"""


def asked_of_one_that_waits(service: Path, root: Path) -> Response:
    """What is asked of a project with labels enough, whose fine-tuning waits until `end.txt` is there."""
    root.mkdir()
    (root / "Makefile").write_text(WAITS)
    for number in range(5):
        labelled(service, root, number)
    return dataclasses.replace(asked_of(service, root), min_labels=1)


def test_of_two_runs_at_once_one_makes_the_candidate_and_the_other_says_so(service: Path, tmp_path: Path) -> None:
    asked = asked_of_one_that_waits(service, tmp_path / "project")
    root = asked.root

    def tune() -> list[str]:
        return list(respond(asked, Step.tune, at=AT))

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(tune)
        while not (root / "begun.txt").is_file() and not first.done():
            time.sleep(0.05)
        try:
            with pytest.raises(
                LegibleError, match=r"another legible respond makes a candidate in .*; run this one again"
            ):
                tune()
        finally:
            (root / "end.txt").touch()
        assert "make -s finetune" in str(first.exception())
    assert (root / "begun.txt").read_text() == "begun\n"


def test_after_a_kill_the_training_that_goes_on_keeps_a_second_one_away(service: Path, tmp_path: Path) -> None:
    asked = asked_of_one_that_waits(service, tmp_path / "project")
    root = asked.root
    killed = os.fork()
    if not killed:
        list(respond(asked, Step.tune, at=AT))
        os._exit(0)
    while not (root / "begun.txt").is_file():
        time.sleep(0.05)
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    try:
        with pytest.raises(LegibleError, match="another legible respond makes a candidate"):
            list(respond(asked, Step.tune, at=AT))
    finally:
        (root / "end.txt").touch()
    assert (root / "begun.txt").read_text() == "begun\n"


@pytest.mark.slow
def test_each_step_is_done_once_and_nothing_is_promoted(service: Path, root: Path, tmp_path: Path) -> None:
    asked = asked_of(service, root)

    def lines(step: Step = Step.all_steps) -> str:
        return "\n".join(respond(asked, step, at=time.time()))

    first = lines()
    assert "Drift: all channels" in first  # both channels are noise
    assert "asked for labels of 40 images" in first
    assert "0 labelled images to train on" in first
    log = LabelLog(service / "labels", worker="1")
    for name in sorted(load_wanted(service / "labels")):
        log.append(Label(AT, name, "ann", "text", "noise", "chosen", "x", 0.1, "b"))

    second = lines()
    bundle = next(line for line in second.splitlines() if "passed the gate" in line).split()[1]
    assert f"proposed: branch candidate-{bundle}" in second
    third = lines()
    assert f"proposed already: branch candidate-{bundle}" in third
    assert (root / "tuned.txt").read_text() == "tuned\n"
    assert len(list((tmp_path / "issues").glob("drift-*"))) == 1

    there = run(tmp_path, "git", "clone", "-q", "-b", f"candidate-{bundle}", str(tmp_path / "hub.git"), "there")
    del there
    place = tmp_path / "there/models/candidates" / bundle
    assert "| slice | before | after |" in (place / "comparison.md").read_text()
    assert (place / "bundle/model.tflite").is_file()
    assert not (place / "weights").exists()  # under DVC, and on its remote
    weights = f"models/candidates/{bundle}/weights.dvc"
    run(tmp_path / "there", sys.executable, "-m", "dvc", "pull", "-q", weights, "data/raw/labels.dvc")
    labels = "data/raw/labels/index.tsv"
    assert (tmp_path / "there" / labels).read_text() == (root / labels).read_text()
    assert (place / "weights/model.weights.h5").read_text() == "weights"
    assert (tmp_path / "issues" / f"candidate-{bundle}.md").is_file()
    assert run(root, "git", "rev-parse", "HEAD") == run(tmp_path, "git", "-C", "hub.git", "rev-parse", "main")
    assert run(root, "git", "worktree", "list").count("\n") == 1

    shadowed = dataclasses.replace(asked, shadow=tmp_path / "bundles")
    (line,) = [line for line in respond(shadowed, Step.propose, at=time.time()) if line.startswith("shadow")]
    assert (tmp_path / "bundles" / f"candidate-{bundle}" / "manifest.json").is_file()
    assert line.endswith(f"candidate-{bundle}")


class Cut(Hub):
    """GitHub as it is when the network goes as a pull request is opened."""

    def __call__(self, arguments: Sequence[str], text: str) -> str:
        if arguments[:2] == ["pr", "create"]:
            raise LegibleError("gh pr create failed: no network")
        return super().__call__(arguments, text)


@pytest.mark.parametrize("where", ["github", "folder"])
@pytest.mark.slow
def test_a_request_that_could_not_be_opened_is_opened_the_next_time_and_once(repository: Path, where: str) -> None:
    candidate, hub, folder = finished(repository), Hub(), repository / "reports"
    with pytest.raises(LegibleError, match="no network"):
        propose(candidate, root=repository, promote=False, requests=GitHubRequests(Cut()))
    requests = GitHubRequests(hub) if where == "github" else FolderRequests(folder)
    made = [propose(candidate, root=repository, promote=False, requests=requests) for _ in range(3)]
    assert [one.is_new for one in made] == [True, False, False]
    assert hub.asked.count(["pr", "create"]) == len(hub.requests) == (where == "github")
    assert [path.name for path in folder.glob("*")] == [f"{made[0].branch}.md"] * (where == "folder")


@pytest.mark.slow
def test_a_request_that_was_closed_stays_closed_though_its_branch_is_gone(repository: Path) -> None:
    candidate, folder = finished(repository), repository / "reports"
    branch = propose(candidate, root=repository, promote=False, requests=FolderRequests(folder)).branch
    (folder / "closed").mkdir()
    (folder / f"{branch}.md").rename(folder / f"closed/{branch}.md")
    run(repository, "git", "push", "-q", "origin", "--delete", branch)
    assert not propose(candidate, root=repository, promote=False, requests=FolderRequests(folder)).is_new


@pytest.mark.slow
def test_a_branch_whose_name_ends_likewise_is_not_the_candidates(repository: Path) -> None:
    candidate = finished(repository)
    run(repository, "git", "push", "-q", "origin", f"HEAD:refs/heads/old/candidate-{candidate.bundle_id}")
    made = propose(candidate, root=repository, promote=False, requests=FolderRequests(repository / "reports"))
    assert f"models/candidates/{candidate.bundle_id}/comparison.md" in pushed(repository, made.branch)


@pytest.mark.slow
def test_after_a_killed_proposal_no_checkout_is_left(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate, folder = finished(repository), FolderRequests(repository / "reports")
    monkeypatch.setattr(proposal, "_fill", lambda *_, **__: os._exit(9))
    killed = os.fork()
    if not killed:
        propose(candidate, root=repository, promote=False, requests=folder)
    os.waitpid(killed, 0)
    monkeypatch.undo()
    assert run(repository, "git", "worktree", "list").count("\n") == 2
    assert propose(candidate, root=repository, promote=False, requests=folder).is_new
    assert run(repository, "git", "worktree", "list").count("\n") == 1
    assert [path.name for path in candidate.project.parent.iterdir()] == [candidate.project.name]


@pytest.mark.slow
def test_after_a_kill_of_git_as_it_makes_the_checkout_the_next_run_makes_it(repository: Path) -> None:
    candidate, folder = finished(repository), FolderRequests(repository / "reports")
    tree = candidate.project.with_name(f".candidate-{candidate.bundle_id}.new")
    run(repository, "git", "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
    (made,) = (repository / ".git/worktrees").iterdir()
    (made / "locked").write_text("initializing")
    assert propose(candidate, root=repository, promote=False, requests=folder).is_new
    assert run(repository, "git", "worktree", "list").count("\n") == 1


@pytest.mark.slow
def test_a_request_that_could_not_be_opened_is_opened_though_labels_have_come_since(
    service: Path, repository: Path
) -> None:
    asked = asked_of(service, repository)
    run(repository, "git", "remote", "set-url", "origin", "nowhere.git")
    for number in range(10):
        labelled(service, repository, number)
    with pytest.raises(LegibleError, match=r"git ls-remote .* failed"):
        list(respond(asked, Step.all_steps, at=time.time()))
    labelled(service, repository, 10)
    run(repository, "git", "remote", "set-url", "origin", str(repository.parent / "hub.git"))
    assert "proposed" not in "".join(respond(asked, Step.tune, at=time.time()))
    for step, said in ((Step.all_steps, "proposed: branch"), (Step.propose, "proposed already: branch")):
        assert said in list(respond(asked, step, at=time.time()))[-1]
    (repository / "models/weights/model.weights.h5").write_text("other weights")
    assert "proposed" not in "".join(respond(asked, Step.propose, at=time.time()))


@pytest.mark.slow
def test_a_remote_may_be_named_by_a_relative_path(repository: Path) -> None:
    run(repository, "git", "remote", "set-url", "origin", "../hub.git")
    candidate, folder = finished(repository), FolderRequests(repository / "reports")
    assert propose(candidate, root=repository, promote=False, requests=folder).is_new


@pytest.mark.slow
def test_a_project_in_a_folder_of_its_repository_gets_the_candidate_in_its_own_models(repository: Path) -> None:
    project = repository / "ocr"
    project.mkdir()
    for name in ("models", "params.yaml"):
        (repository / name).rename(project / name)
    (repository / ".gitignore").write_text("work/\n")
    commit(repository)
    candidate = finished(project)
    made = propose(candidate, root=project, promote=True, requests=FolderRequests(repository / "reports"))
    files = run(repository.parent / "hub.git", "git", "ls-tree", "-r", "--name-only", made.branch).splitlines()
    assert f"ocr/models/candidates/{candidate.bundle_id}/comparison.md" in files
    assert not [name for name in files if name.startswith("models/")]


@pytest.mark.slow
def test_what_a_person_ignores_everywhere_is_in_the_branch_nevertheless(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ignored").write_text("*.gz\n*.md\n")
    (tmp_path / "gitconfig").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignored'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    candidate = finished(repository)
    made = propose(candidate, root=repository, promote=False, requests=FolderRequests(repository / "reports"))
    place = f"models/candidates/{candidate.bundle_id}"
    assert {f"{place}/bundle/lexicon-english.gz", f"{place}/comparison.md"} <= pushed(repository, made.branch).keys()
