"""HTTP on one connection, with limits that uvicorn lacks: what no ASGI application sees arrive is limited here.

One budget of bytes and one clock hold for everything a connection sends: before a message, in its head, between its
chunks, in its trailers, after its answer. 431 and 408 in the one shape of errors, 408 only where there was no answer
yet, then the connection is closed. What the admission refuses is answered before its body, which is dropped as it
arrives.
"""

from asyncio import BaseTransport, get_running_loop
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, cast

from legible.service.admission import AdmissionControl
from legible.service.connections import ByteBudget, ConnectionLimits, ConnectionPhase, Connections
from legible.service.internals.of_uvicorn import OpenHttpProtocol, use_http_protocol
from legible.service.refusals import count_error, error_bytes

HEADER_BYTES = 100
"""The memory that a header takes beside its text."""


def install(admission: AdmissionControl, connections: Connections) -> None:
    """Have uvicorn use the limited protocol, also where a framework starts uvicorn."""
    use_http_protocol(partial(LimitedHttpProtocol, admission=admission, connections=connections))


class LimitedHttpProtocol(OpenHttpProtocol):
    """uvicorn's protocol with limits of a connection, and admission control."""

    phase = ConnectionPhase.IDLE
    since = 0.0
    _is_refused = False
    _count_refused = 0
    """The requests that were refused since data last arrived."""
    _too_large = ""
    """The reason why a request was stopped as too large; empty before that."""
    _waits_for_turn = False
    _stalled_since: float | None = None
    _unread_then = 0

    def __init__(
        self,
        *arguments: Any,
        admission: AdmissionControl | None = None,
        connections: Connections | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._admission = admission
        self._all = Connections(ConnectionLimits()) if connections is None else connections
        self._limits = self._all.limits
        self._budget = ByteBudget(self._limits.max_overhead_bytes)
        self._framework = self.app
        self._waiting_bytes = deque[int]()
        """The bytes of each request that waits on this connection."""

    # what the transport says

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("Any", transport))
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self._let_go_of_waiting()
        self.end_answer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._budget.receive(len(data))
        if self.phase is ConnectionPhase.IDLE:
            self._all.enter(self, ConnectionPhase.HEAD)
        self._count_refused = 0
        super().data_received(data)
        if self._count_refused > 1 and not self.is_answering:
            self._read_on_in_turn()
        if self._budget.is_exceeded:
            self._end_too_large()
        if self._is_refused:
            self.await_next_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    # what the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_refused = False
        if self.phase is not ConnectionPhase.HEAD:
            self._all.enter(self, ConnectionPhase.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase is ConnectionPhase.HEAD:  # trailers are not kept
            if len(self.headers) >= self._limits.max_headers:
                self._stop(f"the request has more than {self._limits.max_headers} headers")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._budget.limit:
            self._stop(self._too_many_bytes)
        if max(self.count_waiting, self._count_refused) >= self._limits.max_pipelined:
            self._stop(f"more than {self._limits.max_pipelined} requests were sent ahead of their answers")
        self._all.enter(self, ConnectionPhase.BODY)
        self._is_refused = self._enters() and self._refuses()
        if self._is_refused:
            self._count_refused += 1
            return
        waiting = self.count_waiting
        super().on_headers_complete()
        if self.count_waiting > waiting:
            self._waiting_bytes.append(0)
            self._hold_waiting(size + HEADER_BYTES * len(self.headers))

    def on_chunk_header(self) -> None:
        self._budget.is_chunk()

    def on_body(self, body: bytes) -> None:
        self._budget.is_body(len(body))
        if self._waiting_bytes:
            self._hold_waiting(len(body))
        if not self._is_refused and not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._budget.renew()
        self._all.enter(self, self._phase_between_messages())
        if not self._is_refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.phase is ConnectionPhase.NOTHING and not self.count_waiting:
            self._all.enter(self, ConnectionPhase.IDLE)
        elif self.count_waiting:  # its turn comes now, and with it the time for its body
            self._all.enter(self, self.phase)
        super().on_response_complete()

    def take_turn(self, start: Callable[[], None]) -> None:
        """Start a request that waited on its connection after those of others: sixteen on each kept out new callers."""
        self._waits_for_turn = True
        if self.phase is ConnectionPhase.NOTHING:
            self._all.enter(self, ConnectionPhase.TURN)
        self._all.turns.take(partial(self._begin_turn, start))

    def _begin_turn(self, start: Callable[[], None]) -> None:
        self._waits_for_turn = False
        if self._waiting_bytes:
            self._all.waiting_bytes -= self._waiting_bytes.popleft()
        if self.phase is ConnectionPhase.TURN:
            self._all.enter(self, ConnectionPhase.NOTHING)
        start()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refuses; the connection ends with it."""
        if self._too_large:
            self._end_too_large()
        else:
            self._end(400, "bad_request", msg)

    # what the registry of connections asks

    @property
    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    @property
    def stalled_since(self) -> float | None:
        is_stalled = self._stalled_since is not None
        reads_on = is_stalled and self._unread_then - self.unread_bytes >= self._limits.min_read_bytes
        if reads_on or (not is_stalled and self.transport.is_closing()):
            self._stall()
        return self._stalled_since

    def _stall(self) -> None:
        """Begin the time in which the caller has to read some more of its answer."""
        self._stalled_since, self._unread_then = get_running_loop().time(), self.unread_bytes

    def end_phase(self) -> None:
        if self.count_waiting:  # its body is not read before its turn has come
            self._all.enter(self, self.phase)
        elif self.phase is ConnectionPhase.IDLE:
            self.transport.close()
        else:
            is_head = self.phase is ConnectionPhase.HEAD
            seconds = self._limits.head_seconds if is_head else self._limits.message_seconds
            what = "head" if is_head else "body"
            self._end(408, "too_slow", f"the {what} of the request did not arrive within {seconds:g} s")

    def hang_up(self) -> None:
        self._all.remove(self)
        self.end_answer()
        self.transport.abort()

    def _hold_waiting(self, count: int) -> None:
        """Count bytes of the last request, which waits, and hang up where all connections hold too many of them."""
        self._waiting_bytes[-1] += count
        self._all.waiting_bytes += count
        if self._all.waiting_bytes > self._limits.max_waiting_bytes:
            count_error("busy")
            self.hang_up()

    def _let_go_of_waiting(self) -> None:
        self._all.waiting_bytes -= sum(self._waiting_bytes)
        self._waiting_bytes.clear()

    def _read_on_in_turn(self) -> None:
        """Read no more before others had their turn: this connection sends what is refused faster than it is read."""
        if not self.transport.is_closing():
            self.flow.pause_reading()
            self._all.turns.take(self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    @property
    def _too_many_bytes(self) -> str:
        return f"the request has more than {self._budget.limit} bytes beside its body"

    def _stop(self, reason: str) -> NoReturn:
        """Have the parser stop, and `send_400_response` say why."""
        self._too_large = reason
        raise ValueError(reason)

    def _phase_between_messages(self) -> ConnectionPhase:
        if not self.is_answering or self._is_refused:
            return ConnectionPhase.IDLE
        return ConnectionPhase.TURN if self._waits_for_turn else ConnectionPhase.NOTHING

    def _enters(self) -> bool:
        """Return whether the admission takes the request; one that waits for its turn on the connection it does not."""
        admission = self._admission
        enters = (
            admission is not None
            and not self.is_answering
            and admission.leads_to(self.url)
            and not self.parser.should_upgrade()
        )
        self.lead_to(admission if enters else self._framework)
        return enters

    def _refuses(self) -> bool:
        """Answer where no slot is free, or else promise one."""
        admission = cast("AdmissionControl", self._admission)
        is_plain = self.parser.get_method() == b"POST" and self.parser.get_http_version() == "1.1"
        refusal = admission.refusal(self.url, self.headers) if is_plain and self.parser.should_keep_alive() else None
        if refusal is None:
            admission.promise(self.url)
            return False
        status_line, _, rest = refusal.partition(b"\r\n")
        self.transport.write(status_line + b"\r\n" + self.own_header_lines() + rest)
        self.count_request()
        return True

    def _may_still_answer(self) -> bool:
        """Return whether an error would be taken for the answer to the request that is arriving."""
        if self.phase in (ConnectionPhase.IDLE, ConnectionPhase.HEAD):
            return not self.is_answering
        return not (self._is_refused or self.has_begun_to_answer or self.count_waiting)

    def _end_too_large(self) -> None:
        """Close the connection with a 431, after the answer too: the sender learns why what it still sends is lost.

        It cannot be taken for the answer to another request, as none can begin before this one has ended.
        """
        message = self._too_large or self._too_many_bytes
        is_between_answers = not self.is_answering and not self.count_waiting
        self._end(431, "too_large", message, may_answer=is_between_answers or self._may_still_answer())

    def _end(self, status: int, code: str, message: str, *, may_answer: bool | None = None) -> None:
        """Close the connection, with an error where nothing was answered yet."""
        if self.transport.is_closing():
            return
        count_error(code)
        if self._may_still_answer() if may_answer is None else may_answer:
            self.transport.write(error_bytes(status, code, message, headers={"connection": "close"}))
        self.transport.close()
