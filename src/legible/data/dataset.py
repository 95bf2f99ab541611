"""The data set, format v1: a manifest, and tar shards of `<id>.png` beside `<id>.json` (the WebDataset convention).

Images are grey as decoded, never normalised. The same samples give the same bytes.
"""

import dataclasses
import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.data.crops import READING_MARGIN, Box, cut_out
from legible.errors import DataError
from legible.file_numbers import whole_number
from legible.files import DAMAGE, JsonFormat, intact_folder, replace_folder, sha256_of
from legible.scores import Untold, without
from legible.untrusted_files import ARCHIVE_FAULTS

FORMAT = JsonFormat("data set", 1, "ingest it again", DataError)
SHARD_BYTES = 32_000_000
LATER = frozenset({"by_image", "terms", "open_sources", "chosen", "untold", "box"})
"""Fields that were added after format v1; they are left out of files in which they say nothing."""

Split = Literal["train", "tune", "validation"]
Kind = Literal["word", "line"]
Segmentation = Literal["ok", "err"]


@dataclass(frozen=True)
class Sample:
    """One grey image (H, W) and the text in it. `writer` is a person or a writer style, unique in its source."""

    id: str
    image: npt.NDArray[np.uint8]
    text: str
    writer: str
    source: str
    split: Split
    kind: Kind
    segmentation: Segmentation = "ok"
    untold: tuple[Untold, ...] = ()
    """What the label does not tell: `case` where all labels are in capitals, `spaces`, `punctuation`."""
    box: Box | None = None
    """The box of the text in an image that also shows its context; None where the whole image is the text."""

    @property
    def group(self) -> str:
        """The group as mixtures and slices name it: `source/kind`."""
        return f"{self.source}/{self.kind}"

    def comparable(self, text: str) -> str:
        """Return a text without what this sample's label does not tell, to compare it with the label."""
        return without(text, self.untold)


@dataclass(frozen=True)
class Manifest:
    """What a data set holds, and what it lacks."""

    version: int
    counts: Mapping[str, Mapping[str, int]]
    """The number of samples of each split and group: `{"train": {"iam/word": 36046}}`."""
    present: Sequence[str]
    absent: Sequence[str]
    damaged: Sequence[str]
    """The names of images that could not be decoded."""
    dropped: Mapping[str, int]
    """The number of samples that were left out, by reason."""
    shards: Mapping[str, str]
    """The sha256 of each shard."""
    by_image: Sequence[str] = ()
    """The sources that are split by image, because they have too few writers to be split by writer."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """The terms of each outside source, where `ingest.terms` asks for them."""
    open_sources: Sequence[str] = field(default_factory=list)
    """Outside sources that anyone may use for any purpose, where `ingest.terms` asks for them."""
    chosen: Sequence[str] = field(default_factory=list)
    """The sources whose samples count, in a data set that shares its shards with a larger one; empty for all."""

    @property
    def fingerprint(self) -> str:
        identity = dict(self.shards) | ({"chosen": ",".join(self.chosen)} if self.chosen else {})
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def summary(self) -> str:
        """Return a few lines for people."""
        lines = [f"{split}: {group} {n}" for split, groups in self.counts.items() for group, n in groups.items()]
        lines += [f"dropped: {count} ({reason})" for reason, count in self.dropped.items()]
        lines += [f"damaged: {', '.join(self.damaged)}"] if self.damaged else []
        lines += [f"absent: {', '.join(self.absent)}"] if self.absent else []
        if self.by_image:
            lines.append(f"split by image, for want of writers: {', '.join(self.by_image)}")
        return "\n".join(lines)


@dataclass
class Tally:
    """What was damaged or left out while samples stream by, why, and which sources are split by image."""

    damaged: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    by_image: list[str] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)
    open_sources: list[str] = field(default_factory=list)


def write_dataset(
    folder: Path,
    samples: Iterable[Sample],
    *,
    present: Sequence[str],
    absent: Sequence[str] = (),
    tally: Tally | None = None,
) -> Manifest:
    """Write shards and manifest in place of the former folder, and return the manifest.

    `tally` is read after the last sample, when its counts are complete.
    """
    with replace_folder(folder) as fresh:
        counts: dict[str, Counter[str]] = {}
        with ShardWriter(fresh) as writer:
            for sample in samples:
                writer.add(sample)
                counts.setdefault(sample.split, Counter())[sample.group] += 1
        seen = tally or Tally()
        manifest = Manifest(
            version=FORMAT.version,
            counts={split: dict(sorted(groups.items())) for split, groups in sorted(counts.items())},
            present=sorted(present),
            absent=sorted(absent),
            damaged=seen.damaged,
            dropped=dict(seen.dropped),
            shards={path.name: sha256_of(path) for path in sorted(fresh.glob("*.tar"))},
            by_image=sorted(seen.by_image),
            terms=seen.terms,
            open_sources=sorted(seen.open_sources),
        )
        stated = {name: value for name, value in dataclasses.asdict(manifest).items() if name not in LATER or value}
        FORMAT.save(fresh / "manifest.json", stated)
    return manifest


class ShardWriter:
    """Appends samples to `<split>-<number>.tar` of about SHARD_BYTES each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tars: dict[str, tarfile.TarFile] = {}
        self._numbers: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for tar in self._tars.values():
            tar.close()

    def add(self, sample: Sample) -> None:
        tar = self._tar(sample.split)
        buffer = io.BytesIO()
        Image.fromarray(sample.image).save(buffer, "PNG", compress_level=3)
        facts = {f.name: getattr(sample, f.name) for f in dataclasses.fields(sample) if f.name not in ("id", "image")}
        facts = {name: fact for name, fact in facts.items() if name not in LATER or fact}
        add_member(tar, f"{sample.id}.png", buffer.getvalue())
        add_member(tar, f"{sample.id}.json", json.dumps(facts, ensure_ascii=False).encode())

    def _tar(self, split: str) -> tarfile.TarFile:
        tar = self._tars.get(split)
        if tar is not None and tar.offset < SHARD_BYTES:
            return tar
        if tar is not None:
            tar.close()
            self._numbers[split] += 1
        path = self._folder / f"{split}-{self._numbers[split]:03}.tar"
        self._tars[split] = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        return self._tars[split]


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file without time or owner to a tar archive, so that equal contents give equal bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@dataclass(frozen=True)
class Dataset:
    """A written data set, opened for reading."""

    folder: Path
    manifest: Manifest

    @staticmethod
    def open(folder: Path) -> "Dataset":
        """Open a data set. Raise DataError where there is none, or one of another format."""
        folder = intact_folder(folder)
        path = folder / "manifest.json"
        if not path.is_file():
            raise DataError(f"{folder}: no data set here; run legible ingest (or dvc repro ingest)")
        with FORMAT.parse(path) as content:
            return Dataset(folder, _checked(Manifest(**content)))

    def verify(self) -> None:
        """Check the sum of each shard. Raise DataError naming every shard that is missing or not as written."""
        faults = [name for name, digest in self.manifest.shards.items() if not self._is_as_written(name, digest)]
        if faults:
            raise DataError(f"{self.folder}: {', '.join(faults)} not as written; ingest again or dvc checkout")

    def samples(
        self, *, split: str | None = None, source: str | None = None, kind: str | None = None, context: bool = False
    ) -> Iterator[Sample]:
        """Yield the chosen samples in the order they were written.

        Images with a box are cut to it, unless `context` is given.
        """
        for name in sorted(self.manifest.shards):
            if split is None or name.startswith(f"{split}-"):
                found = _shard_samples(self.folder / name, source=source, kind=kind)
                chosen = (s for s in found if s.source in self.manifest.chosen) if self.manifest.chosen else found
                yield from chosen if context else map(cut_to_box, chosen)

    def count(self, *, split: str | None = None, group: str | None = None) -> int:
        """Return the number of samples of a split and group (`source/kind`).

        Raise DataError where there are none; the message says what there is.
        """
        chosen = {s: groups for s, groups in self.manifest.counts.items() if split in (None, s)}
        count = sum(n for groups in chosen.values() for g, n in groups.items() if group in (None, g))
        if not count:
            held = sorted({f"{s} {g}" for s, groups in self.manifest.counts.items() for g in groups})
            raise DataError(
                f"no samples of {split or 'any split'}, {group or 'any group'}; there are {', '.join(held)}"
            )
        return count

    def _is_as_written(self, name: str, digest: str) -> bool:
        path = self.folder / name
        return path.is_file() and sha256_of(path) == digest


def _checked(manifest: Manifest) -> Manifest:
    """Return a manifest. Raise TypeError or ValueError for one that states what it cannot."""
    lists = (manifest.present, manifest.absent, manifest.damaged, manifest.by_image, manifest.open_sources)
    for names in (*lists, manifest.chosen):
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError("a list of names is none")
    for texts in (manifest.shards, manifest.terms):
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise TypeError("shards or terms are no names with texts")
    for counts in (manifest.dropped, *manifest.counts.values()):
        for name, count in counts.items():
            whole_number(count, name, low=0)
    if odd := [name for name in manifest.shards if Path(name).name != name]:
        raise ValueError(f"{odd[0]!r} is no name of a shard")
    if any(manifest.counts.values()) and not manifest.shards:
        raise ValueError("it counts samples, and lists no shard")
    return manifest


def cut_to_box(sample: Sample) -> Sample:
    """Return the sample with READING_MARGIN around its box, without the rest of its context."""
    if sample.box is None:
        return sample
    return dataclasses.replace(sample, image=cut_out(sample.image, sample.box, [READING_MARGIN] * 4), box=None)


def _shard_samples(path: Path, *, source: str | None, kind: str | None) -> Iterator[Sample]:
    """Yield the samples of a shard, in which each image is followed by its fields.

    Raise DataError where it is missing or damaged.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = iter(tar)
            for picture, facts_member in zip(members, members, strict=True):
                facts: dict[str, Any] = json.loads(_content(tar, facts_member))
                if source in (None, facts["source"]) and kind in (None, facts["kind"]):
                    facts |= {name: tuple(facts[name]) for name in ("untold", "box") if name in facts}
                    image = np.asarray(Image.open(io.BytesIO(_content(tar, picture))))
                    yield Sample(id=picture.name.removesuffix(".png"), image=image, **facts)
    except (*ARCHIVE_FAULTS, *DAMAGE) as error:
        raise DataError(f"{path}: missing or damaged ({error}); ingest again or dvc checkout") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:
        raise DataError(f"{member.name} in a shard is no file; ingest again")
    return file.read()
