"""API keys."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
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
        shown = shown_key(Headers(scope=scope))
        name = ring.name_of(shown)
        if name is None:
            refusal = key_refusal(is_missing=not shown, count=self.count)
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["key"] = name
        await self.app(scope, receive, send)


def key_refusal(*, is_missing: bool, count: Count, hint: str = "") -> JSONResponse:
    """Return a 401 that tells a missing key from a wrong one (RFC 6750, section 3.1); `hint` ends its message."""
    code = "missing_key" if is_missing else "wrong_key"
    count(code)
    how = "send it as Authorization: Bearer KEY, or X-API-Key: KEY"
    message = f"a key is needed here: {how}" if is_missing else f"this key does not open the service; {how}"
    message += f"; {hint}" if hint else ""
    challenge = "Bearer" if is_missing else 'Bearer error="invalid_token"'
    return error_response(401, code, message, headers={"WWW-Authenticate": challenge})


def shown_key(headers: Headers) -> str:
    """Return the key that a request shows, or an empty text."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
