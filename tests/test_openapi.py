"""The description of the calls is true: schemathesis asks what it says may be asked, and compares the answers."""

import asyncio
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from legible.config import ServiceSettings
from legible.service import metrics
from legible.service.answers import CODES, PAGE_CODES
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.models import open_models
from legible.service.openapi import describe

TRUE = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> BaseSchema:
    folder = str(tmp_path_factory.mktemp("openapi"))
    own = ServiceSettings(
        bundles=(f"english={bundle_folder}",),
        observations_folder=folder,
        corrections_folder=folder,
        feedback=True,
        request_log=False,
    )
    api = Api(own)
    api.start(open_models(own, worker="1"))
    return schemathesis.openapi.from_asgi("/openapi.json", build_app(api))


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("path", ["/read", "/read_batch", "/read_page", "/feedback"])
def test_what_is_described_is_answered_as_described(description: BaseSchema, path: str, mode: GenerationMode) -> None:
    @given(description[path]["POST"].as_strategy(generation_mode=mode))
    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def answered(case: Case) -> None:
        case.call_and_validate(checks=TRUE)

    answered()


@pytest.mark.parametrize("keys", [(), ("shop:" + "0" * 64,)])
def test_the_description_is_valid_and_asks_for_keys_where_there_are_some(keys: tuple[str, ...]) -> None:
    content = describe(ServiceSettings(keys=keys))
    schemathesis.openapi.from_dict(content).validate()
    assert bool(content["security"]) == bool(keys)
    assert content["paths"]["/livez"]["get"]["security"] == []


def test_the_limits_are_those_of_the_settings() -> None:
    content = str(describe(ServiceSettings(max_batch_images=7, max_pixels=1234, max_body_bytes=5678, body_seconds=9)))
    assert all(said in content for said in ("up to 7 images", "1234 pixels", "5678 bytes", "9 seconds"))


def test_each_error_is_counted_under_its_code() -> None:
    assert {code for codes in (*CODES.values(), *PAGE_CODES.values()) for code in codes} <= set(metrics.REASONS)


def test_no_address_leads_to_another(tmp_path: Path) -> None:
    """A redirect would go to a host that the caller names, with key and body."""
    own = ServiceSettings(observations_folder=str(tmp_path), request_log=False)
    app = build_app(Api(own))

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://elsewhere") as caller:
            answers = [await caller.post("/read/"), await caller.get("/docs/"), await caller.get("/page/x/")]
        return [answer.status_code for answer in answers]

    assert asyncio.run(ask()) == [404, 404, 404]


def test_the_names_of_the_schemas_stay_as_clients_know_them() -> None:
    assert set(describe(ServiceSettings())["components"]["schemas"]) >= {"Reading", "Character", "Error"}
