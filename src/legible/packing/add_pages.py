"""`legible add-pages`: a line detector and its figures for a bundle that is there; its other files stay as they are."""

import dataclasses
import shutil
from pathlib import Path

from legible.config import Params
from legible.errors import BundleError
from legible.files import recover_folder, replace_folder, sha256_of, write_text
from legible.packing.card import pages_section
from legible.packing.pack import PAGE_PARTS, check_size
from legible.recognition.bundle import CARD, FORMAT, MANIFEST, load_bundle

BEFORE = ("## From generated images alone", "## Limits")
"""The headings of the card before which the section of pages stands, the first that is there."""
LIMIT = "- One word or one line to an image; it does not find lines on a page.\n"
"""What the card of a bundle without a detector says."""
SECTION = "## Whole pages"


def add_pages(params: Params, *, root: Path) -> None:
    """Put models/detector and models/pages into root/models/bundle.

    Raise BundleError for a damaged bundle, for a missing part, and where the whole is too large.
    """
    del params
    missing = [place for place in PAGE_PARTS.values() if not (root / place).is_file()]
    if missing:
        raise BundleError(
            f"cannot add pages without {', '.join(missing)}; run legible detector and the stages after it"
        )
    recover_folder(root / "models/bundle")
    bundle = load_bundle(root / "models/bundle")
    with replace_folder(root / "models/bundle") as fresh:
        for name in bundle.manifest.files:
            shutil.copyfile(bundle.folder / name, fresh / name)
        for name, place in PAGE_PARTS.items():
            shutil.copyfile(root / place, fresh / name)
        write_text(fresh / CARD, with_pages(bundle.card, pages_section(fresh, root=root)))
        files = {path.name: sha256_of(path) for path in sorted(fresh.iterdir())}
        FORMAT.save(fresh / MANIFEST, dataclasses.asdict(dataclasses.replace(bundle.manifest, files=files)))
        check_size(fresh)


def with_pages(card: str, section: str) -> str:
    """Return a card with the section of pages, in place of a former one."""
    start = card.find(SECTION)
    if start >= 0:
        card = card[:start] + card[card.index("\n## ", start) + 1 :]
    heading = next(heading for heading in BEFORE if heading in card)
    before, _, after = card.partition(heading)
    return before + section + heading + after.replace(LIMIT, "")
