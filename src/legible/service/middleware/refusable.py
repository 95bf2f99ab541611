"""Refuse a body while it arrives."""

from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RefusedError(Exception):
    """Stops the arrival of a body, and says what is answered instead."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__()
        self.response = response


async def run_refusable(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an application whose body may be refused while it arrives; then the refusal is sent, and not its answer."""
    refused: list[JSONResponse] = []
    started = False

    async def listen() -> Message:
        try:
            return await receive()
        except RefusedError as error:
            refused.append(error.response)
            raise

    async def send_unless_refused(message: Message) -> None:
        nonlocal started
        if not refused:  # else the application is answering to a body that broke off
            started = True
            await send(message)

    with suppress(RefusedError):
        await app(scope, listen, send_unless_refused)
    if refused and not started:
        await refused[0](scope, receive, send)


def is_last(message: Message) -> bool:
    """Return whether no more of the body comes after this message."""
    return message["type"] != "http.request" or not message.get("more_body", False)
