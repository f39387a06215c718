"""Heads of requests are read into forms, addresses, numbers and names, and an answer says what it is."""

import json
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request

from model_server.api import (
    accept,
    address,
    doors,
    download,
    envelope,
    head,
    hosted,
    job_list,
    query,
    refusals,
    services,
)
from model_server.api.accept import Wish
from model_server.api.envelope import ApiError
from model_server.jobs.job import Job, State
from model_server.tabular.mime import Form


def request(path: str = "/x", text: str = "", headers: dict[str, str] | None = None, **scope: Any) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "path": path,
            "raw_path": path.encode(),
            "query_string": text.encode(),
            "headers": raw,
            **scope,
        }
    )


CSV = "text/csv; header=present"


@pytest.mark.parametrize(
    ("header", "own", "form"),
    [
        ("application/json", "text/plain", Form.JSON),
        ("text/csv, application/json", "text/plain", Form.JSON),
        ("text/csv;q=1, application/json;q=0.5", "text/plain", Form.CSV),
        ("application/json;q=0.5, text/csv;q=0.5", CSV, None),
        ("application/json;q=0.6, text/csv;q=0.5", CSV, Form.JSON),
        ("text/*;q=0.3, text/csv;q=0.7, application/json;q=0.5", "application/json", Form.CSV),
        ("text/csv;q=0.2, text/*, application/json;q=0.5", "application/json", None),
        ("application/*;q=0.2, application/json;q=0.9, text/csv;q=0.5", "text/csv", Form.JSON),
        ("*/*, application/json;q=0.5", CSV, None),
        ("application/json;q=2", CSV, Form.JSON),
        ("application/json;q=-1", CSV, None),
        ("application/json; q=0.9 ; x=1, text/csv;q=0.95", CSV, None),
        ("application/json;x=1;q=0.9, text/csv;q=0.8", CSV, Form.JSON),
        ("application/json;q=0.0001, text/csv;q=0.9", CSV, Form.JSON),  # too long to be a weight: 1
        ("application/json;q=0.001, text/csv;q=0.9", CSV, None),
        ("application/json;q=0, application/json;q=0.5", CSV, Form.JSON),
        ("x" * 984 + ",application/json", CSV, None),
        ("x" * 983 + ",application/json", CSV, Form.JSON),
        ("application/json", "nothing", Form.JSON),
    ],
)
def test_the_form_that_is_preferred(header: str, own: str, form: Form | None) -> None:
    assert accept.preferred(header, own) is form


@pytest.mark.parametrize(
    ("header", "text", "wish"),
    [
        ("", "", Wish()),
        ("", "types=text", Wish()),
        ("*/*", "", Wish()),
        ("text/csv", "", Wish()),
        ("application/json", "", Wish(Form.JSON)),
        ("application/json", "types=auto", Wish(Form.JSON)),
        ("application/json", "types=text", Wish(Form.JSON, as_text=True)),
    ],
)
def test_a_wish_by_its_header_or_its_path(header: str, text: str, wish: Wish) -> None:
    asked = request("/x", text, {"accept": header} if header else None)
    assert accept.of_header(asked, CSV) == wish
    for form in (Form.JSON, Form.CSV):
        assert accept.of_path(asked, form) == Wish(form, is_strict=True, as_text=text == "types=text")


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        (Wish(), "image/png"),
        (Wish(Form.JSON), "application/json; charset=utf-8"),
        (Wish(Form.CSV), "text/csv; charset=utf-8"),
    ],
)
def test_a_wish_names_the_type_of_its_answer(wish: Wish, kind: str) -> None:
    assert wish.kind("image/png") == kind


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 7), ("n=", 7), ("n=3", 3), ("n= 3 ", 3), ("n=9", 9), ("n=4&n=5", 5), ("m=5", 7), ("n=000000000009", 9)],
)
def test_a_number_of_a_query(text: str, number: int) -> None:
    assert query.number(request("/x", text), "n", 7, 3, 9) == number


@pytest.mark.parametrize("text", ["n=2", "n=10", "n=x", "n=-3", "n=3.0", "n=%d9%a3", "n=0000000000009"])
def test_what_is_no_number_of_a_query(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        query.number(request("/x", text), "n", 7, 3, 9)
    assert (caught.value.status, caught.value.message) == (400, "n must be a whole number from 3 to 9")


def test_a_word_of_a_query() -> None:
    words = ("", "a", "b")
    found = [query.word(request("/x", text), "w", words) for text in ("", "w=", "w=b", "w=+a+")]
    assert found == ["", "", "b", "a"]
    assert query.word(request("/x"), "w", ("a", "b")) == "a"
    with pytest.raises(ApiError) as caught:
        query.word(request("/x", "w=c"), "w", words)
    assert (caught.value.status, caught.value.message) == (400, "w must be one of a, b")


def test_the_first_header_of_a_name_counts() -> None:
    found = request(headers={"a": "1"})
    found.scope["headers"] += [(b"b", "ä".encode("latin-1")), (b"b", b"3")]
    assert [head.value(found, name) for name in (b"a", b"b", b"c")] == ["1", "ä", ""]


@pytest.mark.parametrize(
    ("path", "raw", "headers", "expected"),
    [
        ("/x", b"/x", {"host": "example.com:8080"}, "http://example.com:8080"),
        ("/x", b"/x", {}, "http://localhost"),
        ("/x", b"/x", {"host": "a/b"}, "http://localhost"),
        ("/x", b"/x", {"host": "h" * 256}, "http://localhost"),
        ("/x", b"/x", {"host": "h" * 255}, f"http://{'h' * 255}"),
        ("/x", b"/x", {"host": "[::1]"}, "http://[::1]"),
        ("/x", b"/x", {"host": "h", "x-forwarded-proto": "HTTPS"}, "https://h"),
        ("/x", b"/x", {"host": "h", "x-forwarded-proto": "http"}, "http://h"),
        ("/x", b"/x", {"host": "h", "x-forwarded-proto": "ftp"}, "http://h"),
        ("/x", b"/m/iris/x", {"host": "h"}, "http://h/m/iris"),
        ("/x", b"/y", {"host": "h"}, "http://h"),
        ("/x", b"/m;m/x", {"host": "h"}, "http://h"),
        ("/x", b"/m/x", {"host": "h", "x-forwarded-prefix": "/p/"}, "http://h/p"),
        ("/x", b"/x", {"host": "h", "x-forwarded-prefix": "//evil"}, "http://h"),
    ],
)
def test_the_address_that_a_client_knows(path: str, raw: bytes, headers: dict[str, str], expected: str) -> None:
    assert address.of(request(path, headers=headers, raw_path=raw)) == expected


@pytest.mark.parametrize(
    ("path", "prefix", "root", "removed"),
    [
        ("/", "", "", ""),
        ("/Jobs", "", "", ""),
        ("/Job/1", "", "../", ""),
        ("/Job/1/delete", "", "../../", ""),
        ("/Job/1", "/m", "/m/", "/m/"),
        ("/Job/1", "/m/iris/", "/m/iris/", "/m/iris/"),
        ("/Job/1", "m", "../", ""),
        ("/Job/1", "/" + "/".join("a" * 20), "/" + "/".join("a" * 20) + "/", "/" + "/".join("a" * 20) + "/"),
        ("/Job/1", "/" + "/".join("a" * 21), "../", ""),
        ("/Job/1", "/a b", "../", ""),
    ],
)
def test_the_way_to_the_root(path: str, prefix: str, root: str, removed: str) -> None:
    asked = request(path, headers={"x-forwarded-prefix": prefix} if prefix else None)
    assert (doors.root_of(asked), doors.removed_prefix(asked)) == (root, removed)


JOB = Job(
    **{
        **dict.fromkeys(Job.__dataclass_fields__),
        "id": "12345678-1234-1234-1234-123456789012",
        "state": State.COMPLETE,
        "mime_type": CSV,
        "attempts": 2,
        "created": 1_700_000_000.25,
    }  # type: ignore[arg-type]
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b.csv", "a.b"), ("plain", "plain"), (".csv", ".csv"), (None, "job-12345678"), ("", "job-12345678")],
)
def test_the_stem_of_a_jobs_file(name: str | None, stem: str) -> None:
    assert download.stem(replace(JOB, name=name)) == stem


@pytest.mark.parametrize(
    ("name", "kind", "head_", "expected"),
    [
        ("a.csv", CSV, b"[", 'inline; filename="a-result.csv"'),
        ("a.csv", "application/json; charset=utf-8", b"a,b", 'inline; filename="a-result.json"'),
        ("a.csv", "text/json", b"", 'inline; filename="a-result.json"'),
        ("a.csv", "application/csv", b"", 'inline; filename="a-result.csv"'),
        ("a.csv", "text/plain", b"", 'inline; filename="a-result.txt"'),
        ("a.csv", "*/*", b"x,y", 'attachment; filename="a-result.csv"'),
        ("a.csv", "application/octet-stream", b"x", 'inline; filename="a-result.txt"'),
        ("a.csv", "image/webp", b"", 'inline; filename="a-result.webp"'),
        ("a.csv", "image/gif", b"", 'inline; filename="a-result.gif"'),
        ("a.csv", "image/jpeg", b"", 'inline; filename="a-result.jpg"'),
        ("a.csv", "application/x-unheard", b"", 'attachment; filename="a-result.bin"'),
        (
            *('a"\\%;?ü.csv', CSV, b""),
            "inline; filename=\"a______-result.csv\"; filename*=UTF-8''a%22%5C%25%3B%3F%C3%BC-result.csv",
        ),
    ],
)  # fmt: skip
def test_the_name_and_the_way_of_a_download(name: str, kind: str, head_: bytes, expected: str) -> None:
    assert download.header(replace(JOB, name=name), kind, head_) == expected


def test_a_job_is_listed_whole_without_its_address_for_callbacks() -> None:
    assert job_list.entry(JOB) == {
        "id": JOB.id,
        "status": "Complete",
        "errorMessage": None,
        "mimeType": CSV,
        "name": None,
        "rows": None,
        "bytes": None,
        "attempts": 2,
        "created": "2023-11-14T22:13:20.250Z",
        "started": None,
        "finished": None,
        "callback": None,
    }
    known = replace(
        *(JOB,), state=State.ERROR, error="bad", name="a.csv", rows=3, size=9, started=0.0, finished=1.5,
        callback_url="http://h/?secret", callback_state="failed", callback_error="no",
    )  # fmt: skip
    assert job_list.entry(known) == {
        "id": JOB.id,
        "status": "Error",
        "errorMessage": "bad",
        "mimeType": CSV,
        "name": "a.csv",
        "rows": 3,
        "bytes": 9,
        "attempts": 2,
        "created": "2023-11-14T22:13:20.250Z",
        "started": "1970-01-01T00:00:00.000Z",
        "finished": "1970-01-01T00:00:01.500Z",
        "callback": {"state": "failed", "attempts": 0, "error": "no"},
    }
    assert job_list.entry(replace(known, callback_attempts=4))["callback"]["attempts"] == 4


class _Versioned:
    version = "1.2"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"status": 1, "statusMessage": "success"}),
        ({"state": State.CREATED}, {"status": 0, "statusMessage": "incomplete"}),
        ({"state": State.IN_PROGRESS, "started": 1.0}, {"lastUpdatedUtc": "1970-01-01T00:00:01.000Z"}),
        ({"state": State.ERROR, "error": "bad"}, {"status": 2, "statusMessage": "error", "errorMessage": "bad"}),
        ({"rows": 0}, {"recordCount": 0}),
        ({"name": "a"}, {"name": "a", "inputFileName": "a"}),
        (
            {"started": 1.0, "finished": 2.25},
            {"processingTimeMS": 1250, "lastUpdatedUtc": "1970-01-01T00:00:02.250Z"},
        ),
        ({"started": 3.0, "finished": 2.0}, {"processingTimeMS": 0, "lastUpdatedUtc": "1970-01-01T00:00:02.000Z"}),
    ],
)
def test_a_job_in_the_words_of_the_hosted_service(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    known = {
        "name": None,
        "inputFileName": None,
        "inputMime": CSV,
        "billedUsage": 0,
        "recordCount": 1,
        "recordGroupCount": 0,
        "processingTimeMS": 0,
        "status": 1,
        "statusMessage": "success",
        "errorMessage": None,
        "versionNumber": "1.2",
        "id": JOB.id,
        "createdDateUtc": "2023-11-14T22:13:20.250Z",
        "lastUpdatedUtc": "2023-11-14T22:13:20.250Z",
    }
    found = hosted._details(replace(JOB, **changes), _Versioned())  # type: ignore[arg-type]
    assert {key: found[key] for key in (found if not changes else expected)} == (known if not changes else expected)


@pytest.mark.parametrize(
    ("response", "status", "content"),
    [
        (envelope.success({"a": "ä"}), 200, {"data": {"a": "ä"}, "isError": False, "errorMessage": None}),
        (envelope.flawed(1, "e"), 200, {"data": 1, "isError": True, "errorMessage": "e"}),
        (envelope.refused(1, "e"), 400, {"data": 1, "isError": True, "errorMessage": "e"}),
        (envelope.failure(418, ""), 418, {"data": None, "isError": True, "errorMessage": ""}),
    ],
)
def test_an_envelope_is_compact_and_not_kept(response: Any, status: int, content: Any) -> None:
    assert (response.status_code, response.body) == (
        status,
        json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(),
    )
    assert sorted(response.headers.items()) == [
        ("cache-control", "no-store"),
        ("content-length", str(len(response.body))),
        ("content-type", "application/json; charset=utf-8"),
    ]


def test_a_failed_job_is_an_error_of_the_envelope_and_another_is_none() -> None:
    failed = replace(JOB, state=State.ERROR, error="bad \ud800")
    assert envelope.of_job(failed) == (
        b'{"data":{"id":"%b","status":"Error","errorMessage":"bad ?"},"isError":true,"errorMessage":"bad ?"}'
        % JOB.id.encode()
    )
    assert envelope.of_job(replace(JOB, state=State.IN_PROGRESS, error="of before")) == (
        b'{"data":{"id":"%b","status":"InProgress","errorMessage":"of before"},"isError":false,"errorMessage":null}'
        % JOB.id.encode()
    )


@pytest.mark.parametrize(
    ("path", "is_inference"),
    [("/v2", True), ("/v2/", True), ("/v2/models", True), ("/v2x", False), ("/data/v2", False), ("/", False)],
)
def test_a_refusal_is_in_the_form_of_its_protocol(path: str, is_inference: bool) -> None:
    found = refusals.refusal(request(path), 404, "no")
    expected = {"error": "no"} if is_inference else {"data": None, "isError": True, "errorMessage": "no"}
    assert (found.status_code, json.loads(bytes(found.body))) == (404, expected)


def test_an_application_without_services_is_told_so() -> None:
    class Other:
        state = {"services": object()}  # noqa: RUF012 - as Starlette's

    with pytest.raises(TypeError, match=r"^the application was not made by create_app$"):
        services.of(request(app=Other()))
