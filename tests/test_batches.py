import dataclasses
import multiprocessing

import numpy as np
import pytest

from legible.arrays import GreyImage
from legible.charset import Charset
from legible.data.dataset import Sample
from legible.errors import DataError, SettingsError
from legible.training.batches import (
    MIN_ROWS,
    SIZES,
    Example,
    Planner,
    PreprocessingConfig,
    batch_size,
    epoch_batches,
    group_samples,
    jittered,
    make_batch,
    masked,
    prepare,
    prepare_sample,
    resized,
    steps_needed,
)
from legible.training.devices import share_batches
from legible.training.hosts import join_hosts, own_rows
from legible.training.preprocessing_pool import PreprocessingPool

CHARSET = Charset("digits", "0123456789")


def sample(number: int, *, source: str = "drawn", kind: str = "word", text: str = "12", width: int = 60) -> Sample:
    image = np.full((40, width), 240, np.uint8)
    image[8:32, 6:-6:7] = 20
    return Sample(f"{source}/{number}", image, text, "w", source, "train", "line" if kind == "line" else "word")


def preprocessing(*, strength: float = 0.5) -> PreprocessingConfig:
    return PreprocessingConfig(CHARSET, height=32, stride=4, strength=strength, seed=1)


def many(count: int = 40) -> list[Sample]:
    return [sample(number, width=40 + 5 * (number % 20)) for number in range(count)]


def all_batches(samples: list[Sample], *, epoch: int = 0, workers: int = 1) -> list[np.ndarray]:
    plan = Planner(samples, {"drawn/word": 1.0}, seed=1).plan(epoch, samples=60)
    with PreprocessingPool(samples, preprocessing(), workers=workers) as pool:
        return [batch.image for batch in epoch_batches(pool.prepared(plan, epoch=epoch), batch_columns=512)]


@pytest.mark.parametrize(
    ("labels", "steps"),
    [([1, 2, 3], 3), ([1, 1, 2], 4), ([1, 1, 1], 5), ([], 0)],  # a blank between equal ones
)
def test_ctc_needs_a_step_for_each_label_and_a_blank_between_equal_ones(labels: list[int], steps: int) -> None:
    assert steps_needed(labels) == steps


@pytest.mark.slow
def test_an_epoch_is_the_same_each_time_and_on_any_number_of_workers() -> None:
    once, again, threaded = all_batches(many()), all_batches(many()), all_batches(many(), workers=3)
    for others in (again, threaded):
        assert len(once) == len(others)
        assert all(np.array_equal(a, b) for a, b in zip(once, others, strict=True))


def test_one_worker_is_the_training_itself() -> None:
    with PreprocessingPool(many(2), preprocessing(), workers=1) as pool:
        assert len(list(pool.prepared(np.arange(2), epoch=0))) == 2
        assert multiprocessing.active_children() == []


def test_another_epoch_is_another_one() -> None:
    first, second = all_batches(many()), all_batches(many(), epoch=1)
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(first, second, strict=False))


def test_every_batch_of_a_width_has_one_size() -> None:
    for image in all_batches(many()):
        assert image.shape[0] == batch_size(image.shape[2], 512)


def test_without_repeats_each_sample_is_there_once() -> None:
    prepared = PreprocessingPool(many(), preprocessing(), workers=1).prepared(np.arange(40), epoch=0)
    batches = list(epoch_batches(prepared, batch_columns=512, filled=False))
    assert sum(batch.size for batch in batches) == 40
    assert all(batch.size <= batch_size(batch.image.shape[2], 512) for batch in batches)


def test_no_sample_comes_again_before_all_others_of_its_group() -> None:
    planner = Planner(many(10), {"drawn/word": 1.0}, seed=3)
    drawn = np.concatenate([planner.plan(epoch, samples=5) for epoch in range(4)])
    assert sorted(drawn[:10]) == list(range(10))
    assert sorted(drawn[10:]) == list(range(10))


def test_the_mixture_weighs_groups_and_leaves_out_what_it_does_not_name() -> None:
    samples = [sample(n) for n in range(50)] + [sample(n, kind="line") for n in range(50)]
    samples += [sample(n, source="other") for n in range(50)]
    drawn = Planner(samples, {"drawn/word": 3.0, "drawn/line": 1.0}, seed=0).plan(0, samples=400)
    assert np.count_nonzero(drawn < 50) == 300
    assert np.count_nonzero(drawn >= 100) == 0


def test_a_mixture_without_samples_is_refused_with_what_is_there() -> None:
    with pytest.raises(DataError, match=r"holds \['drawn/word'\], train.mixture names \['iam/word'\]"):
        group_samples(many(3), {"iam/word": 1.0})


def test_an_image_too_narrow_for_its_text_gets_paper_at_its_right() -> None:
    narrow = sample(0, text="1111111111", width=20)
    prepared = prepare(narrow.image, narrow.text, preprocessing(strength=0.0), np.random.default_rng(0))
    assert prepared.columns.shape[1] // 4 >= steps_needed(prepared.labels)


def test_images_come_in_many_sizes_of_the_same_shape_and_never_fewer_rows_than_can_be_read() -> None:
    rng = np.random.default_rng(0)
    image = sample(0, width=120).image
    sizes = [resized(image, rng).shape for _ in range(200)]
    heights = [height for height, _ in sizes]
    assert min(heights) == pytest.approx(SIZES[0] * 40, abs=1.5)
    assert max(heights) == pytest.approx(SIZES[1] * 40, abs=1.5)
    assert all(abs(width / height - 3) < 0.2 for height, width in sizes)
    assert min(resized(image[:24], rng).shape[0] for _ in range(50)) >= MIN_ROWS
    assert resized(image[:12], rng).shape[0] >= 12


def test_two_views_of_a_sample_show_the_same_letters_at_the_same_steps_in_other_ink() -> None:
    samples = many(24)
    paired = dataclasses.replace(preprocessing(strength=0.6), paired=True)
    for one in PreprocessingPool(samples, paired, workers=1).prepared(np.arange(24), epoch=0):
        assert one.twin is not None
        assert one.twin.shape == one.columns.shape
    drawn = [sample_of(number) for number in range(12)]
    pairs = [prepare(image, "12", paired, np.random.default_rng(n)) for n, image in enumerate(drawn)]
    apart = [float(np.abs(one.columns - one.twin).mean()) for one in pairs if one.twin is not None]
    assert max(apart) > 0.01, "some views differ"
    assert np.median(apart) < 0.12, "but show the same"


def test_masks_hide_a_tenth_of_the_columns_and_never_most_of_a_letter() -> None:
    rng = np.random.default_rng(0)
    long, short = np.ones((4, 400), np.float32), np.ones((4, 16), np.float32)
    assert np.mean([np.mean(masked(long, rng) < 1) for _ in range(200)]) == pytest.approx(0.1, abs=0.02)
    assert max(np.mean(masked(short, rng) < 1) for _ in range(200)) <= 0.75
    assert long.min() == 1, "a copy"


def sample_of(number: int) -> GreyImage:
    """Bars at places of their own: a view moved by a step would differ by most of its ink."""
    image = np.full((40, 160), 240, np.uint8)
    for place in np.random.default_rng(number).choice(np.arange(12, 148, 12), 6, replace=False):
        image[8:32, place : place + 5] = 30
    return image


def test_a_batch_of_pairs_holds_the_second_views_after_the_first() -> None:
    ones = [Example(np.full((4, 8), n, np.float32), [n + 1], np.full((4, 8), n + 10, np.float32)) for n in range(3)]
    batch = make_batch(ones, width=16)
    assert batch.image[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert batch.labels[:, 0].tolist() == [1, 2, 3, 1, 2, 3]
    assert batch.size == 3
    with pytest.raises(ValueError, match="1 of 2 samples have a twin"):
        make_batch([ones[0], Example(np.zeros((4, 8), np.float32), [1])], width=16)


def test_the_mask_covers_the_image_and_nothing_beyond() -> None:
    samples = many(4)
    plan = np.arange(4)
    prepared = PreprocessingPool(samples, preprocessing(), workers=1).prepared(plan, epoch=0)
    for batch in epoch_batches(prepared, batch_columns=512):
        beyond = batch.image[:, :, :, 0].max(axis=1) * (1 - batch.mask[:, 0])
        assert beyond.max() == 0
        assert batch.mask.sum() > 0


def boxed(number: int = 0, **facts: object) -> Sample:
    """Paper with a dark box of 20 by 60 pixels, 14 from the edges, as a page's crop is stored."""
    image = np.full((48, 88), 220, np.uint8)
    image[14:34, 14:74] = 20
    return dataclasses.replace(sample(number), image=image, box=(14.0, 14.0, 74.0, 34.0), **facts)


def test_a_stored_crop_is_trained_on_from_tight_to_loose_and_off_centre() -> None:
    rng = np.random.default_rng(0)
    heights = [jittered(boxed(), rng).shape[0] for _ in range(300)]
    assert min(heights) == 18
    assert max(heights) >= 30
    assert 20 <= np.median(heights) <= 25
    cuts = [jittered(boxed(), rng) for _ in range(50)]
    assert any((cut[0] > 200).all() != (cut[-1] > 200).all() for cut in cuts), "off centre"
    assert min(cut.shape[1] for cut in cuts) >= 59


def test_an_image_without_a_box_is_left_as_it_is() -> None:
    plain = sample(0)
    assert jittered(plain, np.random.default_rng(0)) is plain.image


def test_unaugmented_crops_have_the_margin_of_reading() -> None:
    seen = prepare_sample(boxed(), preprocessing(strength=0.0), np.random.default_rng(0))
    cut = boxed().image[12:36, 12:76]
    assert np.array_equal(
        seen.columns, prepare(cut, "12", preprocessing(strength=0.0), np.random.default_rng(0)).columns
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_what_labels_do_not_tell_reaches_the_batch_on_any_number_of_workers(workers: int) -> None:
    samples = [boxed(text="Ab 1"), boxed(text="AB1", untold=("case", "spaces"))]
    charset = Charset("letters", "aAbB1 ")
    with PreprocessingPool(samples, dataclasses.replace(preprocessing(), charset=charset), workers=workers) as pool:
        told, untold = pool.prepared(np.arange(2), epoch=0)
    assert (charset.decode(told.labels), told.untold) == ("Ab 1", ())
    assert (charset.decode(untold.labels), untold.untold) == ("ab1", ("case", "spaces"))
    batch = make_batch([told, untold], width=1024)
    assert batch.untold.tolist() == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("width", "columns", "multiple", "samples"), [(192, 2048, 1, 10), (192, 2048, 4, 8), (4096, 2048, 4, 4)]
)
def test_a_batch_divides_among_the_devices_that_share_it(width: int, columns: int, multiple: int, samples: int) -> None:
    assert batch_size(width, columns, multiple) == samples


@pytest.mark.parametrize(
    ("backend", "coordinator", "number", "said"),
    [
        ("tensorflow", "10.0.0.1:9876", 0, "--hosts 2 needs JAX, and the backend is tensorflow"),
        ("jax", "10.0.0.1:9876", 2, "--host 2: hosts are numbered from 0 to 1"),
        ("jax", "", 0, "--hosts 2 needs --coordinator"),
    ],
)
def test_hosts_that_cannot_join_are_refused(
    monkeypatch: pytest.MonkeyPatch, backend: str, coordinator: str, number: int, said: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(SettingsError, match=said):
        join_hosts(coordinator, count=2, number=number)


def test_one_host_computes_all_rows() -> None:
    batch = np.arange(6).reshape(3, 2)
    assert own_rows(batch) is batch


def test_several_devices_need_a_backend_that_can_share() -> None:
    with pytest.raises(SettingsError, match="needs JAX, and the backend is tensorflow"):
        share_batches(2, multiple=2)
