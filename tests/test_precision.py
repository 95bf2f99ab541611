from pathlib import Path

import pytest

from legible.errors import SettingsError
from legible.training import precision
from legible.training.precision import FLOAT32, MIXED, usable_precision

pytestmark = pytest.mark.slow  # imports Keras


def described(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\n{flags}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("flags\t\t: fpu avx2 fma", FLOAT32),
        ("flags\t\t: fpu avx2 avx512_bf16", MIXED),
        ("flags\t\t: fpu amx_bf16", MIXED),
        ("Features\t: fp asimd bf16", MIXED),
        ("Features\t: fp asimd i8mm", FLOAT32),
        ("", FLOAT32),
    ],
)
def test_bfloat16_is_left_where_the_processor_lacks_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str, found: str
) -> None:
    assert usable_precision(MIXED, processor=described(tmp_path, flags)) == found
    assert ("no bfloat16" in capsys.readouterr().err) == (found == FLOAT32)


def test_nothing_is_said_where_float32_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert usable_precision(FLOAT32, processor=tmp_path / "none") == FLOAT32
    assert capsys.readouterr().err == ""


def test_an_accelerator_is_not_asked_for_its_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "device", lambda: "gpu")
    assert usable_precision(MIXED, processor=tmp_path / "none") == MIXED


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(SettingsError, match="'float16'; known: float32, mixed_bfloat16"):
        usable_precision("float16")
