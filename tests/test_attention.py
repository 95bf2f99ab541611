"""The attention decoder: its shapes, that padding does not count, and that it learns to read."""

import keras
import numpy as np
import pytest

from legible.network.attention import END, AttentionReader, build_attention_reader, moved_on, start_label
from legible.network.normalization import update_batch_norm
from legible.network.zoo import ZOO

LABELS = 5
HEIGHT = 32


def reader() -> AttentionReader:
    keras.utils.set_random_seed(1)
    return build_attention_reader(ZOO["micro"], labels=LABELS, height=HEIGHT)


def bars(texts: list[list[int]], *, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Images in which each label is a bar of its own height, sixteen columns apart, and their masks."""
    image = np.zeros((len(texts), HEIGHT, width, 1), np.float32)
    mask = np.zeros((len(texts), 1, width), np.float32)
    for row, text in enumerate(texts):
        for place, label in enumerate(text):
            image[row, : 6 * label, 16 * place + 4 : 16 * place + 12] = 1
        mask[row, :, : 16 * len(text)] = 1
    return image, mask


def test_labels_move_on_by_one_behind_the_start() -> None:
    assert moved_on(np.array([[1, 2, END]], np.int32), count=LABELS).tolist() == [[start_label(LABELS), 1, 2, END]]


@pytest.mark.slow
def test_padding_does_not_count() -> None:
    narrow, wide = (bars([[1, 2]], width=width) for width in (32, 64))
    previous = moved_on(np.array([[1, 2]], np.int32), count=LABELS)
    model = reader().model
    first, second = (
        model.predict_on_batch({"image": image, "mask": mask, "previous": previous}) for image, mask in (narrow, wide)
    )
    assert first.shape == (1, 3, LABELS)
    assert np.allclose(first, second, atol=1e-4)


@pytest.mark.slow
def test_a_character_does_not_see_those_after_it() -> None:
    image, mask = bars([[1, 2]], width=32)
    model = reader().model
    first, second = (
        model.predict_on_batch({"image": image, "mask": mask, "previous": np.array([[LABELS, 1, last]], np.int32)})
        for last in (2, 3)
    )
    assert np.allclose(first[:, :2], second[:, :2], atol=1e-5)
    assert not np.allclose(first[:, 2], second[:, 2], atol=1e-5)


def test_the_loss_counts_each_text_to_its_end() -> None:
    logits = np.full((1, 3, LABELS), -9.0, np.float32)
    logits[0, 0, 1] = logits[0, 1, END] = 9.0  # "1" and its end; what comes after is wrong, and no matter
    logits[0, 2, 3] = 9.0
    assert float(reader().model.compute_loss(y=np.array([[1, END]]), y_pred=logits)) < 1e-3


@pytest.mark.slow
def test_it_learns_to_read_bars() -> None:
    rng = np.random.default_rng(0)
    texts = [rng.integers(1, LABELS, rng.integers(1, 4)).tolist() for _ in range(32)]
    image, mask = bars(texts, width=48)
    labels = np.array([text + [END] * (3 - len(text)) for text in texts], np.int32)
    own = reader()
    own.model.compile(optimizer=keras.optimizers.Adam(0.01))
    x = {"image": image, "mask": mask, "previous": moved_on(labels, count=LABELS)}
    for _ in range(150):
        own.model.train_on_batch(x, labels)
    update_batch_norm(own.encoder, [{"image": image, "mask": mask}])
    assert own.texts(image, mask, max_length=5) == texts
