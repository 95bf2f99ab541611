"""The open bundle: which phases and samples it may stem from, and that it holds nothing else."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, drawn_word

from legible.config import Params, PhaseParams, load_params
from legible.data.chosen import choose_sources, closed_sources, open_sources
from legible.data.dataset import Dataset, Sample, Tally, write_dataset
from legible.errors import DataError
from legible.packing.open_bundle import open_bundle
from legible.recognition.bundle import load_bundle
from legible.training.phases import open_phases, phases_of

SOURCES = ("generated-print", "letters", "iam")
"""Drawn; anyone's; for research alone."""


def sample(source: str, number: int, split: str, face: Path) -> Sample:
    text = ("garden", "seven", "river", "Paris")[number % 4] + str(number)
    image = drawn_word(text, face, size=24 + number % 9)
    noise = np.random.default_rng(number).normal(0, 10, image.shape)
    noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
    return Sample(f"{split}-{source}-{number}", noisy, text, f"w{number % 5}", source, split, "word")  # type: ignore[arg-type]


def data_set_of(folder: Path, face: Path, *, each: int) -> Dataset:
    samples = [
        sample(source, number, split, face)
        for split in ("train", "tune", "validation")
        for source in SOURCES
        for number in range(each)
    ]
    write_dataset(folder, samples, present=SOURCES, tally=Tally(open_sources=["letters"]))
    return Dataset.open(folder)


def test_chosen_sources_share_the_shards_and_nothing_else_is_in_them(tmp_path: Path, print_face: Path) -> None:
    whole = data_set_of(tmp_path / "whole", print_face, each=3)
    assert (open_sources(whole), closed_sources(whole)) == (["generated-print", "letters"], ["iam"])
    part = choose_sources(whole, tmp_path / "part", open_sources(whole))
    assert {one.source for one in part.samples()} == {"generated-print", "letters"}
    assert [one.id for one in part.samples()] == [one.id for one in whole.samples() if one.source != "iam"]
    assert part.manifest.counts["tune"] == {"generated-print/word": 3, "letters/word": 3}
    assert part.manifest.absent == ["iam"]
    assert part.manifest.fingerprint != whole.manifest.fingerprint
    part.verify()


def test_a_source_that_is_not_there_is_named(tmp_path: Path, print_face: Path) -> None:
    whole = data_set_of(tmp_path / "whole", print_face, each=1)
    with pytest.raises(DataError, match="no source parzival"):
        choose_sources(whole, tmp_path / "part", ["letters", "parzival"])
    with pytest.raises(DataError, match="of those asked for"):
        choose_sources(whole, tmp_path / "part", [])


def params_with(*mixtures: dict[str, float], start_from: str = "") -> Params:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    phases = tuple(PhaseParams(mixture=mixture) for mixture in mixtures)
    return dataclasses.replace(params, train=dataclasses.replace(params.train, phases=phases, start_from=start_from))


@pytest.mark.parametrize(
    ("params", "count"),
    [
        (params_with({"generated-print/word": 1}, {"letters/line": 1}, {"iam/word": 1}), 2),
        (params_with({"generated-print/word": 1}, {"iam/word": 1}, {"letters/word": 1}), 1),
        (params_with({"iam/word": 1}, {"letters/word": 1}), 0),
        (params_with({"letters/word": 1}, {"iam/word": 1}, start_from="models/weights"), 0),
        (params_with({"letters/word": 1, "not-here/word": 1}), 1),
    ],
)
def test_open_phases_end_where_another_source_comes_in(params: Params, count: int) -> None:
    assert len(open_phases(phases_of(params), ["iam"])) == count


def test_without_open_weights_it_is_empty_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models/open").mkdir(parents=True)
    (tmp_path / "models/open/former").write_text("")
    open_bundle(params_with({"iam/word": 1}), root=tmp_path)
    assert "no phase was trained on open sources alone; models/open is empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models/open").iterdir()] == ["README"]


@pytest.mark.slow
def test_the_open_bundle_reads_and_knows_no_other_source(tmp_path: Path, print_face: Path) -> None:
    data_set_of(tmp_path / "data/dataset", print_face, each=40)
    (tmp_path / "data/sources.json").write_text('{"version": 1, "sources": []}')
    shutil.copytree(PROJECT / "models/weights", tmp_path / "models/weights/open")
    open_bundle(load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml"), root=tmp_path)
    bundle = load_bundle(tmp_path / "models/open")
    assert set(bundle.manifest.sources) == {"generated-print", "letters"}
    slices = json.loads((bundle.folder / "evaluation.json").read_text())["slices"]
    assert "letters/word" in slices
    assert not [name for name in slices if "iam" in name]
    assert "iam" not in bundle.card.split("## How well it reads")[0].split("Not used")[0]
