"""The application that commands are added to, the options that several share, and what becomes of an error."""

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import legible
from legible.errors import LegibleError

if TYPE_CHECKING:
    from legible.config import Params

ERROR_EXIT = 3
HERE = Path()
ALL_CORES = os.cpu_count() or 1

Root = Annotated[Path, typer.Option(help="The project's folder: params.yaml, data, models.")]
Processes = Annotated[int, typer.Option(min=1, help="Worker processes or threads.")]
Corrections = Annotated[Path | None, typer.Option(help="The service's corrections, for true figures.")]
Baseline = Annotated[Path | None, typer.Option(help="This deployment's own normal, of legible rebase.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=legible.__doc__)


def main() -> None:
    """Run the command line. Any error exits with 3, as 1 says drift, or refused; a LegibleError is one line."""
    try:
        app()
    except LegibleError as error:
        print(f"legible: {error}", file=sys.stderr)
        raise SystemExit(ERROR_EXIT) from None
    except OSError as error:
        print(f"legible: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(ERROR_EXIT) from None
    except Exception:  # noqa: BLE001  # a fault of ours
        traceback.print_exc()
        raise SystemExit(ERROR_EXIT) from None


def params_of(root: Path) -> "Params":
    """Return the parameters of a project's folder."""
    from legible.config import load_params

    return load_params(root / "params.yaml")
