"""All steps of `legible respond`, each of which can also be run alone; what is done already is not done again."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from legible.files import replace_folder
from legible.labelling.label_source import LabelFolders
from legible.locks import lock_file_at_once
from legible.monitoring.check import Standard
from legible.respond.candidate import TunedBundle, fingerprint, is_due, labels_of, last_candidate, make_candidate
from legible.respond.fill import fill_queue
from legible.respond.issues import tracker_named
from legible.respond.proposal import propose
from legible.respond.requests import request_tracker_named
from legible.respond.steps import Step
from legible.respond.watch import Alarm, alarms, report_alarms


@dataclass(frozen=True)
class Response:
    """What `legible respond` works on, and how far it may go."""

    root: Path
    bundle: Path
    """The bundle that is served."""
    observations: Path
    images: Path
    labels: Path
    issues: str
    """`github`, or a folder of Markdown files."""
    work: Path
    last: int
    """The number of observations in the window."""
    min_exact_match: float
    most: int
    """The most images of a channel that are asked for."""
    min_labels: int
    shadow: Path | None = None
    """A folder of bundles of a service; a candidate that passed the gate is copied there."""
    promote: bool = False


def respond(asked: Response, step: Step, *, at: float) -> Iterator[str]:
    """Run a step, or all of them, and yield a line for each thing that was done or found to be done."""
    if step in (Step.watch, Step.queue, Step.all_steps):
        found = _alarms(asked, at)
        yield "no drift and no harm" if not found else "; ".join(alarm.title for alarm in found)
        if found and step in (Step.watch, Step.all_steps):
            yield from (f"issue: {place}" for place in report_alarms(found, tracker_named(asked.issues)))
        if found and step in (Step.queue, Step.all_steps):
            yield f"asked for labels of {_fill(found, asked)} images"
    if step in (Step.tune, Step.propose, Step.all_steps):
        busy = f"another legible respond makes a candidate in {asked.work}; run this one again when that has ended"
        with lock_file_at_once(asked.work / ".lock", busy=busy) as lock:
            yield from _tune_and_propose(asked, step, lock)


def _tune_and_propose(asked: Response, step: Step, lock: int) -> Iterator[str]:
    images = labels_of(asked.root, asked.labels, LabelFolders(asked.images, asked.observations))
    if not images or not is_due(asked.root, asked.work, images=images, min_labels=asked.min_labels):
        yield f"{images} labelled images to train on; a candidate takes {asked.min_labels} more than the last one had"
        yield from _propose_last(asked, step)
        return
    if step is Step.propose and not (asked.work / fingerprint(asked.root)).is_dir():
        yield "there is no candidate of these labels yet: legible respond tune"
        yield from _propose_last(asked, step)
        return
    candidate = make_candidate(asked.root, work=asked.work, locks=[lock])
    said = "passed the gate" if candidate.passed else "was refused by the gate"
    yield f"candidate {candidate.bundle_id} {said}: {candidate.project}"
    if candidate.passed and step is not Step.tune:
        yield from _propose(candidate, asked)


def _propose_last(asked: Response, step: Step) -> Iterator[str]:
    """Propose the last candidate where that is still to be done: labels may have come since it failed."""
    candidate = None if step is Step.tune else last_candidate(asked.root, asked.work)
    if candidate is not None and candidate.passed:
        yield from _propose(candidate, asked)


def _propose(candidate: TunedBundle, asked: Response) -> Iterator[str]:
    if asked.shadow:
        yield f"shadow: {start_shadow(candidate, asked.shadow)}"
        return
    made = propose(candidate, root=asked.root, promote=asked.promote, requests=request_tracker_named(asked.issues))
    yield f"{'proposed' if made.is_new else 'proposed already'}: branch {made.branch}"


def start_shadow(candidate: TunedBundle, folder: Path) -> Path:
    """Copy a candidate to where a service looks for the bundle it reads beside its own; once is enough."""
    place = folder / f"candidate-{candidate.bundle_id}"
    if not place.is_dir():
        with replace_folder(place) as fresh:
            shutil.copytree(candidate.bundle, fresh, dirs_exist_ok=True)
    return place


def _alarms(asked: Response, at: float) -> list[Alarm]:
    standard = Standard(asked.bundle)
    return alarms(asked.observations, standard, at=at, last=asked.last, min_exact_match=asked.min_exact_match)


def _fill(found: list[Alarm], asked: Response) -> int:
    return fill_queue(found, images=asked.images, observations=asked.observations, labels=asked.labels, most=asked.most)
