"""A candidate in the shadow, as a canary, promoted and brought back."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from bundle_variants import less_confident, other_letters, variant
from conftest import drawn_word
from kills import KilledError
from prometheus_client import REGISTRY
from test_models import IMAGES, asked, read, settings_for
from typer.testing import CliRunner

from legible.cli import app
from legible.config import ServiceSettings
from legible.errors import BundleError, DataError, LegibleError, SettingsError
from legible.evaluation.results import results_path
from legible.gate.promotion import former_of, promote, roll_back
from legible.gate.shadow import ShadowOutcome, judge_shadow
from legible.image.decode import Limits
from legible.labelling.labels import read_rows
from legible.locks import lock_file_at_once
from legible.observations.corrections import read_corrections
from legible.observations.row import check_of
from legible.observations.shadow import ShadowRow, ShadowTally, TimedReading, compared, read_shadow
from legible.observations.window import read_back
from legible.reading import Reading
from legible.recognition.bundle import load_bundle, read_manifest
from legible.recognition.recognizer import Recognizer
from legible.service.candidate import Shadow, TrafficSplit, place_of
from legible.service.read_job import ReadJob

WORDS = ("Hamburg", "reading", "letters", "station", "quickly", "margins", "another", "printed", "January", "2026")


def row(number: int, *, agrees: bool = True, confidence: float = 0.9, candidate: float = 0.9) -> ShadowRow:
    name = f"20261121T08-1-{number:012x}"
    texts = ("one", "one" if agrees else "two")
    readings = [Reading(text, value, ()) for text, value in zip(texts, (confidence, candidate), strict=True)]
    champion, other = (TimedReading(one, "ab", 0.001) for one in readings)
    return compared(name, champion, TimedReading(other.reading, "cd", 0.002), at=float(number))


def test_a_row_survives_its_line_and_holds_no_text() -> None:
    made = row(3, agrees=False)
    assert ShadowRow.from_json(made.to_json()) == made
    assert "one" not in made.to_json().replace("reading_id", "")
    with pytest.raises(DataError, match="shadow format 9 is not 1"):
        ShadowRow.from_json(made.to_json().replace('"version": 1', '"version": 9'))


@pytest.mark.parametrize(
    "damage",
    [
        {"at": "now"},
        {"at": float("nan")},
        {"reading_id": []},
        {"champion": None},
        {"confidence": -1.0},
        {"seconds": "x"},
        {"candidate_seconds": 1e300},
    ],
    ids=str,
)
def test_a_row_of_nonsense_is_torn(tmp_path: Path, damage: dict[str, object]) -> None:
    (tmp_path / "v1").mkdir()
    line = json.loads(row(1).to_json())
    (tmp_path / "v1/20261121T08-1.jsonl").write_text(f"{json.dumps({**line, **damage})}\n{json.dumps(line)}\n")
    tally = ShadowTally()
    assert len(list(read_shadow(tmp_path, tally=tally))) == 1
    assert tally.torn == 1


def test_torn_lines_are_counted_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no shadow log here"):
        list(read_shadow(tmp_path, tally=ShadowTally()))
    (tmp_path / "v1").mkdir()
    lines = [row(1).to_json(), '{"version": 1, "at"', "[]", row(2).to_json()]
    (tmp_path / "v1/20261121T08-1.jsonl").write_text("\n".join(lines))
    tally = ShadowTally()
    assert [found.at for found in read_shadow(tmp_path, tally=tally)] == [1.0, 2.0]
    assert tally.torn == 2


@pytest.mark.parametrize("pipe", [True, False], ids=["pipe", "folder"])
def test_what_is_no_regular_file_in_a_log_is_named_and_not_waited_for(tmp_path: Path, *, pipe: bool) -> None:
    (tmp_path / "v1").mkdir()
    path = tmp_path / "v1/20261121T08-1.jsonl"
    if pipe:
        os.mkfifo(path)
    else:
        path.mkdir()
    readers: list[Callable[[], object]] = [
        lambda: list(read_shadow(tmp_path, tally=ShadowTally())),
        lambda: read_corrections(tmp_path),
        lambda: read_rows(tmp_path),
        *([lambda: read_back(tmp_path)] if pipe else []),
    ]
    for read_log in readers:
        with pytest.raises(DataError, match=f"{path}: .*no regular file"):
            read_log()


def test_few_images_are_not_judged() -> None:
    rows = [row(n, agrees=False, candidate=0.1) for n in range(99)]
    assert judge_shadow(rows, {}).outcome is ShadowOutcome.TOO_FEW
    assert judge_shadow([*rows, row(99, agrees=False, candidate=0.1)], {}).outcome is not ShadowOutcome.TOO_FEW
    with pytest.raises(DataError, match="no reading in the shadow by bundle ef"):
        judge_shadow(rows, {}, candidate="ef")


def test_the_candidate_reads_images_one_by_one_so_that_others_have_their_turn(tmp_path: Path) -> None:
    """Sixty-four lines in one call took half a minute, in which no other image was read."""
    shadow = Shadow(ServiceSettings(candidate="new", shadow=1.0, shadow_folder=str(tmp_path)), worker="1")
    jobs, seen = [ReadJob(image, Limits(10**6, 10**6)) for image in IMAGES], list[ReadJob]()
    nobody: Any = SimpleNamespace(name="new", worker=SimpleNamespace(bundle_id="ab"))

    async def run(job: ReadJob, _: Callable[[], None]) -> None:
        seen.append(job)

    asyncio.run(shadow.follow(jobs, nobody, nobody, lexicon="", run=run))
    shadow.close()
    assert seen == jobs


@pytest.mark.slow
def test_less_confidence_in_the_same_texts_is_no_loss() -> None:
    rows = [row(n, candidate=0.3) for n in range(500)]
    assert judge_shadow(rows, {}).outcome is ShadowOutcome.NO_DIFFERENCE
    assert judge_shadow(rows, {}).gain == 0


def test_corrections_decide_against_what_confidence_says() -> None:
    rows = [row(n, agrees=n >= 40, candidate=0.99) for n in range(200)]
    assert judge_shadow(rows, {}).outcome is ShadowOutcome.BETTER
    said = judge_shadow(rows, {one.reading_id: "one" for one in rows[:12]})
    assert (said.by_confidence, said.by_corrections, said.outcome) == (
        ShadowOutcome.BETTER,
        ShadowOutcome.WORSE,
        ShadowOutcome.WORSE,
    )
    assert (said.corrected, said.candidate_right) == (12, 0)
    few = judge_shadow(rows, {one.reading_id: "one" for one in rows[:6]})
    assert (few.by_corrections, few.outcome) == (ShadowOutcome.TOO_FEW, ShadowOutcome.BETTER)
    neither = judge_shadow(rows, {one.reading_id: "three" for one in rows[:30]})
    assert neither.corrected <= 2  # a byte takes one text in 256 for another


def test_only_the_newest_pair_of_bundles_is_judged() -> None:
    former = [ShadowRow(**{**vars(row(n, agrees=False)), "candidate": "old"}) for n in range(300)]
    rows = [*former, *(row(n + 1000) for n in range(100))]
    assert judge_shadow(rows, {}).images == 100
    assert judge_shadow(rows, {}, candidate="old").disagreements == 300


@pytest.fixture(scope="module")
def readings(bundle_folder: Path, print_face: Path) -> list[tuple[Reading, Reading]]:
    """What the shipped bundle reads of 500 noisy words, and of the same at half their resolution and with more noise:
    a candidate that sees less, and says so by its confidence.
    """
    rng = np.random.default_rng(5)
    recognizer = Recognizer.open(bundle_folder)

    def noisy(image: np.ndarray, level: float) -> np.ndarray:
        return np.clip(image + rng.normal(0, level, image.shape), 0, 255).astype(np.uint8)

    pairs = []
    for number in range(500):
        clean = drawn_word(WORDS[number % len(WORDS)] + str(number % 37), print_face, size=18 + number % 9)
        small = cv2.resize(clean, (clean.shape[1] // 3, clean.shape[0] // 3), interpolation=cv2.INTER_AREA)
        champion, candidate = recognizer.read([noisy(clean, 60), noisy(np.asarray(small), 30)])
        pairs.append((champion, candidate))
    return pairs


def rows_of(pairs: Sequence[tuple[Reading, Reading]], *, prefix: int = 0) -> list[ShadowRow]:
    return [
        compared(
            f"20261121T08-1-{prefix + n:012x}", TimedReading(a, "ab", 0.001), TimedReading(b, "cd", 0.001), at=float(n)
        )
        for n, (a, b) in enumerate(pairs)
    ]


@pytest.mark.slow
def test_a_candidate_that_sees_less_is_called_worse_within_500_images(readings: list[tuple[Reading, Reading]]) -> None:
    verdict = judge_shadow(rows_of(readings), {})
    assert verdict.disagreements > 50
    assert verdict.outcome is ShadowOutcome.WORSE
    assert "verdict: worse" in verdict.screen()
    better = judge_shadow(rows_of([(b, a) for a, b in readings]), {})
    assert better.outcome is ShadowOutcome.BETTER


@pytest.mark.slow
def test_a_candidate_that_is_no_worse_is_called_so_at_most_twice_in_100_tries(
    readings: list[tuple[Reading, Reading]],
) -> None:
    """Each image is given to the two by lot, so that neither is better, though they disagree on many.

    In ten times 100 tries: of a hundred alone more than two would be called so in one of seventy seeds.
    """
    rng = np.random.default_rng(7)
    called = []
    for _ in range(1000):
        chosen = [readings[place] for place in rng.integers(0, len(readings), 500)]
        pairs = [(b, a) if swapped else (a, b) for (a, b), swapped in zip(chosen, rng.random(500) < 0.5, strict=True)]
        called.append(judge_shadow(rows_of(pairs), {}).outcome)
    assert called.count(ShadowOutcome.WORSE) <= 20
    identical = [judge_shadow(rows_of([(a, a) for a, _ in readings]), {}).outcome for _ in range(100)]
    assert identical.count(ShadowOutcome.WORSE) == 0


def test_the_split_needs_a_candidate_that_is_served() -> None:
    with pytest.raises(SettingsError, match="name it in LEGIBLE_CANDIDATE"):
        TrafficSplit.of(ServiceSettings(shadow=0.5), ("default",))
    with pytest.raises(SettingsError, match="not the first: new"):
        TrafficSplit.of(ServiceSettings(candidate="english"), ("english", "new"))


def test_fractions_of_requests_are_taken_by_their_ids_and_apart_from_each_other() -> None:
    split = TrafficSplit("new", shadow=0.5, canary=0.1)
    names = [f"request-{number}" for number in range(4000)]
    canaries = {name for name in names if split.is_canary(name)}
    shadowed = {name for name in names if split.is_shadowed(name)}
    assert 0.08 < len(canaries) / 4000 < 0.12
    assert 0.45 < len(shadowed) / 4000 < 0.55
    assert 0.35 < len(canaries & shadowed) / len(canaries) < 0.65
    assert canaries == {name for name in names if split.is_canary(name)}


def counted(outcome: str) -> float:
    labels = {"model": "new", "outcome": outcome}
    return REGISTRY.get_sample_value("legible_shadow_readings_total", labels) or 0.0


def test_the_shadow_is_logged_and_never_sent_and_a_canary_is_named(bundle_folder: Path, tmp_path: Path) -> None:
    folders = {
        "english": bundle_folder,
        "new": variant(bundle_folder, tmp_path / "new", {"charset.json": other_letters}),
    }
    log = tmp_path / "shadow"
    more: dict[str, Any] = {"candidate": "new", "shadow": 1.0, "canary": 0.3, "shadow_folder": str(log)}
    names = [f"request-{number}" for number in range(12)]

    before = counted("other")

    async def calls(client: httpx.AsyncClient) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        answers = {}
        for name in names:
            sent = await client.post("/read", files={"image": IMAGES[0]}, headers={"X-Request-ID": name})
            answers[name] = sent.json()
        named = (await read(client, "english")).json()
        return answers, named

    answers, named = asked(settings_for(folders, tmp_path, **more), calls)
    for name, answer in answers.items():
        is_canary = place_of(name, purpose="canary") < 0.3
        assert (answer["model"], answer["text"]) == (("new", "Hnzohet") if is_canary else ("english", "Hamburg"))
    assert named["model"] == "english"
    rows = list(read_shadow(log, tally=ShadowTally()))
    by_champion = {a["reading_id"] for a in (*answers.values(), named) if a["model"] == "english"}
    assert len(answers) + 1 - len(by_champion) > 0
    assert {one.reading_id for one in rows} == by_champion
    for one in rows:
        assert not one.agrees
        assert one.check == check_of(one.reading_id, "Hamburg")
        assert one.candidate_check == check_of(one.reading_id, "Hnzohet")
        assert one.seconds > 0
        assert one.candidate_seconds > 0
    assert counted("other") - before == len(rows)


def test_a_canary_without_the_lexicon_that_is_asked_for_leaves_the_request_to_the_default(
    bundle_folder: Path, tmp_path: Path
) -> None:
    without = variant(bundle_folder, tmp_path / "new", {})
    manifest = json.loads((without / "manifest.json").read_text())
    del manifest["files"]["lexicon-english.gz"]
    (without / "manifest.json").write_text(json.dumps(manifest))
    (without / "lexicon-english.gz").unlink()

    async def calls(client: httpx.AsyncClient) -> list[httpx.Response]:
        image = {"image": IMAGES[0]}
        return [await client.post(f"/read{query}", files=image) for query in ("?lexicon=english", "")]

    folders = {"english": bundle_folder, "new": without}
    answers = asked(settings_for(folders, tmp_path, candidate="new", canary=1.0), calls)
    assert [answer.json()["model"] for answer in answers] == ["english", "new"]


def test_a_shadow_that_fails_changes_no_answer(bundle_folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    folders = {"english": bundle_folder, "new": variant(bundle_folder, tmp_path / "new", {})}
    more: dict[str, Any] = {"candidate": "new", "shadow": 1.0, "shadow_folder": str(tmp_path / "shadow")}
    monkeypatch.setattr("legible.service.worker.Worker.read_image", lambda *_: 1 / 0)

    before = counted("failed")
    answer = asked(settings_for(folders, tmp_path, **more), read)
    assert answer.json()["text"] == "Hamburg"
    assert counted("failed") - before == 1


def test_a_promotion_keeps_the_former_bundle_and_a_rollback_brings_it_back(bundle_folder: Path, tmp_path: Path) -> None:
    champion = variant(bundle_folder, tmp_path / "champion", {})
    candidate = variant(bundle_folder, tmp_path / "candidate", {"confidence.json": less_confident})
    old, new = (read_manifest(folder).bundle_id for folder in (champion, candidate))
    assert promote(candidate, champion).id == new
    assert load_bundle(former_of(champion)).id == old
    assert roll_back(champion).id == old
    assert load_bundle(former_of(champion)).id == new
    assert load_bundle(candidate).id == new
    (candidate / "model.tflite").write_bytes(b"no model")
    with pytest.raises(BundleError, match="not as packed"):
        promote(candidate, champion)
    assert load_bundle(champion).id == old
    with pytest.raises(BundleError, match="no former bundle here"):
        roll_back(candidate)


@dataclass(frozen=True)
class Promotion:
    """A champion and a candidate in folders of their own, and the ids of both."""

    champion: Path
    candidate: Path
    old: str
    new: str

    def ids(self) -> tuple[str, str]:
        """The bundles that are the champion and the former one; each is whole."""
        return load_bundle(self.champion).id, load_bundle(former_of(self.champion)).id


@pytest.fixture
def promotion(bundle_folder: Path, tmp_path: Path) -> Promotion:
    champion = variant(bundle_folder, tmp_path / "here/champion", {})
    candidate = variant(bundle_folder, tmp_path / "candidate", {"confidence.json": less_confident})
    return Promotion(champion, candidate, *(read_manifest(folder).bundle_id for folder in (champion, candidate)))


@contextmanager
def cut_off_after(steps: int) -> Iterator[None]:
    """Lets so many copies, renamings and deletions of folders pass; raises KilledError at, or within, the next."""
    copytree, rename, rmtree, left = shutil.copytree, Path.rename, shutil.rmtree, iter(range(steps))

    def copied(source: Path, target: Path, **named: Any) -> None:
        if next(left, None) is None:
            shutil.copy(min(source.iterdir()), target)
            raise KilledError
        copytree(source, target, **named)

    def renamed(path: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KilledError
        return rename(path, target)

    def deleted(path: Path, **named: Any) -> None:
        if next(left, None) is None:
            (path / "manifest.json").unlink()
            raise KilledError
        rmtree(path, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "copytree", copied)
        patch.setattr(Path, "rename", renamed)
        patch.setattr(shutil, "rmtree", deleted)
        yield


def cut_off_at_each_step(folder: Path, run: Callable[[], object], check: Callable[[], None]) -> None:
    """Run something cut off at each of its steps, then whole; check what is left, and begin with the next step."""
    shutil.copytree(folder, before := folder.with_name("before"))
    for steps in itertools.count():
        done = False
        with suppress(KilledError), cut_off_after(steps):
            run()
            done = True
        if not done:
            run()
        check()
        if done:
            break
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
    assert steps >= 2


def test_a_promotion_that_was_cut_off_is_finished_by_the_same_call(promotion: Promotion) -> None:
    def check() -> None:
        assert promotion.ids() == (promotion.new, promotion.old)

    cut_off_at_each_step(promotion.champion.parent, lambda: promote(promotion.candidate, promotion.champion), check)


def test_a_rollback_that_was_cut_off_is_finished_by_the_same_call(promotion: Promotion) -> None:
    promote(promotion.candidate, promotion.champion)

    def check() -> None:
        assert promotion.ids() == (promotion.old, promotion.new)

    cut_off_at_each_step(promotion.champion.parent, lambda: roll_back(promotion.champion), check)


def damage(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"no model")


@pytest.mark.parametrize("harm", [damage, shutil.rmtree], ids=["damaged", "missing"])
def test_a_rollback_needs_no_sound_champion(promotion: Promotion, harm: Callable[[Path], None]) -> None:
    champion = promotion.champion
    promote(promotion.candidate, champion)
    harm(champion)

    def check() -> None:
        assert promotion.ids() == (promotion.old, promotion.old)
        assert champion.with_name("champion.damaged").is_dir() == (harm is damage)

    cut_off_at_each_step(champion.parent, lambda: roll_back(champion), check)
    assert roll_back(champion).id == promotion.old
    damage(champion)
    roll_back(champion)
    assert champion.with_name("champion.damaged-2" if harm is damage else "champion.damaged").is_dir()


def test_a_rollback_that_was_cut_off_does_not_undo_a_later_promotion(promotion: Promotion, tmp_path: Path) -> None:
    promote(promotion.candidate, promotion.champion)
    with pytest.raises(KilledError), cut_off_after(2):  # the champion is copied, and nothing has come back
        roll_back(promotion.champion)
    third = variant(promotion.candidate, tmp_path / "third", {"confidence.json": less_confident})
    promote(third, promotion.champion)
    assert promotion.ids() == (read_manifest(third).bundle_id, promotion.new)
    assert roll_back(promotion.champion).id == promotion.new


def test_a_repeated_promotion_keeps_the_former_bundle(promotion: Promotion) -> None:
    promote(promotion.candidate, promotion.champion)
    assert promote(promotion.candidate, promotion.champion).id == promotion.new
    assert promotion.ids() == (promotion.new, promotion.old)
    damage(promotion.champion)
    promote(promotion.candidate, promotion.champion)
    assert promotion.ids() == (promotion.new, promotion.old)
    with pytest.raises(BundleError, match="is the former champion; legible rollback brings it back"):
        promote(former_of(promotion.champion), promotion.champion)
    assert promotion.ids() == (promotion.new, promotion.old)


def on_the_network(monkeypatch: pytest.MonkeyPatch, reload: Callable[[], httpx.Response]) -> list[str]:
    """Have a service at ocr:3000 that takes the key `ops`, and answers reloads like this; return the calls it gets."""
    calls: list[str] = []

    def answer(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        calls.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != "Bearer ops":
            return httpx.Response(401, json={"error": {"code": "wrong_key", "message": "no key"}}, request=request)
        return reload() if request.method == "POST" else httpx.Response(405, request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    return calls


def refused() -> httpx.Response:
    return httpx.Response(404, json={"error": {"code": "not_found", "message": "no model 'default'; there: english"}})


def loaded() -> httpx.Response:
    return httpx.Response(200, json={"name": "default", "bundle": "ab"})


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_reload_that_failed_is_said_in_one_line_and_repeated_alone(
    promotion: Promotion, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    promote(promotion.candidate, promotion.champion)
    there = ["--service", "http://ocr:3000", "--key", "ops"]
    named = [str(promotion.candidate)] if command == "promote" else []
    expected = (promotion.new, promotion.old) if command == "promote" else (promotion.old, promotion.new)
    on_the_network(monkeypatch, refused)
    run = CliRunner().invoke(app, [command, *named, "--champion", str(promotion.champion), *there])
    assert isinstance(run.exception, LegibleError)
    assert "no model 'default'; there: english; the bundle is in its place" in str(run.exception)
    assert "legible reload --service http://ocr:3000 --model default" in str(run.exception)
    assert promotion.ids() == expected
    calls = on_the_network(monkeypatch, loaded)
    done = CliRunner().invoke(app, ["reload", *there])
    assert (done.exit_code, done.stdout) == (0, "http://ocr:3000: ab\n")
    assert calls == ["GET /models/default/reload", "POST /models/default/reload"]
    assert promotion.ids() == expected


def test_where_one_service_does_not_reload_the_others_do(promotion: Promotion, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(promotion.candidate, promotion.champion)
    answers = iter([refused(), loaded()])
    on_the_network(monkeypatch, lambda: next(answers))
    both = [part for name in ("one", "two") for part in ("--service", f"http://{name}:3000")]
    run = CliRunner().invoke(app, ["rollback", "--champion", str(promotion.champion), *both, "--key", "ops"])
    assert str(run.exception).startswith("http://one:3000: ")
    assert "http://two:3000: ab" in run.stdout


@pytest.mark.parametrize("command", ["promote", "rollback"])
@pytest.mark.parametrize(
    ("service", "said"),
    [
        (("http://127.0.0.1:9", "ops"), "refused"),  # the port of `discard`, which nothing listens to
        (("ocr:3000", "ops"), "no address of a service"),
        (("http://ocr:port", "ops"), "Invalid port"),
        (("http://ocr:3000", "wrong"), "the key is no reload key"),
        (("http://ocr:3000", "schlüssel"), "ascii"),
    ],
)
def test_a_service_that_cannot_be_asked_stops_the_exchange_in_one_line(
    promotion: Promotion, monkeypatch: pytest.MonkeyPatch, command: str, service: tuple[str, str], said: str
) -> None:
    promote(promotion.candidate, promotion.champion)
    address, key = service
    if "127.0.0.1" not in address:
        on_the_network(monkeypatch, loaded)
    named = [str(promotion.candidate)] if command == "promote" else []
    asked_for = [command, *named, "--champion", str(promotion.champion), "--service", address, "--key", key]
    run = CliRunner().invoke(app, asked_for)
    assert isinstance(run.exception, LegibleError)
    assert said in str(run.exception)
    assert "nothing was changed" in str(run.exception)
    assert "\n" not in str(run.exception)
    assert promotion.ids() == (promotion.new, promotion.old)


@pytest.mark.slow
def test_the_gate_is_asked_before_a_promotion(bundle_folder: Path, tmp_path: Path) -> None:
    champion = variant(bundle_folder, tmp_path / "champion", {})

    def all_wrong(text: str) -> str:
        rows = [json.loads(line) for line in text.splitlines()]
        return "\n".join(json.dumps({**one, "distance": 3}) if "sample" in one else json.dumps(one) for one in rows)

    worse = variant(bundle_folder, tmp_path / "worse", {results_path(bundle_folder).name: all_wrong})
    root = ["--root", str(bundle_folder.parents[1])]
    refused = CliRunner().invoke(app, ["promote", str(worse), "--champion", str(champion), *root])
    assert refused.exit_code == 1
    assert "refused" in refused.output
    assert not former_of(champion).exists()
    alike = variant(bundle_folder, tmp_path / "alike", {"confidence.json": less_confident})
    passed = CliRunner().invoke(app, ["promote", str(alike), "--champion", str(champion), *root])
    assert passed.exit_code == 0, passed.output
    assert load_bundle(champion).id == load_bundle(alike).id
    back = CliRunner().invoke(app, ["rollback", "--champion", str(champion)])
    assert back.exit_code == 0
    assert load_bundle(champion).id == load_bundle(bundle_folder).id


@pytest.mark.parametrize("change", [promote, lambda _, champion: roll_back(champion)], ids=["promote", "rollback"])
def test_of_two_promotions_at_once_the_second_changes_nothing(
    promotion: Promotion, change: Callable[[Path, Path], object]
) -> None:
    champion = promotion.champion
    with (
        lock_file_at_once(champion.with_name(f".{champion.name}.lock"), busy=""),
        pytest.raises(LegibleError, match="another promotion or rollback is changing it"),
    ):
        change(promotion.candidate, champion)
    assert load_bundle(champion).id == promotion.old
