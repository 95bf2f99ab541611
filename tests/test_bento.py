"""`bentoml build`, and serving what was built."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from conftest import PROJECT, drawn_word
from serving import served
from test_service import png

pytestmark = pytest.mark.slow


def test_a_built_bento_serves_its_own_bundle(tmp_path: Path, print_face: Path) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", "built", "."]
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    content = tmp_path / "bentoml/bentos/legible/built/src"
    assert (content / "models/bundle/manifest.json").is_file()
    assert not (content / "data").exists()
    with served(tmp_path, target="legible:built") as address:
        answer = httpx.post(f"{address}/read", files={"image": png(drawn_word("Bento", print_face))})
    assert answer.json()["text"] == "Bento"
