"""Private parts of uvicorn."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


def use_http_protocol(factory: Any) -> None:
    """Have uvicorn speak HTTP by this protocol, also where a framework starts uvicorn."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = cast("Any", factory)


class OpenHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose private state has names of our own here."""

    _running: RequestResponseCycle | None = None
    """The request that is being answered; uvicorn's `cycle` is the one that came last, and may wait for its turn."""

    _takes_turns = False
    """Whether a request that is started now waited on this connection for the answer to an earlier one."""

    def take_turn(self, start: Callable[[], None]) -> None:
        """Start a request that waited on this connection."""
        start()

    def on_response_complete(self) -> None:
        self._takes_turns = True
        super().on_response_complete()
        self._takes_turns = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._takes_turns:
            self.take_turn(partial(self._start_unless_closed, cycle, app))
        else:
            self._start(cycle, app)

    def _start_unless_closed(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not self.transport.is_closing():
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def end_answer(self) -> None:
        """Have the request that is being answered know that its caller has gone: what it still sends is dropped.

        uvicorn tells the one that came last alone, and an earlier one would write to a closed connection.
        """
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    @property
    def is_answering(self) -> bool:
        """Whether the answer to a request on this connection is still under way."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def has_begun_to_answer(self) -> bool:
        """Whether a part of the answer to the request whose head came last was sent."""
        return self.cycle is not None and bool(self.cycle.response_started)

    @property
    def count_waiting(self) -> int:
        """The number of requests that wait for the answer to an earlier one."""
        return len(self.pipeline)

    def _should_upgrade(self) -> bool:
        """Never: a WebSocket would be beyond every limit and the request log, and nothing here speaks it."""
        return False

    def lead_to(self, app: Any) -> None:
        """Have this application answer the request whose head is being read."""
        self.app = cast("Any", app)

    def own_header_lines(self) -> bytes:
        """Return the headers that the server adds to each answer, as lines."""
        return b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)

    def count_request(self) -> None:
        self.server_state.total_requests += 1

    def await_next_request(self) -> None:
        """Close the connection unless something is sent within the time that uvicorn keeps it alive."""
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
