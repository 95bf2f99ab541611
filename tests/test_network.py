from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from legible.errors import SettingsError
from legible.network.loss import CTCModel, consistency_loss
from legible.network.normalization import BatchNormalization, update_batch_norm
from legible.network.zoo import STRIDE, ZOO, build_inference_network, build_network, size_named

LABELS = 97
HEIGHT = 32


def padded_batch(*, width: int, columns: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Noise images of so many columns each, padded to one width."""
    rng = np.random.default_rng(0)
    image = np.zeros((len(columns), HEIGHT, width, 1), np.float32)
    mask = np.zeros((len(columns), 1, width), np.float32)
    for row, own in enumerate(columns):
        image[row, :, :own] = rng.random((HEIGHT, own, 1))
        mask[row, :, :own] = 1
    return {"image": image, "mask": mask}


def with_random_normalization(network: CTCModel) -> CTCModel:
    """Moving averages as after a training, so that a mask forgotten anywhere shows."""
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_states_its_parameters(name: str) -> None:
    assert build_network(ZOO[name], labels=LABELS, height=HEIGHT).count_params() == ZOO[name].parameters


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'huge'; sizes: micro, mini, small, base"):
        size_named("huge")


def test_a_time_step_is_a_stride_of_columns() -> None:
    network = build_network(ZOO["micro"], labels=LABELS, height=HEIGHT)
    logits = network.predict_on_batch(padded_batch(width=96, columns=(96, 64)))
    assert logits.shape == (2, 96 // STRIDE, LABELS)


@pytest.mark.parametrize("name", ["micro", "small"])
def test_the_unmasked_twin_answers_like_the_masked_network(name: str) -> None:
    network = with_random_normalization(build_network(ZOO[name], labels=LABELS, height=HEIGHT))
    twin = build_inference_network(network, ZOO[name], labels=LABELS, height=HEIGHT)
    batch = padded_batch(width=96, columns=(64, 96))
    masked = network.predict_on_batch(batch)
    alone = twin.predict_on_batch(batch["image"][:1, :, :64])
    assert np.allclose(masked[0, : 64 // STRIDE], alone[0], atol=1e-4)


def test_padding_changes_nothing_in_training_mode_either() -> None:
    network = with_random_normalization(build_network(ZOO["micro"], labels=LABELS, height=HEIGHT))
    narrow = padded_batch(width=64, columns=(64, 48))
    wide = padded_batch(width=96, columns=(64, 48))
    few, many = (np.asarray(network(batch, training=True)) for batch in (narrow, wide))
    assert np.allclose(few[0, :16], many[0, :16], atol=1e-4)
    assert np.allclose(few[1, :12], many[1, :12], atol=1e-4)


@pytest.mark.parametrize("relu", [True, False])
def test_normalization_is_that_of_keras_in_values_gradients_and_moving_averages(*, relu: bool) -> None:
    rng = np.random.default_rng(4)
    y = tf.constant(rng.normal(3, 2, (3, 4, 8, 5)), tf.float32)
    mask = tf.constant(np.arange(8) < np.array([[[8]], [[5]], [[2]]]), tf.float32)
    above = tf.constant(rng.normal(0, 1, y.shape), tf.float32)
    ours, theirs = BatchNormalization(relu=relu), keras.layers.BatchNormalization()
    weights = [rng.uniform(0.5, 1.5, 5) for _ in range(4)]

    def with_gradients(layer: keras.Layer, apply: Callable[[tf.Tensor], tf.Tensor]) -> list[np.ndarray]:
        layer.build(y.shape)
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(y)
            out = apply(y)
        inputs = [y, *(variable.value for variable in layer.trainable_variables)]
        return [np.asarray(part) for part in (out, *tape.gradient(out, inputs, above), *layer.get_weights())]

    def by_parts(features: tf.Tensor) -> tf.Tensor:
        normal = theirs(features, mask=mask, training=True)
        return (tf.nn.relu(normal) if relu else normal) * mask[..., None]

    found = with_gradients(ours, lambda features: ours(features, mask=mask, training=True))
    expected = with_gradients(theirs, by_parts)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("relu", [True, False])
def test_renormalized_a_batch_comes_out_as_it_will_be_read_and_its_gradient_counts_its_own_moments(
    *, relu: bool
) -> None:
    rng = np.random.default_rng(5)
    y = tf.constant(rng.normal(1.2, 1, (3, 4, 8, 5)), tf.float32)
    mask = tf.constant(np.arange(8) < np.array([[[8]], [[5]], [[2]]]), tf.float32)
    above = tf.constant(rng.normal(0, 1, y.shape), tf.float32)
    gamma, beta, moving_mean, moving_variance = weights = [rng.uniform(0.5, 1.5, 5).astype(np.float32) for _ in "gbmv"]
    layer = BatchNormalization(relu=relu)
    layer.build(y.shape)
    layer.set_weights(weights)
    as_read = layer(y, mask=mask, training=False)
    layer.renormalized = True
    with tf.GradientTape() as tape:
        tape.watch(y)
        out = layer(y, mask=mask, training=True)
    found = tape.gradient(out, [y, *(variable.value for variable in layer.trainable_variables)], above)
    assert np.allclose(out, as_read, atol=1e-5)

    gamma, beta = tf.constant(gamma), tf.constant(beta)
    with tf.GradientTape() as tape:
        tape.watch([y, gamma, beta])
        mean, variance = tf.nn.weighted_moments(y, [0, 1, 2], tf.broadcast_to(mask[..., None], y.shape))
        deviation, moving = tf.sqrt(variance + layer.epsilon), tf.sqrt(moving_variance + layer.epsilon)
        scaled, shifted = (tf.stop_gradient(part) for part in (deviation / moving, (mean - moving_mean) / moving))
        normal = ((y - mean) / deviation * scaled + shifted) * gamma + beta
        expected_out = (tf.nn.relu(normal) if relu else normal) * mask[..., None]
    for one, other in zip(found, tape.gradient(expected_out, [y, gamma, beta], above), strict=True):
        assert np.allclose(one, other, atol=1e-4)


BATCHES = ((96, (96, 60)), (64, (64, 64, 33)), (160, (121,)))
"""Of three widths: the columns of their images."""


def settled(network: CTCModel, batches: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.renormalized = True
    update_batch_norm(network, batches)
    return [np.array(weight) for weight in network.get_weights()]


@pytest.mark.slow
def test_settled_averages_are_the_mean_moments_of_what_a_reading_hands_each_layer() -> None:
    network = with_random_normalization(build_network(ZOO["micro"], labels=LABELS, height=HEIGHT, dropout=0.5))
    batches = [padded_batch(width=width, columns=columns) for width, columns in BATCHES]
    settled(network, batches)
    for layer in network.layers:
        if not isinstance(layer, BatchNormalization):
            continue
        features = keras.Model(network.input, layer.input[0])
        means, variances, places = [], [], []
        for batch, (width, columns) in zip(batches, BATCHES, strict=True):
            met = np.asarray(features(batch, training=False), np.float64)
            shown = [-(-own * met.shape[2] // width) for own in columns]
            pixels = np.concatenate([met[row, :, :own].reshape(-1, met.shape[3]) for row, own in enumerate(shown)])
            means.append(pixels.mean(axis=0))
            variances.append(pixels.var(axis=0))
            places.append(len(pixels))
        assert np.allclose(layer.moving_mean, np.average(means, axis=0, weights=places), atol=1e-4)
        assert np.allclose(layer.moving_variance, np.average(variances, axis=0, weights=places), atol=1e-4)


@pytest.mark.slow
def test_settled_averages_depend_neither_on_the_order_of_batches_nor_on_what_they_were() -> None:
    batches = [padded_batch(width=width, columns=columns) for width, columns in BATCHES]
    network = with_random_normalization(build_network(ZOO["micro"], labels=LABELS, height=HEIGHT))
    forth = settled(network, batches)
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 3.0)
            layer.moving_variance.assign(layer.moving_variance * 9.0)
    for one, other in zip(forth, settled(network, batches[::-1]), strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_two_views_part_by_the_divergence_of_their_real_steps_both_ways() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    steps = [3, 2, 3, 2]
    asked = sum(
        float((shares[there, t] * np.log(shares[there, t] / shares[here, t])).sum())
        for here, there in ((0, 2), (1, 3), (2, 0), (3, 1))
        for t in range(steps[here])
    )
    counted = np.array(steps, np.int32)
    assert float(consistency_loss(logits, counted)) == pytest.approx(asked, rel=1e-4)
    assert float(consistency_loss(np.concatenate([logits[:2]] * 2), counted)) == pytest.approx(0, abs=1e-6)


def brute_force_loss(logits: np.ndarray, labels: list[int]) -> float:
    """Sum over every path that the labels can take."""
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    total = 0.0
    for path in np.ndindex(*[logits.shape[1]] * logits.shape[0]):
        joined = [label for place, label in enumerate(path) if place == 0 or path[place - 1] != label]
        if [label for label in joined if label] == labels:
            total += float(np.prod([shares[step, label] for step, label in enumerate(path)]))
    return -float(np.log(total))


def test_the_loss_of_a_character_counts_real_steps_only_and_equals_the_sum_over_paths() -> None:
    network = build_network(ZOO["micro"], labels=3, height=HEIGHT)
    logits = np.random.default_rng(2).normal(size=(1, 6, 3)).astype(np.float32)
    mask = np.zeros((1, 1, 6 * STRIDE), np.float32)
    mask[:, :, : 4 * STRIDE] = 1
    loss = network.compute_loss(x={"mask": mask}, y=np.array([[1, 2, 0]], np.int32), y_pred=logits)
    assert float(loss) == pytest.approx(brute_force_loss(logits[0, :4], [1, 2]) / 2, rel=1e-4)
