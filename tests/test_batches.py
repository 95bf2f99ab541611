import numpy as np
import pytest

from legible.charset import Charset
from legible.data.dataset import Sample
from legible.errors import DataError
from legible.training.batches import (
    LEAST_ROWS,
    SIZES,
    Planner,
    Preparation,
    batch_size,
    epoch_batches,
    group_samples,
    prepare,
    resized,
    steps_needed,
)
from legible.training.preparers import Preparers

CHARSET = Charset("digits", "0123456789")


def sample(number: int, *, source: str = "drawn", kind: str = "word", text: str = "12", width: int = 60) -> Sample:
    image = np.full((40, width), 240, np.uint8)
    image[8:32, 6:-6:7] = 20
    return Sample(f"{source}/{number}", image, text, "w", source, "train", "line" if kind == "line" else "word")


def preparation(*, strength: float = 0.5) -> Preparation:
    return Preparation(CHARSET, height=32, stride=4, strength=strength, seed=1)


def many(count: int = 40) -> list[Sample]:
    return [sample(number, width=40 + 5 * (number % 20)) for number in range(count)]


def all_batches(samples: list[Sample], *, epoch: int = 0, workers: int = 1) -> list[np.ndarray]:
    plan = Planner(samples, {"drawn/word": 1.0}, seed=1).plan(epoch, samples=60)
    with Preparers(samples, preparation(), workers=workers) as preparers:
        return [batch.image for batch in epoch_batches(preparers.prepared(plan, epoch=epoch), batch_columns=512)]


@pytest.mark.parametrize(
    ("labels", "steps"),
    [([1, 2, 3], 3), ([1, 1, 2], 4), ([1, 1, 1], 5), ([], 0)],  # a blank between equal ones
)
def test_ctc_needs_a_step_for_each_label_and_a_blank_between_equal_ones(labels: list[int], steps: int) -> None:
    assert steps_needed(labels) == steps


def test_an_epoch_is_the_same_each_time_and_on_any_number_of_workers() -> None:
    once, again, threaded = all_batches(many()), all_batches(many()), all_batches(many(), workers=3)
    for others in (again, threaded):
        assert len(once) == len(others)
        assert all(np.array_equal(a, b) for a, b in zip(once, others, strict=True))


def test_another_epoch_is_another_one() -> None:
    first, second = all_batches(many()), all_batches(many(), epoch=1)
    assert any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(first, second, strict=False))


def test_every_batch_of_a_width_has_one_size() -> None:
    for image in all_batches(many()):
        assert image.shape[0] == batch_size(image.shape[2], 512)


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
    prepared = prepare(narrow.image, narrow.text, preparation(strength=0.0), np.random.default_rng(0))
    assert prepared.columns.shape[1] // 4 >= steps_needed(prepared.labels)


def test_images_come_in_many_sizes_of_the_same_shape_and_never_fewer_rows_than_can_be_read() -> None:
    rng = np.random.default_rng(0)
    image = sample(0, width=120).image
    sizes = [resized(image, rng).shape for _ in range(200)]
    heights = [height for height, _ in sizes]
    assert min(heights) == pytest.approx(SIZES[0] * 40, abs=1.5)
    assert max(heights) == pytest.approx(SIZES[1] * 40, abs=1.5)
    assert all(abs(width / height - 3) < 0.2 for height, width in sizes)
    assert min(resized(image[:24], rng).shape[0] for _ in range(50)) >= LEAST_ROWS
    assert resized(image[:12], rng).shape[0] >= 12


def test_the_mask_covers_the_image_and_nothing_beyond() -> None:
    samples = many(4)
    plan = np.arange(4)
    prepared = Preparers(samples, preparation(), workers=1).prepared(plan, epoch=0)
    for batch in epoch_batches(prepared, batch_columns=512):
        beyond = batch.image[:, :, :, 0].max(axis=1) * (1 - batch.mask[:, 0])
        assert beyond.max() == 0
        assert batch.mask.sum() > 0
