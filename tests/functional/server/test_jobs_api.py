"""The API lists jobs, waits for them, and takes keys and callbacks; it guards its room, and tells metrics and logs."""

import asyncio
import json
import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from model_server import bounds, log
from model_server.api import disk, operations
from model_server.jobs import callbacks, database, housekeeping, instance, receivers, worker
from model_server.jobs.callbacks import CallbackSender
from model_server.jobs.commits import Commits
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.housekeeping import Housekeeper, Retention
from model_server.jobs.job import JobRequest
from model_server.jobs.notifications import Notifier
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store, new_id
from model_server.jobs.worker import Worker
from model_server.volume import Volume, claim
from tests.rig.listening import listening
from tests.rig.waiting import eventually

from .conftest import Server, StartServer


@dataclass
class Receiver:
    """The server that callbacks call: it answers with the statuses in turn, with the last one forever."""

    statuses: list[int]
    url: str = ""
    #: Path, content type and body of each call.
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.calls.append((self.path, self.headers["content-type"], body))
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            self.send_response(status)
            self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:  # what a client makes of a POST that is redirected
            receiver.calls.append((f"GET {self.path}", "", b""))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver


def listed(server: Server, job_id: str) -> dict[str, object]:
    jobs = requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"]
    return next(dict(job) for job in jobs if job["id"] == job_id)


def test_the_list_is_newest_first_and_paged(start_server: StartServer) -> None:
    server = start_server()
    ids = [server.send(b"a\n") for _ in range(3)]
    failed = server.send(b"!fail it")
    server.wait(failed)
    body = requests.get(f"{server.url}/data/jobs?limit=2", timeout=60).json()
    assert (body["isError"], body["errorMessage"], body["data"]["total"]) == (False, None, 4)
    assert [job["id"] for job in body["data"]["jobs"]] == [failed, ids[2]]
    rest = requests.get(f"{server.url}/data/jobs?limit=2&offset=2", timeout=60).json()["data"]
    assert [job["id"] for job in rest["jobs"]] == [ids[1], ids[0]]
    job = body["data"]["jobs"][0]
    assert (job["status"], job["errorMessage"], job["attempts"], job["callback"]) == ("Error", "no good: it", 1, None)
    assert job["mimeType"] == "text/csv; header=present"
    assert job["created"] <= job["started"] <= job["finished"]
    assert job["finished"].endswith("Z")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "offset=-1", "offset=%C2%B2", "limit=9999999999999"]
)
def test_a_wrong_page_is_400(server: Server, query: str) -> None:
    answer = requests.get(f"{server.url}/data/jobs?{query}", timeout=60)
    assert (answer.status_code, answer.json()["isError"]) == (400, True)


def test_status_waits_for_the_end_and_not_longer(server: Server) -> None:
    job_id = server.send(b"!sleep 0.4")
    started = time.monotonic()
    body = requests.get(f"{server.url}/data/status/{job_id}?wait=30", timeout=10).json()
    assert body["data"]["status"] == "Complete"
    assert 0.3 < time.monotonic() - started < 25
    job_id = server.send(b"!sleep 20")
    eventually(lambda: listed(server, job_id)["status"] == "InProgress")
    body = requests.get(f"{server.url}/data/status/{job_id}?wait=1", timeout=10).json()
    assert body["data"]["status"] == "InProgress"
    assert requests.get(f"{server.url}/data/status/{job_id}?wait=-1", timeout=60).status_code == 400
    answers: list[int] = []
    url = f"{server.url}/data/status/{job_id}?wait=30"
    waiting = threading.Thread(target=lambda: answers.append(requests.get(url, timeout=10).status_code))
    waiting.start()
    requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60)
    waiting.join(30)
    assert answers == [404]


def test_when_many_wait_the_next_is_answered_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, watched: threading.Event
) -> None:
    monkeypatch.setattr(bounds, "WAITING", 1)
    job_id = server.send(b"!sleep 60")
    eventually(lambda: listed(server, job_id)["status"] == "InProgress")
    url, answers = f"{server.url}/data/status/{job_id}?wait=50", []
    waiting = threading.Thread(target=lambda: answers.append(requests.get(url, timeout=60).status_code))
    waiting.start()
    assert watched.wait(30)
    # Who waited would get no answer in the time that these clients have.
    assert requests.get(url, timeout=20).json()["data"]["status"] == "InProgress"
    late = requests.post(f"{server.url}/data/run-job", files={"File": b"a\n"}, timeout=20)
    assert (late.status_code, late.json()["data"]["id"]) == (202, late.headers["X-Job-Id"])
    requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60)
    server.wait(late.headers["X-Job-Id"])
    waiting.join(30)
    assert answers == [404]


def test_deleting_a_running_job_stops_its_program_at_once(server: Server) -> None:
    job_id = server.send(b"!sleep 20")
    eventually(lambda: listed(server, job_id)["status"] == "InProgress")
    requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60)
    started = time.monotonic()
    server.wait(server.send(b"a\n"))
    assert time.monotonic() - started < 15  # the only worker is free again


def test_the_same_idempotency_key_is_the_same_job(server: Server) -> None:
    url, headers = f"{server.url}/data/add-job", {"Idempotency-Key": "order 66"}
    first = requests.post(url, files={"File": b"a\n"}, headers=headers, timeout=60)
    server.wait(first.json()["data"]["id"])
    before = server.stored()
    again = requests.post(url, files={"File": b"a\n"}, headers=headers, timeout=60)
    assert again.text == first.text  # still Created, as add-job always says
    assert server.stored() == before
    other = requests.post(url, files={"File": b"a\n"}, headers={"Idempotency-Key": "other"}, timeout=60)
    assert other.json()["data"]["id"] != first.json()["data"]["id"]
    refused = requests.post(url, files={"File": b"a\n"}, headers={"Idempotency-Key": "x" * 256}, timeout=60)
    assert refused.status_code == 400


def test_the_callback_gets_the_envelope_of_success_and_of_failure(server: Server) -> None:
    with receiving(200) as receiver:
        good = server.send(b"a\n", CallbackUrl=f"{receiver.url}/good?token=1")
        bad = server.send(b"!fail x", callbackurl=f"{receiver.url}/bad")
        eventually(lambda: len(receiver.calls) == 2)
        for job_id, path in ((good, "/good?token=1"), (bad, "/bad")):
            status = requests.get(f"{server.url}/data/status/{job_id}", timeout=60).content
            assert (path, "application/json; charset=utf-8", status) in receiver.calls
        eventually(lambda: listed(server, bad)["callback"] == {"state": "delivered", "attempts": 1, "error": None})


def test_a_callback_that_is_refused_or_redirected_comes_again_and_keeps_no_worker(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(callbacks, "_POLL_SECONDS", 0.05)
    with receiving(503, 302, 204) as receiver:
        job_id = server.send(b"a\n", CallbackUrl=receiver.url + "/x")
        server.wait(job_id)
        server.wait(server.send(b"b\n"))
        eventually(lambda: listed(server, job_id)["callback"] == {"state": "delivered", "attempts": 3, "error": None})
        assert [path for path, _, _ in receiver.calls] == ["/x"] * 3  # never where the redirect led


def test_a_callback_that_nobody_takes_is_given_up_and_says_why(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "CALL_ATTEMPTS", 2)
    monkeypatch.setattr(callbacks, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(callbacks, "_POLL_SECONDS", 0.05)
    with receiving(500) as receiver:
        job_id = server.send(b"a\n", CallbackUrl=receiver.url)
        error = "it answered with status 500"
        eventually(lambda: listed(server, job_id)["callback"] == {"state": "failed", "attempts": 2, "error": error})
    gone = server.send(b"a\n", CallbackUrl="http://127.0.0.1:1/x")
    eventually(lambda: (listed(server, gone)["callback"] or {}).get("state") == "failed")  # type: ignore[attr-defined]
    assert "could not be reached" in str(listed(server, gone)["callback"])


@contextmanager
def dripping() -> Iterator[tuple[str, list[socket.socket]]]:
    """Start a receiver that never comes to the end of its answer; yield its address, and the calls that it got."""
    calls: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, suppress(OSError):

        def drip(connection: socket.socket) -> None:
            with suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while True:
                    time.sleep(0.1)
                    connection.sendall(b"a")

        def accept() -> None:
            with suppress(OSError):
                while True:
                    calls.append(listener.accept()[0])
                    threading.Thread(target=drip, args=(calls[-1],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", calls
    for call in calls:
        call.close()


def test_a_receiver_that_drips_ends_in_time_and_keeps_no_other_waiting(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "CALL_SECONDS", 3.0)
    monkeypatch.setattr(bounds, "CALL_ATTEMPTS", 1)
    with dripping() as (slow, calls), receiving(200) as receiver:
        many = [server.send(b"a\n", CallbackUrl=f"{slow}/{number}") for number in range(40)]
        server.send(b"a\n", CallbackUrl=f"{receiver.url}/good")
        eventually(lambda: receiver.calls)
        assert len(calls) < len(many)  # it did not wait for its turn behind them: with four at once they take 30 s
        for job_id in many:
            server.wait(job_id)
        error = "it did not answer within 3 s"
        eventually(lambda: listed(server, many[0])["callback"] == {"state": "failed", "attempts": 1, "error": error})
    for job_id in many:
        requests.delete(f"{server.url}/data/delete/{job_id}", timeout=60)


def test_pauses_grow_and_end() -> None:
    assert [callbacks.pause(attempts) for attempts in (1, 2, 3, 9, 10)] == [2.0, 6.0, 18.0, 3600.0, None]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/y",
        "file:///etc/passwd",
        "x",
        "http://",
        "http://[",
        "http://a:b/",
        "http://x/\x07",
        "http://" + "x" * 2001,
    ],
)
def test_a_callback_url_that_cannot_be_called_is_refused_at_once(server: Server, url: str) -> None:
    before = server.stored()
    answer = requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, data={"CallbackUrl": url}, timeout=60)
    assert answer.status_code == 400
    assert "CallbackUrl" in answer.json()["errorMessage"]
    assert server.stored() == before


def test_only_named_hosts_may_be_called_where_they_are_named() -> None:
    hosts = ("my.url.com",)
    assert callbacks.problem("https://MY.url.com/callback", hosts) is None
    assert "MODEL_CALLBACK_HOSTS" in str(callbacks.problem("http://169.254.169.254/", hosts))


OWN = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "169.254.170.2", "[::1]", "[::]", "[fe80::1]"]  # noqa: S104
OTHER_SPELLINGS = ["localhost", "LOCALHOST", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "me:pw@127.1"]


@pytest.mark.parametrize("host", OWN)
def test_a_callback_to_the_servers_own_computer_is_refused_at_once(host: str) -> None:
    assert "own computer" in str(callbacks.problem(f"http://{host}:8080/x", ()))
    assert callbacks.problem(f"http://{host}/x", (host.strip("[]"),)) is None


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
def test_a_name_that_leads_to_the_servers_own_computer_is_not_called(start_server: StartServer, host: str) -> None:
    server = start_server(extra={"callback_hosts": ()})
    with receiving(200) as receiver:
        port = receiver.url.rpartition(":")[2]
        url = f"http://{host}:{port}/"
        answer = requests.post(
            f"{server.url}/data/add-job", files={"File": b"a\n"}, data={"CallbackUrl": url}, timeout=5
        )
        if answer.status_code == 200:
            job = answer.json()["data"]["id"]
            eventually(lambda: "own computer" in str(listed(server, job)["callback"]))
        else:
            assert "own computer" in answer.json()["errorMessage"]
        assert receiver.calls == []


def test_what_is_checked_is_what_is_called(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look the name up once as one address, later as another: so does one whose owner attacks."""
    looked_up = []

    async def look_up(url: str) -> str:
        looked_up.append(url)
        return "127.0.0.1"

    monkeypatch.setattr(callbacks, "address_of", look_up)
    server = start_server(extra={"callback_hosts": ()})
    with receiving(200) as receiver:
        port = receiver.url.rpartition(":")[2]
        job = server.send(b"a\n", CallbackUrl=f"http://receiver.example:{port}/x")
        eventually(lambda: listed(server, job)["callback"] == {"state": "delivered", "attempts": 1, "error": None})
    assert looked_up == [f"http://receiver.example:{port}/x"]


def test_the_address_to_call_is_the_one_that_was_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert asyncio.run(receivers.address_of("http://203.0.113.7:8080/x")) == "203.0.113.7"
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert asyncio.run(receivers.address_of("http://203.0.113.7:8080/x")) is None


def test_a_volume_without_room_refuses_with_507_keeps_nothing_and_says_so_once(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(keep=2**60)
    requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=60)
    answer = requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=60)
    assert answer.status_code == 507
    assert answer.json() == {
        "data": None,
        "isError": True,
        "errorMessage": "the data volume has no room for this job; nothing was stored: "
        "delete old jobs, or send it again later",
    }
    assert server.stored() == set()
    assert [record.levelname for record in caplog.records if "has no room" in record.message] == ["WARNING"]


MIB = 1024 * 1024


def upload(server: Server, size: int, length: int | None) -> tuple[socket.socket, bytes]:
    """Send so many bytes of a file, of a body of this length or one that does not say it; return also the answer."""
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 30)
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = "Content-Type: multipart/form-data; boundary=b"
    connection.sendall(f"POST /data/add-job HTTP/1.1\r\nHost: x\r\n{kind}\r\n{framing}\r\n\r\n".encode())
    pieces = [
        b'--b\r\nContent-Disposition: form-data; name="File"; filename="f"\r\n\r\n',
        *[bytes(MIB)] * (size // MIB),
    ]
    answer = b""
    connection.setblocking(False)
    for piece in pieces:
        framed = piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
        while framed and not answer:
            with suppress(BlockingIOError):
                framed = framed[connection.send(framed) :]
            with suppress(BlockingIOError):
                answer = connection.recv(65536)
    connection.settimeout(30)
    return connection, answer


def test_room_is_reserved_while_data_comes(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upload with and without a length: each takes no more than others left, and they keep theirs."""
    server = start_server(limits={"timeout_seconds": 20, "upload_bytes": 10**12}, keep=50 * MIB)

    def free(_folder: Path) -> int:
        return 450 * MIB - sum(path.stat().st_blocks * 512 for path in server.stored())

    monkeypatch.setattr(disk, "free", free)
    first, _ = upload(server, MIB, 250 * MIB)  # it goes on
    with first:
        refused = requests.post(f"{server.url}/data/add-job", files={"File": bytes(250 * MIB)}, timeout=30)
        assert refused.status_code == 507
        endless, answer = upload(server, 500 * MIB, None)
        with endless:
            endless.sendall(b"0\r\n\r\n")
            assert b"HTTP/1.1 507 " in (answer or endless.recv(65536))
        assert len(server.stored()) == 1  # the first
        server.wait(server.send(b"a\n"))
    eventually(lambda: not server.stored())
    second, answer = upload(server, MIB, 350 * MIB)
    second.close()
    assert answer == b""


def test_ready_says_how_the_program_is_run(start_server: StartServer) -> None:
    server = start_server(extra={"runner_mode": lambda: "command (because größe.py\r\nX: y changes \x07 it)"})
    answer = requests.get(f"{server.url}/ready", timeout=60)
    assert (answer.status_code, answer.text) == (200, "Ready")
    assert answer.headers["X-Model-Runner-Mode"] == "command (because gr??e.py??X: y changes ? it)"
    unknown = start_server(extra={"runner_mode": lambda: ""})
    assert "X-Model-Runner-Mode" not in requests.get(f"{unknown.url}/ready", timeout=60).headers


def test_ready_says_what_is_missing(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start_server()
    answer = requests.get(f"{server.url}/ready", timeout=60)
    assert (answer.status_code, answer.text) == (200, "Ready")

    def problem(query: str = "?deep=1") -> str:
        answer = requests.get(f"{server.url}/ready{query}", timeout=60)
        assert answer.status_code == 503
        return answer.text

    assert "\nmodel_volume_room_bytes " in requests.get(f"{server.url}/metrics", timeout=60).text
    with monkeypatch.context() as patch:
        patch.setattr(disk, "free", lambda _: -1)
        assert problem() == "Not ready: the data volume has no room for a job"
        # A new task would find no more room: a scheduler need not replace this one.
        assert requests.get(f"{server.url}/ready", timeout=60).ok
        assert "\nmodel_volume_room_bytes -1.0\n" in requests.get(f"{server.url}/metrics", timeout=60).text
    marker = server.data / "model-volume.json"
    ours = marker.read_text(encoding="utf-8")
    for other in ('{"model": "wine", "layout": 1}', "{", None):
        marker.unlink() if other is None else marker.write_text(other, encoding="utf-8")
        assert problem() == "Not ready: the data volume is not that of this model any more"
    marker.write_text(ours, encoding="utf-8")
    assert requests.get(f"{server.url}/ready", timeout=60).ok
    server.workers.drain(1)
    assert problem() == problem("") == "Not ready: the server is about to stop"


def test_no_job_is_taken_before_the_model_is_proved(start_server: StartServer) -> None:
    server = start_server(extra={"unproved": lambda: "the model has not yet answered its sample in.csv"})
    for path in ("/data/add-job", "/data/run-job"):
        answer = requests.post(f"{server.url}{path}", files={"File": b"a\n"}, timeout=10)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "has not yet answered its sample in.csv" in answer.json()["errorMessage"]
    answer = requests.get(f"{server.url}/ready", timeout=60)
    assert (answer.status_code, answer.text) == (503, "Not ready: the model has not yet answered its sample in.csv")
    assert requests.get(f"{server.url}/health", timeout=60).text == "Health check is ok"
    assert requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"] == []


def test_while_the_database_is_locked_requests_are_503_and_ready_says_so(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 1)
    monkeypatch.setattr(operations, "_STALLED_SECONDS", 0.2)
    monkeypatch.setattr(database, "_TELL_SECONDS", 600)
    monkeypatch.setattr(database, "_told", {})
    server = start_server()
    job_id = server.send(b"a\n")
    server.wait(job_id)
    with closing(sqlite3.connect(server.data / "jobs.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = [
            requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=10),
            requests.post(f"{server.url}/data/add-job", files={"File": b"a\n" * 10_000}, timeout=10),
            requests.post(f"{server.url}/data/run-job", files={"File": b"a\n"}, timeout=10),
            requests.delete(f"{server.url}/data/delete/{job_id}", timeout=10),
        ]
        for answer in asked:
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["errorMessage"] == (
                "the job queue does not answer now; send the request again in a moment"
            )
        eventually(lambda: requests.get(f"{server.url}/ready?deep=1", timeout=60).text.endswith("takes no changes"))
        assert requests.get(f"{server.url}/data/status/{job_id}", timeout=10).ok  # readers wait for nobody
        other.execute("ROLLBACK")
    eventually(lambda: requests.get(f"{server.url}/ready", timeout=60).ok)
    server.wait(server.send(b"b\n"))
    assert len([record for record in caplog.records if record.message.startswith("a request was")]) == 1
    assert requests.get(f"{server.url}/health", timeout=60).status_code == 200
    silent = start_server(extra={"worker_problem": lambda: "no worker runs"})
    assert requests.get(f"{silent.url}/ready?deep=1", timeout=60).text == "Not ready: no worker runs"


def test_metrics_count_what_happened(start_server: StartServer) -> None:
    server = start_server()
    server.wait(server.send(b"a\n"))
    server.wait(server.send(b"!fail"))
    server.send(b"!sleep 20")
    server.send(b"a\n")
    eventually(
        lambda: requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"][1]["status"] != "Created"
    )
    answer = requests.get(f"{server.url}/metrics", timeout=60)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    for line in (
        'model_jobs{state="Created"} 1.0',
        'model_jobs{state="InProgress"} 1.0',
        'model_jobs{state="Complete"} 1.0',
        'model_jobs{state="Error"} 1.0',
        "model_job_attempts_total 3.0",
        'model_job_duration_seconds_count{outcome="complete"} 1.0',
        'model_job_duration_seconds_count{outcome="error"} 1.0',
        "model_callbacks_waiting 0.0",
        'model_info{build_id="b1d",model="upper",version="1.2"} 1.0',
    ):
        assert line in lines
    for job in requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"]:
        requests.delete(f"{server.url}/data/delete/{job['id']}", timeout=60)
    age = next(float(line.split()[1]) for line in lines if line.startswith("model_oldest_waiting_job_seconds "))
    assert 0 < age < 20


def test_logs_hold_the_jobs_id_and_nothing_of_the_user(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with receiving(500) as receiver, caplog.at_level(logging.INFO, "model_server"):
        files = {"File": ("private-name.csv", b"secret-data\n")}
        form = {"CallbackUrl": f"{receiver.url}/?token=secret-token", "MimeType": ""}
        headers = {"Idempotency-Key": "secret-key", "Authorization": "Bearer secret-bearer"}
        answer = requests.post(f"{server.url}/data/add-job", files=files, data=form, headers=headers, timeout=60)
        job_id = answer.json()["data"]["id"]
        server.wait(job_id)
        requests.post(f"{server.url}/data/add-job", files=files, data=form, headers=headers, timeout=60)
        eventually(lambda: "callback waiting" in caplog.text)
    assert {record.job for record in caplog.records if hasattr(record, "job")} >= {job_id}
    assert "secret" not in caplog.text
    assert "private-name" not in caplog.text


def test_json_logs_are_one_object_a_line() -> None:
    formatter = log._JsonFormatter()
    record = logging.LogRecord("x", logging.INFO, "", 0, "job %s is\nfine", ("1",), None)
    record.job = "1"
    text = formatter.format(record)
    assert "\n" not in text
    event = json.loads(text)
    assert (event["job"], event["message"], event["level"]) == ("1", "job 1 is\nfine", "INFO")
    assert event["time"].endswith("Z")


@pytest.fixture
def place(tmp_path: Path) -> tuple[Volume, Store]:
    from model_server.jobs import database

    volume = claim(tmp_path / "data", "m", None)
    return volume, Store(volume, Queue(database.open_sqlite(volume.database, on_network=False), "m", 3))


def finished(volume: Volume, store: Store, text: str) -> str:
    upload = volume.root / "upload"
    upload.write_text(text, encoding="utf-8")
    job_id = store.submit(upload, JobRequest("text/csv"), new_id()).result().id
    job = store.queue.claim("a", 60)
    assert job is not None
    upload.write_text(text, encoding="utf-8")
    assert store.queue.complete(job, store.publish(job, upload))
    return job_id


def keeper_of(volume: Volume, store: Store, retention: Retention) -> Housekeeper:
    return Housekeeper(store, volume, retention, locks_reach=True, remove=instance.remover(volume.instances))


def test_retention_removes_what_is_over_with_its_files(place: tuple[Volume, Store]) -> None:
    volume, store = place
    for text in "123":
        finished(volume, store, text)
    keeper_of(volume, store, Retention(None, 1)).once()
    assert store.queue.count() == 1
    assert (len(list(volume.inputs.iterdir())), len(list(volume.results.iterdir()))) == (1, 1)
    keeper_of(volume, store, Retention(30, None)).once()
    assert store.queue.count() == 1
    time.sleep(0.01)
    keeper_of(volume, store, Retention(0.005 / 86400, None)).once()
    assert (store.queue.count(), list(volume.inputs.iterdir()), list(volume.results.iterdir())) == (0, [], [])


def test_a_housekeeper_keeps_on_keeping_house(
    place: tuple[Volume, Store], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []
    enough = threading.Event()

    def once() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise OSError(5, "the network is away")
        if len(rounds) == 3:
            monkeypatch.setattr(housekeeping, "_EVERY_SECONDS", 3600.0)
            enough.set()

    monkeypatch.setattr(housekeeping, "_EVERY_SECONDS", 0.001)
    keeper = keeper_of(*place, Retention(None, None))
    monkeypatch.setattr(keeper, "once", once)
    keeper.start()
    assert enough.wait(30)
    assert "housekeeping met a fault and goes on" in caplog.text


def test_who_has_no_callback_to_send_waits_until_there_is_one(
    place: tuple[Volume, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked, looks, go = place[1], threading.Semaphore(0), list[int](), threading.Semaphore(0)

    def claim(*_: object) -> list[object]:
        looks.append(1)
        asked.release()
        return []

    monkeypatch.setattr(store.queue, "claim_callbacks", claim)
    monkeypatch.setattr(store.called, "wait", lambda *_: go.acquire(timeout=30))
    sender = CallbackSender(store, lambda _: b"")
    sender.start()
    for _ in range(3):
        assert asked.acquire(timeout=30)
        assert not asked.acquire(timeout=0.1), "it asks again, and nothing has happened"
        go.release()
    sender.stop()
    go.release(2)
    sender.join(30)
    assert len(looks) in (3, 4)


def test_a_dead_server_whose_folder_stays_is_found_once(
    place: tuple[Volume, Store], caplog: pytest.LogCaptureFixture
) -> None:
    volume, store = place
    (volume.instances / ("a" * 32)).mkdir()
    keeper = Housekeeper(store, volume, Retention(None, None), locks_reach=True, remove=lambda _: None)
    with caplog.at_level("INFO", "model_server"):
        keeper.take_over()
        keeper.take_over()
    assert caplog.text.count("found a server that had died") == 1


def test_files_that_a_crash_left_are_removed_and_no_others(place: tuple[Volume, Store]) -> None:
    volume, store = place
    job_id = finished(volume, store, "1")
    for path in (volume.inputs / "forgotten", volume.results / f"{job_id}-7"):
        path.touch()
    keeper = keeper_of(volume, store, Retention(None, None))
    keeper.remove_orphans(time.time() - 60)
    assert (len(list(volume.inputs.iterdir())), len(list(volume.results.iterdir()))) == (2, 2)
    keeper.remove_orphans(time.time() + 60)
    assert [path.name for path in volume.inputs.iterdir()] == [job_id]
    assert [path.name for path in volume.results.iterdir()] == [f"{job_id}-1"]


def test_a_submission_that_the_queue_refuses_leaves_no_file(
    place: tuple[Volume, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, store = place
    upload = volume.root / "upload"
    upload.touch()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.queue, "add", refuse)
    with pytest.raises(OSError, match="No space"):
        store.submit(upload, JobRequest("text/csv"), new_id())
    assert list(volume.inputs.iterdir()) == []


def test_no_thread_and_no_worker_ends_by_a_fault_that_nobody_foresaw(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[str] = []

    def fault_once(owner: type, name: str) -> None:
        whole = getattr(owner, name)

        def faulty(*arguments: object) -> object:
            if name not in faults:
                faults.append(name)
                raise RuntimeError(name)
            return whole(*arguments)

        monkeypatch.setattr(owner, name, faulty)

    monkeypatch.setattr(worker, "_AFTER_FAULT_SECONDS", 0.05)
    names = {"heartbeat", "commits", "callbacks"}
    threads = [thread for thread in threading.enumerate() if thread.name in names]
    fault_once(Heartbeat, "_beat")
    fault_once(Commits, "_commit")
    fault_once(CallbackSender, "_next")
    fault_once(Worker, "_do")
    refused = requests.post(f"{server.url}/data/add-job", files={"File": b"a\n"}, timeout=10).status_code
    with receiving(200) as receiver:
        first = server.send(b"a\n", CallbackUrl=receiver.url)
        server.wait(first)
        server.wait(server.send(b"b\n"))
        eventually(lambda: len(receiver.calls) == 1)
    eventually(lambda: len(faults) == 4)
    assert refused in (200, 500)  # who asked for the change that met the fault is told
    eventually(lambda: all(f"RuntimeError: {fault}" in caplog.text for fault in faults))
    assert {thread.name for thread in threads} == names
    assert all(thread.is_alive() for thread in threads)
    assert server.workers.problem is None


def test_a_ring_between_looking_and_waiting_is_not_lost() -> None:
    notifier = Notifier()
    seen = notifier.count
    notifier.notify()
    started = time.monotonic()
    notifier.wait(seen, 60)
    assert time.monotonic() - started < 30
