"""A function's container runs this first: it calls the handler as Lambda does, and writes down what came of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from model_sandbox import function_bootstrap

TOLD = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id")
HANDLER = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {name: value for name, value in vars(context).items() if name[0] != "_"}
"""


def invoke(folder: Path, event: dict[str, str]) -> tuple[Any, str]:
    """Return the answer and the log."""
    (folder / "model.py").write_text(HANDLER)
    told = {"handler": "model.handler", "event": event, "seconds": 60, "context": {name: name for name in TOLD}}
    (folder / "event.json").write_text(json.dumps(told))
    program = Path(function_bootstrap.__file__).read_text()
    for inside, here in (
        ("/var/task", folder),
        ("/var/runtime/event.json", folder / "event.json"),
        ("/tmp/answer.json", folder / "answer.json"),
    ):
        program = program.replace(f'"{inside}"', repr(str(here)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return json.loads((folder / "answer.json").read_text()), done.stdout


def test_a_handler_finds_in_its_context_what_lambda_gives_to_whoever_is_not_a_phone(tmp_path: Path) -> None:
    logs = {"log_group_name": "/aws/lambda/function_name", "log_stream_name": ""}
    found = {**{name: name for name in TOLD}, **logs, "identity": None, "client_context": None}
    assert invoke(tmp_path, {}) == ({"result": found}, "")


def test_an_error_is_the_answer_and_in_the_log_after_lambdas_word_for_it(tmp_path: Path) -> None:
    answer, log = invoke(tmp_path, {"fail": "no model"})
    assert (answer["error"]["errorType"], answer["error"]["errorMessage"]) == ("ValueError", "no model")
    assert log.startswith("[ERROR] Traceback")
