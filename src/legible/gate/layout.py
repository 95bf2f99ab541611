"""Where a bundle lies that somebody names: the bundle's folder itself, or the project that made it."""

from dataclasses import dataclass
from pathlib import Path

from legible.gate.champion import PLACE
from legible.recognition.bundle import MANIFEST


@dataclass(frozen=True)
class CandidatePlace:
    """A bundle's folder, and the project whose images it is judged on."""

    bundle: Path
    project: Path


def candidate_place(named: Path, *, root: Path) -> CandidatePlace:
    """Return where a candidate and its images are.

    A folder with `models/bundle` in it, as `make finetune` leaves one, is judged on its own data set; so is the bundle
    in such a folder. Any other bundle is judged on the data set of `root`.
    """
    if (named / PLACE / MANIFEST).is_file():
        return CandidatePlace(named / PLACE, named)
    project = named.resolve().parent.parent
    is_of_project = named.resolve() == project / PLACE and (project / "data/dataset/manifest.json").is_file()
    return CandidatePlace(named, project if is_of_project else root)
