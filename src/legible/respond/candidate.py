"""From enough labels to a candidate that was judged: `data add labels`, `make finetune`, `legible gate`."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from legible.data.sources import raw_folder
from legible.data.transcribed import INDEX
from legible.errors import DataError, LegibleError, NoLabelsError
from legible.files import write_text
from legible.labelling.add_labels import add_labels
from legible.labelling.label_source import LabelFolders, read_index
from legible.recognition.bundle import MANIFEST, read_manifest

SOURCE = "labels"
REFUSED = 1
VERDICT = "verdict.md"
COUNT = "labelled-images"
"""The file in a candidate's project with the number of images it was made of."""
START = "weights-sha256"
"""The file in it with a digest of the weights that it was tuned from."""


@dataclass(frozen=True)
class TunedBundle:
    """A candidate: the project that made it, whether the gate passed it, and the comparison in Markdown."""

    project: Path
    passed: bool
    comparison: str

    @property
    def bundle(self) -> Path:
        return self.project / "models/bundle"

    @property
    def bundle_id(self) -> str:
        return read_manifest(self.bundle).bundle_id


def labels_of(root: Path, labels: Path, folders: LabelFolders) -> int:
    """Bring the source of labels up to date, and return how many of its images may be trained on.

    Without a new label it stays as it is; before the first one there is no such source, and no image.
    """
    with suppress(NoLabelsError):
        add_labels(root, labels, folders)
    return trainable(root)


def trainable(root: Path) -> int:
    """Return how many labelled images may be trained on: those that are not held out."""
    return sum(row.split != "validation" for row in read_index(raw_folder(root, SOURCE)))


def is_due(root: Path, work: Path, *, images: int, min_labels: int) -> bool:
    """Tell whether there are so many more labelled images than the last candidate was made of; a begun one goes on.

    A candidate without a verdict, because it failed or was killed, was not made.
    """
    if (work / fingerprint(root)).is_dir():
        return True
    former = [_count_of(verdict.parent) for verdict in work.glob(f"*/{VERDICT}")]
    return images - max(former, default=0) >= min_labels


def _count_of(project: Path) -> int:
    """Return the number of images that a candidate was made of. Raise DataError where it is not there, or damaged."""
    path = project / COUNT
    try:
        return int(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{path}: the number of labelled images is missing or damaged; delete {project}") from error


def last_candidate(root: Path, work: Path) -> TunedBundle | None:
    """Return the candidate that was judged last, where it was tuned from the weights that are shipped; else None."""
    verdicts = sorted(work.glob(f"*/{VERDICT}"), key=lambda path: path.stat().st_mtime)
    project = verdicts[-1].parent if verdicts else None
    if project is None or not (project / START).is_file() or (project / START).read_text() != _sum_of(_weights(root)):
        return None
    return _judged(project)


def make_candidate(
    root: Path, *, work: Path, command: Sequence[str] = ("make", "-s", "finetune"), locks: Sequence[int] = ()
) -> TunedBundle:
    """Fine-tune the shipped weights to the labels, judge the bundle beside the shipped one, and return both.

    The same labels and weights give the same project, which is made once; a killed one goes on. `locks` are held by
    what runs for it too, which a kill of this process alone does not end.
    """
    into = work / fingerprint(root)
    into.mkdir(parents=True, exist_ok=True)
    write_text(into / COUNT, str(trainable(root)))
    write_text(into / START, _sum_of(_weights(root)))
    if not (into / "models/bundle" / MANIFEST).is_file() or not (into / "before-after.md").is_file():
        folder = raw_folder(root, SOURCE).resolve()
        told = {"FOLDER": str(folder), "TERMS": "labels of this service"}
        # an argument, because the Makefile states an INTO of its own, which goes before the environment's
        _run([*command, f"INTO={into.resolve()}"], root, told, locks)
    if not (into / VERDICT).is_file():
        _judge(root, into, locks)
    return _judged(into)


def _judged(project: Path) -> TunedBundle:
    verdict = (project / VERDICT).read_text(encoding="utf-8")
    table = (project / "before-after.md").read_text(encoding="utf-8")
    passed = "**Gate: " in verdict and "refused" not in verdict.splitlines()[0]
    return TunedBundle(project, passed, f"{verdict}\n{table}")


def fingerprint(root: Path) -> str:
    """Return a name for what a candidate is made of: the labels and the weights that it starts from.

    Folders in models/weights, such as the open weights, are no part of it: a fine-tuning does not start from them.
    """
    return _sum_of([raw_folder(root, SOURCE) / INDEX, *_weights(root)])[:12]


def _weights(root: Path) -> list[Path]:
    return sorted(filter(Path.is_file, (root / "models/weights").glob("*")))


def _sum_of(files: Sequence[Path]) -> str:
    sums = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256(sums.encode()).hexdigest()


def _judge(root: Path, into: Path, locks: Sequence[int]) -> None:
    command = [
        sys.executable, "-m", "legible", "gate", "--bundle", str(into), "--champion", str(root / "models/bundle"),
        "--root", str(root), "--format", "markdown",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=locks)  # noqa: S603
    if done.returncode not in (0, REFUSED):
        raise LegibleError(f"the gate could not judge {into}: {done.stderr.strip()[-500:]}")
    write_text(into / VERDICT, done.stdout)


def _run(command: Sequence[str], root: Path, settings: Mapping[str, str], locks: Sequence[int]) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=root, env={**os.environ, **settings}, stdout=sys.stderr, check=False, pass_fds=locks
    )
    if done.returncode:
        raise LegibleError(f"{' '.join(command)} ended with {done.returncode}; run it again, it goes on where it was")
