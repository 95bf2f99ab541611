"""The page for the person on call, and the server that answers with it, with the metrics and with the finding as JSON.

Who reaches its address sees the most unusual images where some are kept: it listens on this machine alone by default.
"""

import base64
import hashlib
import json
import re
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from html import escape
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread, Timer
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from legible.monitoring.finding import Check
from legible.monitoring.finding_html import STYLE, finding_html
from legible.monitoring.history import Day, History
from legible.monitoring.trend import TREND_STYLE, trend_html

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

IMAGE = "/image/"
REFRESH_SECONDS = 60
HOST = re.compile(r"(\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]*))(:[0-9]*)?")
"""A Host header: a name or an address, and perhaps a port."""
MAX_CALLERS = 64
"""The most connections at a time: each has a thread."""
MAX_SECONDS = 30.0
"""The longest that a connection may last."""
POLL_SECONDS = 0.05
"""How long it takes at most until a server that is told to end does."""
PAGE_STYLE = ":root { color-scheme: light dark; } body { margin: 0; background: light-dark(#faf9f6, #16181c); } "
ALL_STYLE = PAGE_STYLE + STYLE + TREND_STYLE
STYLE_HASH = base64.b64encode(hashlib.sha256(ALL_STYLE.encode()).digest()).decode("ascii")
POLICY = (
    f"default-src 'none'; img-src 'self' data:; style-src 'sha256-{STYLE_HASH}'; style-src-attr 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script, nothing from elsewhere; the width of a bar is an attribute."""
REPORT_POLICY = "sandbox allow-scripts"
"""Evidently's page has scripts: it gets an origin of its own."""
WAITING = '<section class="finding unknown"><header class="verdict"><h1>No check yet</h1></header></section>'


@dataclass(frozen=True)
class Answer:
    """What a call is answered with."""

    body: bytes
    content_type: str
    policy: str = POLICY


@dataclass(frozen=True)
class DrawnFinding:
    """The last finding, drawn once."""

    page: bytes
    finding: bytes = b"null"
    pictures: Mapping[str, Path] | None = None
    report: Path | None = None
    warning: bytes = b""


class OnCallPage:
    """What the server answers: replaced whole at each check."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._shown = DrawnFinding(_page(WAITING, ()))

    def show(self, check: Check) -> Check:
        """Show a check, and return it with the time since when its verdict stands."""
        self._history.add(check)
        dated = replace(check, since=self._history.since())
        days = self._history.days()
        section = finding_html(dated, source=lambda picture: IMAGE + picture.stem)
        told = {**json.loads(dated.to_json()), "days": [asdict(day) for day in days]}
        self._shown = DrawnFinding(
            _page(section, days, has_report=check.report is not None),
            json.dumps(told).encode(),
            {picture.stem: picture for picture in check.pictures},
            check.report,
        )
        return dated

    def fail(self, error: Exception) -> None:
        """Say above the last finding that a check failed since."""
        warning = f'<p class="finding failed">The last check failed: {escape(str(error) or type(error).__name__)}</p>'
        self._shown = replace(self._shown, warning=warning.encode())

    def answer(self, path: str) -> Answer | None:
        """Return what a path shows; None where there is nothing."""
        shown = self._shown
        if path == "/":
            return Answer(shown.page.replace(b"<main>", b"<main>" + shown.warning, 1), "text/html; charset=utf-8")
        if path == "/finding.json":
            return Answer(shown.finding, "application/json")
        if path == "/report" and shown.report:
            return _file(shown.report, "text/html; charset=utf-8", policy=REPORT_POLICY)
        if path.startswith(IMAGE) and shown.pictures and (picture := shown.pictures.get(path.removeprefix(IMAGE))):
            return _file(picture, "image/png")
        return None


def _file(path: Path, content_type: str, *, policy: str = POLICY) -> Answer | None:
    """Return a file's content; None where it is gone meanwhile."""
    try:
        return Answer(path.read_bytes(), content_type, policy)
    except OSError:
        return None


def _page(section: str, days: Sequence[Day], *, has_report: bool = False) -> bytes:
    links = {"metrics": "/metrics", "JSON": "/finding.json"} | ({"Evidently report": "/report"} if has_report else {})
    named = " · ".join(f'<a href="{address}">{escape(name)}</a>' for name, address in links.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>legible: drift</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<style>{ALL_STYLE}</style></head>"
        f'<body><main>{section}{trend_html(days)}<footer class="finding links">{named}</footer></main></body></html>'
    ).encode()


def application(
    page: OnCallPage, registry: CollectorRegistry, *, for_this_machine: bool
) -> "Callable[..., Iterable[bytes]]":
    """Return the WSGI application: the page, its images, the finding as JSON, and `/metrics`.

    `for_this_machine` refuses who asks by another name: a site whose name leads to this machine would see the images.
    """
    metrics = make_wsgi_app(registry)

    def respond(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if for_this_machine and not names_this_machine(environ.get("HTTP_HOST", "")):
            start(_status(HTTPStatus.MISDIRECTED_REQUEST), [("Content-Type", "text/plain; charset=utf-8")])
            return [b"ask by localhost or by an address; a proxy sends Host: localhost, or listen with --host\n"]
        if environ["PATH_INFO"] == "/metrics":
            content: Iterable[bytes] = metrics(environ, start)
            return content
        answer = page.answer(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] in {"GET", "HEAD"} else None
        if answer is None:
            start(_status(HTTPStatus.NOT_FOUND), [("Content-Type", "text/plain; charset=utf-8")])
            return [b"not found; see /, /finding.json and /metrics\n"]
        start(_status(HTTPStatus.OK), _headers(answer))
        return [answer.body if environ["REQUEST_METHOD"] == "GET" else b""]

    return respond


def names_this_machine(host: str) -> bool:
    """Tell whether a Host header is none, localhost or an address, which no other site can be named."""
    found = HOST.fullmatch(host)
    if found is None:
        return False
    name = (found["address"] or found["name"]).lower()
    with suppress(ValueError):
        ip_address(name)
        return True
    return name in {"", "localhost"} or name.endswith(".localhost")


def _status(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _headers(answer: Answer) -> list[tuple[str, str]]:
    return [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Content-Security-Policy", answer.policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ]


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each of MAX_CALLERS connections, which ends with the process; more are hung up on."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._free = BoundedSemaphore(MAX_CALLERS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what failed here; a caller who is slow or hangs up is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds that a caller may keep it waiting."""

    def handle(self) -> None:
        """Answer, and hang up on a caller who sends or reads drop by drop."""
        ending = Timer(MAX_SECONDS, self._hang_up)
        ending.daemon = True
        ending.start()
        try:
            super().handle()
        finally:
            ending.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError):  # it has gone meanwhile
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Log nothing: Prometheus asks every few seconds."""


def serve(page: OnCallPage, registry: CollectorRegistry, *, port: int, host: str) -> Callable[[], None]:
    """Answer calls until what is returned is called."""
    answers = application(page, registry, for_this_machine=host in {"localhost", "127.0.0.1", "::1"})
    server = make_server(host, port, answers, server_class=_Server, handler_class=_Handler)
    Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close
