"""The short way to read a plain form: what it takes, it reads as the reader of all forms does."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from model_server.api import plain_form, upload
from model_server.api.disk import Space
from model_server.api.envelope import ApiError
from model_server.jobs.store import SMALL_BYTES

KIND = b"multipart/form-data; boundary=bound"
HEAD = b'Content-Disposition: form-data; name="File"; filename="x.csv"\r\n'
LIMIT = SMALL_BYTES - 1


def body_of(head: bytes, content: bytes, end: bytes = b"\r\n--bound--\r\n") -> bytes:
    return b"--bound\r\n" + head + b"\r\n" + content + end


def read(body: bytes, kind: bytes, length: bytes | None) -> dict[str, Any] | tuple[int, str]:
    """Return all that is made of a body that comes in one piece, or its refusal."""
    headers = [(b"content-type", kind), *([] if length is None else [(b"content-length", length)])]
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def take(folder: Path) -> dict[str, Any]:
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        form = await upload.receive(request, folder, LIMIT, Space(folder, 0).part())
        return {**asdict(form), "lines": form.lines.rows(has_header=False)}

    with TemporaryDirectory() as folder:
        try:
            return asyncio.run(take(Path(folder)))
        except ApiError as error:
            return error.status, error.message


@settings(deadline=None)
@given(
    kind=st.sampled_from([KIND, b"multipart/form-data;boundary=bound", b'multipart/form-data; boundary="bound"']),
    name=st.sampled_from([b"File", b"file", b"FILE", b"Other", b""]),
    file=st.sampled_from([b"x.csv", b"-", b"a b", b"..", b".x", b'a\\"b', "\u00e9".encode(), b"x" * 200, b""]),
    more=st.sampled_from(
        [b"", b"Content-Type: text/csv\r\n", b"Content-Type:  a/b ; c=d \r\n", b"X: y\r\n", b"bad\r\n"]
    ),
    content=st.lists(st.sampled_from([b"1,2\r\n", b"\r", b"--bound", b"\r\n--bound", b"--", b"y" * LIMIT])).map(
        b"".join
    ),
    end=st.sampled_from([b"\r\n--bound--\r\n", b"\r\n--bound--", b"\r\n--bound--x", b"\r\n--bound", b""]),
)
def test_it_reads_what_the_reader_of_all_forms_reads(
    kind: bytes, name: bytes, file: bytes, more: bytes, content: bytes, end: bytes
) -> None:
    head = b'Content-Disposition: form-data; name="%b"; filename="%b"\r\n' % (name, file)
    body = body_of(head + more, content, end)
    assert read(body, kind, b"%d" % len(body)) == read(body, kind, None)


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        (body_of(HEAD, b"1,2"), True),
        (body_of(HEAD + b"Content-Type: text/csv\r\n", b"", b"\r\n--bound--"), True),
        (body_of(HEAD, b"--bound"), True),
        (body_of(HEAD, b"y" * LIMIT), True),
        (body_of(HEAD, b"y" * SMALL_BYTES), False),
        (body_of(HEAD, b"1\r\n--bound\r\n" + HEAD + b"\r\n2"), False),
        (body_of(HEAD.replace(b"x.csv", b"../x"), b"1"), False),
        (body_of(HEAD.replace(b'; filename="x.csv"', b""), b"1"), False),
        (body_of(HEAD, b"1") + b"more", False),
        (b"\r\n" + body_of(HEAD, b"1"), False),
    ],
)
def test_it_takes_one_small_file_and_leaves_all_else(body: bytes, is_taken: bool) -> None:
    message = {"type": "http.request", "body": body, "more_body": False}
    assert (plain_form.read(message, b"bound", LIMIT) is not None) is is_taken
    assert plain_form.read({**message, "more_body": True}, b"bound", LIMIT) is None
