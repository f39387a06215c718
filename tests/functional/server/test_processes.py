"""A server of two processes on one port: to those outside it is one."""

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from model_server import health
from tests.functional.server.started import Started
from tests.rig.waiting import eventually

_ESTABLISHED = "01"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path, "a\n", "A\n")
    started.environment |= {"MODEL_SERVER_PROCESSES": "2", "MODEL_CALLBACK_HOSTS": "127.0.0.1"}
    yield started
    if started.process is not None and started.process.poll() is None:
        started.process.terminate()
        started.process.wait(120)


def both(server: Started) -> list[int]:
    """Start it and return its processes, once all take jobs."""
    parent = server.start()
    eventually(lambda: parent.poll() is not None or "process 2 of 2" in server.log.read_text(encoding="utf-8"))
    assert parent.poll() is None, server.log.read_text(encoding="utf-8")
    eventually(server.answers)
    assert health.probe_ready(server.port) is None
    return children(parent.pid)


def children(parent: int) -> list[int]:
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()))


def of_port(port: int, client: int) -> str:
    """Return the inode of the server's end of a connection."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        ends = [int(end.rpartition(":")[2], 16) for end in fields[1:3]]
        if ends == [port, client] and fields[3] == _ESTABLISHED:
            return fields[9]
    raise AssertionError("there is no such connection")


def has(process: int, inode: str) -> bool:
    links = [path.readlink() for path in Path(f"/proc/{process}/fd").iterdir()]
    return Path(f"socket:[{inode}]") in links


class Door:
    """A kept connection to one process."""

    def __init__(self, server: Started, process: int) -> None:
        for _ in range(200):
            self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            self.ask("GET", "/health")
            if has(process, of_port(server.port, self.connection.sock.getsockname()[1])):
                return
            self.connection.close()
        raise AssertionError("the kernel gives this process no connection")

    def ask(self, method: str, path: str, **form: str) -> tuple[int, bytes]:
        files = {"File": ("x.csv", form.pop("file", ""))}
        sent = requests.Request("POST", "http://x", data=form, files=files).prepare()
        is_form = method == "POST"
        kind = {"Content-Type": sent.headers["Content-Type"] or ""} if is_form else {}
        self.connection.request(method, path, sent.body if is_form else None, kind)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def add(self, text: str, **form: str) -> str:
        status, body = self.ask("POST", "/data/add-job", file=text, **form)
        assert status == 200, body
        return str(json.loads(body)["data"]["id"])

    def status(self, job_id: str, query: str = "") -> str:
        return str(json.loads(self.ask("GET", f"/data/status/{job_id}{query}")[1])["data"]["status"])


def counted(door: Door) -> bytes:
    """Return the lines of /metrics that count jobs."""
    lines = door.ask("GET", "/metrics")[1].splitlines()
    return b"\n".join(line for line in lines if line.startswith((b"model_job_", b"model_jobs")))


def test_a_job_of_either_process_is_done_by_both_and_answered_by_both(server: Started) -> None:
    doors = [Door(server, process) for process in both(server)]
    jobs = {
        door.add(f"{number}-{turn}\n"): f"{number}-{turn}\n" for turn in range(8) for number, door in enumerate(doors)
    }
    for job_id, text in jobs.items():
        for door in doors:
            assert door.status(job_id, "?wait=50") == "Complete"
            assert door.ask("GET", f"/data/result/{job_id}") == (200, text.upper().encode())
    assert counted(doors[0]) == counted(doors[1])
    assert b"model_job_attempts_total 16.0" in counted(doors[0]), "each job was started once"
    lines = server.log.read_text(encoding="utf-8").splitlines()
    assert sum("proved:" in line for line in lines) == 1, "one process proves the model for all"


def test_an_idle_process_helps_a_busy_one_whose_clients_it_has_not(server: Started) -> None:
    first, second = (Door(server, process) for process in both(server))
    jobs = [first.add("!sleep 600\n") for _ in range(2)]
    eventually(lambda: server.states() == ["InProgress"] * 2)
    asked: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: asked.append(first.ask("POST", "/data/run-job", file="waits\n")))
    client.start()
    eventually(lambda: server.states() == ["InProgress"] * 2 + ["Created"])
    assert second.ask("DELETE", f"/data/delete/{jobs[0]}")[0] == 200
    client.join()
    assert asked == [(200, b"WAITS\n")], "whichever process had the worker that became free"
    assert second.ask("GET", f"/Job/{jobs[1]}")[0] == 200
    for door in (first, second):
        eventually(lambda door=door: b"working" in door.ask("GET", f"/Job/{jobs[1]}")[1])  # type: ignore[misc]


def test_an_idempotency_key_is_one_jobs_in_all_processes(server: Started) -> None:
    doors = [Door(server, process) for process in both(server)]
    sent = requests.Request("POST", "http://x", files={"File": ("x.csv", "k\n")}).prepare()
    headers = {"Content-Type": sent.headers["Content-Type"] or "", "Idempotency-Key": "k"}
    answers = []
    for door in doors:
        door.connection.request("POST", "/data/add-job", sent.body, headers)
        answers.append(door.connection.getresponse().read())
    assert answers[0] == answers[1]
    assert len(server.states()) == 1


def test_a_callback_of_either_process_is_made_once(server: Started) -> None:
    called: list[Any] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            called.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]["id"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/"
        doors = [Door(server, process) for process in both(server)]
        jobs = [door.add("c\n", CallbackUrl=url) for door in doors for _ in range(3)]
        eventually(lambda: len(called) >= len(jobs))
        assert server.process is not None
        server.process.terminate()
        assert server.process.wait(120) == 0
        receiver.shutdown()
    assert sorted(called) == sorted(jobs)


def test_a_word_to_one_process_stops_all_and_all_end_well(server: Started) -> None:
    processes = both(server)
    job = Door(server, processes[0]).add("!sleep 1\n")
    os.kill(processes[1], signal.SIGTERM)
    assert server.process is not None
    assert server.process.wait(120) == 0
    text = server.log.read_text(encoding="utf-8")
    assert text.count("stopping: running jobs have") == 2
    assert f"job {job} complete" in text or server.states() == ["Created"]


def killed(server: Started, which: Callable[[list[int]], int]) -> str:
    """Kill a process while both work; return the log, once all have ended."""
    server.environment["MODEL_DRAIN_SECONDS"] = "1"
    processes = both(server)
    doors = [Door(server, process) for process in processes]
    for number in range(6):
        doors[number % 2].add("!sleep 600\n" if number < 2 else f"{number}\n")
    eventually(lambda: server.states()[:2] == ["InProgress"] * 2)
    victim = which(processes)
    os.kill(victim, signal.SIGKILL)
    assert server.process is not None
    code = server.process.wait(120)
    assert code == (-9 if victim == server.process.pid else 137)
    eventually(lambda: not any(Path(f"/proc/{process}").exists() for process in processes))
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=10).connect()
    return server.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [0, 1])
def test_the_death_of_one_process_ends_the_server_and_no_job_is_lost(server: Started, number: int) -> None:
    text = killed(server, lambda processes: processes[number])
    assert text.count(f"process {number + 1} of 2 of this server ended by SIGKILL: all stop") == 1
    doors = [Door(server, process) for process in both(server)]
    jobs = json.loads(doors[0].ask("GET", "/data/jobs")[1])["data"]["jobs"]
    endless = [job["id"] for job in jobs if job["bytes"] == len("!sleep 600\n")]
    assert (len(jobs), len(endless)) == (6, 2)
    for job_id in endless:
        doors[1].ask("DELETE", f"/data/delete/{job_id}")
    for job in jobs:
        if job["id"] not in endless:
            assert doors[1].status(job["id"], "?wait=50") == "Complete"


def test_the_processes_end_with_their_parent(server: Started) -> None:
    def parent(_: list[int]) -> int:
        assert server.process is not None
        return server.process.pid

    killed(server, parent)


def test_no_second_process_begins_where_the_sample_is_answered_wrongly(tmp_path: Path) -> None:
    server = Started(tmp_path, "a\n", "B\n")
    server.environment["MODEL_SERVER_PROCESSES"] = "2"
    assert server.start().wait(120) == 3
    text = server.log.read_text(encoding="utf-8")
    assert "process 1 of 2" in text
    assert "process 2 of 2" not in text
    assert "ended with code" not in text, "why it ended is said already"


def test_a_process_that_hangs_makes_the_server_sick(server: Started) -> None:
    processes = both(server)
    door = Door(server, processes[0])
    os.kill(processes[1], signal.SIGSTOP)
    try:
        eventually(lambda: door.ask("GET", "/health") == (503, b"Another process of this server does not answer"))
    finally:
        os.kill(processes[1], signal.SIGCONT)
    eventually(lambda: door.ask("GET", "/health")[0] == 200)
