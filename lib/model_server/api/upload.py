"""Receives the form of add-job: the data file straight to the disk, whatever its size, the other fields in memory."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from model_server.api import disk
from model_server.api.envelope import ApiError

_FIELD_BYTES = 1024 * 1024
_HEADER_BYTES = 16 * 1024
_PARTS = 100
#: Boundaries, headers and the other fields, beyond the file itself.
_OVERHEAD_BYTES = 2 * 1024 * 1024
#: How long a refused body is still read, so that the client gets to see the answer.
_LINGER_SECONDS = 10.0


@dataclass
class Form:
    """A received form. `file` is None when there was no data file."""

    file: Path | None = None
    file_type: str = ""
    #: The text fields by their name in lower case; absent and empty are the same to us.
    fields: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The field's value, "" when it is absent."""
        return self.fields.get(name.lower(), "").strip()


async def receive(request: Request, folder: Path, limit: int) -> Form:
    """Reads the multipart form of `request`, its data file into a new file in `folder`.

    The caller owns the file that is named in the answer. After an error nothing is left.

    Args:
        request: a POST whose body was not touched.
        folder: must lie on the data volume, so that the file can be moved from there.
        limit: of the data file, bytes.

    Raises:
        ApiError: 400 for a form that cannot be read, 413 for a file that is too large.
        ClientDisconnect: the client went away.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ApiError(400, "the body must be multipart/form-data, with the data in a part named File")
    reader = _Reader(folder, options[b"boundary"], limit)
    try:
        if declared_length(request) > limit + _OVERHEAD_BYTES:
            raise reader.too_large()  # noqa: TRY301 - handled with the refusals of the parser
        async for chunk in request.stream():
            reader.feed(chunk)
        return reader.finish()
    except (ApiError, OSError) as error:
        reader.discard()
        if not isinstance(error, ApiError) and not disk.is_full(error):
            raise
        await linger(request)
        if isinstance(error, ApiError):
            raise
        raise disk.no_room() from error
    except BaseException:
        reader.discard()
        raise


class _Reader:
    """Turns the callbacks of the multipart parser into a Form."""

    def __init__(self, folder: Path, boundary: bytes, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._form = Form()
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        self._file_name = b""
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._name = ""
        self._text = bytearray()
        self._parts = 0
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except MultipartParseError as error:
            raise ApiError(400, "the form's boundary is not valid") from error

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body."""
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise ApiError(400, "the body is not a valid multipart form") from error

    def finish(self) -> Form:
        """Ends the form."""
        if not self._ended:
            raise ApiError(400, "the form ended before its last boundary")
        if self._file is not None:
            self._file.close()
            if self._file_bytes == 0 and not self._file_name:
                self.discard()  # a file field in which nothing was chosen
        return self._form

    def discard(self) -> None:
        """Removes what was stored."""
        if self._file is not None:
            with suppress(OSError):  # it may have been closed because the disk is full
                self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
        self._file, self._form.file = None, None

    def too_large(self) -> ApiError:
        """The refusal of a file above the limit."""
        return ApiError(413, f"the data file is larger than the {self._limit} bytes that this model takes")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise ApiError(400, f"the form has more than {_PARTS} parts")
        self._headers, self._header_bytes = {}, 0
        self._name, self._text = "", bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header[1].extend(data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = options.get(b"name", b"").decode("utf-8", "replace").lower()
        if self._name == "file":
            if self._file is not None:
                raise ApiError(400, "the form has more than one part named File")
            self._file_name = options.get(b"filename", b"")
            self._form.file_type = self._headers.get(b"content-type", b"").decode("latin-1").strip()
            self._file = NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115 - closed by finish or discard
            self._form.file = Path(self._file.name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file" and self._file is not None:
            self._file_bytes += end - start
            if self._file_bytes > self._limit:
                raise self.too_large()
            self._file.write(data[start:end])
        elif len(self._text) + end - start > _FIELD_BYTES:
            raise ApiError(400, f"a field of the form is larger than {_FIELD_BYTES} bytes")
        else:
            self._text.extend(data[start:end])

    def _part_end(self) -> None:
        if self._name != "file":
            try:
                self._form.fields[self._name] = self._text.decode()
            except UnicodeDecodeError as error:
                raise ApiError(400, "a field of the form is not UTF-8") from error

    def _end(self) -> None:
        self._ended = True

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _HEADER_BYTES:
            raise ApiError(400, f"the headers of a part are larger than {_HEADER_BYTES} bytes")


def declared_length(request: Request) -> int:
    """The body's size as the client declares it, bytes; 0 when it does not."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


async def linger(request: Request) -> None:
    """Reads on for a while, storing nothing: a client that still sends would meet a reset, not our answer."""
    if "expect" in request.headers:
        return  # it waits for us before it sends
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            async for _ in request.stream():
                pass
    except (TimeoutError, ClientDisconnect, RuntimeError):
        pass
