"""Quick work in the event loop, shared by those who wait for the same."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from legible.recognition.recognizer import STEP_IMAGES
from legible.service.batching import BatchQueue, EventLoopQueue, batches
from legible.service.read_job import QUICK_PIXELS


@dataclass(frozen=True)
class Picture:
    name: str
    cost: int = 1000


class Worker:
    """Notes each piece of work it gets."""

    def __init__(self) -> None:
        self.pieces: list[list[str]] = []

    def __call__(self, pictures: Sequence[Picture]) -> list[str]:
        names = [picture.name for picture in pictures]
        self.pieces.append(names)
        if "torn" in names:
            raise ValueError("torn")
        return [name.upper() for name in names]


def test_neighbours_are_one_piece_while_they_are_few_and_small() -> None:
    names = [Picture(f"{number}") for number in range(STEP_IMAGES + 1)]
    large = [Picture("large", QUICK_PIXELS), Picture("small"), Picture("alone"), Picture("last")]
    found = list(batches([*names, *large], alone=lambda picture: picture.name == "alone"))
    assert [[picture.name for picture in piece] for piece in found] == [
        [f"{number}" for number in range(STEP_IMAGES)],
        [f"{STEP_IMAGES}"],
        ["large"],
        ["small"],
        ["alone"],
        ["last"],
    ]


def test_what_several_wait_for_is_done_together_and_each_gets_its_own() -> None:
    worker = Worker()

    async def ask() -> list[Sequence[str]]:
        shared = BatchQueue(EventLoopQueue(), worker)
        return list(await asyncio.gather(*(shared.do([Picture(f"{n}a"), Picture(f"{n}b")]) for n in range(3))))

    assert asyncio.run(ask()) == [["0A", "0B"], ["1A", "1B"], ["2A", "2B"]]
    assert worker.pieces == [["0a", "0b", "1a", "1b"], ["2a", "2b"]]


def test_a_fault_is_raised_for_its_own_item_alone() -> None:
    worker = Worker()

    async def ask() -> list[Sequence[str] | BaseException]:
        shared = BatchQueue(EventLoopQueue(), worker)
        wanted = [Picture("torn"), *(Picture(f"{n}") for n in range(STEP_IMAGES))]
        return list(await asyncio.gather(*(shared.do([one]) for one in wanted), return_exceptions=True))

    torn, *others = asyncio.run(ask())
    assert isinstance(torn, ValueError)
    assert others == [[f"{n}"] for n in range(STEP_IMAGES)]


def test_work_that_loses_a_result_is_a_fault_and_leaves_nobody_waiting() -> None:
    async def ask() -> list[Sequence[str] | BaseException]:
        shared = BatchQueue(EventLoopQueue(), lambda pictures: [picture.name for picture in pictures][:1])
        both = shared.do([Picture("a"), Picture("b")]), shared.do([Picture("c")])
        return list(await asyncio.gather(*both, return_exceptions=True))

    lost, other = asyncio.run(ask())
    assert isinstance(lost, RuntimeError)
    assert other == ["c"]


def test_nothing_is_done_for_who_has_gone() -> None:
    worker = Worker()

    async def ask() -> Sequence[str]:
        shared = BatchQueue(EventLoopQueue(), worker)
        gone = asyncio.create_task(shared.do([Picture("gone")]))
        stays = asyncio.create_task(shared.do([Picture("stays")]))
        await asyncio.sleep(0)
        gone.cancel()
        found = await stays
        with pytest.raises(asyncio.CancelledError):
            await gone
        return found

    assert asyncio.run(ask()) == ["STAYS"]
    assert worker.pieces == [["stays"]]


def test_a_line_that_is_too_long_is_waited_for() -> None:
    worker = Worker()

    async def ask() -> int:
        shared = BatchQueue(EventLoopQueue(), worker)
        work = asyncio.gather(*(shared.do([Picture(f"{n}", QUICK_PIXELS)]) for n in range(5)))
        await asyncio.sleep(0)
        await shared.until_at_most(2)
        done = len(worker.pieces)
        await work
        await shared.until_at_most(0)
        return done

    assert asyncio.run(ask()) in (3, 4)


def test_others_have_their_turn_between_two_pieces() -> None:
    worker, seen = Worker(), list[int]()

    async def ask() -> None:
        turns = EventLoopQueue()
        shared = BatchQueue(turns, worker)
        work = asyncio.gather(*(shared.do([Picture(f"{n}", QUICK_PIXELS)]) for n in range(3)))
        await asyncio.sleep(0)
        await turns.take(lambda: seen.append(len(worker.pieces)))
        await work

    asyncio.run(ask())
    assert seen[0] < len(worker.pieces)
