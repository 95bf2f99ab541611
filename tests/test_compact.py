"""Drift from rows, from Parquet and from summaries by the hour: one verdict, to the last digit."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from conftest import PROJECT
from reference_rows import HOUR, MONDAY, rows_like

from legible.drift import hourly, summary
from legible.drift.decide import Outcome
from legible.drift.reference import Reference
from legible.errors import DataError
from legible.monitoring.check import Standard, check
from legible.monitoring.compact import check_summaries, compact
from legible.observations.layout import FOLDER, hour
from legible.observations.row import Observation
from legible.observations.sending import ParquetDestination
from legible.observations.window import Selection
from legible.stores import LocalStore

AT = MONDAY + 24 * HOUR
SHIPPED = Standard(PROJECT / "models/bundle")


def write_rows(folder: Path, rows: list[Observation], *, worker: str = "1") -> None:
    """Write rows as the service does: a file of lines for each hour."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for row in rows:
        with (folder / FOLDER / f"{hour(row.at)}-{worker}.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{row.to_json()}\n")


def said(made: Any) -> dict[str, Any]:
    """All that a check says, but for what only rows have."""
    told = json.loads(made.to_json())
    return {name: value for name, value in told.items() if name not in ("report", "report_rows")}


@pytest.mark.parametrize(
    ("shift", "documents", "outcome"),
    [
        (0.0, 0, Outcome.NO_DRIFT),
        pytest.param(0.3, 0, Outcome.DRIFT, marks=pytest.mark.slow),
        pytest.param(0.0, 60, Outcome.NO_DRIFT, marks=pytest.mark.slow),
    ],
)
def test_rows_parquet_and_summaries_have_one_verdict(
    tmp_path: Path, shift: float, documents: int, outcome: Outcome
) -> None:
    """Windows of twelve hours and of one, of all traffic and of a channel."""
    rows = rows_like(360, seed=1, seconds=120, shift=shift, documents=documents)
    write_rows(tmp_path / "rows", rows)
    ParquetDestination(str(tmp_path / "columns"), worker="1").send(rows, number=1)
    compact(tmp_path / "rows", SHIPPED, str(tmp_path / "summaries"), at=AT)
    for since, channel, expected in (
        (MONDAY, None, outcome),
        (MONDAY + 3 * HOUR, "mobile", outcome),
        (MONDAY + 11 * HOUR, None, Outcome.NOT_ENOUGH_DATA),
    ):
        selection = Selection(since=since, channel=channel)
        by_rows = check(tmp_path / "rows", SHIPPED, at=AT, selection=selection, last=None)
        by_columns = check(tmp_path / "columns", SHIPPED, at=AT, selection=selection, last=None)
        by_hours = check_summaries(str(tmp_path / "summaries"), SHIPPED, at=AT, selection=selection)
        assert said(by_rows) == said(by_columns) == said(by_hours)
        assert by_rows.verdict.outcome is expected


def test_a_baseline_has_summaries_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED.bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("*.tflite", "manifest.json"))
    bundle = Standard(tmp_path / "bundle")
    rows = rows_like(120, seed=4)
    write_rows(tmp_path, rows)
    compact(tmp_path, bundle, str(tmp_path / "summaries"), at=AT)
    content = json.loads((tmp_path / "bundle/drift.json").read_text())
    (tmp_path / "bundle/drift.json").write_text(json.dumps({**content, "block": 2}))
    with pytest.raises(DataError, match=r"only by [0-9a-f]{12}; run legible compact"):
        check_summaries(str(tmp_path / "summaries"), bundle, at=AT)


def test_a_reference_that_is_written_while_it_is_opened_gets_no_summaries_of_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED.bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("*.tflite", "manifest.json"))
    write_rows(tmp_path, rows_like(120, seed=4))
    load = Reference.load

    def then_written(folder: Path) -> Reference:
        made = load(folder)
        content = json.loads((folder / "drift.json").read_text())
        (folder / "drift.json").write_text(json.dumps({**content, "block": 2}))
        return made

    monkeypatch.setattr(Reference, "load", staticmethod(then_written))
    with pytest.raises(DataError, match="written anew meanwhile; run again"):
        compact(tmp_path, Standard(tmp_path / "bundle"), str(tmp_path / "summaries"), at=AT)
    assert not (tmp_path / "summaries").exists()


def test_hours_that_are_not_over_wait_and_late_rows_are_counted(tmp_path: Path) -> None:
    rows = rows_like(150, seed=5)  # two and a half hours
    write_rows(tmp_path, rows[:100])
    write_rows(tmp_path, rows[120:])
    now = MONDAY + 2.5 * HOUR
    first = compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=now)
    assert (first.written, first.images) == (2, 100)
    again = compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=now)
    assert (again.written, again.up_to_date) == (0, 2)
    write_rows(tmp_path, rows[100:120], worker="2")
    late = compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    assert (late.written, late.images, late.up_to_date) == (2, 90, 1)
    assert check_summaries(str(tmp_path / "s"), SHIPPED, at=AT).verdict.images == 150


def test_a_summary_stays_where_its_rows_are_gone_and_is_left_alone_where_some_are(tmp_path: Path) -> None:
    rows = rows_like(120, seed=6)
    write_rows(tmp_path, rows)
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    (tmp_path / FOLDER / "20261123T00-1.jsonl").unlink()
    assert compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT).up_to_date == 1
    write_rows(tmp_path, rows[:3], worker="2")
    assert compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT).left_alone == ["20261123T00"]
    assert check_summaries(str(tmp_path / "s"), SHIPPED, at=AT).verdict.images == 120


def test_a_copy_of_a_summary_by_another_name_is_not_counted_again(tmp_path: Path) -> None:
    write_rows(tmp_path, rows_like(60, seed=6))
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    (path,) = (tmp_path / "s").rglob("*.npz")
    for name in (f"{path.stem} (1).npz", f".{path.name}", f"{path.stem}-conflict.npz"):
        shutil.copyfile(path, path.with_name(name))
    assert check_summaries(str(tmp_path / "s"), SHIPPED, at=AT).verdict.images == 60
    assert compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT).up_to_date == 1


def test_a_file_that_goes_while_its_hour_is_read_is_not_counted_as_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows were missing in a summary that said it had read it, for ever, in place of one that had them."""
    rows = rows_like(60, seed=6)
    write_rows(tmp_path, rows[:30])
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    write_rows(tmp_path, rows[30:40], worker="2")
    going = str(tmp_path / FOLDER / "20261123T00-1.jsonl")
    opened = LocalStore.open

    def gone(self: LocalStore, address: str) -> IO[bytes]:
        if address == going:
            raise FileNotFoundError(address)
        return opened(self, address)

    monkeypatch.setattr(LocalStore, "open", gone)
    assert compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT).left_alone == ["20261123T00"]
    assert check_summaries(str(tmp_path / "s"), SHIPPED, at=AT).verdict.images == 30
    assert compact(tmp_path, SHIPPED, str(tmp_path / "anew"), at=AT).images == 10
    monkeypatch.undo()
    assert compact(tmp_path, SHIPPED, str(tmp_path / "anew"), at=AT).images == 40


def test_what_is_left_out_is_said_by_summaries_too(tmp_path: Path) -> None:
    rows = rows_like(60, seed=7)
    write_rows(tmp_path, [dataclasses.replace(row, bundle="another" * (i < 4)) for i, row in enumerate(rows)])
    with (tmp_path / FOLDER / "20261123T00-1.jsonl").open("a") as file:
        file.write("{torn\n")
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    assert (
        check_summaries(str(tmp_path / "s"), SHIPPED, at=AT).tally == check(tmp_path, SHIPPED, at=AT, last=None).tally
    )


def test_more_channels_than_are_told_apart_count_in_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MAX_CHANNELS", 3)
    monkeypatch.setattr(hourly, "MAX_CHANNELS", 3)
    rows = [dataclasses.replace(row, channel=f"c{i % 7}") for i, row in enumerate(rows_like(140, seed=8))]
    write_rows(tmp_path, rows[::-1])
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    by_rows, by_hours = check(tmp_path, SHIPPED, at=AT, last=None), check_summaries(str(tmp_path / "s"), SHIPPED, at=AT)
    assert said(by_rows) == said(by_hours)
    assert check_summaries(str(tmp_path / "s"), SHIPPED, at=AT, selection=Selection(channel="c1")).verdict.images == 20
    with pytest.raises(DataError, match="not told apart"):
        check_summaries(str(tmp_path / "s"), SHIPPED, at=AT, selection=Selection(channel="c5"))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no", "cut", "of another kind"])
def test_a_damaged_summary_is_named_in_one_line(tmp_path: Path, damage: bytes | str) -> None:
    write_rows(tmp_path, rows_like(60, seed=9))
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    (file,) = (tmp_path / "s").rglob("*.npz")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-500])
    elif damage == "of another kind":
        np.savez(file, header=np.frombuffer(b'{"version": 2}', np.uint8))
    else:
        file.write_bytes(damage if isinstance(damage, bytes) else b"")
    with pytest.raises(DataError, match=r"20261123T00\.npz: damaged summary"):
        check_summaries(str(tmp_path / "s"), SHIPPED, at=AT)


Damage = Callable[[dict[str, Any], dict[str, Any]], None]


def _every_cell(**values: Any) -> Damage:
    def damage(header: dict[str, Any], _: object) -> None:
        for cell in header["cells"]:
            cell.update(values)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        *(_every_cell(images=wrong) for wrong in (-5, "7", None, 10**30, 3)),
        *(_every_cell(confidence_sum=wrong) for wrong in (float("nan"), -1, 2**70)),
        *(_every_cell(unusual=wrong) for wrong in ([["a", "b"]], [[float("nan"), "a"]], [[1.0, 2]], [[1.0]])),
        _every_cell(channel=7),
        _every_cell(corrected=-3),
        lambda header, _: header.update(cells={}),
        lambda header, _: header.update(left_out={"torn": "x"}),
        lambda header, _: header.update(left_out={"unheard": 1}),
        lambda header, _: header.update(left_out=[1]),
        lambda header, _: header.update(files=[1]),
        lambda header, _: header.update(files={"a": "5"}),
        lambda _, arrays: arrays.update(documents=arrays["documents"][:, :3]),
        lambda _, arrays: arrays.update(rank_sums=arrays["rank_sums"] * np.nan),
        lambda _, arrays: arrays.update(below=np.full_like(arrays["below"], 2**62)),
        lambda _, arrays: arrays.update(below=-arrays["below"]),
        lambda _, arrays: arrays.update(below=arrays["below"] + 1000),
        lambda _, arrays: arrays.update(readings=arrays["readings"] + 1),
        lambda _, arrays: arrays.update(holes=np.zeros(250_000_000, np.uint8)),
    ],
)
def test_a_summary_whose_counts_cannot_be_is_named_in_one_line(tmp_path: Path, damage: Damage) -> None:
    """They ended the checks with a traceback, or were summed up: a verdict of counts below zero was drift."""
    write_rows(tmp_path, rows_like(60, seed=9))
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    (file,) = (tmp_path / "s").rglob("*.npz")
    with np.load(file) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["header"].tobytes())
    damage(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(file, **arrays)
    for judge in (
        lambda: check_summaries(str(tmp_path / "s"), SHIPPED, at=AT),
        lambda: compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT),
    ):
        with pytest.raises(DataError, match=r"20261123T00\.npz: damaged summary"):
            judge()


def test_a_newer_summary_is_refused_by_its_version(tmp_path: Path) -> None:
    write_rows(tmp_path, rows_like(60, seed=9))
    compact(tmp_path, SHIPPED, str(tmp_path / "s"), at=AT)
    (file,) = (tmp_path / "s").rglob("*.npz")
    np.savez(file, header=np.frombuffer(b'{"version": 99}', np.uint8))
    with pytest.raises(DataError, match="format 99 is not 2"):
        check_summaries(str(tmp_path / "s"), SHIPPED, at=AT)


def test_a_time_within_an_hour_is_no_beginning_for_summaries(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="full hour"):
        check_summaries(str(tmp_path), SHIPPED, at=AT, selection=Selection(since=MONDAY + 1800))


@pytest.mark.slow
def test_the_commands_summarise_and_judge(tmp_path: Path) -> None:
    write_rows(tmp_path, rows_like(120, seed=10, start=1_700_000_000 - 1_700_000_000 % HOUR))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "legible", *command, "--summaries", str(tmp_path / "s")]
        return subprocess.run(whole, capture_output=True, text=True, check=False)

    made = run("compact", "--observations", str(tmp_path))
    assert made.stdout == f"{tmp_path / 's'}: 120 images of 2 hours summarised; 0 up to date\n"
    assert json.loads(run("drift", "--json").stdout)["images"] == 120
    refused = run("drift", "--report", "x.html")
    assert (refused.returncode, "--report need rows" in refused.stderr) == (3, True)
