"""The first process of a function's container, as a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model_sandbox import function_bootstrap

HANDLER = """
import os, signal

def handler(event, context):
    if event == "late":
        while True:
            signal.pause()
    if event == "leave":
        os._exit(3)
    print("called", flush=True)
    return event
"""


@pytest.mark.parametrize(
    ("event", "seconds", "told"),
    [("fine", 60, (0, "called\n", '{"result": "fine"}')), ("leave", 60, (3, "", None)), ("late", 0.1, (142, "", None))],
)
def test_it_ends_as_its_handler_and_by_the_alarm(
    tmp_path: Path, event: str, seconds: float, told: tuple[int, str, str | None]
) -> None:
    (tmp_path / "model.py").write_text(HANDLER)
    facts = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id")
    asked = {"handler": "model.handler", "event": event, "seconds": seconds, "context": {name: name for name in facts}}
    (tmp_path / "event.json").write_text(json.dumps(asked))
    program, answer = Path(function_bootstrap.__file__).read_text(), tmp_path / "answer.json"
    for inside, here in (
        ("/var/task", tmp_path),
        ("/var/runtime/event.json", tmp_path / "event.json"),
        ("/tmp/answer.json", answer),
    ):
        program = program.replace(f'"{inside}"', repr(str(here)))
    argv = [sys.executable, "-S", "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, answer.read_text() if answer.exists() else None) == told
