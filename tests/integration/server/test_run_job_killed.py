"""Kill a server while run-job answers: each job that it has answered is on the disk."""

import itertools
import threading
from contextlib import ExitStack
from pathlib import Path

import requests

from chaos.hosts import ProcessHost
from chaos.jobs import LEASE_SECONDS
from tests.rig.waiting import eventually

CLIENTS = 8
KILLS = 3
#: More answers before each kill.
ANSWERS = 40
#: So short that most of its jobs are recorded when they end, and not before.
PROGRAM = """
from gravityai import gravityai as grav

def double(source, target):
    with open(source) as file:
        value = int(file.read())
    with open(target, "w") as file:
        file.write(str(2 * value))

grav.wait_for_requests(double)
"""


class Clients:
    """Send job after job until the server is gone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        #: Results by the ids of their jobs.
        self.answered: dict[str, bytes] = {}
        self.wrong: list[str] = []

    def send(self) -> None:
        with requests.Session() as session:
            while True:
                number = next(self._numbers)
                try:
                    got = session.post(self._url, files={"File": ("x.txt", str(number))}, timeout=60)
                except requests.RequestException:
                    return
                job_id = got.headers.get("x-job-id", "")
                if (got.status_code, got.content) != (200, b"%d" % (2 * number)) or job_id in self.answered:
                    self.wrong.append(f"{got.status_code} {job_id} {got.content[:100]!r}")
                self.answered[job_id] = got.content


def test_what_was_answered_is_there_when_the_server_was_killed_and_is_not_done_again(
    tmp_path: Path, library_python: str
) -> None:
    environment = {"MODEL_LEASE_SECONDS": str(LEASE_SECONDS), "MODEL_WORKERS": "4", "MODEL_RUNNER_MODE": "library"}
    host = ProcessHost(tmp_path, "a", environment, library_python)
    (tmp_path / "main.py").write_text(PROGRAM, encoding="utf-8")
    clients = Clients(f"{host.url}/data/run-job")
    with ExitStack() as stack:
        stack.callback(host.remove)
        for kill in range(1, KILLS + 1):
            host.start()
            threads = [threading.Thread(target=clients.send) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            eventually(lambda kill=kill: len(clients.answered) >= kill * ANSWERS)  # type: ignore[misc]
            host.kill_all()
            for thread in threads:
                thread.join(60)
        host.start()
        assert clients.wrong == []
        for job_id, content in clients.answered.items():
            got = requests.get(f"{host.url}/data/result/{job_id}", timeout=60)
            assert (got.status_code, got.content) == (200, content)
            assert host.log().count(f"job {job_id} started") <= 1
