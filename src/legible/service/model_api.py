"""The calls about the models: the list of those that are served, the card of one, and its replacement."""

import json
import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from legible.errors import BundleError, LegibleError
from legible.recognition.bundle import Bundle
from legible.service.answers import ModelsAnswer, ServedModelAnswer
from legible.service.api import Api
from legible.service.refusals import count_error, error_response
from legible.service.reload_board import AnnouncementError
from legible.service.requests import refuse_repeated

FIGURES = "evaluation.json"
log = logging.getLogger(__name__)


class ModelApi:
    """The handlers of these calls."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._figures: dict[str, dict[str, float]] = {}

    async def models(self, _: Request) -> Response:
        """Answer the models that are served, the default first."""
        answer: ModelsAnswer = {"models": [self._described(name) for name in self._api.models.names]}
        return JSONResponse(answer)

    async def card(self, request: Request) -> Response:
        """Answer a model card, to everybody; the names of the models are for those who may ask for the list."""
        refuse_repeated([option for option, _ in request.query_params.multi_items()], what="the option")
        try:
            model = await self._api.model_of(request)
        except HTTPException as error:
            raise self._unknown(request.query_params.get("model", "")) from error
        return PlainTextResponse(model.worker.card)

    async def reload(self, request: Request) -> Response:
        """Replace a model by the bundle that its folder holds now.

        409 for one that cannot be served, 507 where the other workers cannot be told.
        """
        name, models = request.path_params["name"], self._api.models
        if name not in models.names:
            raise self._unknown(name)
        try:
            bundle: Bundle = await self._api.in_thread(models.reload, name)
        except AnnouncementError as error:
            log.error("model %s is not reloaded: %s", name, error)  # noqa: TRY400  # the reason is in the message
            count_error("internal")
            message = f"{error}; bundle {models.bundle(name).id} goes on in all; make room, and reload it again"
            return error_response(507, "internal", message)
        except LegibleError as error:
            count_error("bundle_refused")
            message = f"{error}; bundle {models.bundle(name).id} goes on"
            return error_response(409, "bundle_refused", message)
        return JSONResponse({"name": name, "bundle": bundle.id})

    def _unknown(self, name: str) -> HTTPException:
        """Return a 404 of a call that asks for no key: it names the models only where everybody may list them."""
        settings = self._api.settings
        is_open = not (settings.keys or settings.keys_file)
        there = ", ".join(self._api.models.names) if is_open else "see GET /models"
        return HTTPException(404, f"no model {name[:80]!r}; there: {there}")

    def _described(self, name: str) -> ServedModelAnswer:
        bundle = self._api.models.bundle(name)
        return {
            "name": name,
            "default": name == self._api.models.default,
            "bundle": bundle.id,
            "charset": bundle.charset.name,
            "characters": bundle.charset.characters,
            "lexicons": list(bundle.lexicons),
            "exact_match": self._exact_match(bundle),
            "card": f"/card?model={name}",
            "is_open": self._api.models.get(name) is not None,
        }

    def _exact_match(self, bundle: Bundle) -> dict[str, float]:
        """Return the figures of a bundle, read once; none where its folder was replaced before they were asked for."""
        if bundle.id not in self._figures:
            try:
                self._figures[bundle.id] = exact_match_of(bundle)
            except BundleError as error:
                log.warning("%s", error)
                return {}
        return self._figures[bundle.id]


def exact_match_of(bundle: Bundle) -> dict[str, float]:
    """Return the exact match of each slice that the bundle was evaluated on; nothing where it holds no figures."""
    if FIGURES not in bundle.manifest.files:
        return {}
    content: dict[str, Any] = json.loads(bundle.content(FIGURES))
    return {name: float(row["exact_match"]) for name, row in content["slices"].items()}
