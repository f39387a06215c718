"""A durable queue keeps its promises on real server processes that are killed, doubled and stopped."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import requests

from model_server.jobs.store import SMALL_BYTES
from rig import postgres
from tests.rig.processes import command_lines
from tests.rig.waiting import eventually

ROOT = Path(__file__).parents[3]
JOBS = 50
#: Writes a line for each start, takes a while, or until it is enough, and writes its input back.
PROGRAM = """
import os, sys, time
source, target, starts, seconds = sys.argv[1:]
with open(starts, "a") as file:
    file.write(open(source).read() + "\\n")
end = time.monotonic() + float(seconds)
while time.monotonic() < end and not os.path.exists(starts + "-enough"):
    time.sleep(0.01)
with open(target, "w") as file:
    file.write(open(source).read())
"""


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    url: str
    log: Path


@dataclass
class Place:
    """A model and its volume, and the servers on it."""

    folder: Path
    seconds: float = 0.02
    servers: list[Server] = field(default_factory=list)

    @property
    def starts(self) -> Path:
        return self.folder / "starts"

    def enough(self) -> None:
        """End the program now, however long it was to take, and later ones at once."""
        (self.folder / "starts-enough").touch()

    def start(self, **environment: str) -> Server:
        """Start a server on the volume; wait until it answers."""
        (self.folder / "main.py").write_text(PROGRAM, encoding="utf-8")
        command = [sys.executable, "main.py", "{input}", "{output}", str(self.starts), str(self.seconds)]
        manifest = {
            "name": "echo",
            "version": "1",
            "build_id": "b",
            "command": command,
            "working_directory": str(self.folder),
            "input_types": ["text/plain"],
            "output_types": ["text/plain"],
        }
        (self.folder / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = self.folder / f"log-{len(self.servers)}"
        settings = {
            "MODEL_MANIFEST": str(self.folder / "model.json"),
            "MODEL_SERVER_HOST": "127.0.0.1",
            "MODEL_SERVER_PORT": str(port),
            "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
            "GAI_VOLUME_PATH": str(self.folder / "data"),
            "MODEL_LEASE_SECONDS": "3",
            "PYTHONPATH": str(ROOT / "lib"),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "model_server"],
                env={**os.environ, **settings, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = Server(process, f"http://127.0.0.1:{port}", log)
        self.servers.append(server)
        eventually(lambda: answers(server))
        return server

    def started(self) -> list[str]:
        """Return the inputs that the program was started with, in order."""
        return self.starts.read_text(encoding="utf-8").splitlines() if self.starts.exists() else []

    def log(self) -> str:
        return "".join(server.log.read_text(encoding="utf-8") for server in self.servers)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    here = Place(tmp_path)
    yield here
    for server in here.servers:
        server.process.kill()
        server.process.wait()


def answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text(encoding="utf-8")
    try:
        return requests.get(f"{server.url}/health", timeout=1).ok
    except requests.RequestException:
        return False


def wait_for_starts(place: Place, count: int) -> None:
    eventually(lambda: len(place.started()) >= count)


def text_of(number: int) -> str:
    """Return in turn a small text, which lies in the queue, and a large one, which is a file."""
    return f"text {number}" + "x" * (number % 2 * SMALL_BYTES)


def send(server: Server, text: str) -> str:
    answer = requests.post(f"{server.url}/data/add-job", files={"File": text.encode()}, timeout=30)
    return str(answer.json()["data"]["id"])


def status(server: Server, job_id: str) -> str:
    return str(requests.get(f"{server.url}/data/status/{job_id}", timeout=30).json()["data"]["status"])


def assert_all_complete_and_recorded_once(place: Place, server: Server, jobs: dict[str, str]) -> None:
    eventually(lambda: all(status(server, job_id) == "Complete" for job_id in jobs))
    for job_id, text in jobs.items():
        assert requests.get(f"{server.url}/data/result/{job_id}", timeout=30).text == text
    recorded = Counter(re.findall(r"job (\S+) complete after", place.log()))
    # A record that was committed a moment before the kill may lack its line; more than one must never be.
    assert set(recorded.values()) <= {1}
    files = {path.name[:36] for path in (place.folder / "data/results").iterdir()}
    assert files == {job_id for job_id, text in jobs.items() if len(text) > SMALL_BYTES}
    # A kill may fall between a result's file and its record; that file goes with the housekeeping, an hour later.
    killed = [server for server in place.servers if server.process.returncode == -signal.SIGKILL]
    assert len(list((place.folder / "data/results").iterdir())) <= len(files) + len(killed)


def test_killed_during_50_jobs_and_started_again_all_complete_none_recorded_twice(place: Place) -> None:
    lease = {"MODEL_LEASE_SECONDS": "600"}
    server = place.start(**lease)
    jobs = {send(server, text_of(number)): text_of(number) for number in range(JOBS)}
    for _ in range(2):
        wait_for_starts(place, len(place.started()) + 5)
        server.process.kill()
        server.process.wait()
        before = len(place.started())
        server = place.start(**lease)
        wait_for_starts(place, before + 1)  # the dead server's job is not left to the end of its lease
    assert_all_complete_and_recorded_once(place, server, jobs)
    starts = place.started()
    assert JOBS <= len(starts) <= JOBS + 2  # only what ran when the server was killed ran again
    assert "1 job(s) given back" in place.log()


def test_run_job_without_an_answer_is_either_absent_or_done_once_and_with_one_it_is_kept(place: Place) -> None:
    server = place.start()
    answered: dict[str, str] = {}
    over = threading.Event()

    def client(number: int) -> None:
        for turn in count():
            text = f"{number}-{turn}"
            with suppress(requests.RequestException):  # killed while it waited, or not yet started again
                answer = requests.post(f"{server.url}/data/run-job", files={"File": text.encode()}, timeout=30)
                if answer.status_code == 200:
                    assert answer.text == text
                    answered[text] = answer.headers["x-job-id"]
            if over.wait(0.01):
                return

    clients = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in clients:
        thread.start()
    for _ in range(4):
        enough = len(answered) + 10
        eventually(lambda enough=enough: len(answered) >= enough)
        server.process.kill()
        server.process.wait()
        server = place.start()
    over.set()
    for thread in clients:
        thread.join(40)
    jobs = requests.get(f"{server.url}/data/jobs?limit=500", timeout=30).json()["data"]["jobs"]
    eventually(lambda: all(status(server, job["id"]) == "Complete" for job in jobs))
    found = {job["id"]: requests.get(f"{server.url}/data/result/{job['id']}", timeout=30).text for job in jobs}
    assert len(set(found.values())) == len(found)  # no text is two jobs
    assert {text: job_id for job_id, text in found.items() if text in answered} == answered
    assert set(Counter(re.findall(r"job (\S+) complete after", place.log())).values()) == {1}


def test_two_servers_on_one_volume_share_the_work_and_never_a_job(place: Place) -> None:
    first, second = place.start(), place.start()
    jobs = {send((first, second)[number % 2], text_of(number)): text_of(number) for number in range(JOBS)}
    assert_all_complete_and_recorded_once(place, first, jobs)
    assert Counter(place.started()) == Counter(jobs.values())
    for server in (first, second):
        eventually(lambda server=server: "complete after" in server.log.read_text(encoding="utf-8"))


def test_a_server_takes_over_from_another_that_was_killed(place: Place) -> None:
    place.seconds = 60
    first, second = place.start(), place.start()
    jobs = {send(first, text_of(number)): text_of(number) for number in range(2)}
    eventually(lambda: all(status(second, job_id) == "InProgress" for job_id in jobs))
    first.process.kill()
    first.process.wait()
    place.enough()
    assert_all_complete_and_recorded_once(place, second, jobs)


@pytest.mark.parametrize(("database", "size"), [("SQLite", SMALL_BYTES), ("PostgreSQL", 0)])
def test_a_server_that_was_frozen_beyond_its_lease_records_nothing(place: Place, database: str, size: int) -> None:
    with ExitStack() as stack:
        queue = {}
        if database == "PostgreSQL":
            queue["MODEL_QUEUE_URL"] = stack.enter_context(postgres.running()).make_database()
        freeze_and_resume(place, queue, "text" + "x" * size)


def freeze_and_resume(place: Place, queue: dict[str, str], text: str) -> None:
    place.seconds = 60
    first = place.start(**queue)
    job_id = send(first, text)
    eventually(place.started)
    first.process.send_signal(signal.SIGSTOP)
    second = place.start(**queue)
    eventually(lambda: len(place.started()) == 2)
    place.enough()
    assert_all_complete_and_recorded_once(place, second, {job_id: text})
    first.process.send_signal(signal.SIGCONT)
    eventually(lambda: "is no longer ours; nothing was recorded" in first.log.read_text(encoding="utf-8"))
    assert_all_complete_and_recorded_once(place, second, {job_id: text})
    assert place.started() == [text, text]
    assert "complete after" not in first.log.read_text(encoding="utf-8")


def test_sigterm_lets_the_running_job_end_and_starts_no_other(place: Place) -> None:
    place.seconds = 60
    server = place.start()
    running, waiting = send(server, "running"), send(server, "waiting")
    eventually(place.started)
    server.process.terminate()
    eventually(lambda: "stopping: running jobs have" in place.log())
    assert status(server, waiting) == "Created"  # still answers while it drains
    place.enough()
    assert server.process.wait(30) == 0
    server = place.start()
    assert status(server, running) == "Complete"
    assert_all_complete_and_recorded_once(place, server, {running: "running", waiting: "waiting"})
    assert place.started() == ["running", "waiting"]


def test_a_job_that_outlasts_the_drain_is_given_back_and_its_program_stopped(place: Place) -> None:
    place.seconds = 60
    server = place.start(MODEL_DRAIN_SECONDS="0.5")
    job_id = send(server, "long")
    eventually(place.started)
    server.process.terminate()
    assert server.process.wait(30) == 0  # half of what the job takes
    assert "given back: the server stops" in place.log()
    assert not [line for line in command_lines() if str(place.starts) in line]
    place.seconds = 0.01
    assert_all_complete_and_recorded_once(place, place.start(), {job_id: "long"})


def test_a_volume_of_another_model_and_a_taken_port_stop_the_start_with_one_line(place: Place) -> None:
    server = place.start()
    port = server.url.rpartition(":")[2]
    environment = {
        **os.environ,
        "MODEL_MANIFEST": str(place.folder / "other.json"),
        "MODEL_SERVER_HOST": "127.0.0.1",
        "GAI_VOLUME_PATH": str(place.folder / "data"),
        "PYTHONPATH": str(ROOT / "lib"),
    }
    manifest = json.loads((place.folder / "model.json").read_text(encoding="utf-8"))
    (place.folder / "other.json").write_text(json.dumps({**manifest, "name": "other"}), encoding="utf-8")

    def start(taken_port: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "model_server"],
            env={**environment, "MODEL_SERVER_PORT": taken_port},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert start(port) == (
        f"model-server: cannot bind 127.0.0.1:{port}: Address already in use; "
        "free the port, or name another one by MODEL_SERVER_PORT\n"
    )
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    text = start(free)
    assert "belongs to the model 'echo', this image is 'other'" in text
    assert text.count("\n") == 1
