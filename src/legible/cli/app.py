"""The application that the commands are added to, the options that several share, and the handling of errors."""

import io
import os
import shutil
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import legible
from legible.errors import LegibleError
from legible.extras import missing_extra

if TYPE_CHECKING:
    from legible.config import Params

ERROR_EXIT = 3
UNENCODABLE = "backslashreplace"
"""How a character is written that the output's encoding lacks: as `\\u20ac`."""
HERE = Path()
ALL_CORES = os.cpu_count() or 1

Root = Annotated[Path, typer.Option(help="The project's folder: params.yaml, data, models.")]
Processes = Annotated[int, typer.Option(min=1, help="Worker processes or threads.")]
Corrections = Annotated[Path | None, typer.Option(help="The service's folder of corrections, to count right readings.")]
Labels = Annotated[
    Path | None, typer.Option(help="The service's folder of labels: those drawn at random tell what is right.")
]


def _of_one_model(baseline: Path | None) -> Path | None:
    """Return a folder; None where LEGIBLE_BASELINE names those of several models (`NAME=FOLDER,...`)."""
    return None if baseline is not None and "=" in str(baseline) and not baseline.exists() else baseline


Baseline = Annotated[
    Path | None,
    typer.Option(envvar="LEGIBLE_BASELINE", callback=_of_one_model, help="The baseline that legible rebase wrote."),
]

Address = Annotated[str, typer.Option(help="Address of the Ray cluster; else one is started here.")]


class Engine(StrEnum):
    """Who computes: processes of this machine, or a Ray cluster."""

    local = "local"
    ray = "ray"


EngineOption = Annotated[Engine, typer.Option(help="Who computes: this machine, or a Ray cluster.")]

ABOUT = (legible.__doc__ or "").splitlines()[0]
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=ABOUT)


def main() -> None:
    """Run the command line. Any error exits with 3; what the user can correct is explained in one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow says what instructions it found
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=UNENCODABLE)
    try:
        app()
    except BrokenPipeError:  # `legible read scans/ | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ERROR_EXIT) from None
    except (LegibleError, OSError, ModuleNotFoundError) as error:
        line = one_line(error)
        if line is None:
            raise
        print(f"legible: {line}", file=sys.stderr)
        raise SystemExit(ERROR_EXIT) from None
    except Exception:  # noqa: BLE001  # a fault of ours
        traceback.print_exc()
        raise SystemExit(ERROR_EXIT) from None


def one_line(error: LegibleError | OSError | ModuleNotFoundError) -> str | None:
    """Return an error in one line; None for a missing module that no extra brings, which is a bug."""
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of a folder that is copied
        (_, place, reason), *others = error.args[0]
        return f"{place}: {reason}" + (f", and {len(others)} files more" if others else "")
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}"
    return str(error)


def _print_version(asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if asked:
        print(f"legible {legible.__version__}")
        raise typer.Exit


@app.callback()
def _legible(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version  # printed by its callback


def params_of(root: Path) -> "Params":
    """Return the parameters of a project's folder."""
    from legible.config import load_params

    return load_params(root / "params.yaml")
