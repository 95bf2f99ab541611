"""Private parts of BentoML."""

from bentoml._internal.configuration.containers import BentoMLContainer


def exports_spans() -> bool:
    """Return whether BentoML is configured to trace requests, which its middlewares do."""
    return BentoMLContainer.tracing.exporter_type.get() is not None
