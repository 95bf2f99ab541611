"""Image files in place of a log: the bundle reads each, and makes an observation that is named by its path."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from legible.errors import ImageError
from legible.image.decode import decode
from legible.observations.row import Observation, observe
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer


@dataclass
class ImageFiles:
    """Paths, and the bundle that reads them; `skipped` are those that are no images, once all have been read.

    The images of each folder within `root` count as one document.
    """

    paths: Sequence[Path]
    bundle: Path
    root: Path | None = None
    skipped: list[Path] = field(default_factory=list)

    def observations(self, *, at: float) -> Iterator[Observation]:
        opened = load_bundle(self.bundle)
        recognizer = Recognizer.from_bundle(opened)
        for path in self.paths:
            try:
                image = decode(path.read_bytes())
            except ImageError:
                self.skipped.append(path)
                continue
            reading = recognizer.read([image])[0]
            yield observe(
                image,
                reading,
                channel="images",
                at=at,
                reading_id=str(path),
                bundle=opened.id,
                document=self._document(path),
            )

    def _document(self, path: Path) -> str:
        """Return the folder of an image within `root`; none for one that lies in it directly."""
        return str(path.parent) if self.root is not None and path.parent != self.root else ""
