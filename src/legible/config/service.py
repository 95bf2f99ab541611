"""Settings of a running service: each is overridden by `LEGIBLE_<FIELD>` in the environment."""

import os
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from legible.config.checked import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    from_text,
    nearest,
)
from legible.errors import SettingsError

ENVIRONMENT_PREFIX = "LEGIBLE_"
KEYS = frozenset({"keys", "keys_file", "metrics_keys", "reload_keys"})
"""Settings that close something; empty ones would leave it open."""
OTHER_VARIABLES = frozenset(
    {
        "LEGIBLE_BUNDLE",
        "LEGIBLE_WORKERS",
        "LEGIBLE_PORT",
        "LEGIBLE_HOST",
        "LEGIBLE_KEY",
        "LEGIBLE_METRICS_KEY",
        "LEGIBLE_SERVE_PID",
    }
)
"""Variables of the prefix that are read elsewhere."""


@dataclass(frozen=True)
class ServiceSettings(Section):
    """The settings of a running service; each field is overridden by `LEGIBLE_<FIELD>` in the environment."""

    bundles: tuple[str, ...] = ()
    """`name=folder` of each bundle that is served, the default first; without any it is the one of LEGIBLE_BUNDLE."""
    lazy_bundles: bool = False
    """Whether a bundle other than the default is opened when it is first asked for; all are checked at the start."""
    reload_keys: tuple[str, ...] = ()
    """`name:sha256` of the keys that may replace a bundle by `/models/NAME/reload`; without any nobody may."""
    candidate: str = ""
    """The name of a bundle that is compared with the default one."""
    shadow: Fraction = 0.0
    """The fraction of requests that the candidate reads too, after the answer; what it reads is never sent."""
    shadow_folder: str = "shadow"
    canary: Fraction = 0.0
    """The fraction of requests that the candidate answers."""
    max_image_bytes: PositiveInt = 10_000_000
    max_body_bytes: PositiveInt = 50_000_000
    """The largest body of a request; more is refused while it arrives."""
    max_held_bytes: PositiveInt = 200_000_000
    """The largest sum of all bodies in one worker, half of it for those that still arrive; more is refused with 429."""
    max_pixels: PositiveInt = 40_000_000
    max_decode_bytes: PositiveInt = 256_000_000
    """The most memory that decoding one image may take, by its header; more is refused with 413."""
    max_batch_images: PositiveInt = 64
    max_in_flight: PositiveInt = 32
    """The most reading requests at a time in one worker; more are refused with 429 and Retry-After."""
    detector: str = ""
    """The model of a line detector for `/read_page`; else the bundle's."""
    max_document_bytes: PositiveInt = 40_000_000
    """The largest file of pages; `max_body_bytes` holds too."""
    max_document_pages: PositiveInt = 100
    max_page_pixels: PositiveInt = 40_000_000
    page_seconds: PositiveFloat = 20.0
    """The time in which one page has to be read."""
    document_seconds: PositiveFloat = 45.0
    """The time in which all pages of a document have to be read once it has arrived, its wait for others included."""
    max_page_requests: PositiveInt = 4
    """The most documents at a time in one worker, one that is read and others that wait; more are refused with 429."""
    max_page_memory_bytes: PositiveInt = 1_000_000_000
    """The most memory that the process which reads pages may take for itself."""
    max_connections: PositiveInt = 2000
    """The most connections of one worker, fewer where the machine allows fewer open files; the longest idle is closed
    for a new one."""
    body_seconds: PositiveFloat = 20.0
    """The time in which the body of a request has to arrive."""
    request_seconds: PositiveFloat = 50.0
    """The time in which a request has to be answered, its body included; less than BentoML's own 60 seconds."""
    drain_seconds: NonNegativeFloat = 5.0
    """After SIGTERM `/readyz` answers 503 for this long while requests are still served, so that a balancer sends them
    elsewhere; then in-flight requests finish and the process exits."""
    accept: Fraction = 0.9
    """A reading is `accepted` from this confidence on."""
    channels: tuple[str, ...] = ("default",)
    """The values that `channel` may have; anything else is counted as `other`."""
    keys: tuple[str, ...] = ()
    """`name:sha256` of the keys that may read (`legible key`); without any and without keys_file all may read."""
    keys_file: str = ""
    """A file with such an entry a line."""
    metrics_keys: tuple[str, ...] = ()
    """The same for `/metrics`."""
    cors_origins: tuple[str, ...] = ()
    """The sites whose pages may call from a browser, such as `https://example.org`."""
    request_log: bool = True
    """Whether each request writes a line of JSON to standard output."""
    observations_folder: str = "observations"
    observations_queue: PositiveInt = 1000
    """The most observations that wait for the disk; more are dropped and counted."""
    observations_retention_days: PositiveInt = 30
    observations_retention_bytes: NonNegativeInt = 1_000_000_000
    """About the largest sum of all workers' files; the oldest go first."""
    observations_store: str = ""
    """Where observations go beside the folder, as Parquet by the hour: `s3://bucket/observations`, or a folder."""
    observations_collector: str = ""
    """The OpenTelemetry collector that observations go to beside the folder: `http://collector:4318`."""
    observations_send_seconds: PositiveFloat = 60.0
    """The longest that an observation waits for others to be sent with."""
    observations_max_waiting: PositiveInt = 20_000
    """The most observations of one worker that wait for a store or collector; more are lost and counted."""
    document_key: str = ""
    """The key of the digests of documents and senders, equal in all replicas; empty: a file beside the observations."""
    keep_images: Fraction = 0.0
    """The fraction of images kept for labelling, the least confident and the most unusual first."""
    images_folder: str = "images"
    images_retention_days: PositiveInt = 30
    images_retention_bytes: NonNegativeInt = 500_000_000
    """About the largest sum of all workers' images; the oldest go first."""
    baseline: str = ""
    """The folder that `legible rebase` wrote, or `name=folder` of each model, comma-separated: metrics then compare
    with this deployment's normal, not the bundle's."""
    recalibration: str = ""
    """The folder that `legible recalibrate` writes, or `name=folder` of each model, comma-separated: answers then have
    the confidence of this deployment."""
    feedback: bool = False
    """Whether `/feedback` takes corrections."""
    corrections_folder: str = "corrections"
    max_corrections_bytes: PositiveInt = 1_000_000_000
    """About the most bytes of all workers' corrections, which are never deleted; more are refused with 507."""
    label_keys: tuple[str, ...] = ()
    """`name:sha256` of the keys that open the labelling page, each the name of a labeller; without any it is off."""
    labels_folder: str = "labels"
    labels_retention_days: NonNegativeInt = 0
    """Labels are deleted after so many days; 0 keeps them. What the data set took of them stays there."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> "ServiceSettings":
        """Return the settings with the environment's `LEGIBLE_*` over the defaults; lists are comma-separated.

        Raise SettingsError with all values that are out of bounds, and for a name that is nearly one of a setting.
        """
        variables = os.environ if environment is None else environment
        hints = typing.get_type_hints(ServiceSettings)
        known = {variable_of(name) for name in hints} | OTHER_VARIABLES
        _refuse_misspelt(variables, known)
        texts = {name: variables[variable_of(name)] for name in hints if variable_of(name) in variables}
        values = {name: _parts(text) if _is_list(hints[name]) else text for name, text in texts.items()}
        _refuse_empty_keys(values)
        settings = from_text(ServiceSettings, values, name=variable_of)
        _refuse_contradictions(settings)
        return settings


def variable_of(setting: str) -> str:
    """Return the environment variable of a setting: `accept` -> `LEGIBLE_ACCEPT`."""
    return ENVIRONMENT_PREFIX + setting.upper()


def _refuse_contradictions(settings: ServiceSettings) -> None:
    """Refuse limits that leave no room for each other, and logs in one folder."""
    faults = []
    if settings.body_seconds > settings.request_seconds:
        faults.append(
            f"LEGIBLE_BODY_SECONDS is {settings.body_seconds:g}; it needs to be at most LEGIBLE_REQUEST_SECONDS, "
            f"{settings.request_seconds:g}"
        )
    if settings.max_body_bytes > settings.max_held_bytes // 2:
        faults.append(
            f"LEGIBLE_MAX_BODY_BYTES is {settings.max_body_bytes}; it needs to be at most half of "
            f"LEGIBLE_MAX_HELD_BYTES, {settings.max_held_bytes // 2}"
        )
    faults += _faults_of_folders(settings)
    if faults:
        raise SettingsError("; ".join(faults))


def _faults_of_folders(settings: ServiceSettings) -> list[str]:
    """Return a sentence for two logs in one folder: the retention of one would delete the other."""
    names = ("observations_folder", "shadow_folder", "images_folder", "corrections_folder", "labels_folder")
    by_place: dict[str, list[str]] = {}
    for name in names:
        by_place.setdefault(os.path.realpath(getattr(settings, name)), []).append(variable_of(name))
    return [
        f"{' and '.join(shared)} are one folder, {place}; name a folder for each"
        for place, shared in by_place.items()
        if len(shared) > 1
    ]


def _refuse_empty_keys(values: Mapping[str, str | tuple[str, ...]]) -> None:
    """Refuse a list of keys that was set and holds none: who sets it wants no open service."""
    empty = [variable_of(name) for name, value in values.items() if name in KEYS and not value]
    if empty:
        raise SettingsError(f"{', '.join(empty)}: set, and without a key; unset it where everybody may call")


def _is_list(hint: object) -> bool:
    return typing.get_origin(hint) is tuple


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _refuse_misspelt(variables: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse what is nearly a setting; other names pass, as Kubernetes sets LEGIBLE_SERVICE_HOST and its like."""
    for name in sorted(variables):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            near = nearest(name, sorted(known), cutoff=0.85)
            if near:
                raise SettingsError(f"{name} is no setting; did you mean {near}?")
