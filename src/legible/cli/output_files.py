"""The files that `legible page` writes: each by one document alone, and none in the place of a document."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from legible.errors import DataError, SettingsError
from legible.pages.result import PageFormat
from legible.pages.write import SUFFIXES


class OutputFiles:
    """The folder that is written to, None for standard output, and which document each file in it is of.

    Raise SettingsError for documents of one name, and for one that its own output would replace: nothing is read then.
    """

    def __init__(self, folder: Path | None, form: PageFormat, documents: Sequence[Path]) -> None:
        self.folder = folder
        self._documents = {document.resolve() for document in documents}
        self._written: dict[Path, Path] = {}
        named: dict[str, Path] = {}
        for document in documents if folder is not None else ():
            other = named.setdefault(document.stem, document)
            if other is not document:
                raise SettingsError(
                    f"{other} and {document} would both be written as {document.stem!r}; read them one by one, each "
                    "into a folder of its own"
                )
            if folder is not None:
                self._check_is_no_document(folder / f"{document.stem}{SUFFIXES[form]}")

    def claim(self, document: Path, files: Mapping[str, bytes]) -> dict[Path, bytes]:
        """Return where the files of a document are to be written, in a folder that is there.

        Raise DataError where another document has written one of them.
        """
        folder = self.folder or Path()
        targets = {folder / name: content for name, content in files.items()}
        for target in targets:
            self._check_is_no_document(target)
            other = self._written.setdefault(target, document)
            if other is not document:
                raise DataError(f"{target} is of {other} already; read {document} into a folder of its own")
        folder.mkdir(parents=True, exist_ok=True)
        return targets

    def _check_is_no_document(self, target: Path) -> None:
        if target.resolve() in self._documents:
            raise SettingsError(f"{target} is read, and would be replaced; name another folder by --output")
