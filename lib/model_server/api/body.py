"""Reception of a body that is the data file."""

import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.types import Message

from model_server.api import upload
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload


async def receive(request: Request, folder: Path, limit: int, space: Part, with_digest: bool = False) -> Upload:
    """Read the body as `upload.receive` reads a form."""
    try:
        form = await upload.receive(_as_form(request), folder, limit, space, with_digest)
    except ApiError as error:
        if error.status == 413:
            raise ApiError(413, f"the body is larger than the {limit} bytes that are taken here") from error
        raise
    if form.content is None and form.file is None:
        raise ApiError(400, "the body is empty: it must be the data itself")
    return form


def _as_form(request: Request) -> Request:
    """Wrap the body in a form whose boundary cannot be guessed."""
    boundary = secrets.token_hex(16).encode()
    head = b'--%b\r\nContent-Disposition: form-data; name="File"\r\n\r\n' % boundary
    tail = b"\r\n--%b--\r\n" % boundary
    is_begun = False

    async def next_message() -> Message:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            return {"type": "http.request", "body": head, "more_body": True}
        message = await request.receive()
        if message["type"] != "http.request" or message.get("more_body", False):
            return message
        return {**message, "body": message.get("body", b"") + tail, "more_body": False}

    headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    headers.append((b"content-type", b"multipart/form-data; boundary=" + boundary))
    return Request({**request.scope, "headers": headers}, next_message)
