"""Several bundles in one service: their names, their readings, and their replacement while it reads."""

import asyncio
import dataclasses
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from bundle_variants import less_confident, other_letters, variant
from conftest import PROJECT
from serving import served

from legible.client import Client, ServiceError
from legible.config import ServiceSettings
from legible.errors import BundleError, SettingsError
from legible.labelling.labels import read_rows
from legible.recognition.bundle import Bundle, load_bundle, read_manifest
from legible.recognition.named_bundles import DEFAULT, named_bundles
from legible.service import models as models_module
from legible.service import reload_board
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.keys import entry
from legible.service.line_writer import LineWriter
from legible.service.models import ModelRegistry, open_models
from legible.service.reload_board import ReloadBoard

KEY = "a key for tests"
IMAGES = tuple((PROJECT / "examples" / name).read_bytes() for name in ("word.png", "line.png"))
Call = Callable[[httpx.AsyncClient], Any]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> dict[str, Path]:
    """Three bundles that answer differently: the shipped one, one of other letters, one of less confidence."""
    place = tmp_path_factory.mktemp("bundles")
    return {
        "english": bundle_folder,
        "rotated": variant(bundle_folder, place / "rotated", {"charset.json": other_letters}),
        "careful": variant(bundle_folder, place / "careful", {"confidence.json": less_confident}),
    }


def entries(folders: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(f"{name}={folder}" for name, folder in folders.items())


def settings_for(folders: Mapping[str, Path], logs: Path, **more: Any) -> ServiceSettings:
    own = {"observations_folder": str(logs / "observations"), "corrections_folder": str(logs / "corrections")}
    return ServiceSettings(bundles=entries(folders), request_log=False, **own, **more)


def asked(own: ServiceSettings, call: Call) -> Any:
    """Make calls to a service in this process."""
    api = Api(own)
    api.start(open_models(own, worker="1"))

    async def ask() -> Any:
        transport = httpx.ASGITransport(build_app(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await call(client)

    try:
        return asyncio.run(ask())
    finally:
        api.close()


async def read(client: httpx.AsyncClient, model: str = "", image: bytes = IMAGES[0]) -> httpx.Response:
    return await client.post("/read", params={"model": model} if model else {}, files={"image": image})


def essence(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two services must agree on: all but the names of reading and model."""
    return {name: value for name, value in answer.items() if name not in ("reading_id", "model")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["english"], "'english' is no NAME=FOLDER"),
        (["english="], "'english=' is no NAME=FOLDER"),
        (["a/b=models/bundle"], "'a/b' cannot name a bundle; at most 40 small letters"),
        (["数字=models/bundle"], "'数字' cannot name a bundle"),
        (["\uff41=models/bundle"], "cannot name a bundle"),  # a full-width letter
        (["a+b=models/bundle"], "'a+b' cannot name a bundle"),  # that is how two are named that vote
        (["a=x", "b=y", "a=z"], "'a' names two bundles"),
    ],
)
def test_bundles_that_cannot_be_told_apart_are_refused_in_one_line(given: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=r"^LEGIBLE_BUNDLES: ") as caught:
        named_bundles(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_way_of_naming_bundles_at_a_time() -> None:
    with pytest.raises(SettingsError, match="LEGIBLE_BUNDLE is set too, to 'models/other'"):
        named_bundles(["a=models/bundle"], single="models/other")


def test_without_names_there_is_the_bundle_that_is_found() -> None:
    assert list(named_bundles([])) == [DEFAULT]


def test_an_unknown_model_is_a_404_that_names_those_there_are(folders: dict[str, Path], tmp_path: Path) -> None:
    own = settings_for({"english": folders["english"]}, tmp_path)
    answer = asked(own, lambda client: read(client, "../../etc"))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("no model '../../etc'; there: english;")


@pytest.mark.parametrize("keys", [(), (entry("ann", KEY),)], ids=["without keys", "with keys"])
def test_a_caller_without_a_key_is_told_no_names_of_models(
    keys: tuple[str, ...], folders: dict[str, Path], tmp_path: Path
) -> None:
    async def call(client: httpx.AsyncClient) -> list[httpx.Response]:
        repeated = await client.get("/card?model=default&model=default")
        assert (repeated.status_code, repeated.json()["error"]["code"]) == (400, "bad_request")
        return [await client.get("/card?model=nobody"), await client.post("/models/nobody/reload")]

    own = settings_for({"english": folders["english"]}, tmp_path, keys=keys, reload_keys=(entry("ops", KEY),))
    for answer in asked(own, call):
        assert answer.status_code == 404
        assert ("english" in answer.text) == (not keys)


def test_a_damaged_board_of_reloads_is_no_news_and_is_written_anew(tmp_path: Path) -> None:
    one, other = ReloadBoard(tmp_path), ReloadBoard(tmp_path)
    for damaged in ("{", "[1]", '{"english": 3}', "[" * 100_000):
        (tmp_path / "reloads.json").write_text(damaged)
        assert other.news() == {}
    one.announce("english", "abc", known=["english"])
    assert other.has_news
    assert other.news() == {"english": "abc"}


@pytest.fixture
def two_workers(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], ModelRegistry]:
    """A function that starts a worker of one service; its models `a` and `b` lie in folders that a test replaces."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    places = {name: variant(folders["english"], tmp_path / name, {}) for name in ("a", "b")}
    own = settings_for(places, tmp_path)
    return lambda: open_models(own, worker="1")


def marked(folder: Path, mark: str) -> str:
    """Write a bundle that differs from the one in the folder in its card alone; return its id."""
    return read_manifest(variant(folder, folder, {"card.md": lambda _: mark})).bundle_id


def served_ids(models: ModelRegistry) -> dict[str, str]:
    """Return what a request to each model is answered with: a worker that is behind catches up first."""
    if models.is_behind:
        models.catch_up()
    return {name: models.open(name).worker.bundle_id for name in models.names}


def test_a_reload_swallows_no_news_of_another_model(two_workers: Callable[[], ModelRegistry], tmp_path: Path) -> None:
    one, other = two_workers(), two_workers()
    wanted = {name: marked(tmp_path / name, "new") for name in ("a", "b")}
    other.reload("b")
    one.reload("a")
    assert served_ids(one) == served_ids(other) == wanted
    assert not one.is_behind
    assert not other.is_behind


def test_reloads_of_different_models_at_a_time_reach_all_workers(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path
) -> None:
    workers = dict(zip("ab", (two_workers(), two_workers()), strict=True))
    for number in range(5):
        wanted = {name: marked(tmp_path / name, str(number)) for name in workers}
        callers = [threading.Thread(target=models.reload, args=(name,)) for name, models in workers.items()]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert [served_ids(models) for models in workers.values()] == [wanted, wanted]


def test_reloads_of_one_model_at_a_time_leave_all_workers_on_the_bundle_that_was_read_last(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is replaced while one worker still opens what it read from it."""
    one, other = two_workers(), two_workers()
    first = marked(tmp_path / "a", "first")
    has_read, may_open = threading.Event(), threading.Event()
    real = load_bundle

    def slow(folder: Path) -> Bundle:
        bundle = real(folder)
        if bundle.id == first:
            has_read.set()
            may_open.wait(10)
        return bundle

    monkeypatch.setattr(models_module, "load_bundle", slow)
    callers = [threading.Thread(target=models.reload, args=("a",)) for models in (one, other)]
    callers[0].start()
    assert has_read.wait(10)
    second = marked(tmp_path / "a", "second")
    callers[1].start()
    callers[1].join(0.5)  # without an order it is done by now
    may_open.set()
    for caller in callers:
        caller.join()
    assert served_ids(one)["a"] == served_ids(other)["a"] == second


def test_a_worker_follows_what_was_announced_and_not_what_lies_in_the_folder_since(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(reload_board, "PAUSE_SECONDS", 0.0)
    one, other = two_workers(), two_workers()
    former = served_ids(other)["a"]
    announced = marked(tmp_path / "a", "announced")
    one.reload("a")
    shutil.copytree(tmp_path / "a", tmp_path / "kept")
    staged = marked(tmp_path / "a", "staged")
    assert served_ids(other)["a"] == former
    assert f"a holds bundle {staged}, and {announced} was announced" in caplog.text
    assert f"bundle {former} goes on in this worker" in caplog.text
    assert served_ids(other)["a"] == former
    assert len(caplog.records) == 1
    variant(tmp_path / "kept", tmp_path / "a", {})
    assert served_ids(other)["a"] == announced


def test_a_worker_that_could_not_catch_up_tries_again_after_a_pause(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(reload_board, "PAUSE_SECONDS", 0.0)
    one, other = two_workers(), two_workers()
    wanted = marked(tmp_path / "a", "new")
    one.reload("a")
    (tmp_path / "a").rename(tmp_path / "gone")
    assert served_ids(other)["a"] != wanted
    assert "no bundle here" in caplog.text
    (tmp_path / "gone").rename(tmp_path / "a")
    assert served_ids(other)["a"] == wanted


def test_postponed_news_are_news_again_after_the_pause(tmp_path: Path) -> None:
    now = 100.0
    one, other = ReloadBoard(tmp_path), ReloadBoard(tmp_path, clock=lambda: now)
    one.announce("english", "abc", known=["english"])
    other.news()
    other.postpone()
    assert not other.has_news
    one.announce("german", "def", known=["english", "german"])
    assert other.has_news  # an announcement ends the pause
    other.news()
    other.postpone()
    assert not other.has_news
    now += reload_board.PAUSE_SECONDS
    assert other.has_news
    other.news()
    other.settle()
    assert not other.has_news


def test_a_new_worker_warns_of_a_bundle_in_the_folder_that_was_never_announced(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    announced = marked(tmp_path / "a", "announced")
    one = two_workers()
    one.reload("a")
    assert caplog.records == []
    staged = marked(tmp_path / "a", "staged")
    assert served_ids(two_workers())["a"] == staged
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"model a: {tmp_path / 'a'} holds bundle {staged}, and {announced} was announced" in record.getMessage()


def test_a_board_keeps_known_models_alone_and_reads_no_large_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board, path = ReloadBoard(tmp_path), tmp_path / "reloads.json"
    path.write_text(json.dumps({"english": "abc", "nobody": "x"}))
    board.announce("german", "def", known=["english", "german"])
    assert json.loads(path.read_text()) == {"english": "abc", "german": "def"}
    path.write_text(json.dumps({f"name{number}": "x" * 50 for number in range(reload_board.MAX_BYTES // 60)}))
    assert board.news() == {}
    assert "more than 1000000 bytes" in caplog.text
    board.announce("german", "def", known=["english", "german"])
    assert json.loads(path.read_text()) == {"german": "def"}


def spoil_file(folder: Path) -> None:
    (folder / "reloads.json").mkdir()


def spoil_link(folder: Path) -> None:
    (folder / "reloads.json").symlink_to(folder / "reloads.json")


def spoil_lock(folder: Path) -> None:
    (folder / "reloads.lock").mkdir()


@pytest.mark.parametrize("spoil", [spoil_file, spoil_link, spoil_lock])
def test_a_reload_that_cannot_be_announced_changes_nothing_and_says_so(
    spoil: Callable[[Path], None],
    folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shared, folder = tmp_path / "shared", variant(folders["english"], tmp_path / "a", {})
    shared.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))

    async def call(client: httpx.AsyncClient) -> tuple[httpx.Response, list[str]]:
        seen = [(await read(client)).json()["bundle"]]
        marked(folder, "new")
        spoil(shared)
        answer = await client.post("/models/a/reload", headers={"X-API-Key": KEY})
        return answer, [*seen, (await read(client)).json()["bundle"]]

    answer, seen = asked(settings_for({"a": folder}, tmp_path, reload_keys=(entry("ops", KEY),)), call)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "internal")
    message = answer.json()["error"]["message"]
    assert "reloads.json cannot be written (" in message
    assert "other workers would not follow" in message
    assert f"bundle {seen[0]} goes on in all" in message
    assert seen[0] == seen[1]
    assert "model a is not reloaded" in caplog.text


def test_an_open_model_waits_for_no_reload(
    two_workers: Callable[[], ModelRegistry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = two_workers()
    marked(tmp_path / "a", "new")
    is_loading, may_load = threading.Event(), threading.Event()

    def slow(folder: Path) -> Bundle:
        is_loading.set()
        may_load.wait(10)
        return load_bundle(folder)

    monkeypatch.setattr(models_module, "load_bundle", slow)
    reloading = threading.Thread(target=models.reload, args=("a",))
    reloading.start()
    assert is_loading.wait(10)
    opening = threading.Thread(target=models.open, args=("b",), daemon=True)
    opening.start()
    opening.join(2)
    assert not opening.is_alive()
    may_load.set()
    reloading.join()


def test_a_lazy_bundle_is_checked_at_the_start_and_opened_by_the_first_request(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    async def calls(client: httpx.AsyncClient) -> list[list[bool]]:
        before = (await client.get("/models")).json()["models"]
        assert (await read(client, "rotated")).json()["model"] == "rotated"
        after = (await client.get("/models")).json()["models"]
        return [[model["is_open"] for model in models] for models in (before, after)]

    two = {name: folders[name] for name in ("english", "rotated")}
    assert asked(settings_for(two, tmp_path, lazy_bundles=True), calls) == [[True, False], [True, True]]
    broken = tmp_path / "broken"
    shutil.copytree(folders["rotated"], broken)
    (broken / "model.tflite").write_bytes(b"no model")
    with pytest.raises(BundleError, match=r"model\.tflite is not as packed"):
        open_models(settings_for({**two, "broken": broken}, tmp_path, lazy_bundles=True), worker="1")


def test_a_lazy_bundle_whose_folder_was_replaced_is_not_read_with_until_it_is_reloaded(
    folders: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = {"english": folders["english"], "lazy": variant(folders["careful"], tmp_path / "lazy", {})}

    async def calls(client: httpx.AsyncClient) -> list[httpx.Response]:
        variant(folders["rotated"], served["lazy"], {"lexicon-english.gz": lambda text: text.replace("\n", "\n\n", 1)})
        page = await client.post("/read_page?model=lazy", files={"image": IMAGES[0]})
        refused = [await read(client, "lazy"), page]
        await client.post("/models/lazy/reload", headers={"X-API-Key": KEY})
        return [*refused, await read(client, "lazy")]

    own = settings_for(served, tmp_path, lazy_bundles=True, reload_keys=(entry("ops", KEY),))
    *refused, answer = asked(own, calls)
    for refusal in refused:
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "bundle_replaced")
        assert refusal.headers["retry-after"]
        assert str(tmp_path) not in refusal.text
    assert str(served["lazy"]) in caplog.text
    assert answer.json()["text"] == "Hnzohet"


def test_a_bundle_whose_folder_goes_is_read_with_as_it_was_opened(
    bundle_folder: Path, tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Whatever happens to the folder before the next reload: no file of it is missed, or taken from another bundle."""
    served = variant(bundle_folder, tmp_path / "served", {})

    async def call(client: httpx.AsyncClient) -> list[httpx.Response]:
        variant(folders["rotated"], served, {})
        other = await client.get("/models")
        shutil.rmtree(served)
        image = {"image": IMAGES[0]}
        return [
            other,
            await client.get("/models"),
            await client.get("/card"),
            await client.post("/read", params={"lexicon": "english"}, files=image),
        ]

    answers = asked(settings_for({"one": served}, tmp_path), call)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[-1].json()["bundle"] == read_manifest(bundle_folder).bundle_id


def test_a_reload_needs_a_key_of_its_own(folders: dict[str, Path], tmp_path: Path) -> None:
    async def call(client: httpx.AsyncClient) -> list[int]:
        keys = [{}, {"X-API-Key": "another"}, {"X-API-Key": KEY}]
        return [(await client.post("/models/english/reload", headers=key)).status_code for key in keys]

    one = {"english": folders["english"]}
    assert asked(settings_for(one, tmp_path, reload_keys=(entry("ops", KEY),)), call) == [401, 401, 200]
    assert asked(settings_for(one, tmp_path), call) == [404, 404, 404]


def test_asking_for_a_reload_by_get_tells_whether_it_would_be_taken(folders: dict[str, Path], tmp_path: Path) -> None:
    """As `legible promote` and `rollback` ask before they exchange anything."""

    async def call(client: httpx.AsyncClient) -> list[int]:
        keys = [{"X-API-Key": "another"}, {"X-API-Key": KEY}]
        return [(await client.get("/models/english/reload", headers=one)).status_code for one in keys]

    one = {"english": folders["english"]}
    assert asked(settings_for(one, tmp_path, reload_keys=(entry("ops", KEY),)), call) == [401, 405]
    assert asked(settings_for(one, tmp_path), call) == [404, 404]


@pytest.fixture(scope="module")
def service(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Two workers with all three bundles; `changing` is a copy of the shipped one that the tests replace."""
    place = tmp_path_factory.mktemp("service")
    changing = variant(folders["english"], place / "changing", {})
    variables = {
        "LEGIBLE_BUNDLES": ",".join(entries({**folders, "changing": changing})),
        "LEGIBLE_RELOAD_KEYS": entry("ops", KEY),
        "LEGIBLE_WORKERS": "2",
        "LEGIBLE_FEEDBACK": "1",
    }
    with (
        served(place, **variables) as address,
        httpx.Client(base_url=address, timeout=60, headers={"X-API-Key": KEY}) as client,
    ):
        yield client


def reading(client: httpx.Client, model: str = "", image: bytes = IMAGES[0]) -> dict[str, Any]:
    query = {"model": model} if model else {}
    answer: dict[str, Any] = client.post("/read", params=query, files={"image": image}).raise_for_status().json()
    return answer


@pytest.mark.slow
def test_each_reads_bit_for_bit_as_it_does_alone(
    service: httpx.Client, folders: dict[str, Path], tmp_path: Path
) -> None:
    together = {name: [essence(reading(service, name, image)) for image in IMAGES] for name in folders}
    for name, folder in folders.items():
        alone = {"observations_folder": str(tmp_path), "corrections_folder": str(tmp_path), "request_log": False}

        async def calls(client: httpx.AsyncClient) -> list[dict[str, Any]]:
            return [essence((await read(client, image=image)).json()) for image in IMAGES]

        assert together[name] == asked(ServiceSettings(bundles=(f"{name}={folder}",), **alone), calls)  # type: ignore[arg-type]
    texts = {name: answers[0]["text"] for name, answers in together.items()}
    assert texts["english"] == texts["careful"] == "Hamburg"
    assert texts["rotated"] == "Hnzohet"
    assert together["careful"][0]["confidence"] < together["english"][0]["confidence"]
    assert essence(reading(service)) == together["english"][0]


@pytest.mark.slow
def test_they_are_listed_with_charset_card_and_figures(service: httpx.Client, folders: dict[str, Path]) -> None:
    first, *others = service.get("/models").raise_for_status().json()["models"]
    assert (first["name"], first["default"], first["is_open"]) == ("english", True, True)
    assert [model["name"] for model in others] == ["rotated", "careful", "changing"]
    assert first["bundle"] == read_manifest(folders["english"]).bundle_id
    assert first["exact_match"]["print"] > 0.9
    assert "Model card" in service.get(first["card"]).text
    assert set(first["characters"]) == set(others[0]["characters"])


@pytest.mark.slow
def test_each_has_metrics_of_its_own(service: httpx.Client) -> None:
    for name in ("english", "rotated"):
        reading(service, name)
    text = service.get("/metrics").text
    for name in ("english", "rotated", "careful", "changing"):
        assert f'legible_drift_constant{{kind="image",model="{name}"}}' in text
        assert f'legible_image_statistic_bucket{{channel="",le="0.1",model="{name}",statistic="entropy"}}' in text
    models = {part.split('model="')[1].split('"')[0] for part in text.splitlines() if 'model="' in part}
    assert models == {"english", "rotated", "careful", "changing"}  # what callers name is no label


@pytest.mark.slow
def test_a_correction_of_any_of_them_is_kept(service: httpx.Client) -> None:
    sent = {"reading_id": reading(service, "rotated")["reading_id"], "text": "Hamburg"}
    assert service.post("/feedback", json=sent).status_code == 202


@pytest.mark.slow
def test_the_python_client_names_a_model_and_replaces_one(service: httpx.Client) -> None:
    with Client(str(service.base_url), key=KEY) as client:
        assert client.read(IMAGES[0], model="rotated").text == "Hnzohet"
        assert client.reload("english") == client.read(IMAGES[0]).bundle
        with pytest.raises(ServiceError, match="no model 'nobody'"):
            client.reload("nobody")


@pytest.mark.slow
def test_a_broken_bundle_is_refused_and_the_former_one_goes_on(
    service: httpx.Client, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    changing = Path(next(tmp_path_factory.getbasetemp().glob("service*/changing")))
    former = reading(service, "changing")
    (changing / "model.tflite").write_bytes(b"no model")
    answer = service.post("/models/changing/reload")
    assert answer.status_code == 409
    assert "model.tflite is not as packed" in answer.json()["error"]["message"]
    assert f"bundle {former['bundle']} goes on" in answer.json()["error"]["message"]
    assert essence(reading(service, "changing")) == essence(former)
    variant(folders["english"], changing, {})
    assert service.post("/models/nobody/reload").status_code == 404


@pytest.mark.slow
def test_twenty_reloads_under_load_lose_no_request(
    service: httpx.Client, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    changing = Path(next(tmp_path_factory.getbasetemp().glob("service*/changing")))
    texts = {"english": "Hamburg", "rotated": "Hnzohet"}
    by_bundle = {read_manifest(folders[name]).bundle_id: text for name, text in texts.items()}
    stop, wrong, count = threading.Event(), [], [0, 0]

    def load(number: int) -> None:
        with httpx.Client(base_url=service.base_url, timeout=60) as client:
            while not stop.is_set():
                answer = client.post("/read?model=changing", files={"image": IMAGES[0]})
                count[number] += 1
                found = answer.json()
                if answer.status_code != 200 or by_bundle.get(found["bundle"]) != found["text"]:
                    wrong.append(answer.text)

    callers = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(20):
            name = list(texts)[(number + 1) % 2]
            variant(folders[name], changing, {})
            replaced = service.post("/models/changing/reload").raise_for_status().json()
            assert by_bundle[replaced["bundle"]] == texts[name]
            for _ in range(4):  # whichever worker answers
                assert reading(service, "changing")["bundle"] == replaced["bundle"]
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert not wrong
    assert min(count) > 20


def labelling(folders: Mapping[str, Path], place: Path) -> ServiceSettings:
    """Settings of a service with one kept image to label."""
    hour = place / "images/v1/20261129T10"
    hour.mkdir(parents=True)
    (hour / "20261129T10-7-000000000000.png").write_bytes(IMAGES[0])
    own = {"images_folder": str(place / "images"), "labels_folder": str(place / "labels")}
    return settings_for(folders, place, label_keys=(entry("ann", KEY),), **own)


async def labelled_next(client: httpx.AsyncClient) -> dict[str, Any]:
    item: dict[str, Any] = (await client.get("/label/next", headers={"X-API-Key": KEY})).json()["item"]
    label = {"reading_id": item["reading_id"], "verdict": "text", "text": "a", "revision": item["revision"]}
    assert (await client.post("/label", json=label, headers={"X-API-Key": KEY})).status_code == 200
    return item


def test_a_label_names_the_bundle_that_read_its_image_after_a_reload_too(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    served_folder = tmp_path / "served"
    shutil.copytree(folders["english"], served_folder)
    before = read_manifest(served_folder).bundle_id
    own = labelling({DEFAULT: served_folder}, tmp_path)
    api = Api(own)
    models = open_models(own, worker="1")
    api.start(models)

    async def calls() -> None:
        transport = httpx.ASGITransport(build_app(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await labelled_next(client)
            shutil.rmtree(served_folder)
            shutil.copytree(folders["rotated"], served_folder)
            models.reload(DEFAULT)
            name = "20261129T10-7-000000000001"
            (tmp_path / f"images/v1/20261129T10/{name}.png").write_bytes(IMAGES[0])
            assert (await labelled_next(client))["reading_id"] == name

    try:
        asyncio.run(calls())
    finally:
        api.close()
    rows = read_rows(tmp_path / "labels")
    assert [(row.bundle, row.read) for row in rows] == [
        (before, "Hamburg"), (read_manifest(folders["rotated"]).bundle_id, "Hnzohet")
    ]  # fmt: skip


def test_labelling_waits_for_no_reading_and_no_reading_for_it(folders: dict[str, Path], tmp_path: Path) -> None:
    own = labelling({DEFAULT: folders["english"]}, tmp_path)
    api = Api(own)
    api.start(open_models(own, worker="1"))
    done = threading.Event()

    async def calls() -> None:
        transport = httpx.ASGITransport(build_app(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            busy = asyncio.ensure_future(api.in_thread(done.wait, 20))
            async with asyncio.timeout(15):
                await labelled_next(client)
            done.set()
            await busy

    try:
        asyncio.run(calls())
    finally:
        done.set()
        api.close()


def test_the_request_log_tells_who_labelled_and_who_reloaded(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(LineWriter, "write", lambda _, line: lines.append(line))
    own = dataclasses.replace(
        labelling({"english": folders["english"]}, tmp_path), request_log=True, reload_keys=(entry("ops", KEY),)
    )

    async def calls(client: httpx.AsyncClient) -> None:
        await labelled_next(client)
        await client.post("/models/english/reload", headers={"X-API-Key": KEY})
        await client.post("/models/nobody/reload", headers={"X-API-Key": KEY})

    asked(own, calls)
    found = [(row["path"], row["status"], row["key"]) for row in map(json.loads, lines)]
    assert found == [
        ("/label/next", 200, "ann"), ("/label", 200, "ann"), ("/models/english/reload", 200, "ops"), ("other", 404, "")
    ]  # fmt: skip
