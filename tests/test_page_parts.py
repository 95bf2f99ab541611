"""The HTML files of the page share one head."""

import pytest

from legible.service.page_parts import INCLUDE, PAGE, html_of

FILES = sorted(path.name for path in PAGE.glob("*.html") if path.name != "head.html")


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_the_shared_head_once_and_its_own_title(name: str) -> None:
    html = html_of(name)
    assert INCLUDE.strip() not in html
    head = html.partition("</head>")[0]
    for line in ('<meta charset="utf-8">', 'name="viewport"', 'href="/page/style.css"', "<title>legible"):
        assert head.count(line) == 1, line


def test_no_file_repeats_what_is_shared() -> None:
    assert len(FILES) >= 4
    assert all("viewport" not in (PAGE / name).read_text(encoding="utf-8") for name in FILES)
