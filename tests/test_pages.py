import dataclasses
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from legible.charset import Charset
from legible.config import Params, load_params
from legible.data import sources
from legible.data.dataset import Dataset, Tally
from legible.data.ingest import ingest
from legible.data.labels import faults_of
from legible.data.options import SourceOptions, parse_options
from legible.data.pages import open_pages, split_of, splits_of
from legible.data.second_readings import SecondReading
from legible.errors import DataError

PROJECT = Path(__file__).parents[1]
PAGE_WIDTH, PAGE_HEIGHT = 200, 120


def line(text: str | None, *, top: float = 20, **more: Any) -> dict[str, Any]:
    return {"box": [20, top, 120, top + 20], "text": text, **more}


def page_bytes(number: int = 0) -> bytes:
    image = np.random.default_rng(number).integers(0, 255, (PAGE_HEIGHT, PAGE_WIDTH, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def pages(folder: Path, *rows: dict[str, Any], key: str = "lines") -> Path:
    """A folder with a page for each row of lines."""
    (folder / "images").mkdir(parents=True)
    index = []
    for number, row in enumerate(rows):
        (folder / f"images/{number}.png").write_bytes(page_bytes(number))
        index.append(json.dumps({"image": f"images/{number}.png", key: row[key]}))
    (folder / "pages.jsonl").write_text("\n".join(index), encoding="utf-8")
    return folder


def one_page(folder: Path, *lines: dict[str, Any]) -> Path:
    return pages(folder, {"lines": list(lines)})


def params(**changes: object) -> Params:
    loaded = load_params(PROJECT / "params.yaml")
    return dataclasses.replace(loaded, ingest=dataclasses.replace(loaded.ingest, **changes))  # type: ignore[arg-type]


def texts(folder: Path, options: SourceOptions | None = None) -> list[str]:
    return [text.text for _, text, _, _ in open_pages(folder, options).crops(Tally())]


def test_lines_are_cut_out_grey_with_their_box_inside(tmp_path: Path) -> None:
    opened = open_pages(one_page(tmp_path / "p", line("TOTAL 9.90")))
    page, text, image, box = next(iter(opened.crops(Tally())))
    assert (page.name, text.text, text.kind) == ("0", "TOTAL 9.90", "line")
    assert image.shape == (34, 114)
    assert image.dtype == np.uint8
    assert box == (7, 7, 107, 27)


def test_an_archive_and_a_folder_with_it_give_the_same(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a"), line("b", top=60))
    (tmp_path / "packed").mkdir()
    with tarfile.open(tmp_path / "packed/p.tar", "w") as tar:
        tar.add(folder, arcname="")
    assert texts(folder) == texts(tmp_path / "packed") == texts(tmp_path / "packed/p.tar") == ["a", "b"]


def test_a_text_without_its_spaces_is_taken_without_them(tmp_path: Path) -> None:
    rows = [
        line(None, text_without_spaces="BUSNO"),
        line("9.90", text_without_spaces="9.90"),
        line("a b", text_without_spaces="ab"),
    ]
    found = [text for _, text, _, _ in open_pages(one_page(tmp_path / "p", *rows)).crops(Tally())]
    assert [(text.text, text.untold) for text in found] == [("BUSNO", ("spaces",)), ("9.90", ("spaces",)), ("a b", ())]


def test_what_cannot_be_learned_from_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        line("kept"),
        line(None),
        line("struck ~~~"),
        {"box": [5, 5, 8, 60], "text": "I"},
        {"box": [5, 5, 25, 60], "text": "upright"},
    ]
    tally = Tally()
    opened = open_pages(one_page(tmp_path / "p", *rows), SourceOptions(leave_out="~~~"))
    assert [text.text for _, text, _, _ in opened.crops(tally)] == ["kept"]
    assert tally.dropped == {
        "line: without text": 1,
        "line: left out by the source's options": 1,
        "line: a box of less than 5 pixels": 1,
        "line: stands on its side": 1,
    }


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    (folder / "images/0.png").write_bytes(b"no png")
    tally = Tally()
    assert list(open_pages(folder).crops(tally)) == []
    assert tally.damaged == ["images/0.png"]


@pytest.mark.parametrize(
    "row",
    [
        "{",
        '{"lines": []}',
        '{"image": "a.png", "lines": [{"text": "a"}]}',
        '{"image": "a.png", "lines": [{"box": [1, 2, 3], "text": "a"}]}',
        '{"image": "a.png", "lines": [{"box": [1, 2, 3, 4]}]}',
    ],
)
def test_a_row_that_lacks_something_is_named_by_its_number(tmp_path: Path, row: str) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    (folder / "pages.jsonl").write_text('{"image": "images/0.png", "lines": []}\n' + row)
    with pytest.raises(DataError, match=r"row 2 of pages\.jsonl needs an image, and lines or words"):
        open_pages(folder)


def test_an_image_outside_the_source_is_refused(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    (folder / "pages.jsonl").write_text('{"image": "../0.png", "lines": []}')
    with pytest.raises(DataError, match=r"names '\.\./0\.png', an image outside the source"):
        open_pages(folder)


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pages\.jsonl here; write one with a row for each page"):
        open_pages(tmp_path)


@pytest.mark.parametrize(("count", "validation"), [(200, 20), (30, 10), (20, 10), (10, 5), (3, 1), (1, 0)])
def test_a_tenth_of_the_pages_is_validation_ten_at_least_and_half_at_most(count: int, validation: int) -> None:
    names = [f"p{number}" for number in range(count)]
    splits = list(splits_of("drawn", names).values())
    assert splits.count("validation") == validation
    rest = count - validation
    assert splits.count("tune") == (max(round(rest / 10), 1) if rest > 1 else 0)
    assert splits.count("train") == rest - splits.count("tune")


def test_the_split_of_a_page_depends_on_names_alone() -> None:
    names = [f"p{number}" for number in range(40)]
    assert splits_of("drawn", names) == splits_of("drawn", list(reversed(names)))
    assert splits_of("drawn", names) != splits_of("other", names)
    assert {name: split_of("drawn", name, names) for name in names} == splits_of("drawn", names)


def test_an_official_list_gives_validation(tmp_path: Path) -> None:
    folder = pages(tmp_path / "p", *[{"lines": [line("a")]} for _ in range(6)])
    (folder / "split_validation.txt").write_text("images/3.png\n5\n")
    splits = open_pages(folder).splits("drawn")
    assert sorted(name for name, split in splits.items() if split == "validation") == ["3", "5"]
    assert sorted(splits) == ["0", "1", "2", "3", "4", "5"]


def test_pages_are_added_and_ingested_by_page(tmp_path: Path) -> None:
    rows = [{"lines": [line(f"TEXT {n}"), line("9.90", top=60)]} for n in range(12)]
    folder = pages(tmp_path / "p", *rows)
    options = parse_options(["untold=case"])
    added = sources.add(tmp_path, kind="pages", path=folder, name="sroie", terms="research", options=options)
    assert added.counts == {"line": 24, "damaged": 0}
    assert sources.listed(tmp_path) == [added]
    manifest = ingest(params(), root=tmp_path)
    assert manifest.counts == {
        "train": {"sroie/line": 10},
        "tune": {"sroie/line": 2},
        "validation": {"sroie/line": 12},
    }
    splits = splits_of("sroie", [str(number) for number in range(12)])
    for sample in Dataset.open(tmp_path / "data/dataset").samples():
        assert sample.split == splits[sample.writer]
        assert sample.untold == ("case",)


def test_a_sample_is_read_with_one_margin_and_trained_on_with_its_context(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="pages", path=one_page(tmp_path / "p", line("a")), name="drawn")
    ingest(params(), root=tmp_path)
    opened = Dataset.open(tmp_path / "data/dataset")
    (read,), (trained,) = list(opened.samples()), list(opened.samples(context=True))
    assert (read.image.shape, read.box) == ((24, 104), None)
    assert (trained.image.shape, trained.box) == ((34, 114), (7, 7, 107, 27))
    assert np.array_equal(read.image, trained.image[5:29, 5:109])


def test_a_charset_with_a_reject_sign_keeps_texts_with_strange_signs(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="pages", path=one_page(tmp_path / "p", line("☐ yes")), name="drawn")
    assert ingest(reading("yes "), root=tmp_path).dropped == {"drawn: ☐ not in the charset": 1}
    assert ingest(reading("yes \N{REPLACEMENT CHARACTER}"), root=tmp_path).counts == {"train": {"drawn/line": 1}}


def reading(characters: str) -> Params:
    return dataclasses.replace(params(), charset=dataclasses.replace(params().charset, characters=characters))


def test_the_manifest_names_terms_where_asked_and_open_takes_open_sources_alone(tmp_path: Path) -> None:
    for name, is_open in (("free", True), ("research", False)):
        folder = one_page(tmp_path / name, line("a"))
        sources.add(tmp_path, kind="pages", path=folder, terms=f"terms of {name}", is_open=is_open)
    everything = ingest(params(terms="all"), root=tmp_path)
    assert everything.terms == {"free": "terms of free", "research": "terms of research"}
    assert everything.open_sources == ["free"]
    assert ingest(params(terms="open"), root=tmp_path).counts == {"train": {"free/line": 1}}
    assert ingest(params(terms="", leave_out=("free",)), root=tmp_path).counts == {"train": {"research/line": 1}}
    assert "terms" not in (tmp_path / "data/dataset/manifest.json").read_text()


def test_leaving_out_what_is_not_listed_is_an_error(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="pages", path=one_page(tmp_path / "p", line("a")))
    with pytest.raises(DataError, match=r"ingest\.leave_out names q, no listed source"):
        ingest(params(leave_out=("q",)), root=tmp_path)


def test_options_are_listed_and_kept_until_others_are_given(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a¬"), line("b_", top=60))
    options = SourceOptions(leave_out="_", replace={"¬": "-"})
    sources.add(tmp_path, kind="pages", path=folder, options=options)
    again = sources.add(tmp_path, kind="pages", path=folder)
    assert again.options == sources.listed(tmp_path)[0].options == options
    assert again.counts == {"line": 1, "damaged": 0, "left out": 1}
    assert sources.add(tmp_path, kind="pages", path=folder, options=SourceOptions()).counts["line"] == 2


def test_second_readings_decide_case_and_spaces_for_training_and_speak_against_labels(tmp_path: Path) -> None:
    rest = [line("", top=90) for _ in range(4)]
    rows = [{"lines": [line("TEL:12"), line("SOMETHING ELSE", top=60), *rest]} for _ in range(4)]
    folder = pages(tmp_path / "p", *rows)
    readings = [f"images/{n}.png\t0\tTel:12\t0.99\nimages/{n}.png\t1\t46.80\t0.99" for n in range(4)]
    (folder / "readings.tsv").write_text("\n".join(["image\tnumber\treading\tconfidence", *readings]))
    sources.add(tmp_path, kind="pages", path=folder, name="drawn", options=SourceOptions(untold=("case",)))
    manifest = ingest(params(), root=tmp_path)
    assert manifest.dropped == {
        "drawn: line: a second reading is of another text": 4,
        "drawn: line: without text": 16,
    }
    found = {s.split: (s.text, s.untold) for s in Dataset.open(tmp_path / "data/dataset").samples()}
    assert found == {"train": ("Tel:12", ()), "tune": ("TEL:12", ("case",)), "validation": ("TEL:12", ("case",))}


def test_a_page_of_wrong_labels_gives_training_what_a_second_reading_agrees_with_and_figures_nothing(
    tmp_path: Path,
) -> None:
    rows = [{"lines": [line("Server: ANN"), line("2.99", top=60), line("3.99", top=90)]} for _ in range(4)]
    folder = pages(tmp_path / "p", *rows)
    read = ("46.80", "2.99", "2.49")
    readings = [f"images/{page}.png\t{n}\t{text}\t0.99" for page in range(4) for n, text in enumerate(read)]
    (folder / "readings.tsv").write_text("\n".join(["image\tnumber\treading\tconfidence", *readings]))
    sources.add(tmp_path, kind="pages", path=folder, name="drawn")
    manifest = ingest(params(), root=tmp_path)
    assert manifest.counts == {"train": {"drawn/line": 1}}
    assert [sample.text for sample in Dataset.open(tmp_path / "data/dataset").samples()] == ["2.99"]
    assert sum(manifest.dropped.values()) == 11


@pytest.mark.parametrize(
    ("label", "untold", "decided"),
    [
        ("TEL : 12", ("case",), ("Tel : 12", ())),
        ("Tel:12", ("spaces",), ("Tel: 12", ())),
        ("TEL:12", ("case", "spaces"), ("Tel: 12", ())),
        ("TEL:12", ("spaces",), ("TEL:12", ("spaces",))),
        ("TEL:13", ("case", "spaces"), ("TEL:13", ("case", "spaces"))),
        ("TEL:12", (), ("TEL:12", ())),
        ("Tel12", ("punctuation",), ("Tel12", ("punctuation",))),
    ],
)
def test_a_second_reading_decides_what_is_untold_where_the_letters_agree(label: str, untold: Any, decided: Any) -> None:
    assert SecondReading("Tel: 12", 0.95).decided(label, untold) == decided
    assert SecondReading("Tel: 12", 0.5).decided(label, untold) == (label, untold)


def test_only_a_confident_reading_of_some_length_speaks_against_a_label() -> None:
    assert SecondReading("46.80", 0.9).contradicts("1/2 Stk Wht")
    assert not SecondReading("46.80", 0.7).contradicts("1/2 Stk Wht")
    assert not SecondReading("46.80", 0.9).contradicts("40.80")
    assert not SecondReading("è", 0.9).contradicts("0")
    assert not SecondReading("tel 12", 0.9).contradicts("TEL12")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("untold=colour", "untold=colour: known are case, spaces, punctuation"),
        ("leave_out=[", r"leave_out=\[: unterminated"),
        ("page=images", "put the part that names the page into parentheses"),
        ("band=0.8,0.2", "give top and bottom as fractions"),
        ("band=top", "give top and bottom as fractions"),
        ("replace=a", "write OLD:NEW"),
        ("size=3", "size: no option of a source; known: band, leave_out"),
        ("untold", "write NAME=VALUE"),
    ],
)
def test_faulty_options_are_refused_with_the_way_out(given: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_options([given])


def test_options_of_a_command_line_come_back_from_the_list() -> None:
    given = ["untold=case,spaces", "replace=¬:-,ӓ:ä", "band=0.25,0.8", r"page=(\d+)_", "leave_out=_"]
    options = parse_options(given)
    assert options == SourceOptions(
        untold=("case", "spaces"), replace={"¬": "-", "ӓ": "ä"}, band=(0.25, 0.8), page=r"(\d+)_", leave_out="_"
    )
    assert SourceOptions.of(json.loads(json.dumps(options.stated()))) == options
    assert SourceOptions().stated() == {}
    assert options.text("Vӓter¬") == "Väter-"
    assert options.page_of("images/12_3.jpg") == "12"


def test_faults_of_labels_are_named_with_code_points() -> None:
    assert faults_of(["a", "b a", ""], Charset("ab", "ab ")) == []
    assert faults_of([" ", "a ", "e\u0301", "€"], Charset("ab", "abe ")) == [
        "1 label of blanks alone",
        "1 label with blanks at an edge, such as 'a '",
        "signs outside the charset 'ab', left out with their labels: '◌\u0301' (U+0301) in 1, '€' (U+20AC) in 1",
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"image": null, "lines": []}', "NoneType"),
        ('{"image": "images/\\u0000.png", "lines": []}', "outside the source"),
        ('{"image": "images/0.png", "lines": [{"box": [20, 20, NaN, 40], "text": "a"}]}', "nan is no coordinate"),
        ('{"image": "images/0.png", "lines": [{"box": [20, 20, 1e999, 40], "text": "a"}]}', "inf is no coordinate"),
        (
            '{"image": "images/0.png", "lines": [{"box": [20, 20, 90, 40], "text": "a", "polygon": [[1, 1]]}]}',
            "1 points",
        ),
        ('{"image": "images/0.png", "lines": [], "corners": [[0, 0], [9, 0], [9, 9]]}', "3 points"),
    ],
)
def test_a_row_that_cannot_be_meant_is_told_with_its_number(tmp_path: Path, row: str, told: str) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    (folder / "pages.jsonl").write_text(f"\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"row 2 of pages.jsonl.*{told}"):
        open_pages(folder)


def test_a_page_that_is_listed_twice_is_refused_because_its_lines_would_be_cut_at_each_other(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    index = folder / "pages.jsonl"
    index.write_text(f"{index.read_text()}\n{index.read_text()}")
    with pytest.raises(DataError, match=r"several rows of images/0\.png"):
        open_pages(folder)


def test_an_index_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("a"))
    index = folder / "pages.jsonl"
    index.write_bytes(b"\xef\xbb\xbf" + index.read_bytes())
    assert texts(folder) == ["a"]


def test_a_box_beside_the_picture_or_of_another_size_of_it_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", line("in"), {"box": [900, 20, 990, 40], "text": "out"})
    tally = Tally()
    assert [text.text for _, text, _, _ in open_pages(folder).crops(tally)] == ["in"]
    assert tally.dropped == {"line: a box outside the picture": 1}
    index = folder / "pages.jsonl"
    row = {**json.loads(index.read_text()), "width": PAGE_WIDTH * 2, "height": PAGE_HEIGHT * 2}
    index.write_text(json.dumps(row))
    tally = Tally()
    assert list(open_pages(folder).crops(tally)) == []
    assert tally.dropped == {"line: boxes of a picture of another size": 2}


def test_a_source_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    folder = one_page(tmp_path / "p", {"box": [900, 20, 990, 40], "text": "out"})
    with pytest.raises(DataError, match=r"has a text; line: a box outside the picture \(1\)$"):
        sources.add(tmp_path, kind="pages", path=folder)


def test_labels_may_reach_a_little_over_the_edge_of_the_picture(tmp_path: Path) -> None:
    assert texts(one_page(tmp_path / "p", {"box": [-5, -3, PAGE_WIDTH + 4, 20], "text": "edge"})) == ["edge"]
