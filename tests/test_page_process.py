"""The page process seen from a worker: it answers, and whatever ends it costs one answer and no more."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from page_child import FRAMES, until_all_are_gone

from legible.service.page_messages import PageJob, PageReply, PageSetup
from legible.service.page_process import (
    BundleReplacedError,
    DeadlyDocumentError,
    EndReason,
    PageProcess,
    PagesBusyError,
    StuckDocumentError,
)

SETUP = PageSetup("bundle", "0123456789ab", "detector", "1", 1000, 10, 1000, page_seconds=1, max_memory_bytes=10**9)
JOB = PageJob("json", accept=0.9, seconds=1)
CHILD = f"""{FRAMES}
setup = read()
if START == "refuses": write(b"another bundle") or sys.exit()
if START == "dies": sys.exit(3)
died = sys.argv[0] + ".died"
if START == "dies once" and not os.path.exists(died): sys.exit(open(died, "x").close())
write(b"ready")
while True:
    job, data, _ = read(), read(), read()
    if data == b"hang": time.sleep(60)
    if data == b"die": os._exit(1)
    if data.startswith(b"wait"): time.sleep(0.3)
    write(json.dumps({{"status": 200, "file_name": str(os.getpid())}}).encode(), data)
"""


@pytest.fixture
def ends() -> list[EndReason]:
    return []


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    def command(start: str = "well") -> list[str]:
        path = tmp_path / "child.py"
        path.write_text(f"START = {start!r}\n{CHILD}")
        return [sys.executable, "-S", str(path)]

    return command


def run(
    script: Callable[[], list[str]],
    ends: list[EndReason],
    act: Callable[[PageProcess], Awaitable[None]],
    **options: float,
) -> None:
    async def acted() -> None:
        process = PageProcess(SETUP, command=script(), on_end=ends.append, **options)  # type: ignore[arg-type]
        async with until_all_are_gone():
            try:
                await act(process)
            finally:
                process.close()

    asyncio.run(acted())


async def answer(process: PageProcess, data: bytes, seconds: float = 20) -> PageReply:
    return await process.read(JOB, data, seconds=seconds)


def test_one_process_answers_one_document_after_the_other(
    script: Callable[[], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        assert process.pid is None  # nobody needs it yet
        large = bytes(3_000_000)
        replies = await asyncio.gather(*(answer(process, data) for data in (b"one", b"two", large)))
        assert [reply.body for reply in replies] == [b"one", b"two", large]
        assert {reply.file_name for reply in replies} == {str(process.pid)}

    run(script, ends, act)
    assert ends == [EndReason.CLOSED]


def test_a_document_that_hangs_is_ended_and_the_next_is_read(
    script: Callable[[], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        first = await answer(process, b"one")
        began = time.monotonic()
        with pytest.raises(StuckDocumentError, match="not read within"):
            await answer(process, b"hang", seconds=0.3)
        assert time.monotonic() - began < 2
        second = await answer(process, b"two")
        assert second.body == b"two"
        assert second.file_name != first.file_name

    run(script, ends, act)
    assert ends == [EndReason.TIMEOUT, EndReason.CLOSED]


def test_a_document_that_kills_its_process_is_named_and_the_next_is_read(
    script: Callable[[], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        with pytest.raises(DeadlyDocumentError, match="ended the process"):
            await answer(process, b"die")
        assert (await answer(process, b"two")).body == b"two"

    run(script, ends, act)
    assert ends == [EndReason.DIED, EndReason.CLOSED]


def test_a_process_that_refuses_the_bundle_says_why_and_the_next_document_starts_another(
    script: Callable[[str], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        for _ in range(2):
            with pytest.raises(BundleReplacedError, match="another bundle"):
                await answer(process, b"one")
            assert process.pid is None
        script("well")
        assert (await answer(process, b"two")).body == b"two"

    run(lambda: script("refuses"), ends, act)
    assert ends == [EndReason.CLOSED] * 3


def test_a_caller_who_goes_ends_the_work(script: Callable[[], list[str]], ends: list[EndReason]) -> None:
    async def act(process: PageProcess) -> None:
        await answer(process, b"one")
        reading = asyncio.create_task(answer(process, b"hang"))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert process.pid is None
        assert (await answer(process, b"two")).body == b"two"

    run(script, ends, act)
    assert ends == [EndReason.CANCELLED, EndReason.CLOSED]


def test_who_waits_for_its_turn_in_vain_is_told_so_and_ends_nothing(
    script: Callable[[], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        await answer(process, b"one")
        reading = asyncio.create_task(answer(process, b"wait"))
        await asyncio.sleep(0.01)
        with pytest.raises(PagesBusyError):
            await answer(process, b"two", seconds=0.05)
        assert (await reading).body == b"wait"

    run(script, ends, act)
    assert ends == [EndReason.CLOSED]


def test_a_process_that_nobody_needs_is_ended(script: Callable[[], list[str]], ends: list[EndReason]) -> None:
    async def act(process: PageProcess) -> None:
        await answer(process, b"one")
        await asyncio.sleep(0.3)
        assert process.pid is None
        assert (await answer(process, b"two")).body == b"two"

    run(script, ends, act, idle_seconds=0.1)
    assert ends[0] is EndReason.IDLE


def test_a_process_that_does_not_start_is_a_fault_of_the_service(
    script: Callable[[str], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        with pytest.raises(RuntimeError, match="did not start"):
            await answer(process, b"one")

    run(lambda: script("dies"), ends, act)
    assert ends == [EndReason.DIED, EndReason.DIED]


def test_a_process_that_dies_once_as_it_starts_costs_no_answer(
    script: Callable[[str], list[str]], ends: list[EndReason]
) -> None:
    async def act(process: PageProcess) -> None:
        assert (await answer(process, b"one")).body == b"one"

    run(lambda: script("dies once"), ends, act)
    assert ends == [EndReason.DIED, EndReason.CLOSED]


def test_no_process_is_left_behind(script: Callable[[], list[str]], ends: list[EndReason]) -> None:
    pids: list[int] = []

    async def act(process: PageProcess) -> None:
        await answer(process, b"one")
        pids.append(process.pid or 0)

    run(script, ends, act)
    assert not Path(f"/proc/{pids[0]}/cmdline").exists() or Path(f"/proc/{pids[0]}/cmdline").read_bytes() == b""


@pytest.mark.slow
def test_processes_that_share_a_turn_read_one_at_a_time(script: Callable[[], list[str]], ends: list[EndReason]) -> None:
    async def acted() -> None:
        turn = asyncio.Lock()
        each = [PageProcess(SETUP, command=script(), on_end=ends.append, turn=turn, idle_seconds=0.1) for _ in range(2)]
        await asyncio.gather(*(answer(process, b"one") for process in each))
        began = time.monotonic()
        await asyncio.gather(*(answer(process, b"wait") for process in each))
        assert time.monotonic() - began > 0.55  # 0.3 s each
        await asyncio.sleep(0.4)
        assert [process.pid for process in each] == [None, None]  # each was idle, whoever had the turn last

    asyncio.run(acted())
    assert set(ends) == {EndReason.IDLE}
