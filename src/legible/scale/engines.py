"""The engines that read the blocks of a plan: processes of this machine, or actors on a Ray cluster.

Parts are the same.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from legible.errors import LegibleError
from legible.pool_processes import end_with_starter
from legible.scale.blocks import ImageBlock
from legible.scale.cluster import connect
from legible.scale.plan import BulkJob
from legible.scale.worker import BulkWorker, Part

BLOCKS_AHEAD = 2
"""The blocks of each worker: the one it reads, and the next."""
PATIENCE_SECONDS = 120.0
"""How long a cluster may take to give the first worker a core."""


class WorkersDiedError(LegibleError):
    """Too many workers ended before their blocks were read."""


def read_here(job: BulkJob, blocks: Sequence[ImageBlock], output: str, *, bundle: str, workers: int) -> Iterator[Part]:
    """Yield the parts as they are ready, read by processes of this machine.

    Raise WorkersDiedError where one is killed.
    """
    if workers == 1:
        worker = BulkWorker(job, output, bundle)
        yield from map(worker.read, blocks)
        return
    left = deque(blocks)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_open, initargs=(job, output, bundle)) as pool:
        running: set[Future[Part]] = set()
        try:
            while left or running:
                while left and len(running) < BLOCKS_AHEAD * workers:
                    running.add(pool.submit(_read, left.popleft()))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        except BrokenProcessPool as error:
            raise WorkersDiedError("a worker died, perhaps for want of memory; run again, it goes on") from error


_own: list["LazyWorker"] = []
"""In a worker process: its worker."""


def _open(job: BulkJob, output: str, bundle: str) -> None:
    end_with_starter()
    _own[:] = [LazyWorker(job, output, bundle)]


def _read(block: ImageBlock) -> Part:
    return _own[0].read(block)


def read_on_ray(
    job: BulkJob, blocks: Sequence[ImageBlock], output: str, *, bundle: str, workers: int, address: str
) -> Iterator[Part]:
    """Yield the parts as they are ready, read by actors of one core each on a Ray cluster."""
    ray = connect(address)
    actor_class = ray.remote(num_cpus=1, max_restarts=0)(LazyWorker)
    actors = _Actors(ray, actor_class, (job, output, bundle), workers)
    left = deque(blocks)
    try:
        while left or actors.is_busy:
            actors.hand_out(left)
            for outcome in actors.finished():
                if isinstance(outcome, ImageBlock):
                    left.appendleft(outcome)
                else:
                    yield outcome
    finally:
        actors.end()


class LazyWorker:
    """A BulkWorker made by its first block, so that what cannot be made fails as that block does."""

    def __init__(self, job: BulkJob, output: str, bundle: str) -> None:
        self._arguments = (job, output, bundle)
        self._worker: BulkWorker | None = None

    def begin(self) -> None:
        """Return when this actor has a core."""

    def read(self, block: ImageBlock) -> Part:
        self._worker = self._worker or BulkWorker(*self._arguments)
        return self._worker.read(block)


class _Actors:
    """A number of actors, each with a queue of blocks once it has a core; those that die are replaced."""

    def __init__(self, ray: Any, actor_class: Any, arguments: tuple[Any, ...], count: int) -> None:
        self._ray = ray
        self._class = actor_class
        self._arguments = arguments
        self._count = count
        self._all: list[Any] = []
        self._beginning: dict[Any, Any] = {}
        """Actors that wait for a core, by the reference of their begin."""
        self._running: dict[Any, tuple[Any, ImageBlock]] = {}
        """Actors and blocks, by the reference of the part."""
        self._deaths = 0
        for _ in range(count):
            self._start()

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def hand_out(self, left: deque[ImageBlock]) -> None:
        """Give each actor that has a core blocks until it has BLOCKS_AHEAD of them, or none are left."""
        waiting = set(self._beginning.values())
        loads = {actor: 0 for actor in self._all if actor not in waiting}
        for actor, _ in self._running.values():
            if actor in loads:
                loads[actor] += 1
        while left and loads and min(loads.values()) < BLOCKS_AHEAD:
            actor = min(loads, key=lambda one: loads[one])
            block = left.popleft()
            self._running[actor.read.remote(block)] = (actor, block)
            loads[actor] += 1

    def finished(self) -> Iterator[Part | ImageBlock]:
        """Yield the part of each block that was read, and each block that has to be read again."""
        done, _ = self._ray.wait([*self._running, *self._beginning], timeout=PATIENCE_SECONDS)
        if not done and not self._running:
            raise WorkersDiedError(f"no node of the cluster had a free core in {PATIENCE_SECONDS:.0f} s; add one")
        for one in done:
            yield from self._outcome(one)

    def end(self) -> None:
        for actor in self._all:
            self._ray.kill(actor)

    def _outcome(self, done: Any) -> Iterator[Part | ImageBlock]:
        actor, block = self._running.pop(done, (self._beginning.pop(done, None), None))
        try:
            part = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayActorError as error:
            self._replace(actor, error)
            if block is not None:
                yield block
            return
        if part is not None:
            self._deaths = 0
            yield part

    def _start(self) -> None:
        actor = self._class.remote(*self._arguments)
        self._all.append(actor)
        self._beginning[actor.begin.remote()] = actor

    def _replace(self, actor: Any, error: Exception) -> None:
        if actor not in self._all:  # another of its blocks told so
            return
        self._deaths += 1
        if self._deaths > self._count:
            raise WorkersDiedError(f"{self._deaths} workers died without a block read in between ({error})") from error
        self._all.remove(actor)
        self._start()
