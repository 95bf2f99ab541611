"""A fine-tuning that forgets nothing: how far it goes from its start, its table, and where it is judged."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image

from legible.config import load_params
from legible.data.dataset import Sample
from legible.data.ingest import split_of
from legible.data.rehearsal import Rehearsed, rehearse
from legible.data.sources import add, drop, listed, raw_folder
from legible.errors import SettingsError
from legible.evaluation.results import Result
from legible.files import recover_folder
from legible.gate.before_after import BeforeAfter, Interval, _row, paired_interval, table
from legible.gate.comparison import compare_all
from legible.gate.layout import CandidatePlace, candidate_place
from legible.training.checks import check_phases
from legible.training.interpolation import JUDGED_FROM, Trial, _between, _chosen, choose, said

START = Trial(0.0, 0.20, 0.5, {"print/word": 0.95, "iam/word": 0.78})


def trial(fraction: float, own_cer: float | None, **others: float) -> Trial:
    return Trial(fraction, own_cer, None, {name.replace("_", "/"): exact for name, exact in others.items()})


@pytest.mark.parametrize(
    ("trials", "fraction"),
    [
        ([trial(0.5, 0.1, print_word=0.95, iam_word=0.78)], 0.5),
        ([trial(0.5, 0.1, print_word=0.95, iam_word=0.78), trial(1.0, 0.05, print_word=0.95, iam_word=0.70)], 0.5),
        ([trial(0.5, 0.1, print_word=0.95, iam_word=0.775), trial(1.0, 0.05, print_word=0.941, iam_word=0.78)], 1.0),
        ([trial(0.5, 0.1, print_word=0.93, iam_word=0.78)], 0.0),  # a gain never pays for a loss elsewhere
        ([trial(0.5, 0.2, print_word=0.99, iam_word=0.99)], 0.0),  # no gain: stay at the start
        ([trial(0.5, 0.1, print_word=0.95, iam_word=0.78), trial(1.0, 0.1, print_word=0.95, iam_word=0.78)], 0.5),
    ],
)
def test_the_best_own_reading_wins_of_those_that_forget_less_than_a_point(trials: list[Trial], fraction: float) -> None:
    assert choose([START, *trials]).fraction == fraction


def test_without_an_own_sample_to_choose_by_it_goes_half_way_at_most() -> None:
    unseen = [trial(fraction, None, print_word=0.95) for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert choose(unseen).fraction == 0.5
    assert "no own sample" in said(unseen, unseen[2])


def test_what_was_chosen_is_said_with_what_it_gives() -> None:
    best = trial(0.5, 0.1, print_word=0.95, iam_word=0.775)
    told = said([START, best], best)
    assert told.startswith("went 50% of the way from the start; own CER of `tune` 20.0% -> 10.0%")
    assert told.endswith("no other group fell by more than 0.5%")


def test_weights_lie_between_start_and_end() -> None:
    start, end = [np.zeros(3, np.float32)], [np.full(3, 4.0, np.float32)]
    (quarter,) = _between(start, end, 0.25)
    assert quarter.dtype == np.float32
    assert quarter.tolist() == [1.0, 1.0, 1.0]


def test_groups_too_small_to_judge_do_not_decide() -> None:
    image = np.zeros((4, 4), np.uint8)
    samples = [
        Sample(f"{source}/{n}", image, "a", "w", source, "tune", "word")
        for source, count in (("own", 3), ("large", JUDGED_FROM), ("small", JUDGED_FROM - 1))
        for n in range(count)
    ]
    assert {sample.source for sample in _chosen(samples, ["own"])} == {"own", "large"}


def test_nine_images_that_did_not_change_do_not_prove_that_none_will() -> None:
    unchanged = paired_interval(0, 0, count=9)
    assert unchanged.high == -unchanged.low == pytest.approx(0.178, abs=0.001)


@pytest.mark.parametrize(
    ("gained", "lost", "count", "low", "high"),
    [(16, 4, 100, 0.0326, 0.2027), (5, 5, 100, -0.0637, 0.0637)],
)
def test_the_interval_of_a_paired_difference(gained: int, lost: int, count: int, low: float, high: float) -> None:
    """By hand: (16.5 - 4.5 ± 1.96 sqrt(21 - 144 / 102)) / 102."""
    interval = paired_interval(gained, lost, count=count)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.0001)


def read(sample: int, *, right: bool, writer: str) -> Result:
    return Result(f"{sample}", writer, ("own/word",), 0 if right else 2, 4, 0, 1, 0.9)


def row_of(writers: int) -> BeforeAfter:
    """60 images, of which the first half turned right, in equal documents."""
    pairs = [
        (read(n, right=True, writer=f"w{n * writers // 60}"), read(n, right=n >= 30, writer=f"w{n * writers // 60}"))
        for n in range(60)
    ]
    (compared,) = compare_all(pairs)[1:]
    return _row(compared, pairs, own=["own"])


def test_a_row_holds_both_readings_of_the_same_images() -> None:
    row = row_of(60)
    assert (row.count, row.documents, row.before, row.after, row.is_own) == (60, 60, 0.5, 1.0, True)
    assert (row.before_cer, row.after_cer) == (0.25, 0.0)
    assert "| **own/word** | 60 | 60 | 50.0% | 100.0% |" in table([row])


def test_images_of_few_documents_count_as_few() -> None:
    alone, bunched = row_of(60).difference, row_of(6).difference
    assert bunched.high - bunched.low > 2 * (alone.high - alone.low)
    assert row_of(1).difference == Interval(-1.0, 1.0)


def candidate(folder: Path) -> Path:
    (folder / "models/bundle").mkdir(parents=True)
    (folder / "models/bundle/manifest.json").write_text("{}")
    (folder / "data/dataset").mkdir(parents=True)
    (folder / "data/dataset/manifest.json").write_text("{}")
    return folder


def test_a_fine_tuned_project_is_judged_on_its_own_images_however_it_is_named(tmp_path: Path) -> None:
    project = candidate(tmp_path / "finetune")
    for named in (project, project / "models/bundle"):
        place = candidate_place(named, root=tmp_path)
        assert place == CandidatePlace(project / "models/bundle", project)


def test_a_bundle_elsewhere_is_judged_on_the_images_here(tmp_path: Path) -> None:
    bundle = tmp_path / "downloaded"
    bundle.mkdir()
    assert candidate_place(bundle, root=tmp_path / "here") == CandidatePlace(bundle, tmp_path / "here")


def letters(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "a.png")
    (folder / "index.tsv").write_text(f"path\ttext\na.png\t{text}\n")
    return folder


def test_sources_of_a_project_are_rehearsed_by_links_and_what_is_not_here_is_named(tmp_path: Path) -> None:
    project, into = tmp_path / "project", tmp_path / "into"
    for name in ("old", "gone", "own"):
        add(project, kind="transcribed", path=letters(tmp_path / name, "a"), name=name)
    add(project, kind="labels", path=letters(tmp_path / "labels", "a"), name="labels")
    (project / "data/raw/gone").rename(tmp_path / "away")
    add(into, kind="transcribed", path=letters(tmp_path / "mine", "b"), name="own")
    for _ in range(2):
        assert rehearse(project, into) == Rehearsed(("old",), ("gone",))
        assert [source.name for source in listed(into)] == ["own", "old"]
        assert (into / "data/raw/old").is_symlink()
        assert (raw_folder(into, "own") / "index.tsv").read_text().endswith("a.png\tb\n")
    assert (project / "data/raw/old/index.tsv").read_text().endswith("a.png\ta\n")


def test_a_source_by_the_name_of_a_rehearsed_one_leaves_the_files_of_the_project(tmp_path: Path) -> None:
    project, into = tmp_path / "project", tmp_path / "into"
    for number, folder in enumerate((tmp_path / "theirs", tmp_path / "own")):
        folder.mkdir()
        Image.new("L", (20, 10), 200 + number).save(folder / "a.png")
        (folder / "index.tsv").write_text(f"path\ttext\na.png\t{folder.name}\n")
    add(project, kind="transcribed", path=tmp_path / "theirs", name="receipts", terms="x")
    rehearse(project, into)
    add(into, kind="transcribed", path=tmp_path / "own", name="receipts", terms="x")
    texts = [(raw_folder(root, "receipts") / "index.tsv").read_text().split()[-1] for root in (project, into)]
    assert texts == ["theirs", "own"]
    assert rehearse(project, into) == Rehearsed((), ())


def test_a_source_that_a_kill_left_beside_its_place_is_rehearsed_before_and_after_it_is_back(tmp_path: Path) -> None:
    project, into = tmp_path / "project", tmp_path / "into"
    add(project, kind="transcribed", path=letters(tmp_path / "old", "a"), name="old")
    folder = project / "data/raw/old"
    shutil.copytree(folder, folder.with_name(".old.new"))
    folder.rename(folder.with_name(".old.old"))
    assert rehearse(project, into) == Rehearsed(("old",), ())
    assert (raw_folder(into, "old") / "index.tsv").is_file()
    recover_folder(folder)
    assert (raw_folder(into, "old") / "index.tsv").is_file()


def test_a_source_that_its_owner_keeps_on_another_disk_by_a_link_stays_listed(tmp_path: Path) -> None:
    project, into = tmp_path / "project", tmp_path / "into"
    for name in ("mine", "twin"):
        add(into, kind="transcribed", path=letters(tmp_path / name, "b"), name=name)
        (into / "data/raw" / name).rename(tmp_path / f"disk-{name}")
        (into / "data/raw" / name).symlink_to(tmp_path / f"disk-{name}")
    for name in ("old", "twin", "left"):
        add(project, kind="transcribed", path=letters(tmp_path / f"of-project-{name}", "a"), name=name)
    assert rehearse(project, into) == Rehearsed(("old", "left"), ())
    drop(project, "left")
    for _ in range(2):
        assert rehearse(project, into) == Rehearsed(("old",), ())
        assert [source.name for source in listed(into)] == ["mine", "twin", "old"]
        assert (raw_folder(into, "twin") / "index.tsv").read_text().endswith("a.png\tb\n")


def test_an_interpolation_without_a_start_or_an_own_source_is_refused() -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/finetune.yaml")
    check_phases(params, [])
    for changed in ({"start_from": ""}, {"own": ()}):
        train = dataclasses.replace(params.train, **changed)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=r"train\.interpolation is between"):
            check_phases(dataclasses.replace(params, train=train), [])


def test_every_kind_that_is_drawn_for_a_fine_tuning_has_styles_to_train_on() -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/finetune.yaml")
    wanted = {group.split("/")[0] for group in params.train.mixture if group.startswith("generated-")}
    for source in wanted:
        styles = round(params.generate.styles * params.generate.shares[source.removeprefix("generated-")])
        splits = [split_of(source, f"{style:05}", params.ingest) for style in range(styles)]
        assert splits.count("train") >= styles / 3, source


def test_where_a_source_is_not_here_it_goes_three_tenths_of_the_way_at_most() -> None:
    files = [PROJECT / name for name in ("params.yaml", "params/finetune.yaml", "params/finetune-unseen.yaml")]
    assert load_params(*files).train.interpolation == (0.1, 0.2, 0.3)
