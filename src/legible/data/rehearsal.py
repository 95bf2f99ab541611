"""The sources of one project in another, for a fine-tuning that rehearses what its start was trained on."""

from dataclasses import dataclass
from pathlib import Path

from legible.data.sources import listed, locked_list, raw_folder, write_list


@dataclass(frozen=True)
class Rehearsed:
    """The names of the sources that are rehearsed, and of those whose files are not here."""

    here: tuple[str, ...]
    absent: tuple[str, ...]


def rehearse(project: Path, into: Path) -> Rehearsed:
    """List the sources of a project in another one, by links to their files.

    What the other project lists and holds itself stays as it is. Of two sources with one name its own counts. Labels
    are left out: a fine-tuning to them has them already.
    """
    with locked_list(into):
        own = [source for source in listed(into) if not _is_rehearsed(project, into, source.name)]
        names = {source.name for source in own}
        others = [source for source in listed(project) if source.name not in names and source.kind != "labels"]
        here = [source for source in others if raw_folder(project, source.name).is_dir()]
        for source in here:
            place = project / "data/raw" / source.name  # its own name, also where a kill left its files beside it
            _link(place.resolve(), into / "data/raw" / source.name)
        if own or here:
            write_list(into, [*own, *here])
    absent = tuple(source.name for source in others if source not in here)
    return Rehearsed(tuple(source.name for source in here), absent)


def _is_rehearsed(project: Path, into: Path, name: str) -> bool:
    """Tell whether a source is a link to one of the project, or leads nowhere; others are somebody's own.

    Who has a larger disk puts sources there, by links.
    """
    link = into / "data/raw" / name
    if not link.is_symlink() or not link.exists():
        return link.is_symlink()
    is_within = link.readlink().parent == (project / "data/raw").resolve()
    return is_within or link.resolve() == raw_folder(project, name).resolve()


def _link(folder: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder)
    fresh.replace(link)
