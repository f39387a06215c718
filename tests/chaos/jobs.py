"""Kills servers, runners and containers at random while jobs are sent and done; then counts what was lost or doubled.

python -m chaos.jobs --jobs 500 --kills 50                     two containers on one volume, SQLite
python -m chaos.jobs --jobs 500 --kills 50 --queue postgres    two containers as hosts, PostgreSQL
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
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from chaos.hosts import PROGRAM, ROOT, ContainerHost, Host, docker, kill, manifest, runner_of
from rig import postgres

CLIENTS = 4
END_SECONDS = 300
LEASE_SECONDS = 3
KINDS = ("server", "runner", "container")
BUNDLE = "localhost/model-dockerize/model-server:chaos"
CA = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Count:
    """What came out. Everything but `lost` and `recorded_twice` is for judging whether it was a fair trial."""

    jobs: int
    kills: dict[str, int]
    lost: int
    recorded_twice: int
    wrong: int
    failed: int
    started_again: int
    refused_late_results: int
    seconds: float

    @property
    def passed(self) -> bool:
        return (self.lost, self.recorded_twice, self.wrong, self.failed) == (0, 0, 0, 0)


def torment(hosts: Sequence[Host], diary: Path, jobs: int, kills: int, seed: int) -> Count:
    """Sends `jobs` jobs to `hosts`, which run, while `kills` SIGKILLs hit them; waits for the end and counts."""
    chance = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    started = time.monotonic()
    texts = [f"question {number}" for number in range(jobs)]
    ids: dict[str, str] = {}
    threads = [
        threading.Thread(target=_send_all, args=(hosts, texts[number::CLIENTS], ids), daemon=True)
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
        if _strike(chance.choice(list(hosts)), kind):
            hit[kind] += 1
    for thread in threads:
        thread.join(END_SECONDS)
    states = {text: _end_of(hosts, ids[text]) for text in texts}
    return _count(hosts, states, ids, hit, time.monotonic() - started)


def _send_all(hosts: Sequence[Host], texts: Sequence[str], ids: dict[str, str]) -> None:
    """As a careful client: each job again and again, under its own key, to any host, until one has taken it."""
    for text in texts:
        key = uuid.uuid4().hex
        while text not in ids:
            host = random.choice(list(hosts))  # noqa: S311
            with contextlib.suppress(requests.RequestException, KeyError, TypeError):
                answer = requests.post(
                    f"{host.url}/data/add-job",
                    files={"File": text.encode()},
                    headers={"Idempotency-Key": key},
                    timeout=10,
                )
                if answer.status_code == 200:
                    ids[text] = str(answer.json()["data"]["id"])
                    break
            time.sleep(0.05)


def _strike(host: Host, kind: str) -> bool:
    server = host.server_pid()
    runner = None if server is None else runner_of(server)
    if server is None or (kind == "runner" and runner is None):
        return False
    if kind == "runner":
        kill(runner or 0)
        return True
    if kind == "server":
        kill(server)
    host.kill_all()
    host.start()
    return True


def _end_of(hosts: Sequence[Host], job_id: str) -> tuple[str, str]:
    """The job's state in the end, and its result or its error."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            body = requests.get(f"{hosts[0].url}/data/status/{job_id}?wait=5", timeout=20).json()
            if body["data"] is None:
                return "Lost", str(body["errorMessage"])
            if body["data"]["status"] == "Complete":
                return "Complete", requests.get(f"{hosts[0].url}/data/result/{job_id}", timeout=20).text
            if body["isError"]:
                return "Error", str(body["errorMessage"])
    return "Lost", f"not over after {END_SECONDS} s"


def _count(
    hosts: Sequence[Host],
    states: dict[str, tuple[str, str]],
    ids: dict[str, str],
    hit: Counter[str],
    seconds: float,
) -> Count:
    log = "\n".join(host.log() for host in hosts)
    recorded = Counter(re.findall(r"job (\S+) complete after", log))
    total = requests.get(f"{hosts[0].url}/data/jobs?limit=1", timeout=20).json()["data"]["total"]
    for text, (state, detail) in states.items():
        if state != "Complete":
            sys.stderr.write(f"{text} ({ids[text]}): {state}: {detail}\n")
    return Count(
        jobs=len(states),
        kills=dict(hit),
        lost=sum(state == "Lost" for state, _ in states.values()),
        # By the servers' own words, and by the list: a doubled job would stand there too.
        recorded_twice=sum(count > 1 for count in recorded.values()) + abs(total - len(states)),
        wrong=sum(state == "Complete" and result != f"answer to {text}" for text, (state, result) in states.items()),
        failed=sum(state == "Error" for state, _ in states.values()),
        started_again=len(re.findall(r"started, attempt (?:[2-9]|\d\d)", log)),
        refused_late_results=log.count("is no longer ours; nothing was recorded"),
        seconds=round(seconds, 1),
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
    """Two containers on one volume, with the bundle that this checkout builds."""
    secret = [f"--secret=id=ca-bundle,src={CA}"] if CA.exists() else []
    docker("buildx", "build", "--quiet", "--target=model-server", *secret, "--tag", BUNDLE, str(ROOT))
    name = f"mdchaos-{uuid.uuid4().hex[:8]}"
    hosts: list[Host] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as text:
        folder = Path(text)
        image = _image(folder, name)
        shared = folder / "shared"
        shared.mkdir()
        shared.chmod(0o777)
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
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    environment = {"MODEL_LEASE_SECONDS": str(LEASE_SECONDS), "MODEL_WORKERS": "2"}
    with contextlib.ExitStack() as stack:
        if options.queue == "postgres":
            environment["MODEL_QUEUE_URL"] = stack.enter_context(postgres.running()).make_database()
        hosts, diary = stack.enter_context(containers(environment))
        count = torment(hosts, diary, options.jobs, options.kills, options.seed)
    print(json.dumps({"queue": options.queue, **asdict(count), "passed": count.passed}, indent=2))
    return 0 if count.passed else 1


if __name__ == "__main__":
    sys.exit(main())
