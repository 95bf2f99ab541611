"""A hook of MkDocs: adds a reference page for each package of legible, made from the docstrings of its modules.

So a new module is in the reference without anybody listing it. `mkdocs.yml` names this file.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[1] / "src/legible"
BASICS = "basics"
"""The page of the modules that are in no package of their own."""


def pages() -> dict[str, list[str]]:
    """Return for each page the modules that it documents, in the order of their names."""
    found: dict[str, list[str]] = {BASICS: []}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        if not path.stem.startswith("_") or path.stem == "__init__":
            found.setdefault(parts[1] if len(parts) > 2 else BASICS, []).append(module)  # noqa: PLR2004
    return found


def text_of(page: str, modules: list[str]) -> str:
    """Return the Markdown of a page: a line for mkdocstrings for each module."""
    title = "legible: basics" if page == BASICS else f"legible.{page}"
    return f"# {title}\n\n" + "".join(f"::: {module}\n\n" for module in modules)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the navigation."""
    assert config.nav is not None  # noqa: S101
    config.nav.append({"Python reference": [{page: f"reference/{page}.md"} for page in pages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the site."""
    for page, modules in pages().items():
        files.append(File.generated(config, f"reference/{page}.md", content=text_of(page, modules)))
    return files
