"""The application as a BentoML service: one worker process a core, each with all bundles."""

import math
import os
import resource
import signal
import threading
from types import FrameType

import bentoml
from starlette.types import Receive, Scope, Send

from legible.config import ServiceSettings
from legible.errors import SettingsError
from legible.observations.layout import new_worker_name
from legible.service import http_protocol, metrics
from legible.service.api import Api
from legible.service.app import admission_of, build_app, seconds_of_document
from legible.service.connections import Connections, limits_of
from legible.service.internals.of_bentoml import drop_timers, exports_spans
from legible.service.line_writer import LineWriter, queue_descriptor, queue_output
from legible.service.models import open_models
from legible.service.page_api import PageApi
from legible.service.parent import end_with_parent

OTHER_OPEN_FILES = 150
"""The open files of a worker beside its connections: libraries, logs, metrics, and some to spare."""
WORKERS = "LEGIBLE_WORKERS"
"""The variable of the number of worker processes, which BentoML wants at import."""

api = Api(ServiceSettings.from_environment())
pages = PageApi(api)
app = build_app(api, pages)
admission = admission_of(api, pages, app)
errors = LineWriter(2, on_lost=metrics.log_lines_dropped.inc)
connections = Connections(limits_of(api.settings))
http_protocol.install(admission, connections)
drop_timers()


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application, for unknown paths too: BentoML passes a Starlette by where none of its routes fits."""
    await app(scope, receive, send)


def worker_count() -> int | str:
    """Return what LEGIBLE_WORKERS says, else one a core, or one in a container, where a dead worker is not replaced."""
    if WORKERS in os.environ:
        if not os.environ[WORKERS].isdecimal() or int(os.environ[WORKERS]) < 1:
            raise SettingsError(f"{WORKERS} is {os.environ[WORKERS]!r}; it needs a number of at least 1")
        return int(os.environ[WORKERS])
    return 1 if "BENTOML_CONTAINERIZED" in os.environ else "cpu_count"


def allow_open_files() -> int:
    """Allow as many open files as the machine does, and return how many: a connection is one."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit


@bentoml.service(
    name="legible",
    workers=worker_count(),
    traffic={"timeout": max(60, math.ceil(seconds_of_document(api.settings)) + 5)},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},  # the application's own line says more and less
)
@bentoml.asgi_app(whole, path="/")
class Legible:
    """Reads pictures of words, lines and pages."""

    def __init__(self) -> None:
        queue_output(api.lines, errors)
        queue_descriptor(2, errors)
        end_with_parent()
        connections.allow(allow_open_files() - OTHER_OPEN_FILES)
        api.start(open_models(api.settings, worker=new_worker_name()))
        admission.is_open = not exports_spans()

    async def __is_ready__(self) -> bool:
        return api.is_ready

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def drain_when_told_to_end(self) -> None:
        """Drain on SIGTERM: stop being ready at once, and let the server handle the signal when the drain is over."""
        end = signal.getsignal(signal.SIGTERM)

        def drain(number: int, frame: FrameType | None) -> None:
            api.is_draining = True
            if callable(end):
                threading.Timer(api.settings.drain_seconds, end, (number, frame)).start()

        signal.signal(signal.SIGTERM, drain)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Write what is still in the queues of the logs."""
        pages.close()
        api.close()
        for lines in (api.lines, errors):
            lines.close(timeout_seconds=1.0)
