"""An S3 server on this machine (moto's), that can be made slow, failing, full or forbidden for a while."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "archive"
FAULTS = {
    "failing": ("500 Internal Server Error", "InternalError"),
    "full": ("507 Insufficient Storage", "XMinioStorageFull"),
    "forbidden": ("403 Forbidden", "AccessDenied"),
}
SLOW_SECONDS = 0.3


class S3Server:
    """The server; `fault` meets requests of `methods` whose path holds `where`, `times` of them or all."""

    def __init__(self) -> None:
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.mend()

    def start(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def break_down(
        self, fault: str, *, methods: str = "PUT GET HEAD POST", where: str = "", times: int = 10**9
    ) -> None:
        self.fault, self.methods, self.where, self.times = fault, methods.split(), where, times

    def mend(self) -> None:
        self.fault, self.methods, self.where, self.times = "", [], "", 0
        self.met = 0

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_met = environ["REQUEST_METHOD"] in self.methods and self.where in environ["PATH_INFO"]
        if not (self.fault and is_met and self.met < self.times):
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer
        self.met += 1
        if self.fault == "slow":
            time.sleep(SLOW_SECONDS)
            slow: Iterable[bytes] = self._app(environ, start_response)
            return slow
        status, code = FAULTS[self.fault]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>as asked for</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        # an answer to HEAD has no body (RFC 9110, 9.3.2): the client takes one for the start of another answer
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
