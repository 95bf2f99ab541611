import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest

from legible.config import load_params
from legible.errors import DataError
from legible.synth import font_packages
from legible.synth.font_packages import install_fonts

PROJECT = Path(__file__).parents[1]
BOTH = load_params(PROJECT / "params.yaml")
FIRST = dataclasses.replace(BOTH, fonts=dataclasses.replace(BOTH.fonts, folders=("fonts/files",)))
MODULES = (
    "@fontsource/abel/LICENSE",
    "@fontsource/abel/files/abel-latin-400-normal.woff2",
    "@fontsource/abel/files/abel-latin-ext-400-normal.woff2",
    "@expo-google-fonts/lato/LICENSE",
    "@expo-google-fonts/lato/LICENSE_FONT",
    "@expo-google-fonts/lato/400Regular/Lato_400Regular.ttf",
    "@expo-google-fonts/lato/400Regular_Italic/Lato_400Regular_Italic.ttf",
    "@expo-google-fonts/lato/500Medium/Lato_500Medium.ttf",
    "dseg/DSEG-LICENSE.txt",
    "dseg/fonts/DSEG7-Classic/DSEG7Classic-Bold.ttf",
    "dseg/fonts/DSEG7-Classic/DSEG7Classic-Bold.woff",
    "dseg/fonts/DSEGWeather/DSEGWeather.ttf",
)


def lay_out(root: Path, *, leave_out: str = "") -> None:
    for name in MODULES:
        if name != leave_out:
            path = root / "fonts/more/node_modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    (root / "fonts/more/package.json").write_text("{}")


def without_npm(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where npm would have been run."""
    places: list[Path] = []

    def run(command: list[str], *, cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        places.append(cwd)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(font_packages.subprocess, "run", run)
    return places


def test_files_are_kept_under_one_name_with_their_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path)
    assert without_npm(monkeypatch) == []
    install_fonts(BOTH, root=tmp_path)
    kept = sorted(
        str(p.relative_to(tmp_path / "fonts/more/files")) for p in (tmp_path / "fonts/more/files").rglob("*.*")
    )
    assert kept == [
        "abel/abel-latin-400-normal.woff2",
        "dseg7-classic/dseg7-classic-full-700-normal.ttf",
        "lato/lato-full-400-italic.ttf",
        "lato/lato-full-400-normal.ttf",
    ]
    assert (tmp_path / "fonts/more/files/lato/LICENSE").read_text() == "@expo-google-fonts/lato/LICENSE_FONT"
    assert (tmp_path / "fonts/more/files/dseg7-classic/LICENSE").read_text() == "dseg/DSEG-LICENSE.txt"
    assert (tmp_path / "fonts/files").is_dir()


def test_npm_runs_where_packages_are_named_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path)
    places = without_npm(monkeypatch)
    install_fonts(FIRST, root=tmp_path)
    assert places == []
    install_fonts(BOTH, root=tmp_path)
    assert places == [tmp_path / "fonts/more"]


def test_a_font_without_a_licence_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, leave_out="@fontsource/abel/LICENSE")
    without_npm(monkeypatch)
    with pytest.raises(DataError, match=r"abel: a font package without a licence; take it out of package\.json"):
        install_fonts(BOTH, root=tmp_path)
