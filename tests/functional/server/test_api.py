"""The container API over a real socket."""

import gzip
import json
import re
import socket
import time

import pytest
import requests

from tests.rig.waiting import eventually

from .conftest import LIMIT, Server, StartServer

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
JSON = "application/json; charset=utf-8"


def test_health_says_exactly_what_clients_compare_and_which_build_answers(server: Server) -> None:
    answer = requests.get(f"{server.url}/health", headers={"content-type": "multipart/form-data"}, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"Health check is ok")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["X-Model-Build-Id"] == "b1d"


def test_mime_types_have_no_envelope(server: Server) -> None:
    answer = requests.get(f"{server.url}/data/supported-mime-types", timeout=60)
    types = '["text/csv; header=present","text/csv; header=absent","application/json"]'
    assert answer.text == f'{{"inputTypes":{types},"outputTypes":{types}}}'
    assert answer.headers["content-type"] == JSON


def test_a_job_from_add_to_delete(server: Server) -> None:
    answer = requests.post(f"{server.url}/data/add-job", files={"File": b"a,b\n1,x\n"}, timeout=60)
    job_id = answer.json()["data"]["id"]
    assert GUID.fullmatch(job_id)
    assert answer.headers["content-type"] == JSON
    assert answer.text == (
        f'{{"data":{{"id":"{job_id}","status":"Created","errorMessage":null}},"isError":false,"errorMessage":null}}'
    )
    server.wait(job_id)
    status = requests.get(f"{server.url}/data/status/{job_id.upper()}", timeout=60)
    assert status.text == (
        f'{{"data":{{"id":"{job_id}","status":"Complete","errorMessage":null}},"isError":false,"errorMessage":null}}'
    )
    raw = requests.get(f"{server.url}/data/result/{job_id}", timeout=60)
    assert raw.content == b"A,B\n1,X\n"
    assert raw.headers["content-type"] == "text/csv; header=present"
    as_json = requests.get(f"{server.url}/data/result/json/{job_id}", timeout=60)
    assert (as_json.content, as_json.headers["content-type"]) == (b'[{"A":1,"B":"X"}]', JSON)
    as_csv = requests.get(f"{server.url}/data/result/csv/{job_id}", timeout=60)
    assert as_csv.content == raw.content
    assert as_csv.headers["content-type"].startswith("text/csv")
    deleted = requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60)
    assert deleted.text == (
        f'{{"data":{{"id":"{job_id}","status":"Deleted","errorMessage":null}},"isError":false,"errorMessage":null}}'
    )
    assert requests.get(f"{server.url}/data/status/{job_id}", timeout=60).status_code == 404
    assert not [path for path in server.stored() if job_id in path.name]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"!fail because", "no good: because"),
        (b"!silent", "The program ended with exit code 3 and wrote nothing to stderr."),
        (b"!nothing", "The program ended without an error but wrote no output file."),
        (b"!kill", "The program was killed by SIGKILL (often: out of memory)."),
    ],
)
def test_a_failed_job_is_an_error_of_the_envelope_too(server: Server, content: bytes, expected: str) -> None:
    job_id = server.send(content)
    body = server.wait(job_id)
    assert body == {
        "data": {"id": job_id, "status": "Error", "errorMessage": expected},
        "isError": True,
        "errorMessage": expected,
    }
    answer = requests.get(f"{server.url}/data/result/{job_id}", timeout=60)
    assert answer.status_code == 409
    assert expected in answer.json()["errorMessage"]
    assert server.wait(server.send(b"a\n")) is not None  # and the next job is none the worse


def test_a_timeout_is_that_jobs_error(start_server: StartServer) -> None:
    server = start_server(limits={"timeout_seconds": 1})
    body = server.wait(server.send(b"!sleep 30"))
    assert body["errorMessage"] == "The program ran longer than 1 s and was stopped."


@pytest.mark.parametrize("kind", [b"!folder", b"!link", b"!pipe"])
def test_an_output_that_is_no_file_is_that_jobs_error_and_leaves_nothing(server: Server, kind: bytes) -> None:
    body = server.wait(server.send(kind))
    assert body["isError"]
    assert body["errorMessage"]
    assert server.wait(server.send(b"and the next one works"))["data"]["status"] == "Complete"


def test_field_names_in_any_case_and_empty_fields_count_as_absent(server: Server) -> None:
    fields = dict.fromkeys(("mimetype", "MAPPINGS", "OutputMappings", "callbackurl", "pipeline"), "")
    answer = requests.post(f"{server.url}/data/add-job", files={"fILE": b"a\n"}, data=fields, timeout=60)
    server.wait(answer.json()["data"]["id"])
    fields["pipeline"] = "anything"
    answer = requests.post(f"{server.url}/data/add-job", files={"file": b"a\n"}, data=fields, timeout=60)
    server.wait(answer.json()["data"]["id"])


def test_bad_forms_are_400_with_the_reason(server: Server) -> None:
    before = server.stored()
    url = f"{server.url}/data/add-job"
    two = [("File", ("a", b"1")), ("file", ("b", b"2"))]
    assert_refused(requests.post(url, timeout=60), 400, "multipart/form-data")
    assert_refused(requests.post(url, json={}, timeout=60), 400, "multipart/form-data")
    assert_refused(requests.post(url, files={"Other": b"1"}, timeout=60), 400, "no data file")
    assert_refused(requests.post(url, files={"File": ("", b"")}, timeout=60), 400, "no data file")
    assert_refused(requests.post(url, files=two, timeout=60), 400, "more than one part named File")
    assert_refused(
        requests.post(url, files={"File": b"1"}, data={"MimeType": "image/png"}, timeout=60),
        400,
        "text/csv; header=present",
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    cut = b'--x\r\nContent-Disposition: form-data; name="File"; filename="f"\r\n\r\ndata'
    assert_refused(requests.post(url, data=cut, headers=headers, timeout=60), 400, "ended before")
    assert_refused(requests.post(url, data=b"rubbish", headers=headers, timeout=60), 400, "not a valid multipart form")
    assert server.stored() == before


def test_a_file_above_the_limit_is_413_and_leaves_nothing(server: Server) -> None:
    url = f"{server.url}/data/add-job"
    server.wait(requests.post(url, files={"File": b"x" * LIMIT}, timeout=60).json()["data"]["id"])
    before = server.stored()
    assert_refused(requests.post(url, files={"File": b"x" * (LIMIT + 1)}, timeout=60), 413, f"{LIMIT} bytes")
    # By its declared length alone, without reading it.
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 5) as connection:
        connection.sendall(
            b"POST /data/add-job HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert server.stored() == before


def test_a_client_that_goes_away_leaves_nothing(server: Server) -> None:
    before = server.stored()
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 5) as connection:
        connection.sendall(
            b"POST /data/add-job HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 50000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="File"; filename="f"\r\n\r\n' + b"data" * 5000
        )
        eventually(lambda: server.stored() != before)
    eventually(lambda: server.stored() == before)


def test_unknown_jobs_and_paths_are_4xx_with_an_envelope(server: Server) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    for path in ("status", "result", "result/json", "result/csv"):
        assert_refused(requests.get(f"{server.url}/data/{path}/{missing}", timeout=60), 404, "no job with this id")
    assert_refused(requests.delete(f"{server.url}/data/delete/{missing}", timeout=60), 404, "no job with this id")
    assert_refused(requests.get(f"{server.url}/data/nothing", timeout=60), 404, "Not Found")
    assert_refused(requests.get(f"{server.url}/data/add-job", timeout=60), 405, "Method Not Allowed")


def test_a_result_whose_file_is_gone_is_404(server: Server) -> None:
    job_id = server.send(b"a" * 20_000)  # too large for the queue
    server.wait(job_id)
    (result,) = server.data.glob(f"results/{job_id}*")
    result.unlink()
    for path in (job_id, f"json/{job_id}"):
        assert requests.get(f"{server.url}/data/result/{path}", timeout=60).status_code == 404


def test_a_result_that_is_not_ready_is_409_and_a_running_job_can_be_deleted(server: Server) -> None:
    job_id = server.send(b"!sleep 30")
    eventually(lambda: "InProgress" in requests.get(f"{server.url}/data/status/{job_id}", timeout=60).text)
    assert_refused(requests.get(f"{server.url}/data/result/{job_id}", timeout=60), 409, "InProgress")
    time.sleep(0.3)  # the program has read its input
    assert requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60).json()["data"]["status"] == "Deleted"
    started = time.monotonic()
    assert server.wait(server.send(b"a\n"))["isError"] is False
    assert time.monotonic() - started < 20  # the deleted job's program was stopped at the next heartbeat


def test_results_convert_between_json_and_csv_or_say_why_not(start_server: StartServer) -> None:
    server = start_server(output_types=["application/json"], input_types=["text/plain"])
    job_id = server.send(b'[{"a":1,"b":"x"},{"c":2.5}]')
    server.wait(job_id)
    assert requests.get(f"{server.url}/data/result/json/{job_id}", timeout=60).content == b'[{"A":1,"B":"X"},{"C":2.5}]'
    assert requests.get(f"{server.url}/data/result/csv/{job_id}", timeout=60).content == b"A,B,C\n1,X,\n,,2.5\n"
    job_id = server.send(b"neither")
    server.wait(job_id)
    for form in ("json", "csv"):
        answer = requests.get(f"{server.url}/data/result/{form}/{job_id}", timeout=60)
        assert_refused(answer, 400, "the result cannot be had in this form: record 1 of the JSON is damaged")


PEOPLE = {
    "input": [
        {"Path": "name", "DataType": "string", "Optional": False},
        {"path": "age", "datatype": "Number", "optional": True},
    ],
    "output": [{"Path": "NAME", "DataType": "string"}, {"Path": "AGE", "DataType": "number"}],
}


def test_data_in_any_structured_form_reaches_the_model_in_its_own(start_server: StartServer) -> None:
    server = start_server(schema=PEOPLE)
    sent = [
        (b"age,name\n7,Al\n", "text/csv"),
        (b"Al,7\n", "text/csv; header=absent"),
        (b'[{"name":"Al","age":7}]', "application/json"),
    ]
    for content, kind in sent:
        job_id = server.send(content, mimetype=kind)
        server.wait(job_id)
        assert requests.get(f"{server.url}/data/result/{job_id}", timeout=60).content == b"NAME,AGE\nAL,7\n"
        as_json = requests.get(f"{server.url}/data/result/json/{job_id}", timeout=60)
        assert (as_json.content, as_json.headers["content-type"]) == (b'[{"NAME":"AL","AGE":7}]', JSON)
    part = {"File": ("data", b'[{"name":"Al"}]', "application/json")}
    answer = requests.post(f"{server.url}/data/add-job", files=part, timeout=60)
    job_id = answer.json()["data"]["id"]
    server.wait(job_id)
    assert requests.get(f"{server.url}/data/result/csv/{job_id}", timeout=60).content == b"NAME,AGE\nAL,\n"


def test_data_that_does_not_fit_is_refused_before_there_is_a_job(start_server: StartServer) -> None:
    server = start_server(schema=PEOPLE)
    url = f"{server.url}/data/add-job"
    answer = requests.post(url, files={"File": b"name,age\nAl,1\nBo,x\n,?\n"}, timeout=60)
    assert_refused(
        answer, 400, "row 2, age: a number is needed, 'x' is there; row 3, age: a number is needed, '?' is there"
    )
    fields = {"Mappings": '[{"source":"b["}]', "OutputMappings": "{}", "MimeType": "application/json"}
    answer = requests.post(url, files={"File": b"[]"}, data=fields, timeout=60)
    assert_refused(answer, 400, "Mappings: entry 1: source: path 'b[' has a [ that is not closed at character 2")
    assert_refused(answer, 400, "OutputMappings: a mapping is a JSON array")
    assert not server.stored()


def test_mappings_of_input_and_result(start_server: StartServer) -> None:
    server = start_server(schema=PEOPLE)
    mappings = json.dumps([
        {"Source": "who", "Destination": "name"},
        {"source": "years[1]", "destination": "age", "defaultValue": "30"},
    ])  # fmt: skip
    results = json.dumps([{"source": "AGE", "destination": "a/b"}, {"source": "name", "destination": "n"}])
    job_id = server.send(b"years,who,years\n1,Al,2\n1,Bo,\n", mappings=mappings, OUTPUTMAPPINGS=results)
    server.wait(job_id)
    assert requests.get(f"{server.url}/data/result/{job_id}", timeout=60).content == b"a/b,n\n2,AL\n30,BO\n"
    as_json = requests.get(f"{server.url}/data/result/json/{job_id}", timeout=60)
    assert as_json.content == b'[{"a/b":2,"n":"AL"},{"a/b":30,"n":"BO"}]'
    assert not [path for path in server.stored() if "uploads" in path.parts]


def test_mappings_are_for_structured_data_only(start_server: StartServer) -> None:
    server = start_server(input_types=["text/plain"], output_types=["image/png"])
    fields = dict.fromkeys(("Mappings", "OutputMappings"), '[{"source":"a","destination":"b"}]')
    answer = requests.post(f"{server.url}/data/add-job", files={"File": b"x"}, data=fields, timeout=60)
    assert_refused(answer, 400, "Mappings are for structured data, CSV or JSON; this is text/plain")
    assert_refused(
        answer, 400, "OutputMappings: a mapping is for structured data, CSV or JSON; this model gives image/png"
    )


@pytest.mark.parametrize("path", ["/data/mapping", "/Mapping"])
def test_a_mapping_file_is_proposed_that_the_server_then_takes(start_server: StartServer, path: str) -> None:
    server = start_server(schema=PEOPLE)
    content = b"id,Full-Name,AGE\n1,Al,7\n"
    answer = requests.post(server.url + path, files={"FILE": content}, data={"mimetype": "text/csv"}, timeout=60)
    assert answer.headers["content-disposition"] == 'attachment; filename="mapping.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == [
        {"source": "", "destination": "name", "defaultValue": None},
        {"source": "AGE", "destination": "age"},
    ]
    send = f"{server.url}/data/add-job"
    refused = requests.post(send, files={"File": content}, data={"Mappings": answer.text}, timeout=60)
    assert_refused(refused, 400, "Mappings: entry 1: destination 'name' needs a source or a defaultValue")
    filled = answer.text.replace('"source": ""', '"source": "full-name"')
    # As a page sends it: a file.
    job = requests.post(send, files={"File": content, "Mappings": ("mapping.json", filled)}, timeout=60).json()["data"]
    server.wait(job["id"])
    assert requests.get(f"{server.url}/data/result/{job['id']}", timeout=60).content == b"NAME,AGE\nAL,7\n"
    for files in ({}, {"File": b""}):
        refused = requests.post(server.url + path, files=files, data={"MimeType": "image/png"}, timeout=60)
        assert refused.status_code == 400
    plain = start_server(input_types=["text/plain"])
    assert requests.post(plain.url + path, files={"File": content}, timeout=60).status_code == 400
    assert "Mappings are for structured data" in requests.get(f"{plain.url}/Mapping", timeout=60).text


def test_a_server_that_is_about_to_stop_takes_no_job(start_server: StartServer) -> None:
    server = start_server()
    server.workers.drain(0)
    answer = requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=60)
    assert_refused(answer, 503, "about to stop")


@pytest.mark.parametrize("prefix", ["", "/models/upper"])
def test_pages_and_api_work_with_and_without_a_path_prefix(start_server: StartServer, prefix: str) -> None:
    server = start_server(root_path="/models/upper")
    for page in ("/", "/License", "/AddJob", "/Mapping", "/Jobs", "/swagger", "/swagger/", "/swagger/index.html"):
        answer = requests.get(server.url + prefix + page, timeout=60)
        assert answer.status_code == 200
        assert re.search(r"upper</strong> <span>version 1\.2", answer.text)
        links = re.findall(r'(?:href|src|action|data-specification)="([^"]*)"', answer.text)
        assert links
        for link in links:
            assert not link.startswith("/")
            assert "://" not in link
            if not link.startswith("#"):
                target = requests.compat.urljoin(server.url + prefix + page, link)
                assert requests.get(target, timeout=60).status_code == 200, target
    specification_url = f"{server.url}{prefix}/swagger/v1/swagger.json"
    specification = requests.get(specification_url, timeout=60).json()
    assert specification["info"] | {"description": ""} == {
        "title": "upper",
        "version": "1.2",
        "description": "",
        "x-build-id": "b1d",
    }
    root = requests.compat.urljoin(specification_url, specification["servers"][0]["url"]).rstrip("/")
    assert root == server.url + prefix
    assert requests.get(root + "/health", timeout=60).status_code == 200


def test_the_form_works_without_javascript(server: Server) -> None:
    form = {"File": ("x.csv", b"a\n")}
    answer = requests.post(f"{server.url}/AddJob", files=form, timeout=60, allow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("Job/")
    job_id = answer.headers["location"].partition("/")[2]
    server.wait(job_id)
    page = requests.get(f"{server.url}/Job/{job_id}", timeout=60).text
    assert "Complete" in page
    assert f'href="../data/result/{job_id}"' in page
    refused = requests.post(f"{server.url}/AddJob", files={"File": ("", b"")}, timeout=60)
    assert (refused.status_code, "no data file" in refused.text) == (400, True)
    assert requests.get(f"{server.url}/Job/none", timeout=60).status_code == 404


def test_what_the_user_sends_is_escaped_on_pages(server: Server) -> None:
    job_id = server.send(b"!fail <script>alert(1)</script>")
    server.wait(job_id)
    page = requests.get(f"{server.url}/Job/{job_id}", timeout=60).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


def assert_refused(answer: requests.Response, status: int, reason: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    body = json.loads(answer.content)
    assert list(body) == ["data", "isError", "errorMessage"]
    assert (body["data"], body["isError"]) == (None, True)
    assert reason in body["errorMessage"]


@pytest.mark.parametrize("path", ["/data/add-job", "/data/run-job", "/data/mapping", "/api/license"])
def test_a_compressed_body_is_415_with_the_remedy(server: Server, path: str) -> None:
    body, kind = requests.models.RequestEncodingMixin._encode_files({"File": b"a\n"}, {})  # type: ignore[attr-defined]
    headers = {"content-type": kind, "content-encoding": "gzip"}
    answer = requests.post(f"{server.url}{path}", data=gzip.compress(body), headers=headers, timeout=60)
    assert_refused(answer, 415, "send it without Content-Encoding")
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("job_id", ["%00", "x", "A" * 36, "00000000-0000-4000-8000-00000000000%00"])
def test_what_is_no_id_is_404_before_the_queue_is_asked(server: Server, job_id: str) -> None:
    for path in ("data/status", "data/result", "data/result/json", "Job"):
        assert requests.get(f"{server.url}/{path}/{job_id}", timeout=60).status_code == 404
    assert requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60).status_code == 404


def test_small_data_that_is_large_once_it_is_converted_becomes_a_file(start_server: StartServer) -> None:
    columns = [{"Path": f"column-{number}", "DataType": "number", "Optional": True} for number in range(3000)]
    server = start_server(schema={"input": columns})
    job = server.send(b"column-0\n1\n")
    assert len(list(server.data.glob("inputs/*"))) == 1
    assert server.wait(job)["errorMessage"] is None
    header, row, end = requests.get(f"{server.url}/data/result/{job}", timeout=10).text.split("\n")
    assert (len(header.split(",")), header[-12:], row.strip(","), end) == (3000, ",COLUMN-2999", "1", "")
    refused = requests.post(f"{server.url}/data/add-job", files={"File": b"column-0\nx\n"}, timeout=10)
    assert (refused.status_code, "row 1, column-0" in refused.json()["errorMessage"]) == (400, True)
