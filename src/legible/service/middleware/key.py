"""API keys."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from legible.service.keys import KeyRing
from legible.service.refusals import Count, error_response


class KeyMiddleware:
    """Requires a key, `Authorization: Bearer KEY` or `X-API-Key: KEY`; answers 401 without one.

    `rings` holds the keys that open each path; a path whose ring is empty is open to all. The name of the key is in the
    request's state as `key`.
    """

    def __init__(self, app: ASGIApp, *, rings: Mapping[str, KeyRing], count: Count) -> None:
        self.app = app
        self.count = count
        self.rings = {path: ring for path, ring in rings.items() if ring}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ring = self.rings.get(scope.get("path", "")) if scope["type"] == "http" else None
        if ring is None or scope["method"] == "OPTIONS":  # a browser asks without a key whether it may ask
            await self.app(scope, receive, send)
            return
        name = ring.name_of(shown_key(Headers(scope=scope)))
        if name is None:
            self.count("wrong_key")
            message = "a key is needed here: send it as Authorization: Bearer KEY, or X-API-Key: KEY"
            await error_response(401, "wrong_key", message, headers={"WWW-Authenticate": "Bearer"})(
                scope, receive, send
            )
            return
        scope.setdefault("state", {})["key"] = name
        await self.app(scope, receive, send)


def shown_key(headers: Headers) -> str:
    """Return the key that a request shows, or an empty text."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
