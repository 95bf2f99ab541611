"""Several models read one request, and vote: `?model=a+b`."""

from collections.abc import Sequence

from legible.recognition.voting import combine
from legible.service.models import ServedModel
from legible.service.read_job import ReadJob
from legible.service.requests import BadRequestError, ReadOptions

MAX_VOTERS = 4
SIGN = "+"


def voters_named(said: str) -> list[str]:
    """Return the names of the models that vote: `a+b`, or `a b`, as a query string's plus sign is decoded.

    Raise BadRequestError for one that is named twice, and for more than MAX_VOTERS.
    """
    names = said.replace(SIGN, " ").split(" ")
    if len(set(names)) < len(names):
        raise BadRequestError(f"model is {said[:80]!r}; a model votes once")
    if len(names) > MAX_VOTERS:
        raise BadRequestError(f"model names {len(names)} that vote; at most {MAX_VOTERS} may")
    return names


def vote(job: ReadJob, models: Sequence[ServedModel], options: ReadOptions) -> None:
    """Have the other models read what the first has read, if it has, and put the joint reading in its place."""
    if job.image is None or job.reading is None:
        return
    readings = [job.reading]
    for model in models[1:]:
        known = options.lexicon if options.lexicon in model.worker.lexicons else ""
        decoding = model.worker.decoding(lexicon=known, alternatives=options.alternatives, plain=options.plain)
        readings.append(model.worker.read_image(job.image, decoding))
    job.reading = combine(readings, alternatives=options.alternatives)
    job.bundle = SIGN.join(model.worker.bundle_id for model in models)
    job.voters = SIGN.join(model.name for model in models)
