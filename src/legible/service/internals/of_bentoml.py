"""Private parts of BentoML."""

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.server.http import traffic
from starlette.types import ASGIApp, Receive, Scope, Send


def exports_spans() -> bool:
    """Return whether BentoML is configured to trace requests, which its middlewares do."""
    return BentoMLContainer.tracing.exporter_type.get() is not None


class UntimedMiddleware:
    """Takes the place of BentoML's `TimeoutMiddleware`, whose timer keeps each request in memory for a minute."""

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        del timeout  # the application limits the time of its requests itself
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def drop_timers() -> None:
    """Have BentoML start no timer for a request."""
    traffic.TimeoutMiddleware = UntimedMiddleware
