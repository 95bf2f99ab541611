"""Work for a caller who may hang up meanwhile: nobody would get its result."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of the work; end it, and raise ClientDisconnect, where the caller hangs up meanwhile.

    The work does not begin where the caller has gone already.
    """
    gone = asyncio.ensure_future(hung_up(request))
    await asyncio.sleep(0)
    if gone.done():
        work.close()
        raise ClientDisconnect
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        gone.cancel()


async def hung_up(request: Request) -> None:
    """Return when the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
