"""All that is held of one channel, in a folder for whoever asks for it: observations, images, labels, corrections."""

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from legible.data.sources import raw_folder
from legible.errors import DataError
from legible.files import replace_folder
from legible.labelling.forget import Held, sources_of_labels
from legible.labelling.label_source import LabelledImage, read_index
from legible.observations.image_log import copy_kept, kept_image
from legible.observations.layout import FOLDER, log_files
from legible.observations.row import Observation
from legible.observations.window import Selection, WindowTally, stream


def readings_of(channel: str, held: Held) -> list[str]:
    """Return the ids of all readings of a channel, by its observations and by the data set's labels.

    Labels in a damaged table are left out: `forget` names the table, and leaves the observations for a second call.
    """
    found = {row.reading_id for row in _observed(channel, held) if row.reading_id}
    with suppress(DataError):
        for _, row in _samples(held.root):
            if row.channel == channel:
                found.update(row.readings)
    return sorted(found)


def export_channel(channel: str, held: Held, out: Path) -> dict[str, int]:
    """Write a folder with all that is held of a channel, and return how much that is, by place.

    Raise DataError where the folder is there already, or nothing is held.
    """
    if out.exists():
        raise DataError(f"{out} is there already; name another folder")
    readings = frozenset(readings_of(channel, held))
    if not readings:
        raise DataError(f"nothing is held of channel {channel!r}; LEGIBLE_CHANNELS lists those of a service")
    with replace_folder(out) as folder:
        try:
            return _export(channel, held, folder, readings)
        except BaseException:
            shutil.rmtree(folder)  # half a copy would be held where nobody looks for it
            raise


def _export(channel: str, held: Held, folder: Path, readings: Collection[str]) -> dict[str, int]:
    return {
        "observations": _write(folder / "observations.jsonl", _rows(channel, held)),
        "labels": _write(folder / "labels.jsonl", _lines(held.labels, readings)),
        "corrections": _write(folder / "corrections.jsonl", _lines(held.corrections, readings)),
        "shadow": _write(folder / "shadow.jsonl", _lines(held.shadow, readings)),
        "images": _copy_images(folder / "images", held, readings),
        "samples": _copy_samples(folder / "samples", held.root, readings),
    }  # fmt: skip


def _observed(channel: str, held: Held) -> Iterator[Observation]:
    """Yield the observations of a channel in the service's folder, then those that the store alone holds."""
    chosen, known = Selection(channel=channel), set()
    if (held.observations / FOLDER).is_dir():
        for row in stream(held.observations, chosen, tally=WindowTally()):
            known.add(row.reading_id)
            yield row
    if held.store:
        rows = stream(held.store, chosen, tally=WindowTally())
        yield from (row for row in rows if not row.reading_id or row.reading_id not in known)


def _rows(channel: str, held: Held) -> Iterator[str]:
    yield from (row.to_json() for row in _observed(channel, held))


def _lines(folder: Path, readings: Collection[str]) -> Iterator[str]:
    """Yield the rows of a log that are of some readings, as they are."""
    for path in log_files(folder / FOLDER):
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                if json.loads(line)["reading_id"] in readings:
                    yield line
            except (ValueError, KeyError, TypeError, RecursionError):  # blank or torn
                continue


def _write(path: Path, lines: Iterator[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(f"{line}\n")
            count += 1
    return count


def _copy_images(folder: Path, held: Held, readings: Collection[str]) -> int:
    paths = [path for reading in sorted(readings) if (path := kept_image(held.images, reading)) is not None]
    return len(copy_kept(paths, folder))


def _copy_samples(folder: Path, root: Path, readings: Collection[str]) -> int:
    """Copy the images of the data set that the readings showed, with a table of their texts."""
    rows = [(place, row) for place, row in _samples(root) if not set(readings).isdisjoint(row.readings)]
    folder.mkdir()
    for place, row in rows:
        shutil.copyfile(place / row.path, folder / Path(row.path).name)
    _write(
        folder / "index.tsv", ("\t".join((Path(row.path).name, row.text, " ".join(row.readings))) for _, row in rows)
    )
    return len(rows)


def _samples(root: Path) -> Iterator[tuple[Path, LabelledImage]]:
    """Yield each labelled image of the data set, with the folder of its source."""
    for name in sources_of_labels(root):
        folder = raw_folder(root, name)
        yield from ((folder, row) for row in read_index(folder))
