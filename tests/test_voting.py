"""Several readings become one, by alignment and calibrated confidence."""

import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from bundle_variants import less_confident, other_letters, variant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_models import IMAGES, asked, read, settings_for

from legible.observations.window import read_back
from legible.reading import Alternative, Character, Reading
from legible.recognition.bundle import read_manifest
from legible.recognition.voting import combine


def reading(
    text: str, *confidences: float, whole: float | None = None, others: tuple[Alternative, ...] = ()
) -> Reading:
    """A reading; without confidences each character has 0.9."""
    given = confidences or (0.9,) * len(text)
    characters = tuple(Character(c, sure) for c, sure in zip(text, given, strict=True))
    return Reading(text, min(given, default=0.5) if whole is None else whole, characters, others)


def test_readers_that_agree_keep_the_text_and_the_greatest_confidence() -> None:
    both = combine([reading("ab", 0.9, 0.6), reading("ab", 0.8, 0.7, whole=0.75)], alternatives=3)
    assert (both.text, both.confidence) == ("ab", 0.75)
    assert [one.confidence for one in both.characters] == [0.9, 0.7]
    assert both.alternatives == ()


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (reading("cat", 0.9, 0.3, 0.9), reading("cut", 0.9, 0.8, 0.9), "cut"),
        (reading("cat", 0.9, 0.8, 0.9), reading("cut", 0.9, 0.3, 0.9), "cat"),
        (reading("cat", 0.9, 0.6, 0.9), reading("cut", 0.9, 0.6, 0.9), "cat"),  # of equals the first
        (reading("Harnburg", 0.9, 0.9, 0.4, 0.3, 0.9, 0.9, 0.9, 0.9), reading("Hamburg"), "Hamburg"),
        (reading("Hamburg"), reading("Harnburg", 0.9, 0.9, 0.4, 0.3, 0.9, 0.9, 0.9, 0.9), "Hamburg"),
        (reading("", whole=0.2), reading("one"), "one"),
        (reading("a b", 0.9, 0.3, 0.9), reading("ab"), "ab"),
    ],
)  # fmt: skip
def test_the_surer_character_wins_each_place(first: Reading, second: Reading, text: str) -> None:
    both = combine([first, second], alternatives=3)
    assert both.text == text
    assert "".join(one.text for one in both.characters) == text
    loser = second if first.text == text else first
    assert both.alternatives[0] == Alternative(loser.text, loser.confidence)


def test_each_reader_mends_what_the_other_misreads() -> None:
    both = combine(
        [reading("H4mburg", 0.9, 0.3, *[0.9] * 5), reading("Hambvrg", *[0.9] * 4, 0.3, 0.9, 0.9)], alternatives=3
    )
    assert both.text == "Hamburg"
    assert both.confidence == pytest.approx(0.9**5 * (0.9 * 0.7 / (1 - 0.27)) ** 2, rel=0.15)
    assert [other.text for other in both.alternatives] == ["H4mburg", "Hambvrg"]


def test_two_of_three_outvote_a_surer_one() -> None:
    three = [reading("b", 0.6), reading("a", 0.4), reading("a", 0.4)]
    assert combine(three).text == "a"
    assert combine([reading("b", 0.9), *three[1:]]).text == "b"


def test_a_doubt_lowers_the_confidence_as_bayes_has_it() -> None:
    both = combine([reading("a", 0.9), reading("b", 0.5)])
    assert both.confidence == pytest.approx(0.9 * 0.5 / (0.9 * 0.5 + 0.1 * 0.5 + 0.1 * 0.5))
    assert both.characters[0].confidence == pytest.approx(both.confidence)


texts = st.text("ab c", max_size=6)
sure = st.floats(0.01, 1.0)
readings = st.lists(
    st.tuples(texts, st.lists(sure, min_size=6, max_size=6), sure).map(
        lambda parts: reading(parts[0], *parts[1][: len(parts[0])], whole=parts[2])
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(readings)
def test_whatever_is_voted_on_is_a_reading(given_readings: list[Reading]) -> None:
    whole = combine(given_readings, alternatives=3)
    assert "".join(character.text for character in whole.characters) == whole.text
    assert 0 <= whole.confidence <= 1
    assert all(0 <= character.confidence <= 1 for character in whole.characters)
    assert whole.text not in [other.text for other in whole.alternatives]
    known = set(itertools.chain.from_iterable(one.text for one in given_readings))
    assert set(whole.text) <= known
    if len(given_readings) == 1:
        assert (whole.text, whole.confidence) == (given_readings[0].text, given_readings[0].confidence)


def test_texts_too_long_to_align_are_the_surest_readers() -> None:
    long, longer = reading("a" * 400, whole=0.4), reading("b" * 401, whole=0.6)
    assert combine([long, longer]) == longer


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ("english+english", 400, "a model votes once"),
        ("english+nobody", 404, "no model 'nobody'; there: english, other"),
    ],
)
def test_who_cannot_vote_is_said(bundle_folder: Path, tmp_path: Path, said: str, status: int, why: str) -> None:
    two = {"english": bundle_folder, "other": bundle_folder}
    answer = asked(settings_for(two, tmp_path, lazy_bundles=True), lambda client: read(client, said))
    assert answer.status_code == status
    assert why in answer.json()["error"]["message"]


def test_a_service_answers_with_the_vote_and_logs_who_voted(bundle_folder: Path, tmp_path: Path) -> None:
    other = variant(
        bundle_folder, tmp_path / "other", {"charset.json": other_letters, "confidence.json": less_confident}
    )
    folders = {"english": bundle_folder, "other": other}
    ids = [read_manifest(folder).bundle_id for folder in folders.values()]

    async def calls(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        sent = {"image": IMAGES[0]}
        return [
            (await client.post(path, files=sent)).json()
            for path in ("/read?model=english+other&alternatives=2", "/read?model=other%2Benglish", "/read")
        ]

    plus, escaped, alone = asked(settings_for(folders, tmp_path), calls)
    assert (plus["text"], plus["model"], plus["bundle"]) == ("Hamburg", "english+other", "+".join(ids))
    assert plus["alternatives"][0]["text"] == "Hnzohet"
    assert plus["confidence"] < alone["confidence"]
    assert escaped["model"] == "other+english"
    rows = read_back(tmp_path / "observations").observations
    assert [row.bundle for row in rows] == ["+".join(ids), "+".join(reversed(ids)), ids[0]]


def m_is_a_quote(text: str) -> str:
    """Return a charset file in which m and an opening quote have changed places."""
    content = json.loads(text)
    content["characters"] = content["characters"].translate(str.maketrans("m“", "“m"))
    return json.dumps(content)


def test_signs_are_plain_in_what_each_voter_reads(bundle_folder: Path, tmp_path: Path) -> None:
    quoting = variant(bundle_folder, tmp_path / "other", {"charset.json": m_is_a_quote})
    own = settings_for({"english": bundle_folder, "other": quoting}, tmp_path)

    async def calls(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        query = "/read?model=english+other&alternatives=1&plain="
        return [(await client.post(query + plain, files={"image": IMAGES[0]})).json() for plain in "01"]

    answers = asked(own, calls)
    others = [answer["alternatives"][0]["text"] for answer in answers]
    assert {"Hamburg", "Ha“burg"} == {answers[0]["text"], others[0]}
    assert {"Hamburg", 'Ha"burg'} == {answers[1]["text"], others[1]}


def test_a_batch_that_is_voted_on_leaves_turns_to_others(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(jobs: list[object] | object, *_: object) -> None:
        time.sleep(0.2 * (len(jobs) if isinstance(jobs, list) else 1))

    monkeypatch.setattr("legible.service.api.vote", slow)

    async def calls(client: httpx.AsyncClient) -> list[str]:
        await client.post("/read?lexicon=english", files={"image": IMAGES[1]})
        finished: list[str] = []

        async def send(name: str, path: str, files: list[tuple[str, bytes]], *, after: float) -> None:
            await asyncio.sleep(after)
            await client.post(path, files=files)
            finished.append(name)

        await asyncio.gather(
            send("batch", "/read_batch?model=english+other", [("images", IMAGES[0])] * 8, after=0),
            send("other", "/read?lexicon=english", [("image", IMAGES[1])], after=0.5),
        )
        return finished

    two = {"english": bundle_folder, "other": bundle_folder}
    assert asked(settings_for(two, tmp_path), calls) == ["other", "batch"]
