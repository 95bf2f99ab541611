"""The extra of legible-ocr that brings a module which is not installed: one message for every optional import."""

from collections.abc import Mapping

PACKAGE = "legible-ocr"
EXTRAS: Mapping[str, str] = {
    "serve": "bentoml prometheus_client pydantic annotated_types python_multipart multipart starlette uvicorn",
    "client": "httpx",
    "monitor": "evidently pandas pyarrow rapidfuzz",
    "train": "yaml keras tensorflow dvc dvclive faker fontTools jinja2 scipy sklearn uharfbuzz wordfreq",
    "accelerate": "jax",
    "scale": "ray fsspec s3fs",
    "lambda": "mangum",
    "heif": "pillow_heif",
}
"""The modules that each extra brings, by the extra that is named for them: the first that holds one."""


def extra_of(module: str) -> str | None:
    """Return the extra that brings a module, such as `bentoml.exceptions`; None where none does."""
    top = module.partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules.split()), None)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Say in one line what to install for a module that is not there; None where no extra brings it."""
    extra = extra_of(error.name or "")
    return f'{error.name} is not installed; pip install "{PACKAGE}[{extra}]"' if extra else None
