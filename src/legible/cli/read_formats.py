"""The output formats of `legible read`: a table for people, texts alone, or JSON lines, TSV and CSV for programs."""

import csv
import json
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TextIO

from legible.reading import Reading

Outcome = Reading | Exception
"""The reading of one image, or the error in its place."""
Writer = Callable[[str, Outcome], object]
"""A function that writes the outcome of a named image."""


class Format(StrEnum):
    """An output format."""

    table = "table"
    text = "text"
    json = "json"
    tsv = "tsv"
    csv = "csv"


def writer_of(form: Format, file: TextIO, *, alternatives: int) -> Writer:
    """Return a function that writes outcomes to a file in this format; TSV and CSV begin with a header."""
    if form is Format.table:
        return lambda name, outcome: _write_table(file, name, outcome)
    if form is Format.text:
        return lambda _, outcome: _write_text(file, outcome)
    if form is Format.json:
        return lambda name, outcome: _write_json(file, name, outcome)
    write_row = _tsv(file) if form is Format.tsv else csv.writer(file, lineterminator="\n").writerow
    more = [f"{what}_{number}" for number in range(1, alternatives + 1) for what in ("alternative", "confidence")]
    write_row(["path", "text", "confidence", "error", *more])
    return lambda name, outcome: write_row(_row(name, outcome))


def _write_table(file: TextIO, name: str, outcome: Outcome) -> None:
    if isinstance(outcome, Exception):
        return
    print(f"{outcome.confidence:6.3f}  {outcome.text}  [{name}]", file=file)
    for other in outcome.alternatives:
        print(f"{other.confidence:6.3f}  or {other.text}", file=file)


def _write_text(file: TextIO, outcome: Outcome) -> None:
    """Write one line for each image, an empty one where it could not be read, so that lines and images agree."""
    print("" if isinstance(outcome, Exception) else outcome.text, file=file)


def _write_json(file: TextIO, name: str, outcome: Outcome) -> None:
    fields: dict[str, Any] = {"path": name}
    if isinstance(outcome, Exception):
        fields["error"] = str(outcome)
    else:
        fields |= {"text": outcome.text, "confidence": round(outcome.confidence, 4)}
        if outcome.alternatives:
            fields["alternatives"] = [[other.text, round(other.confidence, 4)] for other in outcome.alternatives]
    print(json.dumps(fields, ensure_ascii=False), file=file)


def _row(name: str, outcome: Outcome) -> list[str]:
    if isinstance(outcome, Exception):
        return [name, "", "", str(outcome)]
    others = [field for other in outcome.alternatives for field in (other.text, f"{other.confidence:.4f}")]
    return [name, outcome.text, f"{outcome.confidence:.4f}", "", *others]


def _tsv(file: TextIO) -> Callable[[list[str]], object]:
    """Return a function that writes a row as a line; tabs and line breaks in a file's name become spaces."""
    return lambda cells: print("\t".join(re.sub(r"[\t\r\n]", " ", cell) for cell in cells), file=file)
