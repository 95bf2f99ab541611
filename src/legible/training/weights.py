"""The float weights of a trained network, with what is needed to build it again: to export it and to fine-tune it."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from legible.charset import Charset
from legible.config import TrainParams
from legible.errors import DataError
from legible.files import JsonFormat, intact_folder, replace_folder, sha256_of
from legible.network.loss import CTCModel
from legible.network.zoo import build_network, size_named
from legible.recognition.bundle import DESCRIPTION

FORMAT = JsonFormat("weights", 1, "train again, or fetch them anew", DataError)
WEIGHTS = "model.weights.h5"


@dataclass(frozen=True)
class Description:
    """What a weights file belongs to."""

    version: int
    size: str
    height: int
    backend: str
    device: str = "cpu"
    normalization: int = 1
    """The version of `image.normalize` they were trained on."""

    def save(self, folder: Path) -> None:
        content = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        (folder / DESCRIPTION).write_text(content, encoding="utf-8")


def save_weights(model: CTCModel, folder: Path, params: TrainParams, *, charset: Charset) -> None:
    """Write description.json, charset.json and model.weights.h5, beside their place first."""
    description = Description(
        FORMAT.version, params.size, params.height, keras.backend.backend(), device(), params.normalization
    )
    plain = _without_optimizer(model, params, labels=charset.size)
    with replace_folder(folder) as fresh:
        description.save(fresh)
        charset.save(fresh / "charset.json")
        plain.save_weights(fresh / WEIGHTS)


def load_network(folder: Path) -> tuple[CTCModel, Description, Charset]:
    """The network that was saved. Raises DataError for a folder without one or of another format."""
    folder, description = _found(folder)
    charset = Charset.load(folder / "charset.json")
    model = build_network(size_named(description.size), labels=charset.size, height=description.height)
    model.load_weights(folder / WEIGHTS)
    return model, description, charset


def sum_of_weights(folder: Path) -> str:
    """sha256 of the weights alone. Raises DataError for a folder without any."""
    return sha256_of(_found(folder)[0] / WEIGHTS)


def _found(folder: Path) -> tuple[Path, Description]:
    """Where the weights of this folder are, and what they belong to."""
    folder = intact_folder(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise DataError(f"{folder}: no weights here; train first (dvc repro train), or name a folder that holds them")
    with FORMAT.parse(path) as content:
        return folder, Description(**content)


def average_with(model: CTCModel, others: Sequence[Path]) -> None:
    """Give the model the mean of its weights and those of others of its size (model soups, Wortsman et al. 2022)."""
    networks = [model, *(load_network(other)[0] for other in others)]
    together = zip(*(network.get_weights() for network in networks), strict=True)
    model.set_weights([np.mean(same, axis=0, dtype=np.float64).astype(np.float32) for same in together])


def load_matching(model: CTCModel, folder: Path, *, charset: Charset) -> None:
    """Start from other weights: layers of equal name and shapes take them, the logits only where the charset agrees."""
    former, _, former_charset = load_network(folder)
    taken = 0
    for layer in model.layers:
        if layer.name == "logits" and former_charset.characters != charset.characters:
            continue
        taken += _take(layer, former)
    if taken == 0:
        raise DataError(f"{folder}: no layer of these weights fits train.size; start from weights of the same size")


def _take(layer: keras.Layer, former: CTCModel) -> int:
    names = {other.name: other for other in former.layers}
    if layer.name not in names:
        return 0
    old, new = names[layer.name].get_weights(), layer.get_weights()
    if not new or [w.shape for w in old] != [w.shape for w in new]:
        return 0
    layer.set_weights(old)
    return 1


def device() -> str:
    """`gpu` or `tpu` where the backend sees one, else `cpu`."""
    if keras.backend.backend() == "torch":  # of whose devices Keras makes no list
        import torch  # only where it is the backend  # noqa: PLC0415

        return "gpu" if torch.cuda.is_available() else "cpu"
    return str(keras.distribution.list_devices()[0]).split(":")[0].lower()


def _without_optimizer(model: CTCModel, params: TrainParams, *, labels: int) -> CTCModel:
    plain = build_network(size_named(params.size), labels=labels, height=params.height)
    plain.set_weights(model.get_weights())
    return plain
