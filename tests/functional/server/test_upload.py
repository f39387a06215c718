"""The form of add-job, as it is received."""

import asyncio
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from model_server.api import upload
from model_server.api.disk import Space
from model_server.jobs.store import SMALL_BYTES

BOUNDARY = b"bound"
#: What data may hold, and is not the end of it.
ALIKE = [
    b"\r",
    b"\n",
    b"\r\n",
    b"--",
    b"\r\n--",
    b"\r\n--boun",
    b"--bound",
    b"\n--bound",
    b"\r\r\n--boun",
    b"--bound--",
]


def received(pieces: list[bytes], folder: Path) -> tuple[bytes | None, dict[str, str]]:
    """Return the data file and the fields of a body that comes in these pieces."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    kind = b"multipart/form-data; boundary=" + BOUNDARY
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}

    async def take() -> tuple[bytes | None, dict[str, str]]:
        form = await upload.receive(Request(scope, receive), folder, 10**9, Space(folder, 0).part())
        return (form.content if form.file is None else form.file.read_bytes()), form.fields

    return asyncio.run(take())


@settings(deadline=None)
@given(
    data=st.lists(st.sampled_from([*ALIKE, b"x", b"y" * 1000, b"z" * SMALL_BYTES]), max_size=60).map(b"".join),
    cuts=st.lists(st.integers(0, 200_000), max_size=40),
    before=st.sampled_from(["", "text", "--boun"]),
    after=st.sampled_from(["", "text", "\r\n--"]),
)
def test_the_form_is_the_same_however_its_body_is_cut(data: bytes, cuts: list[int], before: str, after: str) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + data + b"\r\n":
        data = data.replace(BOUNDARY, b"b0und")

    def part(name: str, content: bytes) -> bytes:
        head = f'--bound\r\nContent-Disposition: form-data; name="{name}"{"; filename=f" * (name == "File")}\r\n\r\n'
        return head.encode() + content + b"\r\n"

    body = (
        part("Mappings", before.encode())
        + part("Other", after.encode())
        + part("File", data)
        + part("MimeType", after.encode())
        + b"--bound--\r\n"
    )
    at = [0, *sorted({min(cut, len(body)) for cut in cuts}), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(at)]
    with TemporaryDirectory() as folder:
        assert received(pieces, Path(folder)) == (data, {"mappings": before, "mimetype": after})
