"""Propose a candidate: a branch with its bundle and comparison, its weights and labels under DVC, and a pull request.

The branch holds `models/candidates/<bundle>`; `models/bundle` stays as it is. Only with `promote` the branch also puts
the candidate in its place.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from legible.errors import LegibleError
from legible.files import write_text
from legible.respond.candidate import TunedBundle
from legible.respond.requests import RequestTracker

PLACE = "models/candidates"
BODY = "comparison.md"
LABELS = "data/raw/labels.dvc"


@dataclass(frozen=True)
class Proposal:
    """The branch of a candidate, and whether its request was opened just now."""

    branch: str
    is_new: bool


def propose(candidate: TunedBundle, *, root: Path, promote: bool, requests: RequestTracker) -> Proposal:
    """Push a branch with a candidate that the gate passed, and open a request to merge it, each once.

    A second call does what a failed one left undone. Raise LegibleError for a candidate that was refused.
    """
    if not candidate.passed:
        raise LegibleError(f"the gate refused {candidate.bundle_id}; {candidate.project}/verdict.md says why")
    branch = f"candidate-{candidate.bundle_id}"
    if requests.has(branch):
        return Proposal(branch, is_new=False)
    if not _is_pushed(root, branch):
        with _worktree(root, candidate.project.resolve().with_name(f".{branch}.new")) as tree:
            paths = _fill(tree, candidate, root=root, promote=promote)
            _push(tree, branch, candidate, paths, root=root)
    requests.open(branch, candidate.comparison)
    return Proposal(branch, is_new=True)


def _is_pushed(root: Path, branch: str) -> bool:
    """Tell whether the remote has the branch; a pattern of ls-remote also finds branches that end with its name."""
    ref = f"refs/heads/{branch}"
    return any(line.split()[-1] == ref for line in _git(root, "ls-remote", "--heads", "origin", ref).splitlines())


@contextmanager
def _worktree(root: Path, tree: Path) -> Iterator[Path]:
    """Yield the project's folder in a second checkout of HEAD; one that a killed run left there is deleted."""
    _remove(root, tree)
    # twice forced: git locks a checkout while it makes it, and one that was killed meanwhile stays locked
    _git(root, "worktree", "add", "--quiet", "--force", "--force", "--detach", str(tree), "HEAD")
    try:
        yield tree / _git(root, "rev-parse", "--show-prefix").strip()
    finally:
        _remove(root, tree)


def _remove(root: Path, tree: Path) -> None:
    if tree.exists():
        shutil.rmtree(tree)
    _git(root, "worktree", "prune")


def _fill(tree: Path, candidate: TunedBundle, *, root: Path, promote: bool) -> list[str]:
    """Put the candidate into a checkout, and its weights and labels under DVC; return the paths that were written."""
    place = tree / PLACE / candidate.bundle_id
    shutil.copytree(candidate.bundle, place / "bundle")
    write_text(place / BODY, candidate.comparison)
    listed = [name for name in (LABELS, "data/sources.json") if (root / name).is_file()]
    for name in listed:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, tree / name)
    written = [place / "bundle", place / BODY, *(tree / name for name in listed)]
    if (root / ".dvc").is_dir():
        shutil.copytree(candidate.project / "models/weights", place / "weights")
        _dvc(tree, root, "add", "--quiet", f"{PLACE}/{candidate.bundle_id}/weights")
        _dvc(tree, root, "push", "--quiet", f"{PLACE}/{candidate.bundle_id}/weights.dvc")
        if LABELS in listed:  # they are in the cache of the project alone
            _done([sys.executable, "-m", "dvc", "push", "--quiet", LABELS], root)
        written += [place / "weights.dvc", place / ".gitignore"]
    if promote:
        _replace_files(tree / "models/bundle", candidate.bundle)
        _replace_files(tree / "models/weights", candidate.project / "models/weights")
        written += [tree / "models/bundle", tree / "models/weights"]
    return [str(path.relative_to(tree)) for path in written]


def _replace_files(folder: Path, source: Path) -> None:
    """Put the files of another folder in place of a folder's own; folders in it, such as `weights/open`, stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_file, list(folder.iterdir())):
        path.unlink()
    shutil.copytree(source, folder, dirs_exist_ok=True)


def _push(tree: Path, branch: str, candidate: TunedBundle, paths: Sequence[str], *, root: Path) -> None:
    """Commit files of a checkout, and push them from `root`, where a relative address of the remote holds."""
    identity = ("-c", "user.name=legible", "-c", "user.email=legible@localhost")
    _git(tree, "add", "--all", "--force", "--", *paths)  # a person's own list of ignored files may name some
    _git(tree, *identity, "commit", "--quiet", "-m", f"Candidate {candidate.bundle_id}, fine-tuned to labels")
    commit = _git(tree, "rev-parse", "HEAD").strip()
    _git(root, "push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")


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
