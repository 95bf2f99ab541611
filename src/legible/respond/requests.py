"""One request to merge each pushed branch: a pull request on GitHub, or a Markdown file in a folder."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from legible.files import write_text
from legible.respond.issues import run_gh


class RequestTracker(Protocol):
    """Keeps one request for each branch."""

    def has(self, branch: str) -> bool:
        """Tell whether a branch has a request, or had one that was merged or closed."""
        ...

    def open(self, branch: str, text: str) -> None:
        """Open the request to merge a branch."""
        ...


@dataclass(frozen=True)
class FolderRequests:
    """Requests as Markdown files, for a repository without GitHub; a file that is moved to `closed/` is closed."""

    folder: Path

    def has(self, branch: str) -> bool:
        return any((place / f"{branch}.md").is_file() for place in (self.folder, self.folder / "closed"))

    def open(self, branch: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / f"{branch}.md", text)


@dataclass(frozen=True)
class GitHubRequests:
    """Pull requests of the repository that `gh` finds itself in."""

    gh: Callable[[Sequence[str], str], str] = run_gh

    def has(self, branch: str) -> bool:
        return bool(json.loads(self.gh(["pr", "list", "--state", "all", "--head", branch, "--json", "number"], "")))

    def open(self, branch: str, text: str) -> None:
        title = f"Candidate bundle {branch.removeprefix('candidate-')}"
        self.gh(["pr", "create", "--title", title, "--body-file", "-", "--head", branch], text)


def request_tracker_named(where: str) -> RequestTracker:
    """Return the tracker `github`, or one of a folder."""
    return GitHubRequests() if where == "github" else FolderRequests(Path(where))
