"""The head of a request, which no ASGI application sees arrive: so many bytes, so many seconds, and where it leads.

uvicorn sets no bounds to either. 431 and 408 in the one shape of errors, then the connection is closed; so is one on
which nothing is ever asked. What the admission refuses is answered before its body, which is dropped as it arrives.
"""

import json
from asyncio import BaseTransport, TimerHandle
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from legible.service import metrics
from legible.service.admission import AdmissionControl

MAX_HEAD_BYTES = 32_768
HEAD_SECONDS = 10.0


def install(admission: AdmissionControl | None = None) -> None:
    """Have uvicorn use it, also where a framework starts uvicorn."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = cast("Any", partial(LimitedHttpProtocol, admission=admission))


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds to the head, and an admission."""

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
            self._await_next()

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
        """Whether the request comes in by the admission; one that waits for its turn on the connection does not."""
        admission = self._admission
        is_next = self.cycle is None or self.cycle.response_complete
        enters = admission is not None and is_next and admission.leads_to(self.url) and not self.parser.should_upgrade()
        self.app = cast("Any", admission if enters else self._framework)
        return enters

    def _refuses(self) -> bool:
        """Answers where there is no place, or else promises one."""
        admission = cast("AdmissionControl", self._admission)
        is_plain = self.parser.get_method() == b"POST" and self.parser.get_http_version() == "1.1"
        refusal = admission.refusal(self.url, self.headers) if is_plain and self.parser.should_keep_alive() else None
        if refusal is None:
            admission.promise()
            return False
        own = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(b"HTTP/1.1 429 Too Many Requests\r\n" + own + refusal)
        self.server_state.total_requests += 1
        return True

    def _await_next(self) -> None:
        """Who was refused has as long as after any answer to ask again on the connection, or to send more of a body."""
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

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
        metrics.errors.labels(code).inc()
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
