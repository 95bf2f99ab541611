"""The float weights of a trained network, with what is needed to build it again for export and fine-tuning."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from legible.charset import BLANK, Charset
from legible.config import TrainParams
from legible.errors import DataError
from legible.files import JsonFormat, intact_folder, replace_folder, sha256_of
from legible.network.loss import CTCModel
from legible.network.zoo import build_network, size_named
from legible.recognition.bundle import CHARSET, DESCRIPTION
from legible.training.weight_files import write_weights

FORMAT = JsonFormat("weights", 1, "train again, or fetch them anew", DataError)
WEIGHTS = "model.weights.h5"
LOGITS = "logits"
"""The layer with one row for each label."""
NEW_BIAS = 2.0
"""How far the logit of a character that the start lacks is below the average of the others."""


@dataclass(frozen=True)
class Description:
    """The description of a weights file."""

    version: int
    size: str
    height: int
    backend: str
    device: str = "cpu"
    normalization: int = 1
    """The version of `image.normalize` that the weights were trained with."""

    def save(self, folder: Path) -> None:
        content = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        (folder / DESCRIPTION).write_text(content, encoding="utf-8")


def save_weights(model: CTCModel, folder: Path, params: TrainParams, *, charset: Charset) -> None:
    """Write description.json, charset.json and model.weights.h5, and replace the former folder with them."""
    description = Description(
        FORMAT.version, params.size, params.height, keras.backend.backend(), device(), params.normalization
    )
    plain = _without_optimizer(model, params, labels=charset.size)
    with replace_folder(folder) as fresh:
        description.save(fresh)
        charset.save(fresh / CHARSET)
        write_weights(plain, fresh / WEIGHTS)


def load_network(folder: Path) -> tuple[CTCModel, Description, Charset]:
    """Return the saved network. Raise DataError for a folder without one, or of another format."""
    folder, description = _found(folder)
    charset = Charset.load(folder / CHARSET)
    model = build_network(size_named(description.size), labels=charset.size, height=description.height)
    model.load_weights(folder / WEIGHTS)
    return model, description, charset


def copy_weights(folder: Path, target: Path) -> None:
    """Copy the three files of a folder of weights, without the folders in it."""
    with replace_folder(target) as fresh:
        for path in filter(Path.is_file, folder.iterdir()):
            shutil.copyfile(path, fresh / path.name)


def sum_of_weights(folder: Path) -> str:
    """Return the sha256 of the weights and their charset. Raise DataError for a folder without weights."""
    found = _found(folder)[0]
    return f"{sha256_of(found / WEIGHTS)} {sha256_of(found / CHARSET)}"


def _found(folder: Path) -> tuple[Path, Description]:
    """Return where the weights of a folder are, and their description."""
    folder = intact_folder(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise DataError(f"{folder}: no weights here; train first (dvc repro train), or name a folder that holds them")
    with FORMAT.parse(path) as content:
        return folder, Description(**content)


def average_with(model: CTCModel, others: Sequence[Path]) -> None:
    """Give the model the average of its weights and those of others (model soups, Wortsman et al. 2022).

    Raise DataError for weights of another size or charset.
    """
    networks = [model, *(_network_alike(model, other) for other in others)]
    together = zip(*(network.get_weights() for network in networks), strict=True)
    model.set_weights([np.mean(same, axis=0, dtype=np.float64).astype(np.float32) for same in together])


def _network_alike(model: CTCModel, folder: Path) -> CTCModel:
    network = load_network(folder)[0]
    if [w.shape for w in network.get_weights()] != [w.shape for w in model.get_weights()]:
        raise DataError(f"{folder}: weights of another size or charset, which no average can be made with")
    return network


def load_matching(model: CTCModel, folder: Path, *, charset: Charset) -> None:
    """Start from other weights: layers of equal name and shapes take them, and the logits character by character."""
    former, _, former_charset = load_network(folder)
    same = former_charset.characters == charset.characters
    taken = sum(_take(layer, former) for layer in model.layers if same or layer.name != LOGITS)
    if taken == 0:
        raise DataError(f"{folder}: no layer of these weights fits train.size; start from weights of the same size")
    if not same:
        _take_logits(model.get_layer(LOGITS), former.get_layer(LOGITS), charset, former_charset)


def _take_logits(layer: keras.Layer, former: keras.Layer, charset: Charset, former_charset: Charset) -> None:
    """Copy kernel (1, 1, units, V) and bias (V,) by character; leave the layer as it is where the units differ.

    A character that the former charset lacks starts as the average of the former characters, NEW_BIAS lower: a logit
    that is never the largest, so that the new network reads as the former one until it has learnt the character.
    """
    kernel, bias = former.get_weights()
    if kernel.shape[2] != layer.get_weights()[0].shape[2]:
        return
    kernels = {character: kernel[..., label] for label, character in enumerate(former_charset.characters, start=1)}
    biases = {character: bias[label] for label, character in enumerate(former_charset.characters, start=1)}
    new_kernel, new_bias = kernel[..., 1:].mean(axis=-1), bias[1:].mean() - NEW_BIAS
    layer.set_weights(
        [
            np.stack([kernel[..., BLANK], *(kernels.get(c, new_kernel) for c in charset.characters)], axis=-1),
            np.stack([bias[BLANK], *(biases.get(c, new_bias) for c in charset.characters)]),
        ]
    )


def _take(layer: keras.Layer, former: CTCModel) -> int:
    """Copy the weights of the layer with the same name and shapes; return 1 where there is one, else 0."""
    names = {other.name: other for other in former.layers}
    if layer.name not in names:
        return 0
    old, new = names[layer.name].get_weights(), layer.get_weights()
    if not new or [w.shape for w in old] != [w.shape for w in new]:
        return 0
    layer.set_weights(old)
    return 1


def device() -> str:
    """Return `gpu` or `tpu` where the backend sees one, else `cpu`."""
    if keras.backend.backend() == "torch":  # of whose devices Keras makes no list
        import torch  # only where it is the backend  # noqa: PLC0415

        return "gpu" if torch.cuda.is_available() else "cpu"
    return str(keras.distribution.list_devices()[0]).split(":")[0].lower()


def _without_optimizer(model: CTCModel, params: TrainParams, *, labels: int) -> CTCModel:
    plain = build_network(size_named(params.size), labels=labels, height=params.height)
    plain.set_weights(model.get_weights())
    return plain
