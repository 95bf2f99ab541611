"""Propose a candidate: a branch with its bundle and comparison, its weights and labels under DVC, and a pull request.

The branch holds `models/candidates/<bundle>`; `models/bundle` stays as it is. Only with `promote` the branch also puts
the candidate in its place.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.errors import LegibleError
from legible.files import write_text
from legible.respond.candidate import TunedBundle
from legible.respond.issues import run_gh

PLACE = "models/candidates"
BODY = "comparison.md"


@dataclass(frozen=True)
class Proposal:
    """The branch of a candidate, and whether it was there already."""

    branch: str
    is_new: bool


Opener = Callable[[str, Path], None]
"""Opens a request to merge a branch, with the text of a file."""


def propose(candidate: TunedBundle, *, root: Path, promote: bool, open_request: Opener) -> Proposal:
    """Push a branch with a candidate that the gate passed, and open a pull request, each once.

    Raise LegibleError for a candidate that was refused.
    """
    if not candidate.passed:
        raise LegibleError(f"the gate refused {candidate.bundle_id}; {candidate.project}/verdict.md says why")
    branch = f"candidate-{candidate.bundle_id}"
    if _git(root, "ls-remote", "--heads", "origin", branch):
        return Proposal(branch, is_new=False)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            body = _fill(tree, candidate, root=root, promote=promote)
            _commit(tree, branch, candidate)
            open_request(branch, body)
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))
    return Proposal(branch, is_new=True)


def _fill(tree: Path, candidate: TunedBundle, *, root: Path, promote: bool) -> Path:
    """Put the candidate into a checkout, and its weights and labels under DVC; return the text of its request."""
    place = tree / PLACE / candidate.bundle_id
    shutil.copytree(candidate.bundle, place / "bundle")
    write_text(place / BODY, candidate.comparison)
    for name in ("data/raw/labels.dvc", "data/sources.json"):
        if (root / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, tree / name)
    if (root / ".dvc").is_dir():
        shutil.copytree(candidate.project / "models/weights", place / "weights")
        _dvc(tree, root, "add", "--quiet", f"{PLACE}/{candidate.bundle_id}/weights")
        _dvc(tree, root, "push", "--quiet", f"{PLACE}/{candidate.bundle_id}/weights.dvc")
    if promote:
        _replace_files(tree / "models/bundle", candidate.bundle)
        _replace_files(tree / "models/weights", candidate.project / "models/weights")
    return place / BODY


def _replace_files(folder: Path, source: Path) -> None:
    """Put the files of another folder in place of a folder's own; folders in it, such as `weights/open`, stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_file, list(folder.iterdir())):
        path.unlink()
    shutil.copytree(source, folder, dirs_exist_ok=True)


def _commit(tree: Path, branch: str, candidate: TunedBundle) -> None:
    identity = ("-c", "user.name=legible", "-c", "user.email=legible@localhost")
    _git(tree, "add", "--all")
    _git(tree, *identity, "commit", "--quiet", "-m", f"Candidate {candidate.bundle_id}, fine-tuned to labels")
    _git(tree, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")


def pull_request_on_github(branch: str, body: Path, *, gh: Callable[[Sequence[str], str], str] = run_gh) -> None:
    """Open a pull request of a pushed branch."""
    title = f"Candidate bundle {branch.removeprefix('candidate-')}"
    gh(["pr", "create", "--title", title, "--body-file", str(body), "--head", branch], "")


def request_in_folder(folder: Path) -> Opener:
    """Return a function that leaves the text of a request as a Markdown file, for a repository without GitHub."""

    def leave(branch: str, body: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{branch}.md", body.read_text(encoding="utf-8"))

    return leave


def _git(folder: Path, *arguments: str) -> str:
    return _done(["git", *arguments], folder)


def _dvc(tree: Path, root: Path, *arguments: str) -> str:
    """Run DVC in a worktree with the cache and the remotes of the checkout that it came of."""
    local = root / ".dvc/config.local"
    if local.is_file():
        shutil.copyfile(local, tree / ".dvc/config.local")
    return _done([sys.executable, "-m", "dvc", *arguments], tree)


def _done(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise LegibleError(f"{' '.join(command[:5])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
