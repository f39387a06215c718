"""Asks a model all the time, and keeps jobs waiting in its queue; notes which version gave each answer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from model_sandbox.forwarder import NO_CONNECTION, REASON_HEADER

_CLIENTS = 8
_PAUSE = 0.15  # seconds between two requests of a client: at most some 6 a second
_JOBS = 6  # that are always under way
_PATIENCE = 300.0  # seconds in which an acknowledged job must end
ANSWERED, REFUSED, FAILED, LOST = "answered", "refused", "failed", "lost"
OWN_CODE = 77  # with which a program ends itself: no other end has it
_OWN_END = f"The program ended with exit code {OWN_CODE} "
_GOES_ON = "goes on"  # its text is the job's id


@dataclass(frozen=True)
class Outcome:
    """The end of a request or job.

    `refused`: nothing was accepted, for no server was reached or it said 503. `failed`: the program ended itself, and
    that was told. `lost`: any other end that is no right answer.
    """

    kind: str
    at: float  # seconds since the epoch
    text: str = ""

    @property
    def version(self) -> str:
        """Return the version that answered: the answer's first word."""
        return self.text.partition(" ")[0]


@dataclass
class Load:
    """Everything that was asked of one address."""

    url: str
    asked: list[Outcome] = field(default_factory=list)
    jobs: list[Outcome] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def _ask(self) -> None:
        while not self.over.wait(_PAUSE):
            asked = _outcome(lambda: self._post("run-job", b"request"))
            # A wait that ran out, or a server that stops: the job goes on, and is asked for.
            self.asked.append(self._end_of(asked.text) if asked.kind == _GOES_ON else asked)

    def _post(self, path: str, data: bytes) -> requests.Response:
        return requests.post(f"{self.url}/data/{path}", files={"File": data}, timeout=60)

    def _keep_a_job(self) -> None:
        while not self.over.is_set():
            try:
                added = self._post("add-job", b"job")
            except requests.RequestException:
                added = None
            if added is None or not added.ok:
                # Never acknowledged, so it is no job; the pause spares a service that is away.
                self.over.wait(0.5)
                continue
            self.jobs.append(self._end_of(added.json()["data"]["id"]))

    def _end_of(self, job: str) -> Outcome:
        deadline, said = time.monotonic() + _PATIENCE, "never asked"
        while time.monotonic() < deadline:
            try:
                # Short, so that no server is kept waiting by the load when it is to stop.
                status = requests.get(f"{self.url}/data/status/{job}", params={"wait": 2}, timeout=20)
                said = f"{status.status_code} {status.text}"
                state = status.json()["data"]["status"] if status.ok else ""
                if state == "Error":
                    return Outcome(_of_error(said), time.time(), f"job {job}: {said}"[:200])
                if state == "Complete":
                    ended = _outcome(lambda: requests.get(f"{self.url}/data/result/{job}", timeout=20))
                    if ended.kind == ANSWERED:
                        return ended
                    said = f"result: {ended.text}"
            except (requests.RequestException, ValueError) as error:
                said = repr(error)
            # A task whose queue is not this job's says 404 until it is asked at another.
            time.sleep(0.3)
        return Outcome(LOST, time.time(), f"job {job}: {said}"[:200])


def _outcome(ask: Callable[[], requests.Response]) -> Outcome:
    try:
        answer = ask()
    except requests.ConnectionError as error:
        # Nobody listened; what broke later may have been accepted.
        kind = REFUSED if "Failed to establish" in str(error) else LOST
        return Outcome(kind, time.time(), repr(error)[:200])
    except requests.RequestException as error:
        return Outcome(LOST, time.time(), repr(error)[:200])
    if answer.status_code == 200:
        return Outcome(ANSWERED, time.time(), answer.text[:200])
    if answer.status_code == 202:
        return Outcome(_GOES_ON, time.time(), answer.headers["X-Job-Id"])
    reason = answer.headers.get(REASON_HEADER, "")
    is_refused = answer.status_code == 503 or reason.startswith(NO_CONNECTION)
    kind = REFUSED if is_refused else _of_error(answer.text)
    return Outcome(kind, time.time(), f"{answer.status_code} {reason}{answer.text}"[:200])


def _of_error(text: str) -> str:
    return FAILED if _OWN_END in text else LOST


@contextmanager
def constant_load(url: str) -> Iterator[Load]:
    """Ask until the block ends, then wait for the jobs that were acknowledged."""
    load = Load(url)
    threads = [threading.Thread(target=load._ask) for _ in range(_CLIENTS)]
    threads += [threading.Thread(target=load._keep_a_job) for _ in range(_JOBS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
