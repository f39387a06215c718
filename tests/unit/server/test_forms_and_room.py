"""Forms as they arrive, plain or not, and the room that uploads take: whole values, both sides of each bound."""

import asyncio
import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from model_server import bounds
from model_server.api import body, disk, fields, form_reader, head, plain_form, upload
from model_server.api.disk import Space
from model_server.api.envelope import ApiError
from model_server.api.form_reader import Upload
from model_server.jobs.store import SMALL_BYTES

MULTIPART = "multipart/form-data; boundary=b"


def request(headers: dict[str, str], *chunks: bytes, ends: bool = True) -> Request:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        messages = messages or [{"type": "http.request", "body": b""}]
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})

    async def receive() -> Any:
        return messages.pop(0)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}, receive)


def part(name: str, content: bytes, head_: bytes = b"", file: str | None = None) -> bytes:
    named = "" if file is None else f'; filename="{file}"'
    return b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n%b\r\n%b\r\n' % (
        *(name.encode(), named.encode(), head_, content),
    )


def whole(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


def told(form: Upload) -> dict[str, Any]:
    return {
        "content": form.content if form.file is None else form.file.read_bytes(),
        "in_file": form.file is not None,
        "type": form.file_type,
        "name": form.name,
        "size": form.size,
        "rows": form.lines.rows(has_header=True),
        "digest": form.digest,
        "fields": form.fields,
    }


def received(
    folder: Path, sent: Request, *, limit: int = 10**6, digest: bool = False, room: Any = None
) -> dict[str, Any]:
    space = room or Space(folder, 0).part()
    return told(asyncio.run(upload.receive(sent, folder, limit, space, digest)))


EMPTY = {"content": None, "in_file": False, "type": "", "name": "", "size": 0, "rows": 0, "digest": "", "fields": {}}
DATA = b"a,b\n1,2\n3,4\n"
SENT = {**EMPTY, "content": DATA, "size": 12, "rows": 2}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (whole(part("File", DATA, file="x.csv")), {**SENT, "name": "x.csv"}),
        (whole(part("fILE", DATA, b"Content-Type:  text/csv \r\n")), {**SENT, "type": "text/csv"}),
        (
            whole(part("MIMETYPE", b" text/csv"), part("File", DATA), part("other", b"x"), part("Mappings", b"")),
            {**SENT, "fields": {"mimetype": " text/csv", "mappings": ""}},
        ),
        (
            whole(part("CallbackUrl", "ü".encode()), part("OutputMappings", b"[]")),
            {**EMPTY, "fields": {"callbackurl": "ü", "outputmappings": "[]"}},
        ),
        (whole(part("File", b"", file="empty.csv")), {**EMPTY, "content": b"", "name": "empty.csv"}),
        (whole(part("File", b"", file="")), EMPTY),
        (whole(part("File", b"")), EMPTY),
        (whole(part("File", b"x", file="")), {**EMPTY, "content": b"x", "size": 1}),
        (whole(part("other", b"x")), EMPTY),
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_form_is_read_however_it_is_cut(tmp_path: Path, content: bytes, expected: dict[str, Any], piece: int) -> None:
    chunks = [content[at : at + piece] for at in range(0, len(content), piece)]
    assert received(tmp_path, request({"content-type": MULTIPART}, *chunks)) == expected
    with_digest = received(tmp_path, request({"content-type": MULTIPART}, *chunks), digest=True)
    assert with_digest == {**expected, "digest": hashlib.sha256(expected["content"] or b"").hexdigest()}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [SMALL_BYTES, SMALL_BYTES + 1])
def test_what_is_not_small_becomes_a_file_for_which_there_is_room(tmp_path: Path, size: int) -> None:
    taken: list[int] = []

    class Room:
        def take(self, count: int) -> None:
            taken.append(count)

    content = whole(part("File", b"x\n" * (size // 2) + b"x" * (size % 2)))
    chunks = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    found = received(tmp_path, request({"content-type": MULTIPART}, *chunks), room=Room())
    assert (found["in_file"], len(found["content"]), found["size"]) == (size > SMALL_BYTES, size, size)
    assert found["rows"] == size // 2 - 1 + size % 2
    assert sum(taken) == (size if size > SMALL_BYTES else 0)


LARGER = "the data file is larger than the 100 bytes that this model takes"
NOT_FORM = "the body must be multipart/form-data, with the data in a part named File"


@pytest.mark.parametrize(
    ("headers", "chunks", "status", "message"),
    [
        ({}, [b""], 400, NOT_FORM),
        ({"content-type": "text/csv; boundary=b"}, [b""], 400, NOT_FORM),
        ({"content-type": "multipart/form-data"}, [b""], 400, NOT_FORM),
        ({"content-type": "multipart/form-data; boundary=\"a\nb\""}, [b""], 400, "the form's boundary is not valid"),
        (
            {"content-encoding": " GZIP ", "content-type": MULTIPART},
            *([b""], 415, "a body in the coding gzip is not understood: send it without Content-Encoding"),
        ),
        (
            {"content-encoding": "z" * 41},
            *([b""], 415, f"a body in the coding {'z' * 40} is not understood: send it without Content-Encoding"),
        ),
        ({}, [whole(part("File", b"x"), part("file", b"y"))], 400, "the form has more than one part named File"),
        ({}, [whole(part("File", b"x" * 101))], 413, LARGER),
        (
            {"content-length": str(101 + bounds.FORM_BYTES)},
            *([b""], 413, LARGER),
        ),
        (
            *({}, [whole(part("MimeType", b"x" * (bounds.FIELD_BYTES + 1)))]),
            *(400, f"the field mimetype of the form is larger than {bounds.FIELD_BYTES} bytes"),
        ),
        ({}, [whole(part("Mappings", b"\xff"))], 400, "the field mappings of the form is not UTF-8"),
        (
            *({}, [whole(part("x", b"x" * bounds.FORM_BYTES), part("y", b"y"))]),
            *(413, f"the fields of the form are larger than {bounds.FORM_BYTES} bytes"),
        ),
        (
            *({}, [part("File", b"x")]),
            *(400, "the body is not a valid multipart form: it ended before its last boundary"),
        ),
        ({}, [b"--bx\r\n"], 400, "the body is not a valid multipart form: unexpected byte after first boundary"),
        (
            *({}, [whole(*[part("x", b"")] * 101)]),
            *(400, "the body is not a valid multipart form: maximum segment count exceeded"),
        ),
        (
            *({}, [whole(part("x", b"", b"X: y\r\n" * 32))]),
            *(400, "the body is not a valid multipart form: maximum segment header count exceeded"),
        ),
        (
            *({}, [whole(part("x", b"", b"X: %b\r\n" % (b"y" * bounds.PART_HEADER_BYTES)))]),
            *(400, "the body is not a valid multipart form: maximum segment header length exceeded"),
        ),
    ],
)  # fmt: skip
def test_a_form_is_refused_in_whole_words_and_leaves_nothing(
    tmp_path: Path, headers: dict[str, str], chunks: list[bytes], status: int, message: str
) -> None:
    if chunks != [b""] or "content-length" in headers:
        headers = {**headers, "content-type": MULTIPART}
    sent = request(headers, *chunks)
    with pytest.raises(ApiError) as caught:
        received(tmp_path, sent, limit=100)
    assert (caught.value.status, caught.value.message) == (status, message)
    assert caught.value.headers == ({"accept-encoding": "identity"} if status == 415 else {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (whole(part("File", b"x" * 100)), 100),
        (whole(part("MimeType", b"x" * bounds.FIELD_BYTES)), 100),
        (whole(*[part("x", b"")] * 99, part("File", b"x", b"X: y\r\n" * 31)), 100),
        (whole(part("File", b"x", b"X: %b\r\n" % (b"y" * (bounds.PART_HEADER_BYTES - 5)))), 100),
        (whole(part("x", b"x" * bounds.FORM_BYTES)), 100),
        (whole(part("OutputMappings", b"x" * bounds.MAPPING_BYTES)), 100),
    ],
)
def test_a_form_of_all_that_it_may_have_is_taken(tmp_path: Path, content: bytes, limit: int) -> None:
    headers = {
        "content-type": MULTIPART,
        "content-encoding": "identity",
        "content-length": str(limit + bounds.FORM_BYTES),
    }
    assert received(tmp_path, request(headers, content), limit=limit)


def test_a_large_form_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    content = part("File", b"x" * (SMALL_BYTES * 2))
    with pytest.raises(ClientDisconnect):
        received(tmp_path, request({"content-type": MULTIPART}, content, ends=False))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_no_room_and_another_fault_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def failing(_folder: Path) -> Any:
        raise OSError(code, "no")

    monkeypatch.setattr(form_reader, "Spool", failing)
    sent = request({"content-type": MULTIPART}, part("File", b"x" * (SMALL_BYTES + 1)))
    if code == errno.EIO:
        with pytest.raises(OSError, match="no"):
            received(tmp_path, sent)
        return
    with pytest.raises(ApiError) as caught:
        received(tmp_path, sent)
    assert (caught.value.status, caught.value.message) == (
        507,
        "the data volume has no room for this job; nothing was stored: delete old jobs, or send it again later",
    )


PLAIN = {"content-type": MULTIPART, "content-length": "300"}


@pytest.mark.parametrize(
    ("changes", "boundary"),
    [
        ({}, b"b"),
        ({"content-type": f"multipart/form-data;boundary={'x' * 70}"}, b"x" * 70),
        ({"content-type": f"multipart/form-data;boundary={'x' * 71}"}, None),
        ({"content-type": 'multipart/form-data; boundary="b"'}, None),
        ({"content-type": "multipart/form-data; boundary=b; charset=x"}, None),
        ({"content-length": str(SMALL_BYTES + 1024)}, b"b"),
        ({"content-length": str(SMALL_BYTES + 1025)}, None),
        ({"content-length": ""}, None),
        ({"content-length": "-1"}, None),
        ({"content-encoding": "gzip"}, None),
        ({"content-type": ""}, None),
    ],
)
def test_a_form_may_be_plain_by_its_head(changes: dict[str, str], boundary: bytes | None) -> None:
    assert plain_form.boundary_of(request({**PLAIN, **changes})) == boundary


FILE = part("File", DATA, b"Content-Type: text/csv; x=1 \r\n", "x.csv")


@pytest.mark.parametrize(
    ("content", "limit", "expected"),
    [
        (FILE + b"--b--\r\n", 12, {**SENT, "name": "x.csv", "type": "text/csv; x=1"}),
        (FILE + b"--b--", 12, {**SENT, "name": "x.csv", "type": "text/csv; x=1"}),
        (part("file", DATA, file="x") + b"--b--", 99, {**SENT, "name": "x"}),
        (part("file", b"", file="x") + b"--b--", 99, {**EMPTY, "name": "x", "content": b""}),
        (FILE + b"--b--\r\n", 11, None),
        (FILE + b"--b--\r\nx", 99, None),
        (FILE + FILE + b"--b--", 99, None),
        (FILE, 99, None),
        (b"x" + FILE + b"--b--", 99, None),
        (b"--c" + FILE[3:] + b"--b--", 99, None),
        (part("File", DATA) + b"--b--", 99, None),
        (part("FILE", DATA, file="x") + b"--b--", 99, None),
        (part("File", DATA, file="x y") + b"--b--", 99, None),
        (part("File", DATA, file=".x") + b"--b--", 99, None),
        (part("File", DATA, file="x" * 101) + b"--b--", 99, None),
        (part("File", DATA, b"X-Y: z\r\n", file="x") + b"--b--", 99, None),
        (part("Other", DATA, file="x") + b"--b--", 99, None),
    ],
)
def test_a_plain_form_is_read_at_once(content: bytes, limit: int, expected: dict[str, Any] | None) -> None:
    found = plain_form.read({"body": content}, b"b", limit)
    assert (None if found is None else told(found)) == expected
    assert plain_form.read({"body": content, "more_body": True}, b"b", limit) is None
    if expected is not None and limit > 12:
        assert received(Path("/"), request({"content-type": MULTIPART}, content)) == expected


def test_a_plain_form_is_as_large_as_what_is_small() -> None:
    for size in (SMALL_BYTES, SMALL_BYTES + 1):
        content = part("File", b"x" * size, file="x") + b"--b--"
        found = plain_form.read({"body": content}, b"b", 10**9)
        assert (found is not None) is (size == SMALL_BYTES)
    assert plain_form.read({}, b"b", 9) is None


def test_what_only_seemed_plain_is_read_again_from_its_beginning(tmp_path: Path) -> None:
    content = whole(part("MimeType", b"text/csv"), part("File", DATA))
    sent = request({"content-type": MULTIPART, "content-length": str(len(content))}, content[:50], content[50:])
    assert received(tmp_path, sent) == {**SENT, "fields": {"mimetype": "text/csv"}}


@pytest.mark.parametrize(("text", "length"), [("", 0), ("12", 12), ("-1", 0), ("x", 0)])
def test_the_length_that_is_declared(text: str, length: int) -> None:
    assert upload.declared_length(request({"content-length": text})) == length


def test_a_body_is_the_data(tmp_path: Path) -> None:
    async def receive(limit: int, *chunks: bytes, digest: bool = False) -> dict[str, Any]:
        sent = request({"content-type": "text/csv", "x": "y"}, *chunks)
        return told(await body.receive(sent, tmp_path, limit, Space(tmp_path, 0).part(), digest))

    assert asyncio.run(receive(12, DATA[:5], DATA[5:])) == SENT
    assert asyncio.run(receive(12, DATA, b"", digest=True)) == {**SENT, "digest": hashlib.sha256(DATA).hexdigest()}
    for limit, chunk, status, message in (
        (11, DATA, 413, "the body is larger than the 11 bytes that are taken here"),
        (11, b"", 400, "the body is empty: it must be the data itself"),
    ):
        with pytest.raises(ApiError) as caught:
            asyncio.run(receive(limit, chunk))
        assert (caught.value.status, caught.value.message) == (status, message)


def test_a_body_and_a_field_have_their_most_bytes() -> None:
    assert asyncio.run(fields.body_of(request({}, b"ab", b"c"), 3)) == b"abc"
    with pytest.raises(ApiError) as caught:
        asyncio.run(fields.body_of(request({}, b"ab", b"c"), 2))
    assert (caught.value.status, caught.value.message) == (
        413,
        "the body is larger than the 2 bytes that are taken here",
    )
    with pytest.raises(ApiError, match="a body in the coding br"):
        asyncio.run(fields.body_of(request({"content-encoding": "br"}), 2))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (whole(part("Key", b"secret")), "secret"),
        (whole(part("other", b"x"), part("KEY", b"sec\xffret"), part("y", b"z")), "sec\ufffdret"),
        (whole(part("Key", b" ")), "the form has no key: send it in a part named Key"),
        (whole(part("other", b"x")), "the form has no key: send it in a part named Key"),
        (part("Key", b"x"), "the body must be multipart/form-data, with a part named Key"),
    ],
)
def test_a_key_of_a_form(content: bytes, found: str) -> None:
    sent = request({"content-type": MULTIPART}, content)
    if " " not in found:
        assert asyncio.run(fields.of_form(sent, "Key", 999)) == found
        return
    with pytest.raises(ApiError) as caught:
        asyncio.run(fields.of_form(sent, "Key", 999))
    assert (caught.value.status, caught.value.message) == (400, found)


class Volume:
    """Stands for a file system with so many free bytes; counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self.free, self.asked, self.now = free, 0, 1000.0
        monkeypatch.setattr(disk, "free", self._free)
        monkeypatch.setattr(disk.time, "monotonic", lambda: self.now)

    def _free(self, _folder: Path) -> int:
        self.asked += 1
        return self.free


def test_what_uploads_will_still_write_is_not_free_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Volume(monkeypatch, 1000)
    space = Space(tmp_path, 100)
    assert space.left == 900
    one, other = space.part(), space.part()
    one.reserve(500)
    assert space.left == 400
    with pytest.raises(ApiError) as caught:
        other.reserve(401)
    assert (caught.value.status, space.left) == (507, 400)
    other.reserve(400)
    assert space.left == 0
    other.reserve(0)
    one.take(200)
    assert space.left == 200
    one.give_back()
    one.give_back()
    assert space.left == 500
    other.give_back()
    assert space.left == 900


def test_who_does_not_say_its_size_has_room_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = 16 * bounds.MIB
    Volume(monkeypatch, 3 * step)
    space = Space(tmp_path, 0)
    part_ = space.part()
    part_.take(10)
    assert space.left == 2 * step + 10
    part_.take(step - 10)
    assert space.left == 3 * step
    part_.take(2 * step)
    assert space.left == 3 * step
    part_.give_back()
    assert space.left == 3 * step


def test_where_much_is_free_it_is_not_looked_for_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(monkeypatch, 1024 * bounds.MIB)
    space = Space(tmp_path, 0)
    space.reserve(bounds.MIB)
    assert volume.asked == 1
    space.reserve(-bounds.MIB)
    space.reserve(bounds.MIB)
    assert volume.asked == 1  # within a tenth of a second, and not more than a mebibyte
    space.reserve(1)
    assert volume.asked == 2
    space.reserve(-bounds.MIB - 1)
    volume.now += 0.1
    space.reserve(1)
    assert volume.asked == 3
    volume.free, volume.now = 1024 * bounds.MIB - 1, volume.now + 0.1
    space.reserve(-1)
    space.reserve(1)
    space.reserve(1)
    assert volume.asked == 5  # it is not ample any more


def test_a_refusal_is_logged_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    volume = Volume(monkeypatch, 5)
    space = Space(tmp_path, 0)
    monkeypatch.setattr(disk.logger, "propagate", True)
    for later in (0, 59.9, 0.1):
        volume.now += later
        space.log_refusal()
    assert [record.getMessage() for record in caplog.records] == [
        "the data volume has no room: 5 bytes may still be taken; jobs are refused"
    ] * 2


def test_the_first_header_is_read_in_any_bytes() -> None:
    assert head.value(request({"content-type": "ä"}), b"content-type") == "ä"
