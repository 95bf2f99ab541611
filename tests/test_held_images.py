"""The memory of decoded images, which requests wait for."""

import asyncio

from legible.service.held_images import HeldImages


def test_who_finds_no_room_waits_until_there_is() -> None:
    async def run() -> list[str]:
        images, seen = HeldImages(100), list[str]()
        first = await images.take(80)

        async def second() -> None:
            (await images.take(50)).release()
            seen.append("second")

        task = asyncio.create_task(second())
        await asyncio.sleep(0)
        (await images.take(20)).release()  # a small one fits beside
        seen.append("small")
        first.release()
        first.release()  # again does nothing
        await task
        assert images.held == 0
        return seen

    assert asyncio.run(run()) == ["small", "second"]


def test_more_than_all_gets_all() -> None:
    async def run() -> int:
        images = HeldImages(100)
        await images.take(1000)
        return images.held

    assert asyncio.run(run()) == 100


def test_who_gives_up_waiting_holds_nothing() -> None:
    async def run() -> int:
        images = HeldImages(100)
        first = await images.take(100)
        tasks = [asyncio.create_task(images.take(100)) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        first.release()
        await asyncio.sleep(0)
        (await tasks[1]).release()
        return images.held

    assert asyncio.run(run()) == 0
