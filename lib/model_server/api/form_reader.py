"""Reads a multipart form as it arrives."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from model_server import bounds
from model_server.api.disk import Part
from model_server.api.envelope import ApiError
from model_server.api.spool import Spool
from model_server.jobs.store import SMALL_BYTES
from model_server.tabular.count import RowCounter

_LONGEST_SUFFIX = 10


@dataclass
class Upload:
    """A received form; its data is `content` if small, else `file`, or neither."""

    content: bytes | None = None
    file: Path | None = None
    file_type: str = ""
    #: The file's own name, without a path; "" if the client gave none.
    name: str = ""
    #: Of the data as it was sent, bytes.
    size: int = 0
    #: Lines of the data, as of a CSV.
    lines: RowCounter = field(default_factory=RowCounter)
    #: SHA-256 of the data, in hex, if it was asked for.
    digest: str = ""
    #: The text fields by their name in lower case; absent and empty are the same to us.
    fields: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.fields.get(name.lower(), "").strip()

    @contextmanager
    def as_file(self, folder: Path) -> Iterator[Path]:
        """Yield the data as a file; delete it afterwards unless it was moved."""
        if self.file is None:
            if self.content is None:
                raise no_file()
            with NamedTemporaryFile(dir=folder, delete=False) as file:
                self.file = Path(file.name)
                file.write(self.content)
        try:
            yield self.file
        finally:
            self.discard()

    def discard(self) -> None:
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def no_file() -> ApiError:
    return ApiError(400, "the form has no data file: send it in a part named File")


def name_of(segment: MultipartSegment) -> str:
    return (segment.name or "").encode("latin-1", "replace").decode("utf-8", "replace").lower()


def file_name(sent: str) -> str:
    """Return a client's file name, fit to be shown and kept."""
    text = sent.encode("latin-1", "replace").decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() else " " for letter in re.split(r"[/\\]", text)[-1])
    text = " ".join(text.split())
    if len(text) > bounds.NAME_CHARACTERS:
        stem, dot, suffix = text.rpartition(".")
        suffix = dot + suffix if stem and len(suffix) <= _LONGEST_SUFFIX else ""
        text = text[: bounds.NAME_CHARACTERS - len(suffix) - 1] + "…" + suffix
    return "" if set(text) <= {".", " "} else text


class FormReader:
    """Turns the events of the multipart parser into an Upload."""

    def __init__(
        self,
        folder: Path,
        parser: PushMultipartParser,
        limit: int,
        space: Part,
        with_digest: bool,
        texts: Mapping[str, int],
    ) -> None:
        self._folder = folder
        self._texts = texts
        self._parser = parser
        self._limit = limit
        self._space = space
        self._hash = hashlib.sha256() if with_digest else None
        #: Of all parts that are not the file.
        self._other_bytes = 0
        self._form = Upload()
        self._spool: Spool | None = None
        self._has_file = False
        self._file_bytes = 0
        self._has_name = False
        self._name = ""
        #: What came of the part so far; not of a file that is not small.
        self._held = bytearray()

    def feed(self, chunk: bytes) -> None:
        try:
            for event in self._parser.parse(chunk):
                if event is None:
                    self._end()
                elif isinstance(event, MultipartSegment):
                    self._begin(event)
                elif self._name == "file":
                    self._take_data(event)
                else:
                    self._take_text(event)
        except MultipartError as error:
            raise ApiError(400, f"the body is not a valid multipart form: {_reason(error)}") from error

    async def keep_up(self) -> None:
        if self._spool is not None:
            await self._spool.keep_up()

    async def finish(self) -> Upload:
        try:
            self._parser.close()
        except MultipartError as error:
            raise ApiError(400, "the body is not a valid multipart form: it ended before its last boundary") from error
        if self._spool is not None:
            await self._spool.close()
            self._form.file = self._spool.path
        if self._hash is not None:
            self._form.digest = self._hash.hexdigest()
        return self._form

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.discard()

    def too_large(self) -> ApiError:
        return ApiError(413, f"the data file is larger than the {self._limit} bytes that this model takes")

    def _begin(self, segment: MultipartSegment) -> None:
        self._name = name_of(segment)
        self._held = bytearray()
        if self._name == "file":
            if self._has_file:
                raise ApiError(400, "the form has more than one part named File")
            self._has_file = True
            self._form.name = file_name(segment.filename or "")
            self._has_name = bool(segment.filename)
            self._form.file_type = segment.header("Content-Type", "").strip()

    def _take_data(self, data: bytes) -> None:
        self._file_bytes += len(data)
        if self._file_bytes > self._limit:
            raise self.too_large()
        self._form.size = self._file_bytes
        self._form.lines.feed(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._spool is None:
            if self._file_bytes <= SMALL_BYTES:
                self._held.extend(data)
                return
            self._spool = Spool(self._folder)
            self._space.take(len(self._held))
            self._spool.add(bytes(self._held))
            self._held = bytearray()
        self._space.take(len(data))
        self._spool.add(data)

    def _take_text(self, data: bytes) -> None:
        self._other_bytes += len(data)
        if self._other_bytes > bounds.FORM_BYTES:
            raise ApiError(413, f"the fields of the form are larger than {bounds.FORM_BYTES} bytes")
        most = self._texts.get(self._name)
        if most is None:
            return
        if len(self._held) + len(data) > most:
            raise ApiError(400, f"the field {self._name} of the form is larger than {most} bytes")
        self._held.extend(data)

    def _end(self) -> None:
        if self._name in self._texts:
            try:
                self._form.fields[self._name] = self._held.decode()
            except UnicodeDecodeError as error:
                raise ApiError(400, f"the field {self._name} of the form is not UTF-8") from error
        elif self._name == "file" and self._spool is None and (self._file_bytes or self._has_name):
            self._form.content = bytes(self._held)  # else no file was chosen


def _reason(error: MultipartError) -> str:
    """Return the parser's message, which quotes nothing of the body."""
    return str(error.args[0])[:1].lower() + str(error.args[0])[1:]
