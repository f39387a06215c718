"""Reads small forms and bodies."""

from multipart import MultipartError, MultipartSegment
from starlette.requests import Request

from model_server.api import upload
from model_server.api.envelope import ApiError
from model_server.api.form_reader import name_of


async def of_form(request: Request, field: str, most: int) -> str:
    parser = upload.parser_of(request)
    name, content = "", bytearray()
    try:
        for event in parser.parse(await body_of(request, most)):
            if isinstance(event, MultipartSegment):
                name = name_of(event)
            elif event is not None and name == field.lower():
                content += event
        parser.close()
    except MultipartError as error:
        raise ApiError(400, f"the body must be multipart/form-data, with a part named {field}") from error
    if not content.strip():
        raise ApiError(400, f"the form has no key: send it in a part named {field}")
    return content.decode("ascii", "replace")


async def body_of(request: Request, most: int) -> bytes:
    """Return the body, of at most `most` bytes."""
    upload.refuse_coding(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise ApiError(413, f"the body is larger than the {most} bytes that are taken here")
    return bytes(body)
