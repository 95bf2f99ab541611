"""Bulk reading and stages on a Ray cluster of several nodes on this machine: the same bytes, also if one is killed."""

import dataclasses
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, drawn_word
from PIL import Image

from legible.config import Params, load_params
from legible.errors import BundleError
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer
from legible.scale.bulk import read_bulk
from legible.scale.drawing import RayDrawing
from legible.scale.plan import BulkJob
from legible.scale.reading import RayRecognizer
from legible.synth.generate import generate

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="Ray is not installed: the extra `scale`")

IMAGES, COPIES = 40, 100


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, print_face: Path) -> Path:
    """Some thousand small images, few of them different."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(IMAGES):
        buffer = io.BytesIO()
        Image.fromarray(drawn_word(f"word{number}", print_face, size=20)).save(buffer, "PNG")
        for copy in range(COPIES):
            (folder / f"{number:02}-{copy:03}.png").write_bytes(buffer.getvalue())
    return folder


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of a head without processors and two nodes of one each, in processes of their own."""
    import ray  # noqa: PLC0415
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    found.workers = [found.add_node(num_cpus=1) for _ in range(2)]
    found.wait_for_nodes()
    yield found
    ray.shutdown()
    found.shutdown()


def parts(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.glob("part-*")}


def test_a_cluster_writes_the_bytes_of_one_machine_though_a_node_is_killed(
    source: Path, tmp_path: Path, bundle_folder: Path, cluster: Any
) -> None:
    job = BulkJob((str(source),), load_bundle(bundle_folder).id)
    read_bulk(job, str(tmp_path / "here"), bundle=str(bundle_folder))

    output = tmp_path / "ray"

    def kill_one_midway() -> None:
        while len(list(output.glob("part-*.jsonl"))) < 4:  # beside them are those that are being written
            time.sleep(0.05)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)

    killer = threading.Thread(target=kill_one_midway)
    killer.start()
    report = read_bulk(job, str(output), bundle=str(bundle_folder), engine="ray", workers=2, address=cluster.address)
    killer.join(timeout=60)
    assert parts(output) == parts(tmp_path / "here")
    assert (report.images_now, report.errors_now) == (IMAGES * COPIES, 0)


def test_a_cluster_with_another_bundle_says_so(source: Path, tmp_path: Path, cluster: Any) -> None:
    job = BulkJob((str(source),), "0123456789ab")
    with pytest.raises(BundleError, match="the job was begun with 0123456789ab"):
        read_bulk(job, str(tmp_path), bundle="", engine="ray", workers=2, address=cluster.address)


def small() -> Params:
    """A few hundred samples: several ranges of them."""
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    return dataclasses.replace(params, generate=dataclasses.replace(params.generate, words=300, lines=40))


def test_a_cluster_draws_the_bytes_of_one_machine(tmp_path: Path, cluster: Any) -> None:
    made = {}
    for name, draw in (("here", None), ("there", RayDrawing(cluster.address).draw)):
        generate(small(), root=tmp_path / name, draw=draw)
        files = sorted((tmp_path / name).rglob("*"))
        made[name] = {str(file.relative_to(tmp_path / name)): file.read_bytes() for file in files if file.is_file()}
    assert made["here"]
    assert made["here"] == made["there"]


def test_a_recognizer_on_a_cluster_reads_as_one_here(source: Path, bundle_folder: Path, cluster: Any) -> None:
    bundle = load_bundle(bundle_folder)
    images = [*sorted(source.glob("*-000.png")), source / "none.png"]
    there = RayRecognizer(
        bundle.model,
        bundle.charset,
        calibration=bundle.calibration,
        normalization=bundle.manifest.normalization,
        address=cluster.address,
    )
    here = Recognizer.from_bundle(bundle)
    for decoding in (Decoding(), Decoding(here.prior(bundle.lexicon("english")), 3)):
        read = [[str(one) for one in side.try_each(images, decoding=decoding)] for side in (here, there)]
        assert read[0] == read[1]
