"""Kills servers, runners, programs, containers at random while jobs are done; counts what was lost, doubled or wrong.

python -m chaos.jobs --jobs 500 --kills 50                     two containers on one volume, SQLite
python -m chaos.jobs --jobs 500 --kills 50 --queue postgres    two containers as hosts, PostgreSQL
python -m chaos.jobs --jobs 500 --kills 50 --library PYTHON    two processes in mode library; PYTHON has the package
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import requests

from chaos.hosts import (
    PROGRAM,
    ROOT,
    ContainerHost,
    Host,
    ProcessHost,
    answer,
    kill,
    manifest,
    payload,
    program_of,
    runner_of,
)
from rig import postgres
from rig.docker_command import CA_SECRET, docker

CLIENTS = 4
END_SECONDS = 300
LEASE_SECONDS = 3
#: So many jobs more than a kill needs are under way when it comes.
AHEAD = 16
KINDS = ("server", "runner", "program", "container")
#: Of a job's data; both are among them, and most are near the smaller end.
SMALLEST, LARGEST = 1024, 5 * 1024 * 1024
#: What a job says whose program was killed: that is its end, for a program that fails by itself is not run again.
KILLED = "The program was killed by SIGKILL"
BUNDLE = "localhost/model-dockerize/model-server:chaos"


@dataclass(frozen=True)
class Count:
    """The outcome. `kills`, `killed`, `started_again`, `refused_late_results` tell whether it was a fair trial."""

    jobs: int
    kills: dict[str, int]
    lost: int
    recorded_twice: int
    wrong: int
    #: Ended as an error for another reason than that their program was killed by us.
    failed: int
    #: Ended as an error that says that their program was killed.
    killed: int
    started_again: int
    refused_late_results: int
    seconds: float = 0

    @property
    def passed(self) -> bool:
        return (self.lost, self.recorded_twice, self.wrong, self.failed) == (0, 0, 0, 0)


@dataclass
class Pace:
    """Keeps the clients from being done before the kills are: each of these is to meet jobs under way."""

    jobs: int
    kills: int
    struck: int = 0

    def wait(self, number: int) -> None:
        """Return when it is time to send job `number`."""
        while number >= self.jobs * (self.struck + 1) // self.kills + AHEAD and self.struck < self.kills:
            time.sleep(0.005)


def torment(hosts: Sequence[Host], diary: Path, jobs: int, kills: int, seed: int) -> Count:
    """Send `jobs` jobs to `hosts`, which run, while `kills` SIGKILLs hit them; wait for the end and count."""
    chance = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    started = time.monotonic()
    sizes = [SMALLEST, LARGEST, *(round(SMALLEST * (LARGEST / SMALLEST) ** chance.random()) for _ in range(jobs - 2))]
    chance.shuffle(sizes)
    ids: dict[int, str] = {}
    pace = Pace(jobs, kills)
    threads = [
        threading.Thread(target=_send_all, args=(hosts, range(number, jobs, CLIENTS), sizes, ids, pace), daemon=True)
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    hit: Counter[str] = Counter()
    for number in range(kills):
        # Spread over the whole of the work: the next one when its share of the jobs has begun.
        _wait_for(lambda share=jobs * number // kills: _begun(diary) >= share)
        time.sleep(chance.uniform(0, 0.2))
        kind = KINDS[number % len(KINDS)]
        while not (is_hit := _strike(chance.choice(list(hosts)), kind)) and _begun(diary) < jobs:
            time.sleep(0.002)  # a program is there for a moment
        hit[kind] += is_hit
        pace.struck = number + 1
    for thread in threads:
        thread.join(END_SECONDS)
    count = _count(hosts, sizes, ids, hit)
    return replace(count, seconds=round(time.monotonic() - started, 1))


def _send_all(
    hosts: Sequence[Host], numbers: Sequence[int], sizes: Sequence[int], ids: dict[int, str], pace: Pace
) -> None:
    """Send as a careful client: each job again and again, under its own key, to any host, until one has taken it."""
    for number in numbers:
        pace.wait(number)
        key = uuid.uuid4().hex
        while number not in ids:
            host = random.choice(list(hosts))  # noqa: S311
            with contextlib.suppress(requests.RequestException, KeyError, TypeError):
                reply = requests.post(
                    f"{host.url}/data/add-job",
                    files={"File": payload(number, sizes[number])},
                    headers={"Idempotency-Key": key},
                    timeout=30,
                )
                if reply.status_code == 200:
                    ids[number] = str(reply.json()["data"]["id"])
                    break
            time.sleep(0.05)


def _strike(host: Host, kind: str) -> bool:
    """Kill one process, or all of the host, and start that again; return false if there was nothing to kill."""
    server = host.server_pid()
    if server is None:
        host.kill_all()
        host.start()
        return False
    if kind in ("runner", "program"):
        pid = (runner_of if kind == "runner" else program_of)(server)
        return pid is not None and kill(pid)
    if kind == "server":
        kill(server)
    host.kill_all()
    host.start()
    return True


def _end_of(hosts: Sequence[Host], job_id: str) -> tuple[str, bytes]:
    """Return the job's state in the end, and its result or its error."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            body = requests.get(f"{hosts[0].url}/data/status/{job_id}?wait=5", timeout=20).json()
            if body["data"] is None:
                return "Lost", str(body["errorMessage"]).encode()
            if body["data"]["status"] == "Complete":
                found = requests.get(f"{hosts[0].url}/data/result/{job_id}", timeout=20)
                return ("Complete" if found.ok else "Lost"), found.content
            if body["isError"]:
                return "Error", str(body["errorMessage"]).encode()
    return "Lost", f"not over after {END_SECONDS} s".encode()


def _count(hosts: Sequence[Host], sizes: Sequence[int], ids: dict[int, str], hit: Counter[str]) -> Count:
    for host in hosts:
        if host.server_pid() is None:
            host.start()
    ends: Counter[str] = Counter()
    for number, size in enumerate(sizes):
        state, detail = _end_of(hosts, ids[number]) if number in ids else ("Lost", b"no host took it")
        if state == "Complete" and detail != answer(number, payload(number, size)):
            state = "Wrong"
        elif state == "Error" and detail.decode().startswith(KILLED) and ends["Killed"] < hit["program"]:
            state = "Killed"
        ends[state] += 1
        if state != "Complete":
            sys.stderr.write(f"job {number} of {size} bytes ({ids.get(number)}): {state}: {detail[:200]!r}\n")
    log = "\n".join(host.log() for host in hosts)
    recorded = Counter(re.findall(r"job (\S+) (?:complete|failed) after", log))
    total = requests.get(f"{hosts[0].url}/data/jobs?limit=1", timeout=20).json()["data"]["total"]
    return Count(
        jobs=len(sizes),
        kills=dict(hit),
        lost=ends["Lost"],
        # By the servers' own words, and by the list: a doubled job would stand there too.
        recorded_twice=sum(count > 1 for count in recorded.values()) + abs(total - len(ids)),
        wrong=ends["Wrong"],
        failed=ends["Error"],
        killed=ends["Killed"],
        started_again=len(re.findall(r"started, attempt (?:[2-9]|\d\d)", log)),
        refused_late_results=log.count("is no longer ours; nothing was recorded"),
    )


def _begun(diary: Path) -> int:
    return diary.read_text(encoding="utf-8").count("start ") if diary.exists() else 0


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the jobs do not go on")
        time.sleep(0.01)


@contextlib.contextmanager
def containers(environment: dict[str, str]) -> Iterator[tuple[list[Host], Path]]:
    """Run two containers on one volume, with the bundle that this checkout builds."""
    options = ["--target=model-server", *CA_SECRET, "--tag", BUNDLE]
    docker("buildx", "build", "--quiet", *options, str(ROOT))
    name = f"mdchaos-{uuid.uuid4().hex[:8]}"
    hosts: list[Host] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as text:
        folder = Path(text)
        image = _image(folder, name)
        shared = folder / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        (shared / "diary").touch()
        (shared / "diary").chmod(0o666)  # each worker's program is a user of its own
        docker("volume", "create", name)
        try:
            hosts += [ContainerHost(image, name, shared, environment) for _ in range(2)]
            for host in hosts:
                host.start()
            yield hosts, shared / "diary"
        finally:
            for host in hosts:
                host.remove()
            docker("volume", "rm", "--force", name)
            docker("image", "rm", "--force", image)


@contextlib.contextmanager
def processes(folder: Path, environment: dict[str, str], python: str = "") -> Iterator[list[Host]]:
    """Start two servers of this checkout on one volume; with `python`, their programs are of the library."""
    if python:
        environment = {**environment, "MODEL_RUNNER_MODE": "library"}
    with contextlib.ExitStack() as stack:
        hosts: list[Host] = []
        for name in ("a", "b"):
            host = ProcessHost(folder, name, environment, python)
            stack.callback(host.remove)
            host.start()
            hosts.append(host)
        yield hosts


def _image(folder: Path, name: str) -> str:
    (folder / "main.py").write_text(PROGRAM, encoding="utf-8")
    written = json.dumps(["/opt/model-server/model-server", "manifest", manifest("python", "/program", "/diary/diary")])
    (folder / "Dockerfile").write_text(
        "FROM python:3.13-slim-trixie\nCOPY main.py /program/\n"
        f"COPY --from={BUNDLE} /opt/model-server /opt/model-server\nRUN {written}\n"
        'ENTRYPOINT ["/opt/model-server/tini","--","/opt/model-server/model-server"]\n',
        encoding="utf-8",
    )
    docker("buildx", "build", "--quiet", "--tag", name, str(folder))
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--queue", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--library", metavar="PYTHON", default="", help="an interpreter that has the gravityai package")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    environment = {"MODEL_LEASE_SECONDS": str(LEASE_SECONDS), "MODEL_WORKERS": "2"}
    with contextlib.ExitStack() as stack:
        if options.queue == "postgres":
            environment["MODEL_QUEUE_URL"] = stack.enter_context(postgres.running()).make_database()
        if options.library:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            hosts, diary = stack.enter_context(processes(folder, environment, options.library)), folder / "diary"
        else:
            hosts, diary = stack.enter_context(containers(environment))
        count = torment(hosts, diary, options.jobs, options.kills, options.seed)
    print(json.dumps({"queue": options.queue, **asdict(count), "passed": count.passed}, indent=2))
    return 0 if count.passed else 1


if __name__ == "__main__":
    sys.exit(main())
