"""What a caller is answered who says what a reading should have been."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from legible.service.refusals import busy_response, count_error, error_response
from legible.service.service_logs import MAX_CORRECTIONS, Corrected


def correction_response(outcome: Corrected, reading_id: str) -> Response:
    """Return the answer to a correction. Raise a 404 for a reading that is not known."""
    if outcome is Corrected.KEPT:
        return JSONResponse({"reading_id": reading_id}, 202)
    if outcome is Corrected.UNKNOWN:
        raise HTTPException(404, f"no reading {reading_id[:80]!r} is known")
    if outcome is Corrected.FULL:
        count_error("internal")
        return error_response(507, "internal", "there is no room for corrections any more; tell who runs the service")
    if outcome is Corrected.UNWRITTEN:
        count_error("internal")
        return error_response(507, "internal", "the correction could not be kept; make room, and send it again")
    count_error("busy")
    return busy_response(f"this reading was corrected {MAX_CORRECTIONS} times already")
