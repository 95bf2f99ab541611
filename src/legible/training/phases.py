"""The phases of a training, each with its settings, the weights it starts from and the fingerprint of its result."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from legible.config import Params, PhaseParams, TrainParams
from legible.errors import SettingsError
from legible.training.checkpoint import fingerprint
from legible.training.weights import sum_of_weights

FIRST = PhaseParams()
"""The one phase of a section `train` that lists no phases."""
OF_THE_PHASE_ITSELF = ("name", "from_mean_of")
"""The fields of PhaseParams that are not settings of the section."""


@dataclass(frozen=True)
class TrainingPhase:
    """One phase. Its folders are relative to the project's folder."""

    number: int
    """The number of the phase, from 1."""
    name: str
    params: Params
    """The parameters of this phase: its settings are in the section `train`, which lists no phases itself."""
    starts: tuple[str, ...]
    """The folders of the weights whose average it starts from; empty where it starts from nothing."""
    former: tuple[int, ...]
    """The numbers of the phases that wrote them; empty for the first phase."""

    @property
    def train(self) -> TrainParams:
        return self.params.train

    @property
    def checkpoint(self) -> str:
        return f"training/checkpoint-{self.number}"

    @property
    def weights(self) -> str:
        return weights_of(self.number)

    @property
    def title(self) -> str:
        """The name for people, such as `phase 2, real-writing`."""
        return f"phase {self.number}" + (f", {self.name}" if self.name else "")


def weights_of(number: int) -> str:
    """Return the folder, relative to the project's, in which phase `number` leaves its weights."""
    return f"training/weights-{number}"


def phases_of(params: Params) -> list[TrainingPhase]:
    """Return the phases of the section `train`, in their order."""
    overlays = params.train.phases or (FIRST,)
    return [_phase(params, number, overlay) for number, overlay in enumerate(overlays, start=1)]


def _phase(params: Params, number: int, overlay: PhaseParams) -> TrainingPhase:
    train = with_overlay(params.train, overlay)
    former = last_numbers(number - 1, overlay.from_mean_of)
    first = (train.start_from, *train.start_with) if train.start_from else ()
    starts = tuple(map(weights_of, (*former[-1:], *former[:-1]))) or first
    return TrainingPhase(number, overlay.name, dataclasses.replace(params, train=train), starts, former)


def with_overlay(train: TrainParams, overlay: PhaseParams) -> TrainParams:
    """Return the settings of the section, overlaid with those that the phase states."""
    values = {field.name: getattr(overlay, field.name) for field in dataclasses.fields(overlay)}
    stated = {n: v for n, v in values.items() if v is not None and n not in OF_THE_PHASE_ITSELF}
    return dataclasses.replace(train, phases=(), mixtures={}, averaged=1, interpolation=(), own=(), **stated)


def last_numbers(last: int, count: int) -> tuple[int, ...]:
    """Return the numbers of the `count` phases that end with `last`, as far as there are: `(5, 2) -> (4, 5)`."""
    return tuple(range(max(last - count + 1, 1), last + 1))


def up_to(phases: Sequence[TrainingPhase], stop_after: str) -> list[TrainingPhase]:
    """Return the phases up to and including the one with this name or number; all of them where none is given."""
    if not stop_after:
        return list(phases)
    for phase in phases:
        if stop_after in (phase.name, str(phase.number)):
            return list(phases[: phase.number])
    known = ", ".join(phase.name or str(phase.number) for phase in phases)
    raise SettingsError(f"--stop-after {stop_after!r} is no phase of train.phases; phases: {known}")


def open_phases(phases: Sequence[TrainingPhase], closed_sources: Collection[str]) -> list[TrainingPhase]:
    """Return the first phases that are trained from nothing and on none of the closed sources, as far as there are."""
    if phases[0].starts:
        return []
    groups = [{group.split("/")[0] for group in phase.train.mixture} for phase in phases]
    return list(takewhile(lambda phase: not groups[phase.number - 1] & set(closed_sources), phases))


def fingerprints(phases: Sequence[TrainingPhase], *, data_set: str, root: Path) -> list[str]:
    """Return the fingerprint of each phase. Where a phase starts from others, theirs are part of it.

    So a phase that is added at the end leaves those before it valid, and a changed phase invalidates all after it.
    """
    found: list[str] = []
    for phase in phases:
        start = [found[number - 1] for number in phase.former] or start_sums(phase, root=root)
        found.append(fingerprint(phase.params, data_set=data_set, start=start))
    return found


def start_sums(phase: TrainingPhase, *, root: Path) -> list[str]:
    """Return the sums of the weights that the first phase starts from, because their folders may change."""
    return [sum_of_weights(root / folder) for folder in phase.starts]
