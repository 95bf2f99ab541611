"""What is not installed is said with the extra that brings it."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from conftest import PROJECT

from legible.extras import EXTRAS, extra_of, missing_extra

PROJECT_FILE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED: dict[str, list[str]] = PROJECT_FILE["optional-dependencies"]
UNIMPORTED = {"httptools", "uvloop", "legible-ocr", "tensorflow-cpu"}
"""Requirements that no code imports by a name of their own: TensorFlow comes under two names."""


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement)[0].lower().replace("_", "-")


def modules_of(name: str) -> set[str]:
    return {
        module
        for module, names in packages_distributions().items()
        if name in {n.lower().replace("_", "-") for n in names}
    }


@pytest.mark.slow
@pytest.mark.parametrize("extra", EXTRAS)
def test_every_requirement_of_an_extra_is_found_in_one_that_brings_it(extra: str) -> None:
    for name in {distribution(one) for one in DECLARED[extra]} - UNIMPORTED:
        modules = modules_of(name) or {name}  # jax is not installed here
        brings = {extra_of(module) for module in modules} - {None}
        assert brings, f"{name}: add its module to EXTRAS"
        for found in brings:
            assert name in {distribution(one) for one in DECLARED[str(found)]}


def test_no_extra_brings_what_everybody_installs_or_nobody_knows() -> None:
    assert [extra_of(name) for name in ("numpy", "PIL", "typer", "nowhere")] == [None] * 4
    assert missing_extra(ModuleNotFoundError("no nowhere", name="nowhere")) is None


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from legible.cli import (main)
sys.argv[1:] = sys.argv[2:]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (["serve"], "prometheus_client", "serve"),
        (["train"], "yaml", "train"),
        (["gate"], "yaml", "train"),
        (["monitor"], "prometheus_client", "serve"),
        (["export"], "keras", "train"),
    ],
)
def test_a_command_without_its_extra_is_one_line(command: list[str], module: str, extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *command], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == f'legible: {module} is not installed; pip install "legible-ocr[{extra}]"\n'


def test_the_client_without_its_library_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx'] = None; import legible.client"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        'ModuleNotFoundError: httpx is not installed; pip install "legible-ocr[client]"'
    )
