"""One open issue for each thing that goes on: on GitHub by `gh`, or as a Markdown file in a folder."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from legible.errors import LegibleError
from legible.files import write_text

LABEL = "drift"
"""The label on GitHub by which open issues are found."""

MAX_WORDS = 100
"""The most characters of a title in the name of its file."""
DIGITS = 6
"""How many digits of a title's sha256 end the name of its file."""


class IssueTracker(Protocol):
    """Keeps one open issue for each title."""

    def report(self, title: str, body: str) -> str:
        """Open an issue, or replace the text of the one that is open, and return where it is."""
        ...


@dataclass(frozen=True)
class FolderIssues:
    """Issues as Markdown files; a file that somebody deletes or moves to `closed/` is closed.

    A digest in a file's name tells titles apart that have the same letters and digits: of channels a.b and a-b.
    """

    folder: Path

    def report(self, title: str, body: str) -> str:
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:MAX_WORDS]
        path = self.folder / f"{words}-{hashlib.sha256(title.encode()).hexdigest()[:DIGITS]}.md"
        text = f"# {title}\n\n{body.rstrip()}\n"
        if not path.is_file() or path.read_bytes() != text.encode():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        return str(path)


def run_gh(arguments: Sequence[str], text: str = "") -> str:
    """Run GitHub's command line with this text on its standard input. Raise LegibleError where it fails."""
    try:
        done = subprocess.run(["gh", *arguments], input=text, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise LegibleError("gh is not installed; issues may also be files: --issues FOLDER") from error
    if done.returncode:
        raise LegibleError(f"gh {' '.join(arguments[:2])} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


@dataclass(frozen=True)
class GitHubIssues:
    """Issues of the repository that `gh` finds itself in."""

    gh: Callable[[Sequence[str], str], str] = run_gh

    def report(self, title: str, body: str) -> str:
        listing = ["issue", "list", "--state", "open", "--label", LABEL, "--limit", "200", "--json", "number,title,url"]
        for issue in json.loads(self.gh(listing, "")):
            if issue["title"] == title:
                self.gh(["issue", "edit", str(issue["number"]), "--body-file", "-"], body)
                return str(issue["url"])
        self.gh(["label", "create", LABEL, "--force", "--description", "what people send has changed"], "")
        return self.gh(["issue", "create", "--title", title, "--label", LABEL, "--body-file", "-"], body).strip()


def tracker_named(where: str) -> IssueTracker:
    """Return the tracker `github`, or one of a folder."""
    return GitHubIssues() if where == "github" else FolderIssues(Path(where))
