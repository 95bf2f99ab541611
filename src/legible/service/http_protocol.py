"""The head of a request, which no ASGI application sees arrive: limits of its bytes and seconds, and where it leads.

uvicorn limits neither. 431 and 408 in the one shape of errors, then the connection is closed; so is one on which
nothing is ever asked. What the admission refuses is answered before its body, which is dropped as it arrives.
"""

from asyncio import BaseTransport, TimerHandle
from functools import partial
from typing import Any, cast

from legible.service.admission import AdmissionControl
from legible.service.internals.of_uvicorn import OpenHttpProtocol, use_http_protocol
from legible.service.refusals import count_error, error_bytes

MAX_HEAD_BYTES = 32_768
HEAD_SECONDS = 10.0


def install(admission: AdmissionControl | None = None) -> None:
    """Have uvicorn use the limited protocol, also where a framework starts uvicorn."""
    use_http_protocol(partial(LimitedHttpProtocol, admission=admission))


class LimitedHttpProtocol(OpenHttpProtocol):
    """uvicorn's protocol with limits of the head, and admission control."""

    _head_bytes = 0
    _is_in_head = True
    _is_too_large = False
    _is_refused = False
    _deadline: TimerHandle | None = None

    def __init__(self, *arguments: Any, admission: AdmissionControl | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._admission = admission
        self._framework = self.app

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("Any", transport))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._is_too_large = True
            self.send_400_response("")
        if self._is_refused:
            self.await_next_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_refused = False
        if not self._is_in_head:
            self._head_bytes = 0
            self._await_head()

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise ValueError(size)  # the parser stops, and has `send_400_response` answer
        self._is_in_head = False
        self._stop_clock()
        self._is_refused = self._enters() and self._refuses()
        if not self._is_refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            super().on_message_complete()

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
            admission.promise()
            return False
        status_line, _, rest = refusal.partition(b"\r\n")
        self.transport.write(status_line + b"\r\n" + self.own_header_lines() + rest)
        self.count_request()
        return True

    def send_400_response(self, msg: str) -> None:
        """Also for what the parser refuses; the connection ends with it."""
        if self._is_too_large:
            self._end(431, "too_large", f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")
        else:
            self._end(400, "bad_request", msg)

    def _await_head(self) -> None:
        self._is_in_head = True
        self._stop_clock()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._head_bytes:
            self._end(408, "too_slow", f"the head of the request did not arrive within {HEAD_SECONDS:g} s")
        elif not self.transport.is_closing():
            self.transport.close()

    def _end(self, status: int, code: str, message: str) -> None:
        if self.transport.is_closing():
            return
        count_error(code)
        self.transport.write(error_bytes(status, code, message, headers={"connection": "close"}))
        self.transport.close()
