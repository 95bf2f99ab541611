"""The training itself: it learns, and a killed run goes on to the same final bits."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from conftest import drawn_word
from PIL import Image, ImageDraw, ImageFont

from legible.config import Params, PhaseParams, TrainParams, dump_params, load_params
from legible.data.dataset import Dataset, Sample, write_dataset
from legible.errors import DataError, SettingsError
from legible.training import curves, loop
from legible.training import stage as training
from legible.training.batches import Planner, epoch_batches
from legible.training.checkpoint import fingerprint
from legible.training.curves import read_samples
from legible.training.phases import phases_of
from legible.training.preprocessing_pool import PreprocessingPool
from legible.training.weights import load_network, save_weights

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
FIRST = PhaseParams()
SHORT: dict[str, Any] = {
    "epochs": 1,
    "epoch_samples": 64,
    "learning_rate": 0.001,
    "warmup_epochs": 0.5,
    "dropout": 0.0,
    "strength": 0.2,
    "mixture": {"drawn/word": 1.0},
}
"""A phase after the first."""


def digits(number: int, *, split: str) -> Sample:
    rng = np.random.default_rng(number)
    text = "".join(str(digit) for digit in rng.integers(0, 10, 2))
    image = Image.new("L", (54, 36), 245)
    ImageDraw.Draw(image).text((6, 2), text, font=ImageFont.load_default(size=26), fill=25)
    name = "train" if split == "train" else "tune"
    return Sample(f"drawn/{split}/{number}", np.asarray(image), text, f"w{number % 7}", "drawn", name, "word")


def small_params(*, epochs: int, **changes: object) -> Params:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    usual: dict[str, object] = {
        "epoch_samples": 96, "mixture": {"drawn/word": 1.0}, "strength": 0.6, "dropout": 0.1, "learning_rate": 0.002,
        "warmup_epochs": 1.0,
    }  # fmt: skip
    own = {**usual, **changes}
    train = dataclasses.replace(params.train, size="micro", epochs=epochs, batch_columns=2048, **own)  # type: ignore[arg-type]
    return dataclasses.replace(params, train=train)


def project(root: Path) -> Path:
    samples = [digits(n, split="train") for n in range(120)] + [digits(n, split="tune") for n in range(500, 516)]
    write_dataset(root / "data/dataset", samples, present=["drawn"])
    return root


def pairs_after(*, epochs: int) -> str:
    """Changes of the parameters: a phase of pairs after the first, and the average of both."""
    return f"""
train:
  height: 32
  precision: float32
  epochs: 1
  epoch_samples: 64
  batch_columns: 2048
  mixture: {{drawn/word: 1.0}}
  averaged: 2
  phases:
    - {{}}
    - epochs: {epochs}
      epoch_samples: 64
      learning_rate: 0.001
      warmup_epochs: 0.5
      dropout: 0.1
      strength: 0.2
      consistency: 0.2
      renormalized: true
      mixture: {{drawn/word: 1.0}}
"""


def asked(root: Path, changes: str) -> Params:
    """The tiny parameters with these changes, also in root/params.yaml."""
    (root / "short.yaml").write_text(changes, encoding="utf-8")
    content = dump_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml", root / "short.yaml")
    (root / "params.yaml").write_text(content, encoding="utf-8")
    return load_params(root / "params.yaml")


def final_weights(root: Path) -> list[np.ndarray]:
    return list(load_network(root / "models/weights")[0].get_weights())


@pytest.fixture(scope="module")
def trained_at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = project(tmp_path_factory.mktemp("at_once"))
    training.train(small_params(epochs=3), root=root)
    return root


def test_the_average_of_a_short_training_is_not_of_its_beginning(trained_at_once: Path, tmp_path: Path) -> None:
    plain = small_params(epochs=3, averaging=0.0)
    training.train(plain, root=project(tmp_path))
    keras.utils.set_random_seed(plain.seed)
    start = loop.build_model(plain.train, labels=97).get_weights()[0]
    last, averaged = (final_weights(root)[0] for root in (tmp_path, trained_at_once))
    assert 0 < np.linalg.norm(averaged - last) < 0.5 * np.linalg.norm(start - last)


@pytest.mark.parametrize(
    ("epochs", "momentum"),
    [(1, 1 - 1 / (0.2 * 96 * 128 / 2048)), (500, 1 - 1 / (0.2 * 3000)), (5000, 0.999)],
)
def test_the_moving_average_spans_a_fifth_of_a_training_at_most(epochs: int, momentum: float) -> None:
    assert loop.averaging_momentum(small_params(epochs=epochs).train) == pytest.approx(momentum)


def test_labels_that_do_not_tell_case_are_trained_on_and_scored_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [dataclasses.replace(digits(n, split=s), text="AB") for s in ("train", "tune") for n in range(24)]
    untold = [dataclasses.replace(one, untold=("case",), id=f"u/{one.id}") for one in letters]
    write_dataset(tmp_path / "data/dataset", [*letters, *untold], present=["drawn"])
    monkeypatch.setattr(curves, "read_samples", lambda _, samples, __: ["ab"] * len(samples))
    training.train(small_params(epochs=1, epoch_samples=48), root=tmp_path)
    metrics = json.loads((tmp_path / "training/live/metrics.json").read_text())
    assert metrics["tune"] == {"cer": 0.5, "exact_match": 0.5}
    assert all(np.isfinite(weights).all() for weights in final_weights(tmp_path))


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_run_goes_on_to_the_same_final_bits(
    trained_at_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path)
    original = loop.train_epoch

    def killed_in_the_second_epoch(*args: object, epoch: int, **rest: object) -> float:
        if epoch == 1:
            raise KilledError
        return original(*args, epoch=epoch, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train_epoch", killed_in_the_second_epoch)
    with pytest.raises(KilledError):
        training.train(small_params(epochs=3), root=root)
    monkeypatch.setattr(loop, "train_epoch", original)
    training.train(small_params(epochs=3), root=root)
    for once, resumed in zip(final_weights(trained_at_once), final_weights(root), strict=True):
        assert np.array_equal(once, resumed)


TRAINED = 6
"""Batches before the end, which comes within an epoch."""


def test_a_run_killed_within_an_epoch_goes_on_from_there_to_the_same_final_bits(
    trained_at_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path)
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    original, left = loop._train_batch, iter(range(TRAINED))  # noqa: SLF001
    trained: list[float] = []

    def killed_at_the_next(*args: Any, **rest: Any) -> float:
        if next(left, None) is None:
            raise KilledError
        return original(*args, **rest)

    def counted(*args: Any, **rest: Any) -> float:
        trained.append(rest["rate"])
        return original(*args, **rest)

    monkeypatch.setattr(loop, "_train_batch", killed_at_the_next)
    with pytest.raises(KilledError):
        training.train(small_params(epochs=3), root=root)
    state = json.loads((root / "training/checkpoint-1/state.json").read_text())
    assert 0 < len(state["losses"]) < TRAINED
    monkeypatch.setattr(loop, "_train_batch", counted)
    training.train(small_params(epochs=3), root=root)
    for once, resumed in zip(final_weights(trained_at_once), final_weights(root), strict=True):
        assert np.array_equal(once, resumed)
    curves = [folder / "training/live/plots/metrics/loss.tsv" for folder in (trained_at_once, root)]
    one, other = ([line.split("\t")[-1] for line in path.read_text().splitlines()] for path in curves)
    assert one == other
    monkeypatch.setattr(loop, "_train_batch", original)
    assert TRAINED + len(trained) == sum(batches_of(epoch) for epoch in range(3))


def batches_of(epoch: int) -> int:
    """Of the training at once."""
    params = small_params(epochs=3)
    samples = [digits(n, split="train") for n in range(120)]
    plan = Planner(samples, params.train.mixture, seed=params.seed).plan(epoch, samples=params.train.epoch_samples)
    with PreprocessingPool(samples, loop.preprocessing_of(params), workers=1) as pool:
        return len(list(epoch_batches(pool.prepared(plan, epoch=epoch), batch_columns=params.train.batch_columns)))


def test_a_training_that_stops_after_a_phase_equals_the_recipe_that_ends_there(tmp_path: Path) -> None:
    second, third = (PhaseParams(**{**SHORT, "learning_rate": rate}) for rate in (0.0003, 0.0002))
    second = dataclasses.replace(second, name="second")
    stopped, ended = project(tmp_path / "stopped"), project(tmp_path / "ended")
    training.train(small_params(epochs=1, phases=(FIRST, second, third), averaged=2), root=stopped, stop_after="second")
    training.train(small_params(epochs=1, phases=(FIRST, second), averaged=2), root=ended)
    assert not (stopped / "training/checkpoint-3").exists()
    for one, other in zip(final_weights(stopped), final_weights(ended), strict=True):
        assert np.array_equal(one, other)


def test_a_phase_to_stop_after_that_there_is_none_of_is_named_before_any_training(tmp_path: Path) -> None:
    phases = (FIRST, PhaseParams(**SHORT, name="second"))
    with pytest.raises(SettingsError, match=r"'third' is no phase of train\.phases; phases: 1, second"):
        training.train(small_params(epochs=1, phases=phases), root=project(tmp_path), stop_after="third")


def test_the_newest_checkpoint_gives_the_averaged_weights_of_a_training_that_goes_on(
    trained_at_once: Path,
) -> None:
    params = small_params(epochs=3)
    newest = load_network(training.save_newest(params, root=trained_at_once))[0].get_weights()
    for one, other in zip(newest, final_weights(trained_at_once), strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(DataError, match="no checkpoint of these parameters and data"):
        training.save_newest(small_params(epochs=4), root=trained_at_once)


def widened(params: Params, *, characters: str) -> Params:
    return dataclasses.replace(params, charset=dataclasses.replace(params.charset, characters=characters))


def test_weights_of_a_smaller_charset_read_as_before_where_a_training_starts_from_them(print_face: Path) -> None:
    shipped = load_params(PROJECT / "params.yaml")
    more = "ā" + shipped.charset.characters[::-1] + "ūΩ"
    start = dataclasses.replace(shipped.train, start_from="models/weights", precision="float32", phases=())
    (phase,) = phases_of(dataclasses.replace(widened(shipped, characters=more), train=start))
    model = loop.initial_model(phase, root=PROJECT)
    words = ("garden", "Thursday", "(3,75)", "zebra")
    samples = [Sample(word, drawn_word(word, print_face), word, "w", "drawn", "tune", "word") for word in words]
    network = load_network(PROJECT / "models/weights")[0]
    before = read_samples(network, samples, loop.preprocessing_of(shipped))
    assert before[:2] == list(words[:2])
    assert read_samples(model, samples, loop.preprocessing_of(phase.params)) == before


def test_and_go_on_learning_with_the_new_characters(trained_at_once: Path, tmp_path: Path) -> None:
    root = project(tmp_path)
    params = widened(
        small_params(epochs=1, start_from=str(trained_at_once / "models/weights")), characters="0123456789é"
    )
    training.train(params, root=root)
    network, _, charset = load_network(root / "models/weights")
    assert charset.size == network.output_shape[-1] == 12
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_other_parameters_start_afresh() -> None:
    first, second = (small_params(epochs=3, learning_rate=rate) for rate in (0.002, 0.001))
    assert fingerprint(first, data_set="a") != fingerprint(second, data_set="a")


def test_a_changed_first_phase_is_followed_by_the_others(tmp_path: Path) -> None:
    then = PhaseParams(**SHORT)
    changed, afresh = project(tmp_path / "changed"), project(tmp_path / "afresh")
    training.train(small_params(epochs=1, phases=(FIRST, then)), root=changed)
    before = final_weights(changed)
    for root in (changed, afresh):
        training.train(small_params(epochs=2, phases=(FIRST, then)), root=root)
    for first, one, other in zip(before, final_weights(changed), final_weights(afresh), strict=True):
        assert np.array_equal(one, other)
        assert not np.array_equal(one, first)


def test_curves_hold_a_line_for_each_epoch(trained_at_once: Path) -> None:
    lines = (trained_at_once / "training/live/plots/metrics/loss.tsv").read_text().splitlines()
    assert len(lines) == 1 + 3


def test_fine_tuning_starts_from_the_given_weights(trained_at_once: Path, tmp_path: Path) -> None:
    root = project(tmp_path)
    start = str(trained_at_once / "models/weights")
    training.train(small_params(epochs=1, start_from=start, learning_rate=1e-9, averaging=0.0), root=root)
    for before, after in zip(final_weights(trained_at_once)[:1], final_weights(root)[:1], strict=True):
        assert np.allclose(before, after, atol=1e-4)


def test_a_fine_tuning_stops_between_its_start_and_its_end_where_it_forgets_less_than_a_point(
    trained_at_once: Path, tmp_path: Path
) -> None:
    root = tmp_path / "tuned"
    own = [dataclasses.replace(digits(n, split="train"), source="own", id=f"own/{n}") for n in range(30)]
    samples = [
        digits(n, split=split) for n, split in [*((n, "train") for n in range(60)), *((n, "tune") for n in range(90))]
    ]
    tune = [dataclasses.replace(sample, source="own", split="tune", id=f"{sample.id}/tune") for sample in own[:8]]
    write_dataset(root / "data/dataset", [*samples, *own, *tune], present=["drawn", "own"])
    shutil.copytree(trained_at_once / "models/weights", root / "start")
    params = small_params(
        epochs=1, mixture={"drawn/word": 1.0, "own/word": 1.0}, start_from="start", own=("own",),
        interpolation=(0.25, 0.5), learning_rate=0.05,
    )  # fmt: skip
    training.train(params, root=root)
    content = json.loads((root / "training/interpolation.json").read_text())
    assert [trial["fraction"] for trial in content["trials"]] == [0.0, 0.25, 0.5]
    assert list(content["trials"][0]["others"]) == ["drawn/word"]
    start, _, _ = load_network(root / "start")
    end, _, _ = load_network(root / "training/weights-1")
    between = [
        (1 - content["chosen"]) * a + content["chosen"] * b
        for a, b in zip(start.get_weights(), end.get_weights(), strict=True)
    ]
    for ours, theirs in zip(final_weights(root), between, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_two_phases_of_one_training_equal_two_trainings(trained_at_once: Path, tmp_path: Path) -> None:
    changes = {"learning_rate": 0.001, "warmup_epochs": 0.5, "dropout": 0.2, "strength": 0.2}
    then = PhaseParams(epochs=2, epoch_samples=64, mixture={"drawn/word": 1.0}, **changes)  # type: ignore[arg-type]
    together = project(tmp_path / "together")
    training.train(small_params(epochs=3, phases=(FIRST, then)), root=together)
    apart = project(tmp_path / "apart")
    start = str(trained_at_once / "models/weights")
    training.train(small_params(epochs=2, start_from=start, **{**changes, "epoch_samples": 64}), root=apart)
    for one, other in zip(final_weights(together), final_weights(apart), strict=True):
        assert np.array_equal(one, other)


def test_a_phase_starts_from_the_average_of_as_many_before_it_as_stated(tmp_path: Path) -> None:
    then = PhaseParams(**SHORT)
    still = dataclasses.replace(then, from_mean_of=2, learning_rate=0.0)
    root = project(tmp_path)
    training.train(small_params(epochs=1, averaging=0.0, weight_decay=0.0, phases=(FIRST, then, still)), root=root)
    first, second = (load_network(root / f"training/weights-{n}")[0].trainable_variables for n in (1, 2))
    last = load_network(root / "models/weights")[0].trainable_variables
    for one, other, mean in zip(first, second, last, strict=True):
        assert np.allclose(mean, (np.asarray(one) + np.asarray(other)) / 2, atol=1e-6)


def test_the_last_of_three_phases_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    root = project(tmp_path)
    then = PhaseParams(**SHORT)
    params = small_params(epochs=1, phases=(FIRST, then, then))
    training.train(params, root=root)
    before = final_weights(root)
    shutil.rmtree(root / "models")
    training.train(params, root=root)
    for one, other in zip(before, final_weights(root), strict=True):
        assert np.array_equal(one, other)


def test_a_phase_added_at_the_end_finds_those_before_it_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = loop.train_epoch

    def noted(model: object, source: object, plan: object, asked: TrainParams, **rest: int) -> float:
        rates.append(asked.learning_rate)
        return original(model, source, plan, asked, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train_epoch", noted)
    root = project(tmp_path)
    second, third = (PhaseParams(**{**SHORT, "learning_rate": rate}) for rate in (0.0003, 0.0002))
    for phases, averaged in (((), 1), ((FIRST, second), 1), ((FIRST, second, third), 2)):
        training.train(small_params(epochs=1, learning_rate=0.001, phases=phases, averaged=averaged), root=root)
    assert rates == [0.001, 0.0003, 0.0002]


def test_weights_from_open_sources_alone_are_kept_before_others_come_in(tmp_path: Path) -> None:
    root = project(tmp_path)
    samples = list(Dataset.open(root / "data/dataset").samples())
    free = [dataclasses.replace(one, source="generated-print", id=f"open/{one.id}") for one in samples]
    write_dataset(root / "data/dataset", [*free, *samples], present=["generated-print", "drawn"])
    opened, closed = ({f"{source}/word": 1.0} for source in ("generated-print", "drawn"))
    phases = tuple(PhaseParams(**{**SHORT, "mixture": mixture}) for mixture in (opened, closed))
    training.train(small_params(epochs=1, phases=phases), root=root)
    kept = load_network(root / "models/weights/open")[0].get_weights()
    first = load_network(root / "training/weights-1")[0].get_weights()
    assert all(map(np.array_equal, kept, first))
    assert not all(map(np.array_equal, kept, final_weights(root)))


def test_the_result_is_the_average_of_as_many_of_the_last_phases_as_stated(tmp_path: Path) -> None:
    then = PhaseParams(**SHORT)
    root, alone = project(tmp_path / "averaged"), project(tmp_path / "alone")
    for averaged, folder in ((2, root), (1, alone)):
        training.train(small_params(epochs=1, phases=(FIRST, then, then), averaged=averaged), root=folder)
    second = load_network(alone / "training/weights-2")[0].get_weights()
    for mean, one, other in zip(final_weights(root), second, final_weights(alone), strict=True):
        assert np.allclose(mean, (one + other) / 2, atol=1e-6)


def test_the_average_of_renormalized_phases_gets_moving_averages_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "BATCH_NORM_SAMPLES", 120)
    then = PhaseParams(**SHORT, renormalized=True)
    root, alone = project(tmp_path / "averaged"), project(tmp_path / "alone")
    for averaged, folder in ((2, root), (1, alone)):
        training.train(small_params(epochs=1, phases=(FIRST, then), averaged=averaged), root=folder)
    places = (alone / "training/weights-1", alone / "models/weights", root / "models/weights")
    networks = [load_network(place)[0] for place in places]
    for kind, agree in (("trainable_variables", True), ("non_trainable_variables", False)):
        for first, second, mean in zip(*(getattr(network, kind) for network in networks), strict=True):
            assert np.allclose(mean, (np.asarray(first) + np.asarray(second)) / 2, atol=1e-6) == agree


def test_a_training_on_pairs_counts_the_agreement_of_their_views_in_its_loss(tmp_path: Path) -> None:
    root = project(tmp_path)
    losses = []
    for consistency in (1e-9, 5.0):
        shutil.rmtree(root / "training", ignore_errors=True)
        training.train(small_params(epochs=1, consistency=consistency), root=root)
        rows = (root / "training/live/plots/metrics/loss.tsv").read_text().splitlines()
        losses.append(float(rows[1].split("\t")[-1]))
    assert losses[1] > losses[0] + 0.01


def test_pairs_need_augmentation(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="compares two augmented views"):
        training.train(small_params(epochs=1, consistency=0.2, strength=0.0), root=project(tmp_path))


def test_a_data_set_without_training_samples_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data/dataset", [digits(1, split="tune")], present=["drawn"])
    with pytest.raises(DataError, match="holds no train samples"):
        training.train(small_params(epochs=1), root=tmp_path)


def test_a_source_of_a_later_mixture_with_no_training_samples_is_refused_before_any_training(tmp_path: Path) -> None:
    samples = [digits(n, split="train") for n in range(4)] + [digits(9, split="tune")]
    samples.append(dataclasses.replace(digits(8, split="tune"), source="own", id="own/8"))
    write_dataset(tmp_path / "data/dataset", samples, present=["drawn", "own"])
    later = PhaseParams(mixture={"drawn/word": 1.0, "own/word": 1.0})
    with pytest.raises(DataError, match="names own/word, and no sample of that is in `train`"):
        training.train(small_params(epochs=1, phases=(FIRST, later)), root=tmp_path)
    assert not (tmp_path / "training").exists()


@pytest.mark.parametrize(("seen", "device"), [(True, "gpu"), (False, "cpu")])
def test_weights_say_on_which_device_pytorch_trained_them(
    *, seen: bool, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params(epochs=1)
    model = loop.build_model(params.train, labels=params.charset.build().size)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: seen)))
    monkeypatch.setattr("legible.training.weights.keras.backend.backend", lambda: "torch")
    save_weights(model, tmp_path / "weights", params.train, charset=params.charset.build())
    monkeypatch.undo()
    description = load_network(tmp_path / "weights")[1]
    assert (description.backend, description.device) == ("torch", device)
