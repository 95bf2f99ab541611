"""`import legible` and read: paths, bytes, open files, PIL images and arrays; in threads, and after a fork."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT, drawn_word
from PIL import Image

import legible
from legible.arrays import GreyImage
from legible.errors import ImageError, SettingsError
from legible.image.inputs import grey_image
from legible.image_input import image_file

WORD = "Hamburg"


@pytest.fixture(scope="session")
def pixels(print_face: Path) -> GreyImage:
    return drawn_word(WORD, print_face)


@pytest.fixture
def path(pixels: GreyImage, tmp_path: Path) -> Path:
    Image.fromarray(pixels).save(tmp_path / "word.png")
    return tmp_path / "word.png"


INPUTS: dict[str, Callable[[Path], Any]] = {
    "a path": lambda path: path,
    "a path as a string": str,
    "bytes": Path.read_bytes,
    "a bytearray": lambda path: bytearray(path.read_bytes()),
    "a memoryview": lambda path: memoryview(path.read_bytes()),
    "an open file": lambda path: path.open("rb"),
    "a file in memory": lambda path: io.BytesIO(path.read_bytes()),
    "a PIL image": Image.open,
    "a PIL image in colour": lambda path: Image.open(path).convert("RGB"),
    "an array": lambda path: np.asarray(Image.open(path)),
    "an array in colour": lambda path: np.asarray(Image.open(path).convert("RGB")),
    "an array with transparency": lambda path: np.asarray(Image.open(path).convert("RGBA")),
    "an array with one channel": lambda path: np.asarray(Image.open(path))[..., None],
}


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
def test_any_kind_of_image_is_read(given: Callable[[Path], Any], path: Path) -> None:
    image = given(path)
    assert legible.read(image).text == WORD
    getattr(image, "close", lambda: None)()


def test_a_binary_array_is_black_and_white(path: Path) -> None:
    assert legible.read(np.asarray(Image.open(path)) > 128).text == WORD


def test_a_pil_image_is_read_at_the_frame_where_it_stands(print_face: Path, tmp_path: Path) -> None:
    first, second = (Image.fromarray(drawn_word(text, print_face)) for text in ("first", "second"))
    first.save(tmp_path / "two.tif", save_all=True, append_images=[second])
    with Image.open(tmp_path / "two.tif") as image:
        image.seek(1)
        assert legible.read(image).text == "second"
        assert image.tell() == 1


def test_a_reading_names_alternatives_and_prefers_a_lexicon(path: Path) -> None:
    reading = legible.read(path, lexicon="english", alternatives=2)
    assert reading.text == WORD
    assert len(reading.alternatives) == 2
    with pytest.raises(SettingsError, match="no lexicon 'french'"):
        legible.read(path, lexicon="french")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "int is no image; give a path, the bytes of an image file"),
        (None, "NoneType is no image"),
        (io.StringIO("text"), "the file gives str; open it for bytes"),
        (b"no image", "this is not an image"),
        (np.zeros((4, 4)), r"an array of float64 and shape \(4, 4\) is no image; give uint8"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\) is no image"),
        (np.zeros((0, 4), np.uint8), r"shape \(0, 4\) is no image"),
    ],
)
def test_what_is_no_image_is_said_in_one_line(given: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        legible.read(given)


def test_a_file_of_holes_or_without_end_is_refused(tmp_path: Path) -> None:
    holes = tmp_path / "holes.png"
    holes.touch()
    os.truncate(holes, 2**40)
    for read in (legible.read, legible.read_page):
        with pytest.raises(ImageError, match="more than 100000000 bytes"):
            read(holes)
    with holes.open("rb") as file, pytest.raises(ImageError, match="more than 100000000 bytes"):
        legible.read(file)


def test_a_path_without_a_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        legible.read(tmp_path / "nowhere.png")


def test_an_array_with_too_many_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="at most 40000000 are read"):
        grey_image(np.zeros((9000, 9000, 3), np.uint8))


def test_a_recognizer_reads_many_and_says_of_each_what_came_of_it(path: Path, tmp_path: Path) -> None:
    recognizer = legible.Recognizer.open(workers=2)
    given = [path, b"no image", str(tmp_path / "nowhere.png"), np.asarray(Image.open(path))]
    first, second, third, last = recognizer.try_each(given)
    assert isinstance(second, ImageError)
    assert isinstance(third, FileNotFoundError)
    assert [one.text for one in (first, last) if isinstance(one, legible.Reading)] == [WORD, WORD]
    with pytest.raises(ImageError):
        recognizer.read(given)


@pytest.mark.parametrize("workers", [1, 2])
def test_images_are_taken_as_they_are_read_and_not_all_at_once(path: Path, workers: int) -> None:
    taken: list[int] = []

    def images() -> Any:
        for number in range(200):
            taken.append(number)
            yield path

    readings = legible.Recognizer.open(workers=workers).read_each(images())
    assert next(readings).text == WORD
    assert len(taken) < 40


IMPORT = """
import sys
import legible
heavy = {"numpy", "PIL", "cv2", "ai_edge_litert", "typer"} & sys.modules.keys()
assert not heavy, heavy
print(*legible.__all__)
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=PROJECT
    )


def test_importing_legible_loads_nothing_heavy() -> None:
    done = run(IMPORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "Alternative",
        "Character",
        "Reading",
        "Recognizer",
        "__version__",
        "read",
        "read_page",
    ]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'legible' has no attribute 'reed'"):
        _ = legible.reed  # type: ignore[attr-defined]
    assert set(legible.__all__) <= set(dir(legible))


FORK = """
import os, signal, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import legible
recognizer = legible.Recognizer.open(workers=2)
before = [reading.text for reading in recognizer.read([sys.argv[1]] * 9)]
child = os.fork()
if child == 0:
    signal.alarm(20)
    after = [reading.text for reading in recognizer.read([sys.argv[1]] * 9)]
    os._exit(0 if after == before else 1)
assert os.waitpid(child, 0)[1] == 0
assert [reading.text for reading in recognizer.read([sys.argv[1]])] == before[:1]
"""


def test_a_recognizer_with_threads_reads_in_a_fork_too(path: Path) -> None:
    done = run(FORK, str(path))
    assert done.returncode == 0, done.stderr


FORK_WHILE_OPENING = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from legible.{package} import shipped
opening, go_on, load_bundle = threading.Event(), threading.Event(), shipped.load_bundle
def load_slowly(folder):
    opening.set()
    go_on.wait()
    return load_bundle(folder)
shipped.load_bundle = load_slowly
read = getattr(shipped, "{function}")
thread = threading.Thread(target=read, args=sys.argv[1:])
thread.start()
opening.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    shipped.load_bundle = load_bundle
    read(sys.argv[1])
    os._exit(0)
go_on.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize(("package", "function"), [("recognition", "read"), ("pages", "read_page")])
def test_a_fork_reads_though_another_thread_opened_the_bundle_at_that_moment(
    path: Path, package: str, function: str
) -> None:
    done = run(FORK_WHILE_OPENING.format(package=package, function=function), str(path))
    assert done.returncode == 0, done.stderr


def test_an_editable_installation_finds_the_bundle_of_its_checkout_from_any_folder(path: Path) -> None:
    command = [sys.executable, "-c", "import legible, sys; print(legible.read(sys.argv[1]).text)", str(path)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORD}\n"


def test_the_name_of_a_file_goes_along_with_its_bytes(path: Path) -> None:
    assert image_file(path) == ("word.png", path.read_bytes())
    with path.open("rb") as file:
        assert image_file(file) == ("word.png", path.read_bytes())
    name, content = image_file(np.asarray(Image.open(path)))
    assert name == "image.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(Image.open(path)))
