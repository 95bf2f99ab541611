"""Labels in and out: Label Studio's JSON, and folders with `index.tsv`.

An import appends rows to the log of labels, as the labelling page does. What is there already is not written twice.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from legible.data.transcribed import INDEX
from legible.errors import DataError
from legible.files import write_text
from legible.labelling.label_studio import READING, from_tasks, to_tasks
from legible.labelling.labels import Label, LabelBook, LabelLog, faults_of, read_rows
from legible.labelling.verdicts import LabelVote, decide
from legible.locks import lock_file
from legible.observations.image_log import copy_kept, kept_image, kept_images
from legible.observations.layout import FOLDER
from legible.untrusted_files import MAX_TABLE_BYTES, parse_table, read_file

WORKER, LOCK = "import", ".import.lock"
COLUMNS = ("path", "text", "labellers", "drawn", "read", "confidence")
SHOWN = 5


@dataclass(frozen=True)
class Imported:
    """The numbers of labels that were added, and that were left out: there already, or older than what is there."""

    added: int
    known: int


def import_labels(file: Path, folder: Path, *, labeller: str, at: float) -> Imported:
    """Append the labels of a Label Studio export, or of an index.tsv, to a folder of labels.

    `labeller` names who labelled where the file does not. Raise DataError, naming all faults, before a row is written.
    """
    content = read_file(file, limit=MAX_TABLE_BYTES)
    is_table = file.suffix == ".tsv"  # which tells no times
    labels = _of_table(content, file, labeller, at) if is_table else from_tasks(content, str(file))
    _check(labels, file)
    return _append(labels, folder, said_now=is_table)


def _check(labels: Sequence[Label], file: Path) -> None:
    faults = [
        f"{label.reading_id}: {fault}"
        for label in labels
        for fault in faults_of(label.reading_id, label.labeller, label.verdict, label.text)
    ]
    if faults:
        more = f", and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(f"{file}: {'; '.join(faults[:SHOWN])}{more}; nothing was imported")


def _append(labels: Sequence[Label], folder: Path, *, said_now: bool) -> Imported:
    """Append the last label of each image and labeller where it differs from the one that holds.

    It keeps how its image was drawn. Where the labeller has said or undone something of the image since it is left out,
    but for what is `said_now`, which holds whatever the clock says.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_file(folder / LOCK):
        former = read_rows(folder) if (folder / FOLDER).is_dir() else []
        holding, last_said = LabelBook.of(former).labels, {_key(row): row.at for row in former}
        shown = {row.reading_id: row for row in former if row.read}
        log, added = LabelLog(folder, worker=WORKER), 0
        for key, label in {_key(one): one for one in sorted(labels, key=lambda one: one.at)}.items():
            held, said_at = holding.get(key), last_said.get(key, -math.inf)
            if held and (held.verdict, held.text) == (label.verdict, label.text):
                continue
            if said_now or label.at > said_at:
                log.append(_as_shown(replace(label, at=max(label.at, said_at)), shown.get(label.reading_id)))
                added += 1
    return Imported(added, len(labels) - added)


def _key(label: Label) -> tuple[str, str]:
    return label.reading_id, label.labeller


def _as_shown(label: Label, seen: Label | None) -> Label:
    """Return a label with the reading that was shown of its image, where another label knows it."""
    if seen is None:
        return label
    return replace(label, drawn=seen.drawn, read=seen.read, confidence=seen.confidence, bundle=seen.bundle)


def _of_table(content: bytes, file: Path, labeller: str, at: float) -> list[Label]:
    """Return the labels of an index.tsv: the columns path (which names the reading) and text; rows without are left."""
    table = parse_table(content, str(file))
    if not {"path", "text"} <= set(table.columns):
        raise DataError(f"{file}: the columns path and text are needed, as legible queue writes them")
    labels = []
    for number, row in table.rows:
        found = READING.search(row["path"] or "")
        if not found:
            raise DataError(
                f"{file}: line {number} names no reading; images have to keep the names that legible gave them"
            )
        if (row["text"] or "").strip():
            labels.append(Label(at, found[0], row.get("labeller") or labeller, "text", row["text"].strip()))
    return labels


def export_label_studio(folder: Path, images: Path, out: Path, *, prefix: str, unlabelled: bool) -> int:
    """Write the labels of a folder as Label Studio's JSON, and return the number of tasks.

    `prefix` stands before the names of images in their addresses. `unlabelled` adds kept images without a label.
    """
    labels = list(LabelBook.of(read_rows(folder)).labels.values())
    kept = (path.stem for path in kept_images(images)) if unlabelled else ()
    names = {label.reading_id for label in labels} | set(kept)
    tasks = to_tasks(labels, {name: f"{prefix}{name}.png" for name in names})
    write_text(out, json.dumps(tasks, indent=1, ensure_ascii=False) + "\n")
    return len(tasks)


def export_index(folder: Path, images: Path, out: Path) -> int:
    """Write out/index.tsv and out/images: each image with the text that most labellers gave.

    `legible data add transcribed` reads it. Return the number of images. Raise DataError where there is such a folder.
    """
    if (out / INDEX).exists():
        raise DataError(f"{out / INDEX} is there already; name another folder")
    labels: dict[str, list[Label]] = {}
    for label in LabelBook.of(read_rows(folder)).labels.values():
        labels.setdefault(label.reading_id, []).append(label)
    files = {reading_id: kept_image(images, reading_id) for reading_id in labels}
    rows = {
        file: _line(file, text, labels[reading_id])
        for reading_id, file in sorted(files.items())
        if file is not None and (text := _text_of(labels[reading_id]))
    }
    kept = copy_kept(rows, out / "images")
    lines = [line for file, line in rows.items() if file.name in kept]
    write_text(out / INDEX, "\n".join(["\t".join(COLUMNS), *lines]) + "\n")
    return len(lines)


def _text_of(labels: Iterable[Label]) -> str:
    outcome = decide(LabelVote(label.verdict, label.text) for label in labels)
    return outcome.text if outcome else ""


def _line(file: Path, text: str, labels: Sequence[Label]) -> str:
    first = labels[0]
    names = " ".join(sorted({label.labeller for label in labels}))
    cells: Mapping[str, str] = {
        "path": f"images/{file.name}", "text": text, "labellers": names, "drawn": first.drawn, "read": first.read,
        "confidence": f"{first.confidence:.3f}",
    }  # fmt: skip
    return "\t".join(cells[name] for name in COLUMNS)
