"""`legible read`: images to texts."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from legible.cli.app import app
from legible.errors import LegibleError
from legible.reading import Reading

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines: path, text, confidence.")] = False,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder; else LEGIBLE_BUNDLE or the shipped.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that read.")] = 1,
    lexicon: Annotated[str, typer.Option(help="Prefer the words of this lexicon of the bundle, such as english.")] = "",
    alternatives: Annotated[int, typer.Option(min=0, help="How many other texts to say; with --json.")] = 0,
) -> None:
    """Read images. Example: legible read scans/ word.png --json"""
    from legible.recognition.bundle import find_bundle, load_bundle
    from legible.recognition.decoding import Decoding
    from legible.recognition.recognizer import Recognizer

    files = list(image_files(paths))
    opened = load_bundle(bundle or find_bundle())
    recognizer = Recognizer.from_bundle(opened, workers=workers)
    prior = recognizer.prior(opened.lexicon(lexicon)) if lexicon else None
    read_images = partial(recognizer.read, decoding=Decoding(prior, alternatives))
    failures = 0
    for path, outcome in zip(files, _read_files(files, read_images), strict=True):
        failures += isinstance(outcome, LegibleError)
        _print_outcome(path, outcome, as_json=as_json)
    if failures:
        raise typer.Exit(1)


def image_files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise LegibleError(f"{path}: no such file or folder")
        if path.is_file():
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise LegibleError(f"{path}: no images ({', '.join(sorted(IMAGE_SUFFIXES))}) in this folder")
        yield from inside


def _read_files(
    files: list[Path], read_images: Callable[[list[Any]], list[Reading]]
) -> Iterator[Reading | LegibleError]:
    from tqdm import tqdm

    from legible.image.decode import decode

    for path in tqdm(files, unit="image", disable=len(files) < 20):  # noqa: PLR2004
        try:
            yield read_images([decode(path.read_bytes())])[0]
        except LegibleError as error:
            yield error


def _print_outcome(path: Path, outcome: Reading | LegibleError, *, as_json: bool) -> None:
    if isinstance(outcome, LegibleError):
        if as_json:
            print(json.dumps({"path": str(path), "error": str(outcome)}, ensure_ascii=False))
        print(f"legible: {path}: {outcome}", file=sys.stderr)
    elif as_json:
        fields: dict[str, Any] = {"path": str(path), "text": outcome.text, "confidence": round(outcome.confidence, 4)}
        if outcome.alternatives:
            fields["alternatives"] = [[other.text, round(other.confidence, 4)] for other in outcome.alternatives]
        print(json.dumps(fields, ensure_ascii=False))
    else:
        print(f"{outcome.confidence:6.3f}  {outcome.text}  [{path}]")
