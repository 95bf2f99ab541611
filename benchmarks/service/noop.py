"""What the framework itself costs: a service that receives the same upload and does nothing with it.

`/read` is BentoML's own route; `/bare/read` is an ASGI application mounted into it, as legible's is.
"""

from pathlib import Path

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def receive(request: Request) -> JSONResponse:
    async with request.form() as form:
        await form["image"].read()  # type: ignore[union-attr]
    return JSONResponse({})


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(Starlette(routes=[Route("/read", receive, methods=["POST"])]), path="/bare")
class Noop:
    """Receives an image."""

    @bentoml.api  # type: ignore[untyped-decorator]
    def read(self, image: Path) -> dict[str, str]:  # noqa: ARG002
        return {}
