"""Images and fields of a multipart form, in memory alone: an upload never waits for a disk, nor fills one."""

from collections.abc import Sequence
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from legible.service.requests import DOCUMENT_QUERY, QUERY, BadRequestError, refuse_repeated

MAX_FIELDS = 8
MAX_FIELD_BYTES = 1000
MEMORY = 2**62
"""Bytes of a file beyond which it would be written to disk: never. `BodyLimitMiddleware` bounds them."""
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
"""Charsets of fields. Python keeps each name that it is asked for, known or not, for ever."""


class _InMemoryParser(MultiPartParser):
    spool_max_size = MEMORY


@dataclass(frozen=True)
class UploadedForm:
    """The files of a field, files of other fields by name, and texts by name."""

    images: list[bytes]
    others: dict[str, bytes]
    texts: dict[str, str]


async def uploaded(request: Request, *, field: str, max_images: int) -> tuple[list[bytes], dict[str, str]]:
    """Return the images in a field, and the texts of the others; raises BadRequestError for another form."""
    form = await uploaded_form(request, field=field, max_images=max_images)
    return form.images, form.texts


async def uploaded_form(request: Request, *, field: str, max_images: int, others: Sequence[str] = ()) -> UploadedForm:
    """Return a form with the images in a field, and one file in each of the `others` that are there.

    Raise BadRequestError for another form.
    """
    form = await _form(request, field=field, max_files=max_images + len(others) + 1)
    try:
        _check_names([name for name, _ in form.multi_items() if name != field])
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        images = await image_bytes(form, field=field, max_images=max_images)
        files = {name: value for name in others if isinstance(value := form.get(name), UploadFile)}
        return UploadedForm(images, {name: await file.read() for name, file in files.items()}, texts)
    finally:
        await form.close()


async def _form(request: Request, *, field: str, max_files: int) -> FormData:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    charset = options.get(b"charset", b"").decode("latin-1").lower()
    if kind != b"multipart/form-data":
        raise BadRequestError(_as_file(field))
    if charset not in CHARSETS:
        raise BadRequestError(f"the charset {charset[:40]!r} of the form is not read; send UTF-8, or name none")
    if not options.get(b"boundary"):
        raise BadRequestError("the multipart form names no boundary; let your HTTP client make the Content-Type")
    content_type = f'multipart/form-data; boundary="{options[b"boundary"].decode("latin-1")}"'
    if parse_options_header(content_type) != (kind, {b"boundary": options[b"boundary"]}):  # it would name a charset
        raise BadRequestError("the boundary of the multipart form holds quotes; let your HTTP client make one")
    parser = _InMemoryParser(
        Headers({"content-type": content_type}),
        request.stream(),
        max_files=max_files,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Part exceeded"):
            message = f"a field is longer than {MAX_FIELD_BYTES} bytes, and has no file name; {_as_file(field)}"
            raise BadRequestError(message) from error
        raise BadRequestError(error.message) from error


def _check_names(names: Sequence[str]) -> None:
    """Raise BadRequestError for a field that is sent more than once, and for an option of the address as a field."""
    refuse_repeated(names, what="the field")
    options = sorted({*QUERY, *DOCUMENT_QUERY} & set(names))
    if options:
        raise BadRequestError(f"{', '.join(options)} is no field; send it in the address: ?{options[0]}=...")


def _as_file(field: str) -> str:
    return (
        f"send the image as a file, with a file name, in the multipart field {field!r}; "
        f"example: curl -F {field}=@word.png"
    )


async def image_bytes(form: FormData, *, field: str, max_images: int) -> list[bytes]:
    """Return the contents of the files in a field; 400 for none, for text in its place, and for too many."""
    found = form.getlist(field)
    files = [item for item in found if isinstance(item, UploadFile)]
    if not files or len(files) < len(found):
        raise BadRequestError(_as_file(field))
    if len(files) > max_images:
        raise BadRequestError(f"{len(files)} images in {field!r}; at most {max_images} in a request")
    return [await file.read() for file in files]
