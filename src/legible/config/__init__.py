"""Settings: `Params`, what changes the bundle (params.yaml), and `ServiceSettings`, what changes a running service.

Start with `params` or `service`; `checked` turns plain values into either and names every fault at once.
"""

from legible.config.files import dump_params, load_params, merge
from legible.config.params import (
    DEFAULT_FLATTENING,
    CharsetParams,
    ConfidenceParams,
    EvaluateParams,
    ExportParams,
    FontsParams,
    GenerateParams,
    IngestParams,
    LexiconParams,
    PackParams,
    Params,
    PhaseParams,
    PrintRecipe,
    ReferenceParams,
    TrainParams,
)
from legible.config.service import ENVIRONMENT_PREFIX, ServiceSettings

__all__ = [
    "DEFAULT_FLATTENING",
    "ENVIRONMENT_PREFIX",
    "CharsetParams",
    "ConfidenceParams",
    "EvaluateParams",
    "ExportParams",
    "FontsParams",
    "GenerateParams",
    "IngestParams",
    "LexiconParams",
    "PackParams",
    "Params",
    "PhaseParams",
    "PrintRecipe",
    "ReferenceParams",
    "ServiceSettings",
    "TrainParams",
    "dump_params",
    "load_params",
    "merge",
]
