"""The stop of a server whose clients go on asking: nothing that it took in is cut off."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from model_server import health
from tests.functional.server.started import Started
from tests.rig.waiting import eventually

_NOBODY = "/data/status/00000000-0000-0000-0000-000000000000"


@pytest.fixture
def processes() -> int:
    return 1


@pytest.fixture
def server(tmp_path: Path, processes: int) -> Iterator[Started]:
    started = Started(tmp_path, "a\n", "A\n")
    started.environment |= {"MODEL_DRAIN_SECONDS": "12", "MODEL_SERVER_PROCESSES": str(processes)}
    process = started.start()
    eventually(started.answers)
    assert health.probe_ready(started.port) is None
    yield started
    process.kill()
    process.wait()


def connected(server: Started) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


def said(connection: socket.socket) -> str:
    """Read until the server hangs up; return that in small letters."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode().lower()


def asked_until_it_is_gone(server: Started, number: int, seen: Counter[str]) -> None:
    """Ask on kept connections, or each time on a new one, for a job or for a status."""
    client = requests.Session() if number % 2 else requests
    pause = threading.Event()
    while True:
        try:
            if number % 4 < 2:
                answer = client.post(f"{server.url}/data/run-job", files={"File": b"b\n"}, timeout=60)
            else:
                answer = client.get(server.url + _NOBODY, timeout=60)
            seen[str(answer.status_code)] += 1
        except requests.ConnectionError as error:
            is_refused = "Failed to establish" in str(error)
            seen["gone" if is_refused else f"cut off: {error}"] += 1
            if is_refused:
                return
        pause.wait(0.005 * (number % 8))


@pytest.mark.parametrize("processes", [1, 2])
def test_who_asks_while_it_stops_is_answered_or_refused(server: Started) -> None:
    seen: Counter[str] = Counter()
    clients = [threading.Thread(target=asked_until_it_is_gone, args=(server, number, seen)) for number in range(24)]
    for client in clients:
        client.start()
    eventually(lambda: seen["200"] >= 5 and seen["404"] >= 5)
    assert server.process is not None
    server.process.terminate()
    assert server.process.wait(60) == 0
    for client in clients:
        client.join()
    assert set(seen) <= {"200", "202", "404", "503", "gone"}, seen
    assert seen["503"], "a new job was sent while it stopped"


def test_each_answer_of_a_server_that_stops_is_its_connections_last(server: Started) -> None:
    requests.post(f"{server.url}/data/add-job", files={"File": b"!sleep 9"}, timeout=10)
    waits, kept = connected(server), connected(server)
    status = f"GET {_NOBODY} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    kept.sendall(status)
    assert "connection: close" not in kept.recv(65536).decode().lower()
    form = requests.Request("POST", server.url, files={"File": b"!sleep 9"}).prepare()
    head = f"POST /data/run-job HTTP/1.1\r\nHost: x\r\nContent-Type: {form.headers['Content-Type']}\r\n"
    waits.sendall(f"{head}Content-Length: {form.headers['Content-Length']}\r\n\r\n".encode() + bytes(form.body or b""))
    eventually(lambda: server.states() == ["InProgress"] * 2)
    assert server.process is not None
    server.process.terminate()
    eventually(lambda: requests.get(f"{server.url}/ready", timeout=10).status_code == 503)
    kept.sendall(status)
    assert "\r\nconnection: close\r\n" in said(kept)
    job = requests.post(f"{server.url}/data/add-job", files={"File": b"b\n"}, timeout=10)
    assert (job.status_code, job.headers["retry-after"], job.headers["connection"]) == (503, "5", "close")
    answer = said(waits)
    assert answer.startswith("http/1.1 200 "), "its job runs, and ends in time"
    assert "\r\nconnection: close\r\n" in answer
    assert server.process.wait(60) == 0


def test_a_first_request_that_is_on_its_way_is_answered(server: Started) -> None:
    requests.post(f"{server.url}/data/add-job", files={"File": b"!sleep 2"}, timeout=10)
    eventually(lambda: server.states() == ["InProgress"])
    assert server.process is not None
    server.process.terminate()
    early = connected(server)

    def listens() -> bool:
        try:
            connected(server).close()
        except ConnectionRefusedError:
            return False
        return True

    eventually(lambda: not listens(), pause=0.005)
    early.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = said(early)
    assert answer.startswith("http/1.1 200 ")
    assert "\r\nconnection: close\r\n" in answer
    assert server.process.wait(60) == 0


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("is_running", [False, True])
def test_who_waits_for_a_job_that_does_not_end_in_time_is_told_its_id(server: Started, is_running: bool) -> None:
    for _ in range(2 - is_running):
        requests.post(f"{server.url}/data/add-job", files={"File": b"!sleep 60"}, timeout=10)
    answers: list[requests.Response] = []

    def wait() -> None:
        answers.append(requests.post(f"{server.url}/data/run-job", files={"File": b"!sleep 60"}, timeout=60))

    client = threading.Thread(target=wait)
    client.start()
    eventually(lambda: server.states() == ["InProgress"] * 2 + ["Created"] * (not is_running))
    assert server.process is not None
    server.process.terminate()
    assert server.process.wait(60) == 0
    client.join()
    assert [answer.status_code for answer in answers] == [202]
    assert set(server.states()) == {"Created"}, "the next server does them"
