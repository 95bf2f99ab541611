"""The phases of a training, each with its settings, the weights it starts from and the fingerprint of its result."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.config import Params, PhaseParams, TrainParams
from legible.errors import SettingsError
from legible.training.checkpoint import fingerprint
from legible.training.weights import sum_of_weights

FIRST = PhaseParams()
"""The one phase of a section `train` that lists none."""
OF_THE_PHASE_ITSELF = ("name", "from_mean_of")
"""The fields of PhaseParams that are no settings of the section."""


@dataclass(frozen=True)
class Phase:
    """One phase; folders are relative to the project's."""

    number: int
    """From 1."""
    name: str
    params: Params
    """The section `train` holds the settings of this phase, and lists no phases itself."""
    starts: tuple[str, ...]
    """Folders of the weights whose average it starts from; none: it starts from nothing."""
    former: tuple[int, ...]
    """The numbers of the phases that wrote them; none for the first phase."""

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
        """Such as `phase 2, real-writing`."""
        return f"phase {self.number}" + (f", {self.name}" if self.name else "")


def weights_of(number: int) -> str:
    """The folder, under the project's, in which phase `number` leaves its weights."""
    return f"training/weights-{number}"


def phases_of(params: Params) -> list[Phase]:
    """The phases of the section `train`, in their order."""
    overlays = params.train.phases or (FIRST,)
    return [_phase(params, number, overlay) for number, overlay in enumerate(overlays, start=1)]


def _phase(params: Params, number: int, overlay: PhaseParams) -> Phase:
    train = with_overlay(params.train, overlay)
    former = last_numbers(number - 1, overlay.from_mean_of)
    first = (train.start_from, *train.start_with) if train.start_from else ()
    starts = tuple(map(weights_of, (*former[-1:], *former[:-1]))) or first
    return Phase(number, overlay.name, dataclasses.replace(params, train=train), starts, former)


def with_overlay(train: TrainParams, overlay: PhaseParams) -> TrainParams:
    """The settings of the section with those that the phase states in their place."""
    values = {field.name: getattr(overlay, field.name) for field in dataclasses.fields(overlay)}
    stated = {n: v for n, v in values.items() if v is not None and n not in OF_THE_PHASE_ITSELF}
    return dataclasses.replace(train, phases=(), mixtures={}, averaged=1, **stated)


def last_numbers(last: int, count: int) -> tuple[int, ...]:
    """The numbers of the `count` phases that end with `last`, as far as there are: `(5, 2) -> (4, 5)`."""
    return tuple(range(max(last - count + 1, 1), last + 1))


def up_to(phases: Sequence[Phase], stop_after: str) -> list[Phase]:
    """The phases to and including the one of this name or number; all where none is given."""
    if not stop_after:
        return list(phases)
    for phase in phases:
        if stop_after in (phase.name, str(phase.number)):
            return list(phases[: phase.number])
    known = ", ".join(phase.name or str(phase.number) for phase in phases)
    raise SettingsError(f"--stop-after {stop_after!r} is no phase of train.phases; phases: {known}")


def fingerprints(phases: Sequence[Phase], *, data_set: str, root: Path) -> list[str]:
    """What decides the weights of each phase; for those that start from other phases, their fingerprints with it.

    So a phase that is added at the end leaves those before it as they are, and one that changes changes all after it.
    """
    found: list[str] = []
    for phase in phases:
        start = [found[number - 1] for number in phase.former] or start_sums(phase, root=root)
        found.append(fingerprint(phase.params, data_set=data_set, start=start))
    return found


def start_sums(phase: Phase, *, root: Path) -> list[str]:
    """The sums of the weights that the first phase starts from, as their folders may come to hold others."""
    return [sum_of_weights(root / folder) for folder in phase.starts]
