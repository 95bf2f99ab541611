"""The artefact answers like the network it came from."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

from legible.charset import Charset
from legible.config import load_params
from legible.errors import SettingsError
from legible.network.zoo import STRIDE, ZOO, build_inference_network, build_network
from legible.recognition.recognizer import NOTHING, Recognizer
from legible.training import export as export_stage
from legible.training.export import convert
from legible.training.weights import Description

CHARSET = Charset("digits", "0123456789")


@pytest.fixture(scope="module")
def recognizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recognizer]:
    network = build_network(ZOO["micro"], labels=CHARSET.size, height=32)
    twin = build_inference_network(network, ZOO["micro"], labels=CHARSET.size, height=32)
    folder = tmp_path_factory.mktemp("artefacts")
    for quantization in ("none", "dynamic"):
        (folder / quantization).write_bytes(convert(twin, quantization=quantization))
    found = {q: Recognizer(folder / q, CHARSET) for q in ("none", "dynamic")}
    found["keras"] = twin
    return found


def columns(width: int) -> np.ndarray:
    return np.random.default_rng(width).random((32, width)).astype(np.float32)


@pytest.mark.parametrize("width", [8, 64, 300, 65 * 4])
def test_float_artefact_equals_the_network_at_any_width(recognizers: dict[str, Recognizer], width: int) -> None:
    x = columns(width)
    expected = recognizers["keras"].predict_on_batch(x[None, :, :, None])[0]
    assert np.allclose(recognizers["none"].logits(x), expected, atol=1e-4)


def test_int8_artefact_is_near_the_float_one(recognizers: dict[str, Recognizer]) -> None:
    x = columns(128)
    assert np.abs(recognizers["dynamic"].logits(x) - recognizers["none"].logits(x)).max() < 0.1


def test_height_and_stride_are_found_from_the_artefact(recognizers: dict[str, Recognizer]) -> None:
    assert recognizers["dynamic"].height == 32
    assert recognizers["dynamic"].stride == STRIDE


def test_a_reading_does_not_depend_on_its_neighbours_or_on_threads(recognizers: dict[str, Recognizer]) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (40, int(width))).astype(np.uint8) for width in rng.integers(20, 300, 12)]
    together = recognizers["dynamic"].read(images)
    assert together == [recognizers["dynamic"].read([image])[0] for image in images]


def test_a_blank_image_is_read_as_nothing_and_a_cut_out_dot_is_not_blank(recognizers: dict[str, Recognizer]) -> None:
    for size in ((1, 500), (60, 200), (1200, 1000)):
        assert recognizers["dynamic"].read([np.full(size, 235, np.uint8)]) == [NOTHING]
    assert recognizers["dynamic"].read([np.full((4, 4), 90, np.uint8)]) != [NOTHING]


def test_an_unknown_quantization_is_refused() -> None:
    with pytest.raises(SettingsError, match="'int4'; known: dynamic, none"):
        convert(None, quantization="int4")


def test_an_export_that_fails_leaves_the_former_model_with_its_own_charset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(ZOO["micro"], labels=3, height=32)
    params = load_params(PROJECT / "params.yaml")
    for characters, content in (("ab", b"former"), ("ba", None)):  # None: no disk takes it
        charset = Charset("letters", characters)
        loaded = (network, Description(1, "micro", 32, "tensorflow"), charset)
        monkeypatch.setattr(export_stage, "load_network", lambda _, loaded=loaded: loaded)
        monkeypatch.setattr(export_stage, "convert", lambda *_, content=content, **__: content)
        with contextlib.suppress(TypeError):
            export_stage.export(params, root=tmp_path)
    artefact = tmp_path / "training/artefact"
    assert (artefact / "model.tflite").read_bytes() == b"former"
    assert Charset.load(artefact / "charset.json").characters == "ab"
