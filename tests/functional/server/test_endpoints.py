"""Whole answers of the application, and what its pages give to their templates."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_server.access import SESSION_SECONDS, Access, Keys
from model_server.health import STOPPING
from model_server.jobs.job import JobRequest, State
from model_server.pages import render
from model_server.tabular.view import Look

from .application import Answer, Application, form

FIELDS = [{"Path": "name", "DataType": "string"}, {"Path": "age", "DataType": "number", "Optional": True}]
SCHEMA = {"input": FIELDS, "output": FIELDS}
TYPES = ["text/csv; header=present", "text/csv; header=absent", "application/json"]
JSON = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}
AS_JSON = JSON["content-type"]
TEXT = {"content-type": "text/plain; charset=utf-8"}
PROTOCOL = {"content-type": "application/json", "cache-control": "no-store"}
INERT = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "no-store",
}
OWNER, ANN = "owner-0123456789abcdef", "ann-0123456789abcdef"
KEYS = Keys({"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN": ANN}, "iris")
NO_JOB = "there is no job with this id"
ID = "00000000-0000-0000-0000-00000000000"


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Application]:
    """Yield an application without schema, key or job."""
    app = Application(tmp_path)
    yield app
    app.close()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Yield one as `plain`, for all tests that leave it as it was."""
    app = Application(tmp_path_factory.mktemp("unchanged"))
    yield app
    app.close()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Application]:
    """Yield an application with a schema, and with the keys of two people."""
    app = Application(tmp_path, {"schema": SCHEMA}, access=Access(KEYS))
    yield app
    app.close()


def told(found: Any = None, error: str | None = None) -> bytes:
    envelope = {"data": found, "isError": error is not None, "errorMessage": error}
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()


def wrong(error: str) -> bytes:
    return told(None, error)


def is_whole(answer: Answer, status: int, headers: dict[str, str], body: bytes) -> bool:
    assert (answer.status, answer.body) == (status, body)
    found = dict(answer.headers)
    if "allow" in found:
        found["allow"] = ", ".join(sorted(found["allow"].split(", ")))
    assert found == {**headers, "content-length": str(len(body))}
    return True


HOW = "to run the model, send the data as the part File of a form (multipart/form-data) to /data/run-job"
LICENSE = '{"license": "<the key\'s text>"}'
NO_KEY = f"the body has no key: send {LICENSE}"
NO_LICENSE = "this model needs no license key: licensing is not switched on"


@pytest.mark.parametrize(
    ("method", "target", "sent", "status", "headers", "body"),
    [
        ("GET", "/health", {}, 200, {**TEXT, "x-model-build-id": "b1d"}, b"Health check is ok"),
        ("GET", "/ready", {}, 200, TEXT, b"Ready"),
        ("GET", "/ready?deep=1", {}, 200, TEXT, b"Ready"),
        ("GET", "/ping", {}, 200, {**TEXT, "cache-control": "no-store"}, b""),
        (
            *("GET", "/data/supported-mime-types", {}, 200, JSON),
            json.dumps({"inputTypes": TYPES, "outputTypes": TYPES}, separators=(",", ":")).encode(),
        ),
        ("GET", "/data/jobs", {}, 200, JSON, told({"jobs": [], "offset": 0, "limit": 50, "total": 0})),
        ("GET", "/data/jobs?limit=9&offset=7", {}, 200, JSON, told({"jobs": [], "offset": 7, "limit": 9, "total": 0})),
        ("GET", "/data/jobs?limit=0", {}, 400, JSON, wrong("limit must be a whole number from 1 to 500")),
        ("GET", "/data/jobs?limit=501", {}, 400, JSON, wrong("limit must be a whole number from 1 to 500")),
        ("GET", "/data/jobs?offset=-1", {}, 400, JSON, wrong("offset must be a whole number from 0 to 1000000000")),
        ("GET", f"/data/status/{ID}1", {}, 404, JSON, wrong(NO_JOB)),
        ("GET", f"/data/status/{ID}1?wait=x", {}, 400, JSON, wrong("wait must be a whole number from 0 to 1000000")),
        ("GET", "/data/status/1", {}, 404, JSON, wrong(NO_JOB)),
        ("GET", f"/data/result/{ID}1", {}, 404, JSON, wrong(NO_JOB)),
        ("DELETE", f"/data/delete/{ID}1", {}, 404, JSON, wrong(NO_JOB)),
        ("GET", f"/api/v1/jobs/{ID}1", {}, 404, JSON, wrong(NO_JOB)),
        ("GET", "/api/v1/jobs/latest", {}, 200, JSON, told([])),
        ("GET", "/nothing", {}, 404, JSON, wrong("Not Found")),
        ("GET", "/nothing/", {}, 404, JSON, wrong("Not Found")),
        ("POST", "/nothing", {}, 404, JSON, wrong(f"Not Found: {HOW}")),
        ("POST", "/health", {}, 405, {**JSON, "allow": "GET, HEAD"}, wrong(f"Method Not Allowed: {HOW}")),
        ("PUT", "/data/add-job", {}, 405, {**JSON, "allow": "POST"}, wrong("Method Not Allowed")),
        ("POST", "/data/add-job", form(), 400, JSON, wrong("the form has no data file: send it in a part named File")),
        (
            *("POST", "/data/add-job", form(File=b"x", MimeType=b"image/png", CallbackUrl=b"ftp://h"), 400, JSON),
            wrong(
                "CallbackUrl must be an http or https URL, like http://my.url.com/callback; "
                f"this MimeType is not supported; the model takes: {', '.join(TYPES)}"
            ),
        ),
        ("POST", "/data/add-job", {"idempotency_key": "x" * 256}, 400, JSON, told(
            error="Idempotency-Key must be printable and at most 255 characters long",
        )),
        (
            *("POST", "/data/mapping", form(File=b"b,a\n"), 200),
            {**JSON, "content-disposition": 'attachment; filename="mapping.json"', "x-content-type-options": "nosniff"},
            b'[\n  {"source": "b", "destination": "b"},\n  {"source": "a", "destination": "a"}\n]\n',
        ),
        ("POST", "/data/mapping", form(File=b""), 400, JSON, told(
            error="the data cannot be read: the CSV is empty: it has no header line",
        )),
        ("POST", "/data/mapping", form(File=b"a\n", MimeType=b"text/plain"), 400, JSON, told(
            error="this MimeType is not structured data; possible are: text/csv; header=present, text/csv; "
            "header=absent, application/json",
        )),
        ("GET", "/api/license", {}, 200, JSON, told("No License Key found")),
        ("POST", "/api/license", {"body": b'{"LICENSE": "x"}'}, 400, JSON, wrong(NO_LICENSE)),
        ("POST", "/api/license", {"body": b'{"license": " "}'}, 400, JSON, wrong(NO_KEY)),
        ("POST", "/api/license", {"body": b"[]"}, 400, JSON, wrong(NO_KEY)),
        ("POST", "/api/license", {"body": b'{"license": 7}'}, 400, JSON, wrong(NO_KEY)),
        ("POST", "/api/license", {"body": b"{"}, 400, JSON, wrong(f"the body must be JSON: {LICENSE}")),
        ("POST", "/api/license/file", form(License=b"x"), 400, JSON, wrong(NO_LICENSE)),
        ("POST", "/api/license/file", form(Key=b"x"), 400, JSON, told(
            error="the form has no key: send it in a part named License",
        )),
        ("GET", "/Sample", {}, 404, JSON, wrong("this image has no sample")),
        ("GET", "/Login", {}, 303, {"location": "./"}, b""),
        ("GET", "/v2/health/live", {}, 200, PROTOCOL, b'{"live":true}'),
        ("GET", "/v2/health/ready", {}, 200, PROTOCOL, b'{"live":true,"ready":true}'),
        ("GET", "/v2/models/iris/ready", {}, 200, PROTOCOL, b'{"name":"iris","ready":true}'),
        ("GET", "/v2/models/iris/versions/1.2/ready", {}, 200, PROTOCOL, b'{"name":"iris","ready":true}'),
        ("GET", "/v2/models/other", {}, 404, JSON, (
            b'{"error":"there is no such model here: this server has iris, version 1.2"}'
        )),
        ("POST", "/v2/models/iris/infer", {"inference_header_content_length": "1"}, 400, JSON, (
            b'{"error":"binary tensors are not taken: send the data as JSON, without Inference-Header-Content-Length"}'
        )),
        ("GET", "/v2/models/iris", {}, 400, JSON, (
            b'{"error":"no inference by tensors, but by data/run-job; of the input: tensors are columns of a schema, '
            b'and this model declares none"}'
        )),
        ("POST", "/invocations", {"body": b"x", "content_type": "image/png"}, 415, JSON, told(
            error=f"this Content-Type is not supported; the model takes: {', '.join(TYPES)}",
        )),
        ("POST", "/api/v1/jobs", form(File=b"x", data=b"["), 400, JSON, wrong("the field data must be a JSON object")),
        ("POST", "/api/v1/jobs", form(File=b"x", data=b'{"version":"9"}'), 400, JSON, told(
            error="this server has version 1.2 of the model alone",
        )),
        ("POST", "/api/v1/jobs", form(File=b"x", data=b'{"name":1,"mimeType":[]}'), 400, JSON, told(
            error="of the field data, these must be texts: mimeType, name",
        )),
    ],
)  # fmt: skip
def test_an_answer_is_whole(
    unchanged: Application,
    method: str,
    target: str,
    sent: dict[str, Any],
    status: int,
    headers: dict[str, str],
    body: bytes,
) -> None:
    assert is_whole(unchanged.ask(method, target, **sent), status, headers, body)
    assert not list(unchanged.services.uploads.iterdir())


def test_a_job_that_waits_ends_and_is_deleted(plain: Application) -> None:
    job = plain.job(JobRequest("text/csv", name="a.csv"))
    triple = {"id": job.id, "status": "Created", "errorMessage": None}
    assert is_whole(plain.ask("GET", f"/data/status/{job.id.upper()}"), 200, JSON, told(triple))
    not_ready = wrong("the result is not ready: the job is Created")
    assert is_whole(plain.ask("GET", f"/data/result/{job.id}"), 409, JSON, not_ready)
    assert is_whole(plain.ask("GET", f"/api/v1/jobs/result-link/{job.id}"), 409, JSON, not_ready)
    deleted = told({**triple, "status": "Deleted"})
    assert is_whole(plain.ask("DELETE", f"/data/delete/{job.id}"), 200, JSON, deleted)
    assert is_whole(plain.ask("GET", f"/data/status/{job.id}"), 404, JSON, wrong(NO_JOB))


def test_a_job_that_failed_says_so_wherever_it_is_asked_for(plain: Application) -> None:
    job = plain.ended(error="no good")
    triple = {"id": job.id, "status": "Error", "errorMessage": "no good"}
    assert is_whole(plain.ask("GET", f"/data/status/{job.id}"), 200, JSON, told(triple, "no good"))
    assert is_whole(
        plain.ask("GET", f"/data/result/{job.id}"), 409, JSON, wrong("the job has no result, it failed: no good")
    )


@pytest.mark.parametrize(
    ("target", "accept_", "kind", "name", "body"),
    [
        ("/data/result/{}", "", TYPES[0], "a-result.csv", b"a,b\n1,x\n"),
        ("/data/result/{}", "application/json", AS_JSON, "a-result.json", b'[{"a":1,"b":"x"}]'),
        ("/data/result/{}?types=text", "application/json", AS_JSON, "a-result.json", b'[{"a":"1","b":"x"}]'),
        ("/data/result/json/{}", "", AS_JSON, "a-result.json", b'[{"a":1,"b":"x"}]'),
        ("/data/result/json/{}?types=text", "", AS_JSON, "a-result.json", b'[{"a":"1","b":"x"}]'),
        ("/data/result/csv/{}", "application/json", "text/csv; charset=utf-8", "a-result.csv", b"a,b\n1,x\n"),
    ],
)  # fmt: skip
def test_a_result_in_each_form(
    plain: Application, target: str, accept_: str, kind: str, name: str, body: bytes
) -> None:
    job = plain.ended(JobRequest("text/csv", name="a.csv"), content=b"a,b\n1,x\n")
    answer = plain.ask("GET", target.format(job.id), **({"accept": accept_} if accept_ else {}))
    headers = {"content-type": kind, "content-disposition": f'inline; filename="{name}"', **INERT}
    assert is_whole(answer, 200, headers, body)
    assert not list(plain.services.uploads.iterdir())


def test_a_path_insists_on_its_form_and_a_header_does_not(tmp_path: Path) -> None:
    app = Application(tmp_path, {"output_types": ["*/*"]})
    job = app.ended(content=b"prose\n")
    message = "the result cannot be had in this form: it is neither JSON nor CSV"
    assert is_whole(app.ask("GET", f"/data/result/json/{job.id}"), 400, JSON, wrong(message))
    answer = app.ask("GET", f"/data/result/{job.id}", accept="application/json")
    headers = {"content-type": "*/*", "content-disposition": 'attachment; filename="job-00000000-result.txt"', **INERT}
    assert is_whole(answer, 200, headers, b"prose\n")
    app.close()


def test_a_mapped_result_is_mapped_in_every_form(plain: Application) -> None:
    mapping = '[{"source":"a","destination":"n"}]'
    job = plain.ended(JobRequest("text/csv", output_mappings=mapping), content=b"a,b\n1,x\n")
    assert plain.ask("GET", f"/data/result/{job.id}").body == b"n\n1\n"
    assert plain.ask("GET", f"/data/result/json/{job.id}").body == b'[{"n":1}]'


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"unproved": lambda: "the model has not yet answered"}, "the model has not yet answered"),
        ({"draining": lambda: True}, STOPPING.decode()),
    ],
)
def test_a_server_that_takes_no_job_says_why(tmp_path: Path, extra: dict[str, Any], problem: str) -> None:
    app = Application(tmp_path, **extra)
    assert is_whole(app.ask("GET", "/ready"), 503, TEXT, f"Not ready: {problem}".encode())
    assert is_whole(app.ask("GET", "/ping"), 503, {**TEXT, "cache-control": "no-store"}, problem.encode())
    assert is_whole(app.ask("GET", "/v2/health/ready"), 503, PROTOCOL, b'{"live":true,"ready":false}')
    assert is_whole(app.ask("GET", "/v2/models/iris/ready"), 503, PROTOCOL, b'{"name":"iris","ready":false}')
    wanted = "the server is about to stop; send the job again in a moment"
    if "unproved" in extra:
        wanted = f"no job is taken yet: {problem}; send the job again in a moment"
    for path in ("/data/add-job", "/data/run-job", "/invocations", "/api/v1/jobs"):
        refusal = app.ask("POST", path, **form(File=b"a\n"))
        if path == "/invocations":
            refusal = app.ask("POST", path, b"a\n", content_type="text/csv")
        assert is_whole(refusal, 503, {**JSON, "retry-after": "5"}, wrong(wanted))
    app.close()


@pytest.mark.parametrize(
    ("worker", "room", "is_ours", "stalled", "problem"),
    [
        (None, 0, True, 5.0, ""),
        (None, 0, True, 5.1, "the job queue takes no changes"),
        (None, 0, False, 0.0, "the data volume is not that of this model any more"),
        (None, 2**62, True, 0.0, "the data volume has no room for a job"),
        ("the worker is tired", 0, True, 0.0, "the worker is tired"),
        ("the worker is tired", 0, False, 5.1, "the job queue takes no changes"),
    ],
)
def test_only_a_deep_look_sees_queue_volume_and_worker(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    worker: str | None,
    room: int,
    is_ours: bool,
    stalled: float,
    problem: str,
) -> None:
    app = Application(tmp_path, worker_problem=lambda: worker, runner_mode=lambda: "warm: é\n" + "x" * 500)
    app.services.space._keep = room
    monkeypatch.setattr(type(app.services.store), "is_ours", lambda _self, model: is_ours and model == "iris")
    monkeypatch.setattr(type(app.services.store.queue), "stalled_seconds", stalled)
    mode = {**TEXT, "x-model-runner-mode": "warm: ??" + "x" * 392}
    assert is_whole(app.ask("GET", "/ready"), 200, mode, b"Ready")
    assert is_whole(app.ask("GET", "/ready?deep=0"), 200, mode, b"Ready")
    expected = (503, TEXT, f"Not ready: {problem}".encode()) if problem else (200, mode, b"Ready")
    assert is_whole(app.ask("GET", "/ready?deep=1"), *expected)
    app.close()


def test_a_job_whose_wait_runs_out_is_named(plain: Application) -> None:
    answer = plain.ask("POST", "/data/run-job?wait=0", **form(File=b"a\n1\n"))
    job_id = answer.headers["x-job-id"]
    triple = {"id": job_id, "status": "Created", "errorMessage": None}
    assert is_whole(answer, 202, {**JSON, "x-job-id": job_id, "location": f"status/{job_id}"}, told(triple))
    entry = plain.ask("GET", "/data/jobs").data["data"]["jobs"][0]
    assert {**entry, "created": None} == {
        **{"id": job_id, "status": "Created", "errorMessage": None, "mimeType": TYPES[0], "name": "x.csv", "rows": 1},
        **{"bytes": 4, "attempts": 0, "created": None, "started": None, "finished": None, "callback": None},
    }
    hosted = plain.ask("POST", "/api/v1/jobs?wait=0", **form(File=b"a\n1\n", data=b'{"jobName": "Mine"}'))
    assert hosted.status == 200
    assert {key: hosted.data["data"][key] for key in ("name", "status", "inputMime", "recordCount")} == {
        **{"name": "Mine", "status": 0, "inputMime": TYPES[0], "recordCount": 1},
    }


def test_the_same_key_is_the_same_job_unless_its_data_differ(plain: Application) -> None:
    sent = form(File=b"a\n1\n")
    first, again = (plain.ask("POST", "/data/add-job", idempotency_key=" k ", **sent) for _ in range(2))
    assert (first.status, first.body) == (200, again.body)
    for other in (form(File=b"a\n2\n"), form(File=b"a\n1\n", MimeType=b"text/csv")):
        refusal = plain.ask("POST", "/data/add-job", idempotency_key="k", **other)
        message = "this Idempotency-Key was sent before, with other data: choose a new one for a new job"
        assert is_whole(refusal, 422, JSON, wrong(message))
    assert plain.services.store.queue.count(None) == 1


def test_a_client_sees_its_own_jobs_alone(people: Application) -> None:
    sent = form(File=b"name,age\nAl,7\n")
    ids = [
        people.ask("POST", "/data/add-job", x_api_key=key, idempotency_key="k", **sent).data["data"]["id"]
        for key in (ANN, OWNER)
    ]
    assert len(set(ids)) == 2
    for key, seen in ((ANN, ids[:1]), (OWNER, [*reversed(ids)])):
        jobs = people.ask("GET", "/data/jobs", x_api_key=key).data["data"]
        assert ([job["id"] for job in jobs["jobs"]], jobs["total"]) == (seen, len(seen))
        latest = people.ask("GET", "/api/v1/jobs/latest", x_api_key=key).data["data"]
        assert [job["id"] for job in latest] == seen
    for path in ("/data/status/", "/data/result/", "/api/v1/jobs/", "/api/v1/jobs/result-link/"):
        assert is_whole(people.ask("GET", path + ids[1], x_api_key=ANN), 404, JSON, wrong(NO_JOB))
    assert people.ask("DELETE", f"/data/delete/{ids[1]}", x_api_key=ANN).status == 404
    assert people.ask("DELETE", f"/data/delete/{ids[1]}", x_api_key=OWNER).status == 200


def test_a_link_to_a_result_opens_it(people: Application) -> None:
    job = people.ended(JobRequest("text/csv", client="ann"), content=b"name,age\nAl,7\n")
    answer = people.ask("GET", f"/api/v1/jobs/result-link/{job.id}", x_api_key=ANN, x_forwarded_proto="https")
    link = answer.data["data"]
    assert link.startswith(f"https://iris.example/data/result/{job.id}?link=")
    assert people.ask("GET", link.removeprefix("https://iris.example")).body == b"name,age\nAl,7\n"


def test_a_job_is_renamed(plain: Application) -> None:
    job = plain.job()
    renamed = plain.ask("PUT", f"/api/v1/jobs/{job.id}", b'{"name": "dir/b.csv"}')
    assert (renamed.status, renamed.data["data"]["name"]) == (200, "b.csv")
    assert plain.ask("PUT", f"/api/v1/jobs/{job.id}", b'{"jobName": "c"}').data["data"]["inputFileName"] == "c"
    for body, message in (
        (b"{}", 'the body must name the job: {"name": "..."}'),
        (b"[]", "the body must be a JSON object"),
        (b'{"name": 1}', "of the body, these must be texts: name"),
    ):
        assert is_whole(plain.ask("PUT", f"/api/v1/jobs/{job.id}", body), 400, JSON, wrong(message))


def test_a_list_that_is_switched_off_is_nowhere(tmp_path: Path) -> None:
    app = Application(tmp_path, access=Access(job_list=False))
    message = "the list of jobs is switched off on this server (MODEL_JOB_LIST)"
    for path in ("/data/jobs", "/api/v1/jobs/latest"):
        assert is_whole(app.ask("GET", path), 403, JSON, wrong(message))
    app.close()


def test_the_columns_of_a_model_are_its_tensors(people: Application) -> None:
    tensors = [{"name": "name", "datatype": "BYTES", "shape": [-1]}, {"name": "age", "datatype": "FP64", "shape": [-1]}]
    about = {"name": "iris", "versions": ["1.2"], "platform": "program", "inputs": tensors, "outputs": tensors}
    expected = json.dumps(about, separators=(",", ":")).encode()
    assert is_whole(people.ask("GET", "/v2/models/iris", x_api_key=ANN), 200, PROTOCOL, expected)


@pytest.mark.parametrize("prefix", ["", "/models/iris"])
def test_a_prefix_that_a_proxy_leaves_is_removed(tmp_path: Path, prefix: str) -> None:
    app = Application(tmp_path, root_path=prefix)
    assert app.ask("GET", f"{prefix}/health").status == 200
    assert app.ask("GET", "/health").status == 200
    if prefix:
        assert is_whole(app.ask("GET", prefix), 308, {"location": "iris/"}, b"")
        assert app.ask("GET", f"{prefix}x/health").status == 404
    app.close()


@pytest.mark.parametrize(("path", "root"), [("/openapi.json", "./"), ("/swagger/v1/swagger.json", "../../")])
def test_the_description_is_served_for_whatever_is_before_its_path(
    unchanged: Application, people: Application, path: str, root: str
) -> None:
    answer = unchanged.ask("GET", path)
    assert is_whole(answer, 200, JSON, answer.body)
    assert (answer.data["servers"], "security" in answer.data) == ([{"url": root}], False)
    assert people.ask("GET", path, x_api_key=ANN).data["security"] == [{"key": []}]


def test_a_fault_of_the_server_is_answered_and_raised(plain: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(plain.services.store.queue), "get", broken)
    with pytest.raises(RuntimeError, match="broken"):
        plain.ask("GET", f"/data/status/{ID}1")
    monkeypatch.setattr(type(plain.services.store), "submit_small", broken)
    with pytest.raises(RuntimeError, match="broken"):
        plain.ask("POST", "/data/add-job", **form(File=b"a\n"))


# Pages: what each gives to its template. The templates refuse a name that is missing.


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Note each template with its values; it is rendered all the same."""
    noted: list[tuple[str, dict[str, Any]]] = []
    get_template = render._templates.get_template

    class Noted:
        def __init__(self, name: str) -> None:
            self._name = name

        def render(self, values: dict[str, Any]) -> str:
            noted.append((self._name, values))
            return get_template(self._name).render(values)

    class Templates:
        @staticmethod
        def get_template(name: str) -> Noted:
            return Noted(name)

    monkeypatch.setattr(render, "_templates", Templates)
    return noted


def page(app: Application, **values: Any) -> dict[str, Any]:
    known = {"model": app.services.manifest, "up": "", "base": "", "is_licensed": False, "is_listed": True}
    return {**known, "is_logged_in": False, **values}


HTML = {**render.HEADERS, "content-type": "text/html; charset=utf-8"}
ADD = {"tab": "add-job", "types": tuple(TYPES), "structured": True, "mappable_result": True, "problem": None}


@pytest.mark.parametrize(
    ("method", "target", "sent", "status", "template", "values"),
    [
        ("GET", "/AddJob", {}, 200, "add_job.html", {**ADD, "error": None}),
        ("POST", "/AddJob", form(), 400, "add_job.html", {
            **ADD, "error": "the form has no data file: send it in a part named File",
        }),
        ("GET", "/Mapping", {}, 200, "mapping.html", {"tab": "add-job", "types": TYPES, "error": None}),
        ("POST", "/Mapping", form(), 400, "mapping.html", {
            "tab": "add-job", "types": TYPES, "error": "the form has no data file: send it in a part named File",
        }),
        ("GET", "/swagger", {}, 200, "swagger.html", {"tab": "swagger", "up": ""}),
        ("GET", "/swagger/index.html", {}, 200, "swagger.html", {"tab": "swagger", "up": "../"}),
        ("GET", "/License", {}, 200, "license.html", {
            "tab": "license", "license": "No License Key found", "problem": None, "error": None, "accepted": False,
        }),
        ("POST", "/License", form(License=b"x"), 400, "license.html", {
            "tab": "license", "license": "No License Key found", "problem": None, "error": NO_LICENSE,
            "accepted": False,
        }),
        ("GET", f"/Job/{ID}9", {}, 404, "message.html", {
            "tab": "jobs", "up": "../", "title": "No such job", "message": NO_JOB,
        }),
        ("GET", f"/Job/{ID}9?sort=x", {}, 400, "message.html", {
            "tab": "jobs", "up": "../", "title": "No such page", "message": "sort must be a whole number from 0 to 50",
        }),
        ("GET", f"/Job/{ID}9/Delete", {}, 404, "message.html", {
            "tab": "jobs", "up": "../../", "title": "No such job", "message": NO_JOB,
        }),
        ("POST", f"/Job/{ID}9/Delete", {}, 404, "message.html", {
            "tab": "jobs", "up": "../../", "title": "No such job", "message": NO_JOB,
        }),
        ("GET", "/Jobs?page=0", {}, 400, "message.html", {
            "tab": "jobs", "up": "", "title": "No such page",
            "message": "page must be a whole number from 1 to 1000000",
        }),
        ("GET", "/Jobs?state=x", {}, 400, "message.html", {
            "tab": "jobs", "up": "", "title": "No such page",
            "message": "state must be one of Created, InProgress, Complete, Error",
        }),
        ("GET", "/jbos/x", {"accept": "text/html"}, 404, "stray.html", {
            "tab": "", "up": "../", "text": "There is no page /jbos/x here.", "found": "Jobs", "name": "Current Jobs",
        }),
        ("GET", "/zzzz", {"accept": "text/html"}, 404, "stray.html", {
            "tab": "", "up": "", "text": "There is no page /zzzz here.", "found": None, "name": "",
        }),
    ],
)  # fmt: skip
def test_a_page_is_given_its_values(
    unchanged: Application,
    given: list[tuple[str, dict[str, Any]]],
    method: str,
    target: str,
    sent: dict[str, Any],
    status: int,
    template: str,
    values: dict[str, Any],
) -> None:
    answer = unchanged.ask(method, target, **sent)
    assert answer.status == status
    assert {name: text for name, text in answer.headers.items() if name != "content-length"} == HTML
    assert given == [(template, page(unchanged, **values))]


def test_a_path_for_programs_tells_a_person_of_the_page(
    plain: Application, given: list[tuple[str, dict[str, Any]]]
) -> None:
    assert plain.ask("GET", "/data/add-job", accept="text/html").status == 405
    text = (
        "/data/add-job is for programs: send the data as the part File of a form (multipart/form-data) to "
        "/data/run-job. A person uses the page Upload Data."
    )
    values = {"tab": "", "up": "../", "text": text, "found": "AddJob", "name": "Upload Data"}
    assert given == [("stray.html", page(plain, **values))]


def test_the_page_of_jobs(plain: Application, given: list[tuple[str, dict[str, Any]]]) -> None:
    failed, complete = plain.ended(error="no"), plain.ended(content=b"a\n1\n")
    waiting = [plain.job() for _ in range(26)]
    by_state = {State.CREATED: 26, State.IN_PROGRESS: 0, State.COMPLETE: 1, State.ERROR: 1}
    listed = [job.id for job in [*reversed(waiting), complete, failed]]
    filters = [("", "All", 28), ("Created", "Waiting", 26), ("InProgress", "In progress", 0)]
    filters += [("Complete", "Complete", 1), ("Error", "Failed", 1)]
    for query, state, total, number, pages, ids in (
        ("", "", 28, 1, 2, listed[:25]),
        ("?page=2", "", 28, 2, 2, listed[25:]),
        ("?page=9", "", 28, 2, 2, listed[25:]),
        ("?state=Error", "Error", 1, 1, 1, [failed.id]),
        ("?state=Created&page=2", "Created", 26, 2, 2, listed[25:26]),
        ("?state=InProgress", "InProgress", 0, 1, 1, []),
    ):
        assert plain.ask("GET", f"/Jobs{query}").status == 200
        template, values = given.pop()
        assert template == "jobs.html"
        assert [job.id for job in values.pop("jobs")] == ids
        assert values.pop("now") >= failed.created
        assert values.pop("by_state") == by_state
        shown = {"filters": filters, "state": state, "total": total, "page": number, "pages": pages}
        assert values == page(plain, tab="jobs", forms=[("json", "JSON"), ("csv", "CSV")], **shown)


def test_the_page_of_a_job(plain: Application, given: list[tuple[str, dict[str, Any]]]) -> None:
    complete, first, second = plain.ended(content=b"a,b\n1,2\n3,4\n"), plain.job(), plain.job()
    for job, query, wish, number, before in (
        (first, "", Look(), 1, 0),
        (second, "?page=3", Look(), 3, 1),
        (complete, "?rows=2&size=1&sort=1&order=desc&x=1&y=0&page=2", Look(2, 1, 1, True, 1, 0), 2, 0),
    ):
        assert plain.ask("GET", f"/Job/{job.id}{query}").status == 200
        template, values = given.pop()
        assert template == "job.html"
        assert values.pop("now") >= job.created
        assert (values.pop("job").id, values.pop("query")()) == (
            job.id,
            f"page={number}&rows=2&sort=1&order=desc&x=1&y=0" if job is complete else f"page={number}" * (number > 1),
        )
        result = values.pop("result")
        rest = {"wish": wish, "page": number, "before": before, "said": (), "share": None}
        assert values == page(plain, tab="jobs", up="../", forms=[("json", "JSON"), ("csv", "CSV")], **rest)
        assert (result is None) is (job is not complete)
    assert (result["kind"], result["rows"], result["first"]) == ("table", [[{"text": "1"}, {"text": "2"}]], 2)


@pytest.mark.parametrize(
    ("changes", "forms"),
    [
        ({"output_types": ["text/plain"]}, []),
        ({"output_types": ["application/json"]}, [("json", "JSON"), ("csv", "CSV")]),
        (
            {
                "output_types": ["application/json"],
                "schema": {"input": FIELDS, "output": [{"Path": "a/b", "DataType": "number"}]},
            },
            [("json", "JSON")],
        ),
        ({"output_types": ["*/*"]}, [("json", "JSON")]),
    ],
)
def test_a_result_is_offered_in_the_forms_that_it_has(
    tmp_path: Path, given: list[tuple[str, dict[str, Any]]], changes: dict[str, Any], forms: list[tuple[str, str]]
) -> None:
    app = Application(tmp_path, changes)
    job = app.ended(content=b'{"a":{"b":1}}')
    app.ask("GET", f"/Job/{job.id}")
    assert given[0][1]["forms"] == forms
    app.close()


def test_a_job_is_deleted_by_a_person(plain: Application, given: list[tuple[str, dict[str, Any]]]) -> None:
    job = plain.job()
    plain.ask("GET", f"/Job/{job.id}/Delete?page=4")
    template, values = given.pop()
    assert (template, values.pop("job").id, values) == (
        *("delete.html", job.id),
        page(plain, tab="jobs", up="../../", page=4),
    )
    answer = plain.ask("POST", f"/Job/{job.id}/Delete?page=4")
    assert is_whole(answer, 303, {"location": "../../Jobs?page=4"}, b"")
    assert plain.services.store.queue.get(job.id) is None


def test_a_person_adds_a_job_and_is_led_to_it(plain: Application) -> None:
    answer = plain.ask("POST", "/AddJob", **form(File=b"a\n1\n"))
    (job,) = plain.services.store.queue.list(9, 0, None)
    assert is_whole(answer, 303, {"location": f"Job/{job.id}"}, b"")


def test_the_dashboard(people: Application, given: list[tuple[str, dict[str, Any]]]) -> None:
    people.job(JobRequest("text/csv", client="another"))
    claimed = people.services.store.queue.claim("tests", 60)
    assert claimed is not None
    complete = people.ended(JobRequest("text/csv", client="ann"), content=b"name\n" + b"x\n" * 7)
    assert people.ask("GET", "/", x_api_key=ANN, x_forwarded_prefix="/m").status == 200
    template, values = given.pop()
    job, result = values.pop("newest")
    assert (template, job.id, len(result["rows"]), result["total"]) == ("dashboard.html", complete.id, 5, 7)
    assert values.pop("day").count == 1
    shown = {"license": "No License Key found", "problem": None, "inputs": tuple(TYPES), "outputs": tuple(TYPES)}
    shown |= {"runner": "starting", "jobs": "1 complete", "address": "http://iris.example/m", "wants_key": True}
    assert values == page(people, tab="dashboard", base="/m/", is_logged_in=True, **shown)


def test_a_session_is_begun_and_ended(people: Application, given: list[tuple[str, dict[str, Any]]]) -> None:
    assert people.ask("GET", "/Login").status == 200
    for sent, status, error in (
        (form(Key=b"wrong"), 403, "this API key is not known here"),
        (form(), 400, "the form has no key: send it in a part named Key"),
    ):
        assert people.ask("POST", "/Login", **sent).status == status
        assert given.pop() == ("login.html", page(people, tab="login", error=error))
    assert given.pop() == ("login.html", page(people, tab="login", error=None))
    begun = people.ask("POST", "/Login", x_forwarded_proto="https", **form(Key=f" {ANN}\n".encode()))
    cookie, _, attributes = begun.headers["set-cookie"].partition("; ")
    assert (begun.status, begun.headers["location"], begun.headers["cache-control"]) == (303, "./", "no-store")
    assert attributes == f"Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict; Secure"
    assert people.ask("GET", "/data/jobs", cookie=cookie).status == 200
    ended = people.ask("POST", "/Logout", cookie=cookie, x_forwarded_prefix="/m")
    assert is_whole(ended, 303, {
        "location": "/m/Login",
        "cache-control": "no-store",
        "set-cookie": "model-session=; Max-Age=0; HttpOnly; SameSite=Strict",
    }, b"")  # fmt: skip


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [(b"\x89PNG\r\n\x1a\n...", 200, "image/png"), (b"prose", 404, "")],
)
def test_an_image_is_shown_and_nothing_else(tmp_path: Path, content: bytes, status: int, kind: str) -> None:
    app = Application(tmp_path, {"output_types": ["image/png"]})
    job = app.ended(content=content)
    answer = app.ask("GET", f"/Job/{job.id}/Image")
    if status == 200:
        inert = {**render.HEADERS, "content-type": kind, "content-security-policy": "sandbox; default-src 'none'"}
        assert is_whole(answer, 200, inert, content)
    else:
        assert is_whole(answer, 404, JSON, wrong("the result of this job is no image"))
    app.close()
