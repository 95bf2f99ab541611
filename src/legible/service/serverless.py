"""The application behind AWS API Gateway: the same routes in a Lambda function, without BentoML.

Name `legible.service.serverless.handler` as the function's handler. Lambda asks the module for it when it initialises,
and then the bundle is loaded. Only /tmp can be written there: LEGIBLE_OBSERVATIONS_FOLDER=/tmp/observations.
"""

from collections.abc import Callable
from typing import Any, cast

from mangum import Mangum
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from legible.config import ServiceSettings
from legible.observations.layout import new_worker_name
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.models import open_models

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
"""A function from an event (REST or HTTP API, its body base64 or not) and a context to API Gateway's answer."""


def make_handler(settings: ServiceSettings) -> Handler:
    api = Api(settings)
    api.start(open_models(settings, worker=new_worker_name()))
    return Mangum(cast("Any", with_health(api)), lifespan="off")


def with_health(api: Api) -> Starlette:
    """Return the application with `/livez` and `/readyz`, which BentoML answers elsewhere."""

    async def live(_: Request) -> PlainTextResponse:
        return PlainTextResponse("\n")

    async def ready(_: Request) -> PlainTextResponse:
        return PlainTextResponse("\n", 200 if api.is_ready else 503)

    app = Starlette(routes=[Route("/livez", live), Route("/readyz", ready), Mount("/", build_app(api))])
    app.router.redirect_slashes = False
    return app


def __getattr__(name: str) -> Handler:
    """Make `handler` when it is asked for, so that an import alone loads no bundle and makes no event loop."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = make_handler(ServiceSettings.from_environment())
    globals()[name] = made
    return made
