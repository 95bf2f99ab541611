"""Limits of a connection over its whole life: one budget of bytes, one clock, and how many there may be.

Nothing here knows HTTP's details: the protocol says in which phase a connection is, and is told to end it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, auto
from functools import partial
from itertools import chain
from typing import Protocol

from legible.config import ServiceSettings

SWEEP_SECONDS = 0.25
"""The time between two looks at all connections; one timer for all costs a request nothing."""

GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits of one connection, and the number of connections of a worker."""

    max_overhead_bytes: int = 32_768
    """The most bytes of a message beside its body: address, headers, what frames chunks, trailers, stray lines."""
    max_headers: int = 100
    """The most headers of a request: each takes far more memory than it has bytes."""
    head_seconds: float = 10.0
    """The time from the first byte of a request to the end of its headers, and the time in which one must begin."""
    message_seconds: float = 25.0
    """The time from the end of a head to the end of the message, whether or not it was answered before."""
    stalled_seconds: float = 30.0
    """The time in which a caller must read so much more of an answer, or all of it, and close a closed connection."""
    min_read_bytes: int = 1_000_000
    max_unread_bytes: int = 200_000_000
    """The most bytes of all answers together that callers have not read; those who read least are hung up on."""
    max_waiting_bytes: int = 20_000_000
    """The most bytes of the heads and bodies of all requests that wait on their connections."""
    max_connections: int = 1000
    max_pipelined: int = 16
    """The most requests that wait on one connection for the answer to an earlier one, or are refused at once."""


def limits_of(settings: ServiceSettings) -> ConnectionLimits:
    """Return the limits under these settings; a body that is late gets its 408 before its connection is closed."""
    return ConnectionLimits(
        message_seconds=settings.body_seconds + GRACE_SECONDS,
        max_unread_bytes=settings.max_held_bytes,
        max_waiting_bytes=settings.max_held_bytes // 10,
        max_connections=settings.max_connections,
    )


class ConnectionPhase(IntEnum):
    """The phase of a connection: what is expected from the caller. An integer is hashed faster than an Enum."""

    IDLE = auto()
    """A request is expected."""
    HEAD = auto()
    """The rest of the headers is expected."""
    BODY = auto()
    """The rest of the message is expected."""
    TURN = auto()
    """A whole request waits for its turn after an earlier one on the connection was answered."""
    NOTHING = auto()
    """Nothing is expected until the request is answered."""


EVICTED = (ConnectionPhase.IDLE, ConnectionPhase.HEAD, ConnectionPhase.BODY, ConnectionPhase.TURN)
"""The phases of connections that make room for new ones, in this order."""


class ByteBudget:
    """Counts what arrives beside bodies; each message has the same budget."""

    CHUNK_BYTES = 16
    """What a chunk's size and line ends may take without counting."""
    MAX_CHUNKS = 20_000
    """The chunks of a message of which this is true: each costs the event loop microseconds, however small it is."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self.chunks = 0

    @property
    def is_exceeded(self) -> bool:
        return self.spent > self.limit

    def receive(self, count: int) -> None:
        """Count bytes that arrived, before it is known what they are."""
        self.spent = max(self.spent, 0) + count

    def is_body(self, count: int) -> None:
        """Subtract bytes that belong to a body."""
        self.spent -= count

    def is_chunk(self) -> None:
        """Count a chunk, and subtract what frames it, unless there are too many."""
        self.chunks += 1
        if self.chunks <= self.MAX_CHUNKS:
            self.spent -= self.CHUNK_BYTES

    def renew(self) -> None:
        """Begin the budget of the next message."""
        self.spent = self.chunks = 0


class LimitedConnection(Protocol):
    """The interface of a connection for the registry, which keeps it in the order of `since` within its phase."""

    phase: ConnectionPhase
    since: float
    """When the phase began."""

    def end_phase(self) -> None:
        """End the connection: the time of its phase is over."""

    def hang_up(self) -> None:
        """End the connection without a word."""

    @property
    def stalled_since(self) -> float | None:
        """The time since when the caller has read too little of an answer or left a closed connection open; None where
        it does neither.
        """

    @property
    def unread_bytes(self) -> int:
        """The bytes of answers that the caller has not read."""


class Turns:
    """Makes calls one by one, and leaves most iterations of the event loop to others.

    However long an iteration takes, the event loop accepts but one new connection in it.
    """

    ITERATIONS_OF_OTHERS = 3
    """The iterations of the event loop between two calls."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()

    def take(self, call: Callable[[], None]) -> None:
        """Make a call when those before it were made."""
        self._calls.append(call)
        if len(self._calls) == 1:
            self._pass_on(0)

    def _pass_on(self, iterations: int) -> None:
        call = partial(self._pass_on, iterations - 1) if iterations else self._call_next
        asyncio.get_running_loop().call_soon(call)

    def _call_next(self) -> None:
        try:
            self._calls[0]()
        finally:
            self._calls.popleft()
            if self._calls:
                self._pass_on(self.ITERATIONS_OF_OTHERS)


class Connections:
    """All connections of a worker, by phase, the oldest first; ends those whose time is over, or that are too many."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.turns = Turns()
        """Those of requests that waited on their connection."""
        self.waiting_bytes = 0
        """The bytes of requests that wait on their connections."""
        self._by_phase: dict[ConnectionPhase, dict[LimitedConnection, None]] = {phase: {} for phase in ConnectionPhase}
        self._sweeping: asyncio.TimerHandle | None = None
        self._time = time.monotonic

    def allow(self, count: int) -> None:
        """Lower the most connections to this count, which is what the machine allows."""
        self.limits = replace(self.limits, max_connections=max(1, min(count, self.limits.max_connections)))

    def __len__(self) -> int:
        return sum(map(len, self._by_phase.values()))

    def add(self, connection: LimitedConnection) -> None:
        """Take a connection in, at the price of the one that has waited longest where there are too many."""
        loop = asyncio.get_running_loop()
        self._time = loop.time  # to ask for the running loop at each phase would cost a system call each time
        if len(self) >= self.limits.max_connections:
            evicted = next(self._in_order_of_eviction(), None)
            if evicted is None:
                connection.hang_up()
                return
            evicted.hang_up()
        connection.phase, connection.since = ConnectionPhase.IDLE, loop.time()
        self._by_phase[ConnectionPhase.IDLE][connection] = None
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def remove(self, connection: LimitedConnection) -> None:
        self._by_phase[connection.phase].pop(connection, None)

    def enter(self, connection: LimitedConnection, phase: ConnectionPhase) -> None:
        """Note that a phase begins now."""
        held = self._by_phase[connection.phase].pop(connection, self)
        connection.phase, connection.since = phase, self._time()
        if held is None:  # it was not removed
            self._by_phase[phase][connection] = None

    def _in_order_of_eviction(self) -> Iterator[LimitedConnection]:
        """Yield the connections to evict: first idle ones, then those that still send, then those that have been
        answered and wait for more; never one that is being answered.
        """
        return chain.from_iterable(self._by_phase[phase] for phase in EVICTED)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for phase, seconds in self._seconds().items():
            for connection in self._overdue(phase, now - seconds):
                connection.end_phase()
        self._hang_up_on_stalled(now)
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if len(self) else None

    def _hang_up_on_stalled(self, now: float) -> None:
        """End the connections whose callers read too little in their time, or hold too much unread together."""
        every = [one for connections in self._by_phase.values() for one in connections]
        stalled = [(since, number, one) for number, one in enumerate(every) if (since := one.stalled_since) is not None]
        unread = sum(one.unread_bytes for _, _, one in stalled)
        for since, _, one in sorted(stalled, key=lambda each: each[:2]):
            if since < now - self.limits.stalled_seconds or unread > self.limits.max_unread_bytes:
                unread -= one.unread_bytes
                one.hang_up()

    def _seconds(self) -> dict[ConnectionPhase, float]:
        limits = self.limits
        return {
            ConnectionPhase.IDLE: limits.head_seconds,
            ConnectionPhase.HEAD: limits.head_seconds,
            ConnectionPhase.BODY: limits.message_seconds,
        }

    def _overdue(self, phase: ConnectionPhase, before: float) -> list[LimitedConnection]:
        found = []
        for connection in self._by_phase[phase]:
            if connection.since > before:  # in order of time: the rest is younger
                break
            found.append(connection)
        return found
