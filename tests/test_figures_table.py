"""The tables of two bundles' figures that a pull request shows."""

import json
from pathlib import Path

import pytest

from legible.errors import BundleError
from legible.gate.figures_table import figures_beside


def test_every_figure_of_an_evaluation_stands_beside_the_champions(bundle_folder: Path) -> None:
    known = json.loads((bundle_folder / "evaluation.json").read_text(encoding="utf-8"))
    text = figures_beside(bundle_folder, bundle_folder)
    for name in known["slices"]:
        assert text.count(f"| {name} |") >= 1 + (name in known["with_lexicon"]["slices"])
    for name in (*known["same_reading"], *known["corruptions"]["exact_match"]):
        assert f"| {name} |" in text
    share = f"{known['slices']['iam/word']['exact_match']:.2%}"
    assert f"{share} to {share}" in text


def test_what_an_older_champion_lacks_is_left_open(bundle_folder: Path, tmp_path: Path) -> None:
    known = json.loads((bundle_folder / "evaluation.json").read_text(encoding="utf-8"))
    (tmp_path / "evaluation.json").write_text(json.dumps({"slices": {"print": known["slices"]["print"]}}))
    text = figures_beside(bundle_folder, tmp_path)
    words = known["slices"]["iam/word"]
    assert f"| iam/word | - to {words['count']} | - to {words['exact_match']:.2%}" in text
    assert f"| blur | - | - to {known['corruptions']['exact_match']['blur'][0]:.2%}" in text


def test_figures_that_are_damaged_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text('{"slices": {"a": 1}}')
    with pytest.raises(BundleError, match=r"damaged evaluation\.json"):
        figures_beside(tmp_path, tmp_path)
