"""The jobs API of the hosted service, as its documents and its clients have it. On a real server."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from model_server.access import LINK_SECONDS, Access, Keys

from .conftest import LIMIT, Server, StartServer

CSV = "text/csv; header=present"
NO_JOB = "00000000-0000-4000-8000-000000000000"
#: What the public Python clients send beside the file.
CONFIG = {
    "version": None,
    "mimeType": CSV,
    "jobName": None,
    "mapping": None,
    "outputMapping": None,
    "data": None,
    "groupId": None,
    "isGrouped": False,
    "versionId": None,
    "containerId": None,
}
DETAILS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "inputFileName": str,
    "inputMime": str,
    "billedUsage": int,
    "recordCount": int,
    "recordGroupCount": int,
    "processingTimeMS": int,
    "status": int,
    "statusMessage": str,
    "errorMessage": (str, type(None)),
    "versionNumber": str,
    "id": str,
    "createdDateUtc": str,
    "lastUpdatedUtc": str,
}


def post(server: Server, content: bytes, query: str = "", **config: object) -> requests.Response:
    form = {"data": json.dumps({**CONFIG, **config})}
    files = {"file": ("x.csv", content)}
    return requests.post(f"{server.url}/api/v1/jobs{query}", data=form, files=files, timeout=20)


def details(answer: requests.Response) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["isError"], body["errorMessage"]) == (200, False, None), answer.text
    found = body["data"]
    assert {name: isinstance(found[name], kind) for name, kind in DETAILS.items()} == dict.fromkeys(DETAILS, True)
    return dict(found)


def refused(answer: requests.Response, status: int = 400) -> str:
    assert (answer.status_code, answer.json()["isError"], answer.json()["data"]) == (status, True, None)
    return str(answer.json()["errorMessage"])


def link_of(server: Server, job: str, **headers: str) -> str:
    answer = requests.get(f"{server.url}/api/v1/jobs/result-link/{job}", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"])


def test_a_job_is_over_when_it_is_answered_and_its_link_is_its_result(server: Server) -> None:
    job = details(post(server, b"a,b\n1,x\n2,y\n"))
    assert (job["status"], job["statusMessage"], job["errorMessage"]) == (1, "success", None)
    assert (job["name"], job["inputFileName"], job["inputMime"]) == ("x.csv", "x.csv", CSV)
    assert (job["recordCount"], job["billedUsage"], job["versionNumber"]) == (2, 0, "1.2")
    assert details(requests.get(f"{server.url}/api/v1/jobs/{job['id']}", timeout=60)) == job
    link = link_of(server, job["id"])
    assert link == f"{server.url}/data/result/{job['id']}"
    assert requests.get(link, timeout=60).content == b"A,B\n1,X\n2,Y\n"


def test_the_form_of_the_net_client_is_read(server: Server) -> None:
    """Send names of parts without quotes, and a type for each."""
    data = json.dumps({"version": None, "jobName": None, "mimeType": None, "mapping": None, "outputMapping": None})
    body = (
        "--b1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Disposition: form-data; name=data\r\n\r\n"
        f"{data}\r\n--b1\r\nContent-Type: text/csv\r\n"
        "Content-Disposition: form-data; name=file; filename=input.dat; filename*=utf-8''input.dat\r\n\r\n"
        "a\nx\n\r\n--b1--\r\n"
    )
    headers = {"Content-Type": 'multipart/form-data; boundary="b1"', "X-Api-Key": "of the hosted service"}
    job = details(requests.post(f"{server.url}/api/v1/jobs", data=body.encode(), headers=headers, timeout=20))
    assert (job["status"], job["name"]) == (1, "input.dat")


def test_mappings_and_names_come_in_the_field_data(server: Server) -> None:
    mapping = [{"source": "x1", "destination": "a", "defaultValue": None}]
    outward = [{"source": "A", "destination": "alpha"}]
    job = details(post(server, b"x1\n5\n", mapping=mapping, outputMapping=outward, name="The März run"))
    assert (job["name"], job["status"]) == ("The März run", 1)
    assert requests.get(link_of(server, job["id"]), timeout=60).text.split() == ["alpha", "5"]
    assert details(post(server, b"a\n1\n", jobName="/home/ann/x.csv", version="1.2"))["name"] == "x.csv"
    for data in ("", "{}"):
        form = {"data": data}
        answer = requests.post(f"{server.url}/api/v1/jobs", data=form, files={"file": b"a\n"}, timeout=20)
        assert details(answer)["status"] == 1


def test_a_job_is_renamed_while_it_runs_and_after_it(server: Server) -> None:
    job = details(post(server, b"!sleep 1.5", "?wait=0"))["id"]
    address = f"{server.url}/api/v1/jobs/{job}"
    # As the Python SDK sends it.
    headers = {"x-api-key": "any", "Content-Type": "application/json"}
    running = details(requests.put(address, headers=headers, data=json.dumps({"name": "März.csv"}), timeout=60))
    assert (running["name"], running["id"]) == ("März.csv", job)
    server.wait(job)
    over = details(requests.get(address, timeout=60))
    assert (over["name"], over["status"]) == ("März.csv", 1)
    assert details(requests.put(address, json={"jobName": "../a.csv"}, timeout=60)) == {
        **over,
        **dict.fromkeys(("name", "inputFileName"), "a.csv"),
    }
    assert "a-result.csv" in requests.get(link_of(server, job), timeout=60).headers["content-disposition"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "the body must be a JSON object"),
        (b'"x"', 400, "the body must be a JSON object"),
        (b"\xff", 400, "the body must be a JSON object"),
        (b"{}", 400, "the body must name the job"),
        (b'{"name":" / "}', 400, "the body must name the job"),
        (b'{"name":7}', 400, "of the body, these must be texts: name"),
        (b'{"name":"%b"}' % (b"x" * 5000), 413, "larger than the 4096 bytes"),
    ],
)
def test_a_name_that_is_none_changes_nothing(server: Server, body: bytes, status: int, text: str) -> None:
    job = details(post(server, b"a\n1\n"))
    address = f"{server.url}/api/v1/jobs/{job['id']}"
    assert text in refused(requests.put(address, data=body, timeout=60), status)
    assert details(requests.get(address, timeout=60)) == job


def test_nobody_renames_the_job_of_another_client(start_server: StartServer) -> None:
    ann, bob = "ann-0123456789abcdef", "bob-0123456789abcdef"
    access = Access(Keys({"MODEL_API_KEY_ANN": ann, "MODEL_API_KEY_BOB": bob}, "upper"))
    server = start_server(extra={"access": access})
    files = {"file": ("mine.csv", b"a\nx\n")}
    job = details(requests.post(f"{server.url}/api/v1/jobs", files=files, headers={"x-api-key": ann}, timeout=20))
    address = f"{server.url}/api/v1/jobs/{job['id']}"
    refused(requests.put(address, json={"name": "x"}, headers={"x-api-key": bob}, timeout=60), 404)
    refused(requests.put(address, json={"name": "x"}, timeout=60), 401)
    assert details(requests.get(address, headers={"x-api-key": ann}, timeout=60)) == job


def test_a_program_that_fails_is_a_status_and_the_wait_may_run_out(server: Server) -> None:
    failed = details(post(server, b"!fail for this"))
    assert (failed["status"], failed["statusMessage"], failed["errorMessage"]) == (2, "error", "no good: for this")
    answer = requests.get(f"{server.url}/api/v1/jobs/result-link/{failed['id']}", timeout=60)
    assert "no good: for this" in refused(answer, 409)
    late = details(post(server, b"!sleep 1.5", "?wait=0"))
    assert (late["status"], late["statusMessage"], late["processingTimeMS"]) == (0, "incomplete", 0)
    assert "is not ready" in refused(
        requests.get(f"{server.url}/api/v1/jobs/result-link/{late['id']}", timeout=60), 409
    )
    server.wait(late["id"])
    over = details(requests.get(f"{server.url}/api/v1/jobs/{late['id']}", timeout=60))
    assert (over["status"], over["processingTimeMS"] >= 1500) == (1, True)


def test_the_latest_are_the_newest_first(start_server: StartServer) -> None:
    server = start_server()
    jobs = [details(post(server, b"a\n%d\n" % number)) for number in range(3)]
    answer = requests.get(f"{server.url}/api/v1/jobs/latest", timeout=60)
    assert answer.json() == {"data": jobs[::-1], "isError": False, "errorMessage": None}
    hidden = start_server(extra={"access": Access(job_list=False)})
    assert "switched off" in refused(requests.get(f"{hidden.url}/api/v1/jobs/latest", timeout=60), 403)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("{", "data must be a JSON object"),
        ("[]", "data must be a JSON object"),
        ("[" * 100_000, "data must be a JSON object"),
        ('{"name":7,"version":[]}', "must be texts: version, name"),
        ('{"version":"0.0.1"}', "this server has version 1.2 of the model alone"),
        ('{"mimeType":"image/png"}', "this MimeType is not supported"),
        ('{"mapping":"x"}', "Mappings: "),
        ('{"mapping":[{"source":1}]}', "Mappings: "),
        ('{"outputMapping":{}, "mapping":{"a":1}}', "Mappings: "),
    ],
)
def test_what_is_wrong_in_the_field_data_is_named(server: Server, data: str, text: str) -> None:
    kept = server.stored()
    files = {"file": b"a\n" + b"x" * 50_000}
    answer = requests.post(f"{server.url}/api/v1/jobs", data={"data": data}, files=files, timeout=20)
    assert text in refused(answer)
    assert server.stored() == kept


def test_other_refusals_are_those_of_add_job(server: Server, start_server: StartServer) -> None:
    assert "no data file" in refused(requests.post(f"{server.url}/api/v1/jobs", files={"data": "{}"}, timeout=60))
    assert "multipart" in refused(requests.post(f"{server.url}/api/v1/jobs", json={}, timeout=60))
    refused(post(server, b"x" * (LIMIT + 1)), 413)
    large = {"data": json.dumps({"name": "x" * 600_000})}
    refused(requests.post(f"{server.url}/api/v1/jobs", data=large, files={"file": b"a"}, timeout=60))
    for path in ("", "result-link/"):
        for job in (NO_JOB, "none", "%00"):
            refused(requests.get(f"{server.url}/api/v1/jobs/{path}{job}", timeout=60), 404)
    refused(requests.put(f"{server.url}/api/v1/jobs/{NO_JOB}", json={"name": "x"}, timeout=60), 404)
    unproved = start_server(extra={"unproved": lambda: "the model has not yet answered its sample"})
    assert "not yet answered" in refused(post(unproved, b"a\n"), 503)


def test_add_job_ignores_a_field_data_as_it_did(server: Server) -> None:
    files = {"File": b"a\nx\n", "data": b"\xff" * 600_000}
    assert requests.post(f"{server.url}/data/run-job", files=files, timeout=20).status_code == 200


def test_the_link_is_the_address_that_the_client_knows(start_server: StartServer) -> None:
    server = start_server(root_path="/models/upper")
    job = details(post(server, b"a\n"))["id"]
    prefix = f"{server.url}/models/upper/api/v1/jobs/result-link/{job}"
    assert requests.get(prefix, timeout=60).json()["data"] == f"{server.url}/models/upper/data/result/{job}"
    proxied = {"Host": "models.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/upper"}
    assert link_of(server, job, **proxied) == f"https://models.example/upper/data/result/{job}"
    assert urlsplit(link_of(server, job, Host="a b/c")).hostname == "localhost"


def test_a_link_needs_no_key_opens_one_result_and_ends(start_server: StartServer) -> None:
    now = [1_700_000_000.0]
    ann, bob = "ann-0123456789abcdef", "bob-0123456789abcdef"
    keys = Keys({"MODEL_API_KEY_ANN": ann, "MODEL_API_KEY_BOB": bob}, "upper", clock=lambda: now[0])
    server = start_server(extra={"access": Access(keys)})
    jobs = []
    for _ in range(2):
        files, headers = {"file": b"a\nx\n"}, {"x-api-key": ann}
        answer = requests.post(f"{server.url}/api/v1/jobs", files=files, headers=headers, timeout=20)
        jobs.append(details(answer)["id"])
    link = link_of(server, jobs[0], **{"x-api-key": ann})
    address, _, signature = link.partition("?link=")
    assert requests.get(link, timeout=60).content == b"A\nX\n"
    assert requests.head(link, timeout=60).status_code == 200
    forged = f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"
    later = f"{int(signature.partition('.')[0]) + 1}.{signature.partition('.')[2]}"
    holder = keys.holder_of(ann)
    assert holder is not None
    for wrong in (
        address,
        f"{address}?link={forged}",
        f"{address}?link={later}",
        f"{address}?link={keys.session(holder)}",
        f"{link}&link={signature}",
        f"{server.url}/data/result/{jobs[1]}?link={signature}",
        f"{server.url}/data/result/json/{jobs[0]}?link={signature}",
        f"{server.url}/data/status/{jobs[0]}?link={signature}",
        f"{server.url}/data/jobs?link={signature}",
        f"{server.url}/x/data/result/{jobs[0]}?link={signature}",
    ):
        assert requests.get(wrong, timeout=60).status_code == 401, wrong
    assert requests.delete(f"{server.url}/data/delete/{jobs[0]}?link={signature}", timeout=60).status_code == 401
    assert requests.get(address, cookies={"model-session": signature}, timeout=60).status_code == 401
    assert (
        requests.get(f"{server.url}/api/v1/jobs/{jobs[0]}", headers={"x-api-key": bob}, timeout=60).status_code == 404
    )
    other = f"{server.url}/api/v1/jobs/result-link/{jobs[0]}"
    assert requests.get(other, headers={"x-api-key": bob}, timeout=60).status_code == 404
    now[0] += LINK_SECONDS + 1
    assert requests.get(link, timeout=60).status_code == 401
