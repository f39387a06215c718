"""Reception of forms with a data file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from multipart import MultipartError, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from model_server import bounds
from model_server.api import disk, head, plain_form
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.form_reader import FormReader, Upload

#: The text fields that are read, in lower case, and the bytes that each may have; others are passed over.
_FIELDS = {
    "mimetype": bounds.FIELD_BYTES,
    "callbackurl": bounds.FIELD_BYTES,
    "mappings": bounds.MAPPING_BYTES,
    "outputmappings": bounds.MAPPING_BYTES,
}


#: Reads the data of a request: takes what `receive` takes, and keeps its promises.
Receive = Callable[[Request, Path, int, Part, bool], Awaitable[Upload]]


async def receive(
    request: Request,
    folder: Path,
    limit: int,
    space: Part,
    with_digest: bool = False,
    texts: Mapping[str, int] = _FIELDS,
) -> Upload:
    """Read a form; large data goes to a new file, which the caller owns.

    After an error nothing is left.

    Args:
        folder: on the data volume, for a later move.
        limit: of the data file, bytes.
        texts: fields to read, in lower case, and their most bytes.

    Raises:
        ApiError: 400, 413, 415, 507.
        ClientDisconnect: the client went away.
    """
    boundary = None if with_digest else plain_form.boundary_of(request)
    if boundary is not None:
        message = await request.receive()
        form = plain_form.read(message, boundary, limit)
        if form is not None:
            return form
        request = _unread(request, message)
    reader = None
    try:
        reader = FormReader(folder, parser_of(request), limit, space, with_digest, texts)
        if declared_length(request) > limit + bounds.FORM_BYTES:
            raise reader.too_large()  # noqa: TRY301 - handled with the refusals of the parser
        async for chunk in request.stream():
            if chunk:
                reader.feed(chunk)
                await reader.keep_up()
        return await reader.finish()
    except (ApiError, OSError) as error:
        if reader is not None:
            reader.discard()
        if not isinstance(error, ApiError) and not disk.is_full(error):
            raise
        await linger(request)
        if isinstance(error, ApiError):
            raise
        raise disk.no_room() from error
    except BaseException:
        if reader is not None:
            reader.discard()
        raise


def _unread(request: Request, first: Message) -> Request:
    """Return the request as it was before its first message was read."""
    messages = [first]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return Request(request.scope, receive)


def parser_of(request: Request) -> PushMultipartParser:
    refuse_coding(request)
    kind, options = parse_options_header(head.value(request, b"content-type"))
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not boundary:
        raise ApiError(400, "the body must be multipart/form-data, with the data in a part named File")
    try:
        return PushMultipartParser(
            boundary.encode("latin-1"),
            max_header_size=bounds.PART_HEADER_BYTES,
            max_header_count=bounds.PART_HEADERS,
            max_segment_count=bounds.PARTS,
            header_charset="latin-1",  # any bytes, also of an old client's file name
        )
    except (MultipartError, UnicodeEncodeError) as error:
        raise ApiError(400, "the form's boundary is not valid") from error


def refuse_coding(request: Request) -> None:
    """Refuse a compressed body."""
    coding = head.value(request, b"content-encoding").strip().lower()
    if coding not in ("", "identity"):
        text = f"a body in the coding {coding[:40]} is not understood: send it without Content-Encoding"
        raise ApiError(415, text, {"accept-encoding": "identity"})


def declared_length(request: Request) -> int:
    text = head.value(request, b"content-length")
    return int(text) if text.isdecimal() else 0


async def linger(request: Request) -> None:
    """Read on for a while: a client still sending would meet a reset, not our answer."""
    if "expect" in request.headers:
        return  # it waits for us before it sends
    try:
        async with asyncio.timeout(bounds.LINGER_SECONDS):
            async for _ in request.stream():
                pass
    except (TimeoutError, ClientDisconnect, RuntimeError):
        pass
