"""Proved before traffic: behind a load balancer nobody is answered by a task that answers its own sample wrongly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.integration.conftest import Cli

PROGRAM = """import sys
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
    target.write("{version} " + source.read())
"""
BALANCED = ("--load-balancer", "true", "--smoke-test", "service", "--rollout", "rolling")


def model(folder: Path, version: str, expected: str) -> Path:
    (folder / "smoke").mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(PROGRAM.format(version=version), encoding="utf-8")
    (folder / "smoke/input.txt").write_text("x", encoding="utf-8")
    (folder / "smoke/expected.txt").write_text(f"{expected} x", encoding="utf-8")
    return folder


@contextmanager
def clients(url: str) -> Iterator[list[str]]:
    """Ask the model all the time; yield what it answered, or the status of a refusal."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answer = requests.post(f"{url}/data/run-job", files={"File": b"y"}, timeout=60)
                answers.append(answer.text if answer.ok else str(answer.status_code))
            except requests.RequestException as error:
                answers.append(type(error).__name__)
            over.wait(0.1)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_task_that_answers_its_sample_wrongly_serves_nobody(cli: Cli, tmp_path: Path) -> None:
    folder = model(tmp_path / "proved", "one", "one")
    first = cli.run(folder, *BALANCED)
    assert (first.code, first.report["outcome"]) == (0, "deployed"), first.log
    url = str(first.report["url"])

    model(folder, "two", "other")
    with clients(url) as answers:
        second = cli.run(folder, *BALANCED)
    assert (second.code, second.report["outcome"]) == (11, "rolled-back"), second.log
    assert 'not proved: smoke/input.txt: not the result of smoke/expected.txt: line 1: expected "other x"' in second.log
    assert set(answers) == {"one y"}

    # The same without the proof: the wrong version answers everybody until the smoke test has failed.
    with clients(url) as answers:
        third = cli.run(folder, *BALANCED, "--self-proof", "false")
    assert third.report["outcome"] == "smoke-failed-rolled-back", third.log
    assert "two y" in answers
    cli.run(folder, "--yes", command="destroy")
