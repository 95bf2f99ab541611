"""A drill says who noticed, after how many images, and what it could not see."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from drawn_words import START, words_drawn
from serving import PROJECT, free_port, served
from stand import bundle_knowing

from legible.config import load_params
from legible.drift.decide import Outcome, Verdict
from legible.drift.signatures import Cause
from legible.drill.detectors import AlertDetector, MetricsDetector, RuleDetector, UnavailableError, cause_of
from legible.drill.images import corrupted, drawn, images_of, png
from legible.drill.run import Detection, DetectorState, Drill
from legible.errors import DataError, SettingsError
from legible.monitoring.finding import Check
from legible.observations.window import WindowTally


def test_the_pictures_of_a_folder_come_again_and_again(tmp_path: Path) -> None:
    first, second = words_drawn(2, seed=1)
    (tmp_path / "a.png").write_bytes(png(first))
    (tmp_path / "b.png").write_bytes(png(second))
    (tmp_path / "readme.txt").write_text("no picture")
    for image, known in zip(islice(images_of(tmp_path), 4), (first, second, first, second), strict=True):
        assert np.array_equal(image, known)


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture in this folder"):
        images_of(tmp_path)


def test_a_corruption_that_is_not_there_is_named_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="blurr"):
        corrupted(iter(()), "blurr", 3, seed=1)


@pytest.mark.slow
def test_without_a_folder_words_are_drawn_the_same_for_the_same_seed() -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
    drawings = [list(islice(drawn(params, root=PROJECT, seed=seed), 4)) for seed in (1, 1, 2)]
    assert all(np.array_equal(one, again) for one, again in zip(drawings[0], drawings[1], strict=True))
    assert not np.array_equal(drawings[0][0], drawings[2][0])


class Says:
    """A detector that says what it is told to, an error included."""

    name = "metrics"

    def __init__(self, *answers: bool | UnavailableError) -> None:
        self._answers = iter(answers)

    def start(self, at: float) -> None:
        pass

    def notices(self) -> bool:
        answer = next(self._answers)
        if isinstance(answer, UnavailableError):
            raise answer
        return answer

    def cause(self) -> str:
        return "blur"


def state(*answers: bool | UnavailableError) -> DetectorState:
    return DetectorState(Says(*answers))


def test_the_first_look_that_notices_counts() -> None:
    one = state(False, False, True)
    one.look_before()
    one.look(images=10, seconds=1.0)
    assert one.is_open
    one.look(images=20, seconds=2.0)
    assert one.seen == Detection("metrics", images=20, seconds=2.0, cause="blur")
    assert not one.is_open


def test_what_was_noticed_before_the_corruption_proves_nothing() -> None:
    one = state(True)
    one.look_before()
    one.look(images=10, seconds=1.0)
    assert one.seen == Detection("metrics", before=True)


def test_a_watch_that_could_not_look_says_why_until_it_can() -> None:
    one = state(UnavailableError("down"), False)
    one.look(images=10, seconds=1.0)
    assert one.seen.blind == "down"
    one.look(images=20, seconds=2.0)
    assert one.seen == Detection("metrics")


def outcome(*detections: Detection) -> Drill:
    return Drill("blur", 3, 100, 60, 1, 7.2, detections, ("--prometheus",))


def test_the_screen_tells_who_noticed_and_what_was_not_asked() -> None:
    screen = outcome(
        Detection("metrics", 50, 6.0),
        Detection("report", 60, 7.1, "shear"),
        Detection("rule", blind="http://x answers 500"),
    ).screen()
    assert screen.splitlines() == [
        "blur, severity 3: 60 images in 7 s, 1 refused, after 100 clean ones",
        "  noticed by  images  seconds",
        "  metrics         50      6.0",
        "  report          60      7.1  named: shear (wrong)",
        "  rule        http://x answers 500",
        "not asked: --prometheus",
    ]


@pytest.mark.parametrize(
    ("detection", "passed"),
    [
        (Detection("report", 60, 7.0, "blur"), True),
        (Detection("report", 60, 7.0), True),
        (Detection("report", 60, 7.0, "shear"), False),
        (Detection("report"), False),
        (Detection("report", before=True), False),
    ],
    ids=["right cause", "no cause", "wrong cause", "not noticed", "noticed before"],
)
def test_a_drill_passes_where_all_notice_and_none_names_a_wrong_cause(detection: Detection, *, passed: bool) -> None:
    assert outcome(Detection("metrics", 50, 6.0), detection).passed == passed


@pytest.mark.parametrize("cause", [None, Cause("blur", 3, 1.0, 0.9)], ids=["none", "blur"])
def test_the_cause_is_the_one_that_the_check_names(cause: Cause | None) -> None:
    verdict = Verdict(Outcome.DRIFT, 100, 50, {}, ())
    made = Check(verdict, START, WindowTally(), None, cause=cause)
    assert cause_of(made) == ("blur" if cause else "")


def test_metrics_of_nobody_are_told() -> None:
    detector = MetricsDetector(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError, match="does not answer"):
        detector.notices()


@pytest.mark.slow
@pytest.mark.parametrize("detector", [RuleDetector, AlertDetector])
def test_another_server_than_the_one_asked_for_is_told(
    detector: Callable[[str], RuleDetector | AlertDetector], service: tuple[str, Path]
) -> None:
    with pytest.raises(UnavailableError, match="answers 404"):
        detector(service[0]).notices()


def run_drill(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "legible", "drill", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    for number, image in enumerate(words_drawn(100, seed=2)):
        (folder / f"{number:03}.png").write_bytes(png(image))
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[tuple[str, Path]]:
    """A service that knows drawn words, and its folder."""
    folder = tmp_path_factory.mktemp("service")
    bundle = bundle_knowing(words_drawn(400, seed=1), bundle_folder, folder / "bundle")
    with served(folder, LEGIBLE_BUNDLE=str(bundle)) as address:
        yield address, folder


@pytest.mark.slow
def test_a_service_alone_is_enough(service: tuple[str, Path], words: Path) -> None:
    ran = run_drill("--corruption=inversion", "--severity=5", f"--url={service[0]}", f"--images={words}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "no cause named" in ran.stdout
    assert ran.stdout.endswith("not asked: --prometheus, --alertmanager, --observations\n")


@pytest.mark.slow
def test_too_few_images_go_unnoticed(service: tuple[str, Path], words: Path) -> None:
    options = ("--corruption=inversion", "--severity=5", "--count=49", "--patience=0", "--json")
    ran = run_drill(*options, f"--url={service[0]}", f"--images={words}")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["detections"][0]["images"] is None


@pytest.mark.slow
def test_the_report_on_observations_notices_too(service: tuple[str, Path], words: Path) -> None:
    address, folder = service
    ran = run_drill(
        *("--corruption=inversion", "--severity=4", "--json", f"--url={address}", f"--images={words}"),
        *(f"--observations={folder / 'observations'}", f"--bundle={folder / 'bundle'}", "--patience=5"),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [one["detector"] for one in json.loads(ran.stdout)["detections"]] == ["metrics", "report"]


@pytest.mark.slow
def test_a_drill_without_a_service_is_one_line(words: Path) -> None:
    ran = run_drill("--corruption=blur", f"--url=http://127.0.0.1:{free_port()}", f"--images={words}")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.startswith("legible: the service does not answer")
    assert ran.stderr.count("\n") == 1
