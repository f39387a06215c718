"""SageMaker's /ping and /invocations. On a real server."""

import socket
import struct
import threading
from contextlib import AbstractContextManager

import pytest
import requests

from model_server import bounds, settings
from model_server.__main__ import main
from model_server.jobs.notifications import Watch, Watchers
from tests.rig.waiting import eventually

from .conftest import LIMIT, Server, StartServer

CSV, JSON = "text/csv; header=present", "application/json"


def invoke(server: Server, content: bytes, kind: str | None = CSV, **headers: str) -> requests.Response:
    sent = {**({} if kind is None else {"Content-Type": kind}), **headers}
    return requests.post(f"{server.url}/invocations", data=content, headers=sent, timeout=20)


def test_the_body_is_the_data_and_the_answer_the_result_of_a_job_that_is_kept(server: Server) -> None:
    for content in (b"a,b\n1,x\n", b"a\n" + b"x\n" * 40_000):  # in the queue, and in files
        answer = invoke(server, content)
        assert (answer.status_code, answer.content) == (200, content.upper())
        assert answer.headers["content-type"] == CSV
        job = requests.get(f"{server.url}/data/status/{answer.headers['x-job-id']}", timeout=60).json()
        assert job["data"]["status"] == "Complete"


def test_a_body_in_chunks_and_one_that_looks_like_a_form_are_the_data_too(server: Server) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="File"\r\n\r\nx\r\n--b--\r\n'
    assert invoke(server, form).content == form.upper().replace(b"\r\n", b"\n")  # the program reads it as a text
    pieces = requests.post(f"{server.url}/invocations", data=iter([b"a\n", b"", b"x\n"]), timeout=20)
    assert (pieces.status_code, pieces.content) == (200, b"A\nX\n")


def test_content_type_and_accept_choose_the_forms(start_server: StartServer) -> None:
    fields = [{"Path": "A", "DataType": "string"}]
    server = start_server(schema={"input": fields, "output": fields})
    answer = invoke(server, b'[{"A":"x"}]', JSON, Accept=JSON)
    assert (answer.json(), answer.headers["content-type"]) == ([{"A": "X"}], f"{JSON}; charset=utf-8")
    assert invoke(server, b'[{"B":1}]', JSON).status_code == 400


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "*/*", "application/x-www-form-urlencoded"])
def test_a_type_that_says_nothing_is_the_models_own(server: Server, kind: str | None) -> None:
    answer = invoke(server, b"a\n1\n", kind)
    assert (answer.status_code, answer.text) == (200, "A\n1\n")


@pytest.mark.parametrize(
    "kind", ["image/png", "multipart/form-data; boundary=b", "nonsense", "text/csv; header=absent2"]
)
def test_a_type_that_the_model_does_not_take_is_415(server: Server, kind: str) -> None:
    answer = invoke(server, b"a\n1\n", kind)
    assert (answer.status_code, answer.json()["isError"]) == (415, True)
    assert CSV in answer.json()["errorMessage"]


def test_what_cannot_be_a_job_is_refused_in_an_envelope(server: Server) -> None:
    kept = server.stored()
    empty, large = invoke(server, b""), invoke(server, b"x" * (LIMIT + 1))
    assert (empty.status_code, "the body is empty" in empty.json()["errorMessage"]) == (400, True)
    assert (large.status_code, f"{LIMIT} bytes" in large.json()["errorMessage"]) == (413, True)
    assert invoke(server, b"x", **{"Content-Encoding": "gzip"}).status_code == 415
    failed = invoke(server, b"!fail for this")
    assert (failed.status_code, failed.json()["errorMessage"]) == (400, "no good: for this")
    assert server.stored() == kept


def test_it_waits_longer_than_run_job_does(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "WAIT_SECONDS", 1)
    server = start_server()
    answer = invoke(server, b"!sleep 2.5")
    assert (answer.status_code, answer.content) == (200, b"!SLEEP 2.5")
    failed = invoke(server, b"!fail", Accept=JSON)
    assert (failed.status_code, "x-job-id" in failed.headers) == (400, True)


def test_a_client_that_breaks_the_connection_is_waited_for_no_longer(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "WAIT_SECONDS", 1)
    watchers: list[Watchers] = []
    take = Watchers.watch

    def watch(self: Watchers, job_id: str) -> AbstractContextManager[Watch]:
        watchers.append(self)
        return take(self, job_id)

    monkeypatch.setattr(Watchers, "watch", watch)
    server = start_server()
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n!sleep 90")
        eventually(lambda: len(watchers) > 1)  # beyond the wait of run-job
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
    eventually(lambda: watchers[0].count == 0, seconds=60)


def test_when_too_many_wait_or_its_time_is_over_the_job_goes_on(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "WAIT_SECONDS", 1)
    monkeypatch.setattr(bounds, "INVOCATION_SECONDS", 0)
    server = start_server()
    late = invoke(server, b"!sleep 2.5")
    job = late.headers["x-job-id"]
    assert (late.status_code, job in late.json()["errorMessage"]) == (504, True)
    assert server.wait(job)["errorMessage"] is None
    monkeypatch.setattr(bounds, "INVOCATION_SECONDS", 60)
    monkeypatch.setattr(bounds, "LONG_WAITING", 0)
    refused = invoke(server, b"!sleep 1.5")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    job = refused.headers["x-job-id"]
    told = f"this server cannot wait for the job {job}, which goes on: ask for its status"
    assert refused.json()["errorMessage"] == told
    assert server.wait(refused.headers["x-job-id"])["errorMessage"] is None


def test_ping_is_200_and_nothing_when_jobs_are_taken(server: Server) -> None:
    answer = requests.get(f"{server.url}/ping", timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")


def test_before_the_self_proof_ping_says_why_and_no_job_is_taken(start_server: StartServer) -> None:
    why = "the model has not yet answered its sample in.csv"
    server = start_server(extra={"unproved": lambda: why})
    answer = requests.get(f"{server.url}/ping", timeout=60)
    assert (answer.status_code, answer.text) == (503, why)
    refused = invoke(server, b"a\n")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert why in refused.json()["errorMessage"]


def test_many_at_once_each_get_their_own(server: Server) -> None:
    found: dict[int, bytes] = {}

    def one(number: int) -> None:
        found[number] = invoke(server, b"n%d" % number).content

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {number: b"N%d" % number for number in range(8)}


def test_sagemakers_word_serve_starts_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[settings.Settings] = []

    def serve(current: settings.Settings) -> int:
        served.append(current)
        return 0

    monkeypatch.setattr("model_server.serve.serve", serve)
    monkeypatch.setenv("MODEL_SERVER_PORT", "8080")
    assert (main(["serve"]), main([])) == (0, 0)
    assert [each.port for each in served] == [8080, 8080]
    assert main(["serve", "more"]) == 2
