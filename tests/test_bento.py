"""`bentoml build`, serving what was built, and the steps of its image (deploy/Dockerfile) without an engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import PROJECT, drawn_word
from serving import free_port, served
from test_service import png

pytestmark = pytest.mark.slow

DOCKERFILE = (PROJECT / "deploy/Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
USER = 1034
MAX_MEGABYTES = 450
"""Of the packages that are served."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder whose `bentoml` holds the Bento legible:built."""
    folder = tmp_path_factory.mktemp("bento")
    environment = {**os.environ, "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", "built", "."]
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def bento(home: Path) -> Path:
    return home / "bentoml/bentos/legible/built"


def test_a_built_bento_serves_its_own_bundle(home: Path, bento: Path, print_face: Path) -> None:
    assert (bento / "src/models/bundle/manifest.json").is_file()
    assert not (bento / "src/data").exists()
    with served(home, target="legible:built") as address:
        answer = httpx.post(f"{address}/read", files={"image": png(drawn_word("Bento", print_face))})
    assert answer.json()["text"] == "Bento"


def test_a_built_bento_carries_our_dockerfile_and_our_lock(bento: Path) -> None:
    assert (bento / "env/docker/Dockerfile").read_text() == (PROJECT / "deploy/Dockerfile").read_text().rstrip("\n")
    lock = "requirements/serve.txt"
    assert (bento / "src" / lock).read_bytes() == (PROJECT / lock).read_bytes()


def said(instruction: str) -> str:
    """The arguments of the last such instruction of the Dockerfile."""
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE, flags=re.MULTILINE)[-1]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that another user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def interpreter() -> str:
    """A Python that the image's user may run."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a process as another user")
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    for place in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            found = subprocess.run([place, "-c", code], user=USER, group=USER, extra_groups=[], cwd="/", check=False)
        except OSError:
            continue
        if found.returncode == 0:
            return place
    pytest.skip(f"no Python from 3.11 on that user {USER} may run")


def installed(bento: Path, folder: Path) -> None:
    """The first stage: an environment of the packages alone, by the lock."""
    python = str(folder / "bin/python")
    for command in (
        ["venv", "-q", "--python", interpreter(), str(folder)],
        ["pip", "install", "-q", "--python", python, "--no-deps", "--require-hashes", "--compile-bytecode", "-r",
         str(bento / "src/requirements/serve.txt")],
    ):  # fmt: skip
        subprocess.run([sys.executable, "-m", "uv", *command], cwd=folder.parent, check=True)


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


def test_the_image_s_steps_serve_read_only_as_another_user(bento: Path, open_folder: Path) -> None:
    installed(bento, open_folder / "venv")
    assert megabytes(open_folder / "venv") < MAX_MEGABYTES
    shutil.copytree(bento / "src", open_folder / "bento")
    (open_folder / "tmp").mkdir()
    os.chown(open_folder / "tmp", USER, USER)
    here = {f"/{name}": str(open_folder / name) for name in ("venv", "bento", "tmp")}
    words = (re.sub("/(venv|bento|tmp)", lambda found: here[found[0]], word) for word in shlex.split(said("ENV")))
    environment = dict(word.split("=", 1) for word in words)
    port = environment["BENTOML_PORT"] = str(free_port())
    environment["PATH"] = environment["PATH"].replace("$PATH", os.environ["PATH"])
    program, *arguments = json.loads(said("CMD"))
    command = [str(open_folder / "venv/bin" / program), *arguments]
    with (open_folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=open_folder / "bento", env=environment, stdout=log, stderr=log, user=USER, group=USER,
            extra_groups=[],
        )  # fmt: skip
    try:
        smoke = [sys.executable, str(PROJECT / "deploy/smoke.py"), f"http://127.0.0.1:{port}"]
        outcome = subprocess.run([*smoke, "--end", f"kill {process.pid}"], capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, outcome.stderr + (open_folder / "log").read_text()
        assert "10 of 10 words right" in outcome.stdout
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
