import gzip
from pathlib import Path

import numpy as np
import pytest

from legible.config import load_params
from legible.data import sources
from legible.data.dataset import Dataset
from legible.data.emnist import Composition, open_emnist, paste
from legible.data.idx import read_idx
from legible.data.ingest import ingest
from legible.errors import DataError

PROJECT = Path(__file__).parents[1]


def write_idx(path: Path, array: np.ndarray) -> None:
    code = {1: 8, 4: 12}[array.dtype.itemsize]
    header = bytes([0, 0, code, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    content = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def glyph(label: int) -> np.ndarray:
    """A letter-like L, 28 x 28, a little different for each label: a stem at the left, a foot below."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 8:11] = 200
    image[21:24, 8 : 14 + label % 6] = 200
    return image


def write_pair(folder: Path, stem: str, labels: np.ndarray, *, transposed: bool, suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    classes = labels[:, 0] if labels.ndim == 2 else labels
    images = np.stack([glyph(int(label)).T if transposed else glyph(int(label)) for label in classes])
    write_idx(folder / f"{stem}-images-idx3-ubyte{suffix}", images)
    kind = "idx2-int" if labels.ndim == 2 else "idx1-ubyte"
    write_idx(folder / f"{stem}-labels-{kind}{suffix}", labels)


def mnist(folder: Path) -> Path:
    write_pair(folder, "train", np.arange(450, dtype=np.uint8) % 10, transposed=False, suffix=".gz")
    write_pair(folder, "t10k", np.arange(30, dtype=np.uint8) % 10, transposed=False)
    return folder


def byclass(folder: Path) -> Path:
    write_pair(folder, "emnist-byclass-train", np.array([0, 10, 36], np.uint8), transposed=True)
    (folder / "emnist-byclass-mapping.txt").write_text("0 48\n10 65\n36 97\n")
    return folder


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize("array", [np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.arange(6, dtype=np.int32)])
def test_an_idx_file_reads_back(tmp_path: Path, name: str, array: np.ndarray) -> None:
    write_idx(tmp_path / name, array)
    assert np.array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no idx file; its first bytes are missing"),
        (b"PK\x03\x04rest", "no idx file; its first bytes are 504b0304"),
        (b"\0\0\x08\x01\0\0\0\x05abc", r"3 bytes where \(5,\) of uint8 stands"),
        (b"\0\0\x08\x03\0\0\0\x05\0", "ends within its header"),
    ],
)
def test_a_file_that_is_no_idx_is_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "f")


def test_a_torn_gz_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "f.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05abcde")[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "f.gz")


def test_digits_need_no_mapping_and_test_files_are_for_validation(tmp_path: Path) -> None:
    test, train = open_emnist(mnist(tmp_path))
    assert (test.split, train.split) == ("validation", None)
    assert train.texts[:12] == tuple("012345678901")
    assert np.array_equal(train.images[3], glyph(3))
    assert len(set(train.writers)) == 3


def test_emnist_is_turned_right_and_labelled_by_its_mapping(tmp_path: Path) -> None:
    (file,) = open_emnist(byclass(tmp_path))
    assert file.texts == ("0", "A", "a")
    assert np.array_equal(file.images[2], glyph(36))


def test_qmnist_tells_the_writer(tmp_path: Path) -> None:
    labels = np.array([[digit, 0, writer, 0, 0, 0, 0, 0] for digit, writer in ((1, 7), (2, 9), (3, 7))], np.int32)
    write_pair(tmp_path, "qmnist-train", labels, transposed=False)
    (file,) = open_emnist(tmp_path)
    assert file.texts == ("1", "2", "3")
    assert file.writers == ("train-00007", "train-00009", "train-00007")
    for pasted in paste(file, Composition(5.0), seed=1):
        allowed = "2 " if pasted.writer == "train-00009" else "13 "
        assert set(pasted.text) <= set(allowed)


def test_pasted_words_show_their_characters_in_order(tmp_path: Path) -> None:
    (_, train) = open_emnist(mnist(tmp_path))
    pasted = [p for p in paste(train, Composition(1.0), seed=1) if len(p.text) > 1]
    assert {p.kind for p in pasted} == {"word", "line"}
    assert all((" " in p.text) == (p.kind == "line") for p in pasted)
    assert sum(len(p.text.replace(" ", "")) for p in pasted) >= len(train.texts)
    word = next(p for p in pasted if p.kind == "word")
    stems = np.flatnonzero(np.diff((word.image[6] > 0).astype(int), prepend=0) == 1)
    assert len(stems) == len(word.text)
    assert len({p.id for p in paste(train, Composition(1.0), seed=1)}) == len(
        list(paste(train, Composition(1.0), seed=1))
    )


@pytest.mark.parametrize(
    ("name", "mapping"), [("emnist-letters", "1 65 97\n2 66 98\n"), ("emnist-balanced", "1 65\n2 66\n")]
)
def test_classes_of_two_letters_are_refused(tmp_path: Path, name: str, mapping: str) -> None:
    write_pair(tmp_path, f"{name}-train", np.array([1, 2], np.uint8), transposed=True)
    (tmp_path / f"{name}-mapping.txt").write_text(mapping)
    with pytest.raises(DataError, match="share classes, which teaches neither; take EMNIST's byclass files"):
        open_emnist(tmp_path)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file named like train-images-idx3-ubyte"):
        open_emnist(tmp_path)
    write_pair(tmp_path, "train", np.array([1, 2], np.uint8), transposed=False)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([1], np.uint8))
    with pytest.raises(DataError, match="the two files do not belong together"):
        open_emnist(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([1, 77], np.uint8))
    with pytest.raises(DataError, match=r"no character is known for the labels \[77\]; put mapping.txt beside it"):
        open_emnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no train-labels-idx1-ubyte beside it"):
        open_emnist(tmp_path)


@pytest.mark.parametrize(("folder", "suffix"), [("", ".gz"), ("again", ""), ("again", ".gz")])
def test_the_same_set_twice_is_refused_by_name(tmp_path: Path, folder: str, suffix: str) -> None:
    there, labels = tmp_path / "there", np.array([1, 2], np.uint8)
    write_pair(there, "train", labels, transposed=False)
    write_pair(there / folder, "train", labels, transposed=False, suffix=suffix)
    with pytest.raises(DataError, match="are the same set; keep one of them") as error:
        sources.add(tmp_path, kind="emnist", path=there, name="mnist")
    assert str(there / folder / f"train-images-idx3-ubyte{suffix}") in str(error.value)
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_named_as_its_file_is_no_second_set(tmp_path: Path) -> None:
    write_pair(tmp_path / "train-images-idx3-ubyte", "train", np.array([1, 2], np.uint8), transposed=False)
    assert [file.name for file in open_emnist(tmp_path)] == ["train"]


@pytest.mark.parametrize("line", ["36 a", "36", "caf\xe9 97", "36 -1", f"36 {10**30}", "36 1.5"])
def test_a_mapping_that_is_none_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    (byclass(tmp_path) / "emnist-byclass-mapping.txt").write_bytes(f"0 48\n\n{line}\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"mapping\.txt: '.*' is no label and code of a character, such as 36 97"):
        open_emnist(tmp_path)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3, 3), ()])
def test_labels_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_pair(tmp_path, "train", np.array([1, 2], np.uint8), transposed=False)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.ones(shape, np.uint8))
    with pytest.raises(DataError, match="the two files do not belong together"):
        open_emnist(tmp_path)


@pytest.mark.parametrize("shape", [(2, 4, 28), (2, 28, 4), (0, 28, 28), (2, 0, 0)])
def test_images_that_nothing_can_be_pasted_of_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.ones(shape, np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.ones(shape[0], np.uint8))
    with pytest.raises(DataError, match="it needs one and more, 5 pixels high and wide"):
        open_emnist(tmp_path)


def test_images_of_the_least_size_are_pasted(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.ones((2, 5, 5), np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.ones(2, np.uint8))
    (file,) = open_emnist(tmp_path)
    assert any(len(pasted.text) > 1 for pasted in paste(file, Composition(5.0), seed=1))


def test_an_added_set_becomes_a_source_of_the_data_set(tmp_path: Path) -> None:
    added = sources.add(tmp_path, kind="emnist", path=mnist(tmp_path / "there"), name="mnist")
    assert added.counts == {"character": 480, "damaged": 0}
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    manifest = ingest(params, root=tmp_path)
    assert manifest.counts["validation"]["mnist/word"] >= 30
    assert manifest.counts["train"]["mnist/line"] > 0
    splits: dict[str, set[str]] = {}
    samples = list(Dataset.open(tmp_path / "data/dataset").samples())
    for sample in samples:
        splits.setdefault(sample.writer, set()).add(sample.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set("".join(sample.text for sample in samples)) == set("0123456789 ")
