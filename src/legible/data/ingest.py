"""Stage `ingest`: from generated samples and listed sources to data/dataset, split by writer.

A listed source with few writers is split by image: by writer all of it would be in one split.
"""

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

from tqdm import tqdm

from legible.charset import Charset
from legible.config import IngestParams, Params
from legible.data import sources
from legible.data.dataset import Manifest, Sample, Split, Tally, write_dataset
from legible.data.emnist import Composition, open_emnist, paste
from legible.data.iam import IamFolder, join_handwritten, open_iam
from legible.data.pages import open_pages
from legible.data.transcribed import open_transcribed
from legible.errors import DataError

FEWEST_WRITERS = 3
"""A source with fewer writers is split by image."""


def ingest(params: Params, *, root: Path) -> Manifest:
    """Write root/data/dataset, and return its manifest.

    A listed source that is not here stops the stage at its start.
    """
    listed = _allowed(sources.require(root), params.ingest)
    present = sources.generated(root)
    if not listed and not present:
        raise DataError("nothing to ingest: run legible generate, or legible data add a source")
    tally = Tally()
    if params.ingest.terms:
        tally.terms |= {source.name: source.terms for source in listed}
        tally.open_sources += [source.name for source in listed if source.open]
    samples = _all_samples(params, root, present, listed, tally)
    kept = _within_charset(samples, params.charset.build(), tally)
    return write_dataset(
        root / "data/dataset",
        tqdm(kept, desc="ingest", unit="image"),
        present=[*present, *(source.name for source in listed)],
        absent=[
            name
            for kind, weight in params.generate.shares.items()
            if weight > 0 and (name := f"{sources.GENERATED}{kind}") not in present
        ],
        tally=tally,
    )


def _allowed(listed: list[sources.Source], params: IngestParams) -> list[sources.Source]:
    """Return the sources that `ingest.terms` and `ingest.leave_out` allow."""
    unknown = sorted(set(params.leave_out) - {source.name for source in listed})
    if unknown:
        raise DataError(
            f"ingest.leave_out names {', '.join(unknown)}, no listed source; take it out, or add the source"
        )
    kept = [source for source in listed if source.name not in params.leave_out]
    return [source for source in kept if source.open or params.terms != "open"]


def _all_samples(
    params: Params, root: Path, generated: dict[str, Path], listed: list[sources.Source], tally: Tally
) -> Iterator[Sample]:
    for name, path in generated.items():
        yield from _iam_samples(open_iam(path), name, params.ingest, tally)
    for source in listed:
        folder = sources.raw_folder(root, source.name)
        if source.kind == "iam":
            layout = open_iam(folder, join_tokens=join_handwritten)
            writers = {entry.writer for entry in layout.entries.values()}
            by_image = not layout.has_lists and _noted_by_image(source.name, writers, params.ingest, tally)
            yield from _iam_samples(layout, source.name, params.ingest, tally, by_image=by_image)
        elif source.kind == "emnist":
            yield from _pasted_samples(folder, source.name, params)
        elif source.kind == "pages":
            yield from _page_samples(folder, source, tally)
        else:
            yield from _transcribed_samples(folder, source, params.ingest, tally)


def _iam_samples(
    layout: IamFolder, source: str, params: IngestParams, tally: Tally, *, by_image: bool = False
) -> Iterator[Sample]:
    for entry, image in layout.images(tally):
        if entry.segmentation not in params.segmentation:
            tally.dropped[f"{source}: segmentation {entry.segmentation}"] += 1
        elif layout.has_lists and entry.split is None:
            tally.dropped[f"{source}: form in none of the lists"] += 1
        else:
            split = split_of(source, _line_of(entry.id) if by_image else entry.writer, params, official=entry.split)
            yield Sample(
                id=f"{source}/{entry.kind}/{entry.id}", image=image, text=entry.text, writer=entry.writer,
                source=source, split=split, kind=entry.kind, segmentation=entry.segmentation,
            )  # fmt: skip


def _line_of(name: str) -> str:
    """Return the line of a sample: `a01-000u-00-03` (a word) and `a01-000u-00` (its line) -> `a01-000u-00`."""
    return "-".join(name.split("-")[:3])


def _transcribed_samples(folder: Path, listed: sources.Source, params: IngestParams, tally: Tally) -> Iterator[Sample]:
    source, opened, own = listed.name, open_transcribed(folder, listed.options), Tally()
    undecided = {row.writer for row in opened.rows if row.text and row.split is None}
    by_image = bool(undecided) and _noted_by_image(source, undecided, params, tally)
    for number, (row, image) in enumerate(opened.images(own)):
        split = row.split or split_of(source, row.path if by_image else row.writer, params)
        yield Sample(
            id=f"{source}/{number:06}", image=image, text=row.text, writer=row.writer,
            source=source, split=split, kind=row.kind, untold=listed.options.untold,
        )  # fmt: skip
    _add_tally(tally, source, own)


def _page_samples(folder: Path, listed: sources.Source, tally: Tally) -> Iterator[Sample]:
    source, opened, own = listed.name, open_pages(folder, listed.options), Tally()
    splits = opened.splits(source)
    for page, text, image, box in opened.crops(own):
        split = splits[page.name]
        if split != "train" and page.name in opened.doubtful_pages:
            own.dropped[f"{text.kind}: on a page of wrong labels"] += 1
            continue
        label, untold = opened.decided(page, text) if split == "train" else (text.text, text.untold)
        yield Sample(
            id=f"{source}/{page.name}/{text.number:04}", image=image, text=label, writer=page.name,
            source=source, split=split, kind=text.kind, untold=untold, box=box,
        )  # fmt: skip
    _add_tally(tally, source, own)


def _add_tally(tally: Tally, source: str, own: Tally) -> None:
    """Add what one source left out to the whole, under its name."""
    tally.damaged += own.damaged
    tally.dropped.update({f"{source}: {reason}": count for reason, count in own.dropped.items()})


def _pasted_samples(folder: Path, source: str, params: Params) -> Iterator[Sample]:
    own = params.ingest
    composition = Composition(own.pasted_share, lines=own.pasted_lines, gap=own.pasted_gap)
    for file in open_emnist(folder):
        for pasted in paste(file, composition, seed=params.seed):
            split = split_of(source, pasted.writer, params.ingest, official=pasted.split or "train")
            yield Sample(
                id=f"{source}/{pasted.id}", image=pasted.image, text=pasted.text, writer=pasted.writer,
                source=source, split=split, kind=pasted.kind,
            )  # fmt: skip


def _noted_by_image(source: str, writers: Collection[str], params: IngestParams, tally: Tally) -> bool:
    """Return whether a source has too few writers for `train` and `validation`, and note it in the tally if so."""
    found = {split_of(source, writer, params) for writer in writers}
    train_lacks = "train" not in found and max(params.validation_share, params.tune_share) < 1
    validation_lacks = "validation" not in found and params.validation_share > 0
    few = len(writers) < FEWEST_WRITERS or train_lacks or validation_lacks
    tally.by_image.extend([source] if few else [])
    return few


def split_of(source: str, writer: str, params: IngestParams, *, official: Split | None = None) -> Split:
    """Return the official split where there is one, else the split by a hash of the writer.

    `tune` is taken from the training writers. For a source that is split by image, an image takes the writer's place.
    """
    if official == "validation":
        return "validation"
    if official is None and _hashed(source, writer, "validation") < params.validation_share:
        return "validation"
    return "tune" if _hashed(source, writer, "tune") < params.tune_share else "train"


def _hashed(source: str, writer: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on source, writer and purpose alone."""
    digest = hashlib.sha256(f"{purpose}/{source}/{writer}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _within_charset(samples: Iterator[Sample], charset: Charset, tally: Tally) -> Iterator[Sample]:
    for sample in samples:
        unknown = [] if charset.rejects else charset.unknown(sample.text)
        if not sample.text and not sample.source.startswith(sources.GENERATED):  # drawn without text, on purpose
            tally.dropped[f"{sample.source}: empty text"] += 1
        elif unknown:
            tally.dropped[f"{sample.source}: {' '.join(unknown)} not in the charset"] += 1
        else:
            yield sample
